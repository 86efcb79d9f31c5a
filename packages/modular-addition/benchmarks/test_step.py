"""A training step with gathered rows, beside the dense one-hot form that public implementations have."""

import statistics
import time

import pytest
import torch

from modular_addition import ModularAdditionNet, PairData, TrainConfig, all_pairs
from modular_addition.training import Trainer

MOST_MS = 6.0
"""Of a step at p = 23 with 512 neurons, on one core."""


def gathered_step(p=23, width=512, n_members=1):
    """A function that does a step of the package's trainer."""
    nets = [ModularAdditionNet(p, width, generator=torch.Generator().manual_seed(seed)) for seed in range(n_members)]
    trainer = Trainer(nets, PairData.make(p), TrainConfig(lr=1e-4, warmup=0, steps=1))

    def step():
        trainer.gradients(1)
        trainer.update()

    return step


def dense_step(p=23, width=512):
    """A function that does the same step with one-hot vectors and autograd."""
    net = ModularAdditionNet(p, width, generator=torch.Generator().manual_seed(0))
    pairs = all_pairs(p)
    u = torch.nn.functional.one_hot(pairs, p).sum(1).float()
    labels = pairs.sum(1) % p
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, betas=(0.9, 0.98), fused=True)

    def step():
        optimizer.zero_grad()
        logits = torch.relu(u @ net.w_in.T) @ net.w_out.T
        torch.nn.functional.cross_entropy(logits.double(), labels).backward()
        optimizer.step()

    return step


@pytest.mark.parametrize("make", [gathered_step, dense_step], ids=["gathered", "dense one-hot"])
@pytest.mark.benchmark(group="a step, p = 23, 512 neurons")
def test_step(benchmark, make):
    benchmark(make())


@pytest.mark.parametrize("n_members", [1, 3, 9])
@pytest.mark.benchmark(group="a step of several networks as one, p = 23, 512 neurons")
def test_members(benchmark, n_members):
    benchmark(gathered_step(n_members=n_members))


@pytest.mark.parametrize("p", [11, 23, 47])
@pytest.mark.benchmark(group="over p, 512 neurons")
def test_over_p(benchmark, p):
    benchmark(gathered_step(p))


def medians(steps, repetitions):
    """Median seconds of each step, taking turns, so that what else the machine does falls on all alike."""
    seconds = [[] for _ in steps]
    for repetition in range(-3, repetitions):
        for one, step in zip(seconds, steps, strict=True):
            start = time.perf_counter()
            step()
            if repetition >= 0:
                one.append(time.perf_counter() - start)
    return [statistics.median(one) for one in seconds]


@pytest.mark.timed
def test_a_step_takes_at_most_six_milliseconds_and_less_than_the_dense_form(record_property):
    gathered, dense = medians([gathered_step(), dense_step()], 40)
    record_property("milliseconds", 1e3 * gathered)
    record_property("ratio", gathered / dense)
    assert 1e3 * gathered <= MOST_MS
    assert gathered < dense
