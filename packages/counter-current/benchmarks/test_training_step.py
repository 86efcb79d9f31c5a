"""A training step of the published perceptron, 784-256x5-10 with batches of 256, by each rule; and CKA of all pairs."""

import pytest
import torch
from torch import nn

from counter_current import RunConfig, TrainConfig, Trainer, cka_matrix, linear_cka, make_mlp, make_rule
from counter_current.configs import RULES
from separata.labeled import LabeledDataset

SIZES = [784, 256, 256, 256, 256, 256, 10]
BATCH = 256


@pytest.fixture(scope="module")
def data() -> LabeledDataset:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (4 * BATCH,), generator=generator)
    return LabeledDataset(torch.randn(4 * BATCH, 784, generator=generator), labels, tuple("0123456789"))


@pytest.mark.parametrize("rule", RULES)
def test_step(benchmark, data, rule):
    """Batch, gradients, clipping and update."""
    network = make_mlp(SIZES)
    trainer = Trainer(network, data, TrainConfig(lr=0.1), make_rule(network, RunConfig(rule=rule)))
    steps = iter(range(10**9))

    def step():
        losses = trainer.gradients(next(steps) % 4)
        trainer.update()
        return losses["loss"]

    assert benchmark(step).isfinite()


def test_plain_back_propagation(benchmark, data):
    """The strongest peer: PyTorch's own layers, loss, clipping and optimizer, in a loop that does nothing else."""
    model = make_mlp(SIZES).plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, foreach=True)
    x, labels = data.x[:BATCH], data.y[:BATCH]

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        return loss

    assert benchmark(step).isfinite()


@pytest.fixture(scope="module")
def representations() -> list[torch.Tensor]:
    return [torch.randn(256, n) for n in SIZES]


def test_cka_of_all_pairs(benchmark, representations):
    cells = benchmark.pedantic(cka_matrix, (representations, representations), rounds=3, warmup_rounds=1)
    assert cells.shape == (7, 7)


def test_cka_pair_by_pair(benchmark, representations):
    """What the product of all pairs replaces."""

    def pairs():
        return torch.stack([linear_cka(x, y) for x in representations for y in representations])

    assert benchmark.pedantic(pairs, rounds=3, warmup_rounds=1).shape == (49,)
