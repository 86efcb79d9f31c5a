"""A training step of ten blocks: all at once, a loop over blocks, and back-propagation through them."""

import pytest
import torch

from noprop import BackpropUnrolled, BlockwiseTrainer, ModelConfig, SampleShape, TrainConfig, make_model
from separata.labeled import LabeledDataset

SHAPES = {"conv": (1, 28, 28), "mlp": (64,)}
CONFIG = TrainConfig(epochs=1, batch_size=128)


def data_of(kind):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(128, *SHAPES[kind], generator=generator), torch.randint(10, (128,), generator=generator)
    return LabeledDataset(x, y, tuple("0123456789"))


def model_of(kind, n_steps=10, **settings):
    torch.manual_seed(0)
    config = ModelConfig(channels="16,32", width=128, n_steps=n_steps, **settings)
    return make_model(config, SampleShape(SHAPES[kind], tuple("0123456789"))).train()


def loop(model, data, optimizers):
    """Algorithm 1 for one batch: each block by its own loss and optimizer."""
    for t, optimizer in enumerate(optimizers, 1):
        optimizer.zero_grad()
        model.block_loss(t, data.x, data.y).backward()
        optimizer.step()


def optimizers_of(model):
    return [torch.optim.AdamW(one.parameters(), 1e-3, weight_decay=1e-3) for one in model.blocks]


def measure(benchmark, function, *arguments):
    benchmark.pedantic(function, arguments, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("groups", [0, 3])
@pytest.mark.parametrize("kind", SHAPES)
def test_all_blocks_at_once(benchmark, kind, groups):
    model, data = model_of(kind), data_of(kind)
    trainer = BlockwiseTrainer(model, data, TrainConfig(epochs=1, batch_size=128, blocks_at_once=groups))
    before = model.blocks[9].joint[0].weight.clone()

    def step():
        trainer.gradients(0)
        trainer.update()

    measure(benchmark, step)
    trainer.fit()
    assert not torch.equal(before, model.blocks[9].joint[0].weight)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_loop_over_blocks(benchmark, kind, layout):
    model, data = model_of(kind).to(memory_format=layout), data_of(kind)
    measure(benchmark, loop, model, data, optimizers_of(model))
    assert model.blocks[9].joint[0].weight.isfinite().all()


@pytest.mark.parametrize("kind", SHAPES)
def test_back_propagation(benchmark, kind):
    model, data = model_of(kind), data_of(kind)
    unrolled = BackpropUnrolled(model)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        loss = unrolled.loss(data.x, data.y)
        loss.backward()
        optimizer.step()
        return loss

    measure(benchmark, step)
    assert step().isfinite()


@pytest.mark.parametrize("n_steps", [5, 20])
def test_cost_by_the_number_of_blocks(benchmark, n_steps):
    model, data = model_of("mlp", n_steps), data_of("mlp")
    trainer = BlockwiseTrainer(model, data, CONFIG)
    benchmark.pedantic(lambda: trainer.gradients(0), rounds=5, warmup_rounds=1)
    assert all(group.n_blocks == n_steps for _, group in trainer.groups)


def test_inference(benchmark):
    """1,000 steps of continuous time, whose image branch is computed once."""
    model = model_of("conv", variant="ct").eval()
    x = data_of("conv").x[:32]
    model.sampler = model.with_sampler(steps=1000, n_runs=1)
    found = benchmark.pedantic(model.predict_proba, (x,), rounds=1)
    assert found.shape == (32, 10)
