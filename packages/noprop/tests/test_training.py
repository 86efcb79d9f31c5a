"""Training block by block, at once, apart; and the other models."""

from dataclasses import replace

import pytest
import torch
from noprop_own import Attentive, OwnBlock, Residual, bars, blobs
from torch import nn

from noprop import (
    BackpropUnrolled,
    BlockwiseTrainer,
    CosineSchedule,
    DenoisingBlock,
    ModelConfig,
    NoPropDT,
    RunConfig,
    SampleShape,
    SingleBlockTrainer,
    TrainConfig,
    Trainer,
    evaluate,
    make_model,
    make_trainer,
)
from noprop.runs import initial_model
from separata.testing import interrupted_after
from separata.training import seeded

TINY = TrainConfig(epochs=2, batch_size=32, lr=3e-3, steps=4)


def config(variant="dt", train=TINY, **settings):
    return RunConfig(ModelConfig(variant, **({"n_steps": 3, "channels": "3,4", "width": 8} | settings)), train)


def trained(data, one, dtype=torch.float64):
    data = replace(data, x=data.x.to(dtype))
    model = initial_model(one, data).to(dtype)
    make_trainer(model, data, one.train).fit()
    return model


def difference(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values())
    return max((a.double() - b.double()).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize(("data", "settings"), [(blobs(90), {}), (bars(70), {}), (blobs(90), {"head": "radial"})])
def test_the_order_of_blocks_changes_nothing(data, settings):
    """At once as one batched computation, one after the other, in a random order, in groups: the same weights."""
    found = {
        order: trained(data, config(train=replace(TINY, order=order), **settings))
        for order in ("parallel", "sequential", "random")
    }
    assert difference(found["sequential"], found["random"]) == 0
    assert difference(found["sequential"], found["parallel"]) < 1e-8
    grouped = trained(data, config(train=replace(TINY, blocks_at_once=2), **settings))
    assert difference(found["parallel"], grouped) < 1e-8
    start = initial_model(config(**settings), data)
    assert difference(start, found["parallel"]) > 1e-3
    for before, after in zip(start.blocks, found["parallel"].blocks):
        assert difference(before, after) > 1e-3


@pytest.mark.parametrize("t", [1, 3])
def test_a_block_alone_gets_the_weights_that_it_gets_in_company(t):
    data = bars(70)
    data = replace(data, x=data.x.double())
    together = trained(data, config(train=replace(TINY, order="sequential")))
    model = initial_model(config(), data).double()
    for number, block in enumerate(model.blocks, 1):
        if number != t:  # It is not even looked at.
            for parameter in block.parameters():
                parameter.data.fill_(torch.nan)
    SingleBlockTrainer(model, data, TINY, t).fit()
    assert difference(model.blocks[t - 1], together.blocks[t - 1]) == 0
    assert difference(model.head, together.head) == 0


def test_a_stacked_step_is_adam_on_each_block():
    """One optimizer over the stack against one for each block, by hand."""
    data = blobs(64)
    data = replace(data, x=data.x.double())
    settings = replace(TINY, epochs=3, batch_size=64)
    model, other = (initial_model(config(train=settings), data).double() for _ in range(2))
    trainer = BlockwiseTrainer(model, data, settings)
    trainer.fit()
    batches = trainer.batches
    optimizers = [torch.optim.AdamW(one.parameters(), 3e-3, weight_decay=1e-3) for one in other.blocks]
    for step in range(3):
        x, y = batches(step)
        for t, optimizer in enumerate(optimizers, 1):
            optimizer.zero_grad()
            other.block_loss(t, x, y, batches.of_block(t, step)).backward()
            optimizer.step()
    assert difference(model.blocks, other.blocks) < 1e-9


def test_a_learned_embedding_learns_in_every_order():
    data = blobs(90)
    for order in ("parallel", "sequential"):
        one = config(train=replace(TINY, order=order), embedding="learned", dim=4)
        assert difference(trained(data, one).embedding, initial_model(one, data).embedding) > 1e-3
    frozen = config(embedding="learned", dim=4, freeze_embedding=True)
    assert difference(trained(data, frozen).embedding, initial_model(frozen, data).embedding) == 0
    with pytest.raises(ValueError, match="cannot share an embedding that is learned"):
        SingleBlockTrainer(initial_model(one, data), data, TINY, 1)


def test_all_blocks_at_once_pull_at_a_learned_embedding_as_one_after_the_other():
    """The gradient of the embedding and the head is the sum of those of Algorithm 1 over the blocks."""
    data = blobs(64)
    data = replace(data, x=data.x.double())
    one = config(train=replace(TINY, batch_size=64), embedding="learned", dim=4)
    model, other = (initial_model(one, data).double() for _ in range(2))
    for groups in (0, 2):
        trainer = BlockwiseTrainer(model, data, replace(one.train, blocks_at_once=groups))
        trainer.gradients(0)
        other.zero_grad()
        x, y = trainer.batches(0)
        for t in (1, 2, 3):
            loss = other.head_loss(y, trainer.batches.of_block(0, 0))
            (loss + other.block_loss(t, x, y, trainer.batches.of_block(t, 0))).backward()
        torch.testing.assert_close(model.embedding.weight.grad, other.embedding.weight.grad)
        torch.testing.assert_close(model.head.f_out.weight.grad, other.head.f_out.weight.grad)


@pytest.mark.parametrize("variant", ["dt", "ct", "fm", "backprop", pytest.param("adjoint", marks=pytest.mark.slow)])
def test_every_variant_learns_clusters(variant):
    data = blobs(240)
    epochs = {"dt": 20, "backprop": 15, "ct": 40, "fm": 40, "adjoint": 12}[variant]
    one = config(variant, TrainConfig(epochs=epochs, batch_size=48, lr=1e-2, steps=5), width=24, gamma=3.0)
    model = initial_model(one, data)
    test = blobs(90, seed=1)
    make_trainer(model, data, one.train).fit()
    assert not model.training
    # A neural ODE needs far more steps than these.
    assert evaluate(model, test, steps=5) > (0.55 if variant == "adjoint" else 0.9)


def test_a_network_of_one_s_own_as_encoder_or_block():
    """A small residual network, and blocks that are nothing like the package's."""
    data, images = blobs(240), bars(240)
    cases = [
        (Attentive, data, blobs(90, seed=1)),
        (lambda dim, n: DenoisingBlock(Residual(8), 8, dim, n, width=16), images, bars(90, seed=1)),
        (OwnBlock, images, bars(90, seed=1)),
    ]
    for factory, train, test in cases:
        with seeded(0):
            model = NoPropDT(3, factory, schedule=CosineSchedule(2))
        make_trainer(model, train, TrainConfig(epochs=8, batch_size=24, lr=2e-2)).fit()
        assert evaluate(model, test) > 0.8


@pytest.mark.parametrize(
    ("variant", "order", "data"),
    [
        ("dt", "parallel", blobs(90)),
        ("dt", "random", bars(90)),
        ("ct", "parallel", bars(90)),
        ("fm", "parallel", blobs(90)),
    ],
)
def test_an_interrupted_training_goes_on_to_the_same_weights(variant, order, data, tmp_path):
    one = config(variant, replace(TINY, order=order, epochs=3))
    whole, model = initial_model(one, data), initial_model(one, data)
    make_trainer(whole, data, one.train, checkpoint=tmp_path / "whole.safetensors").fit()
    checkpoint = tmp_path / "checkpoint.safetensors"
    with interrupted_after(12 if order == "random" else 5), pytest.raises(KeyboardInterrupt):
        make_trainer(model, data, one.train, checkpoint=checkpoint).fit()
    again = initial_model(one, data)
    trainer = make_trainer(again, data, one.train, checkpoint=checkpoint)
    assert 0 < trainer.loop.done < trainer.loop.n_steps
    trainer.fit()
    assert difference(whole, again) == 0
    other = initial_model(config(variant, one.train, width=12), data)
    with pytest.raises(ValueError, match="is not the checkpoint of this training"):
        make_trainer(other, data, one.train, checkpoint=checkpoint)


def test_the_history_has_a_row_for_each_epoch():
    data, rows = blobs(90), []
    for order, n_units in (("parallel", 1), ("sequential", 4)):
        one = config(train=replace(TINY, order=order))
        make_trainer(initial_model(one, data), data, one.train, log=rows.append, validation=blobs(30, seed=1)).fit()
        assert [row["step"] for row in rows] == [2 * n_units, 4 * n_units]
        assert [row["epoch"] for row in rows] == [1, 2]
        assert all(0 <= row["validation_accuracy"] <= 1 for row in rows)
        rows.clear()


def test_validation_changes_nothing():
    data, one = blobs(90), config()
    models = [initial_model(one, data) for _ in range(2)]
    make_trainer(models[0], data, TINY).fit()
    make_trainer(models[1], data, TINY, validation=blobs(30, seed=1)).fit()
    assert difference(*models) == 0


def test_training_for_a_time():
    data, ticks = blobs(90), iter(range(1000))
    model = initial_model(config(), data)
    trainer = make_trainer(model, data, TINY)
    assert trainer.fit_for(5, lambda: float(next(ticks))) == 5
    assert not model.training
    assert difference(model, initial_model(config(), data)) > 0
    assert trainer.fit_for(0, lambda: 0.0) == 1


def test_any_module_with_a_loss_is_trained():
    class Own(nn.Linear):
        def loss(self, x, y, generator=None):
            return nn.functional.cross_entropy(self(x), y)

    data = blobs(240)
    model = Own(6, 3)
    Trainer(model, data, TrainConfig(epochs=30, batch_size=24, lr=3e-2)).fit()
    assert evaluate(model, data) > 0.9


def test_blocks_of_convolutions_in_three_dimensions_are_trained():
    class Volumes(nn.Module):
        def __init__(self, dim, n_outputs):
            super().__init__()
            self.conv, self.out = nn.Conv3d(1, 2, 3, padding=1), nn.Linear(2 + dim, n_outputs)

        def forward(self, x, z):
            return self.out(torch.cat([self.conv(x).mean((2, 3, 4)), z], 1))

    flat = blobs(40)
    data = replace(flat, x=flat.x[:, None, None, None].expand(-1, 1, 2, 3, 6))
    with seeded(0):
        model = NoPropDT(3, Volumes, schedule=CosineSchedule(2))
    before = model.blocks[0].conv.weight.detach().clone()
    make_trainer(model, data, TINY).fit()
    assert model.blocks[0].conv.weight.is_contiguous()
    assert not torch.equal(model.blocks[0].conv.weight, before)


def test_models_are_made_as_configured():
    data = bars(30)
    model = make_model(
        ModelConfig("backprop", channels="3,4", n_steps=4, embedding="prototype", head="radial", eta=0.3),
        SampleShape(data.sample_shape, data.classes),
        prototypes=(data.x, data.y),
        train=TrainConfig(chain_noise=False),
    )
    assert isinstance(model, BackpropUnrolled)
    assert not model.noise
    assert (model.model.n_steps, model.model.eta, model.model.embedding.dim) == (4, 0.3, 64)
    assert model.model.head.sigma == 1.0


def test_a_diverging_training_says_so():
    data = blobs(90)
    data.x[3] = torch.nan
    one = config()
    with pytest.raises(FloatingPointError, match="diverged"):
        make_trainer(initial_model(one, data), data, one.train).fit()


def test_labels_out_of_range_are_refused_before_training():
    data = blobs(30)
    model = initial_model(config(), data)
    with pytest.raises(ValueError, match="labels lie between 0 and 2, not 0 and 7"):
        make_trainer(model, replace(data, y=torch.where(data.y == 1, 7, data.y)), TINY)
