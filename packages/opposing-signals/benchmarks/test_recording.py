"""What recording costs a training step, and the sharpness beside SciPy's Lanczos and power iteration."""

from time import perf_counter

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from opposing_signals import HessianOperator, Recorder, sharpness

N = 1000


@pytest.fixture(scope="module")
def training():
    """A network, images and classes of the paper's size at `quick`."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(196, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    generator = torch.Generator().manual_seed(0)
    return net, torch.randn(N, 196, generator=generator), torch.randint(10, (N,), generator=generator)


def stepper(training, recorder=None, n_steps=50):
    """A function that does some steps of full-batch gradient descent."""
    net, x, y = training
    optimizer, criterion = torch.optim.SGD(net.parameters(), lr=1e-3), nn.CrossEntropyLoss(reduction="none")
    count = iter(range(10**9))

    def steps():
        for _ in range(n_steps):
            optimizer.zero_grad()
            losses = criterion(net(x), y)
            if recorder is not None:
                recorder.log(next(count), losses)
            losses.mean().backward()
            optimizer.step()
        return losses

    return steps


def test_50_steps_alone(benchmark, training):
    assert benchmark(stepper(training)).shape == (N,)


def test_50_steps_recorded(benchmark, training):
    recorder = Recorder(N, window=1000)
    assert benchmark(stepper(training, recorder)).shape == (N,)
    assert len(recorder.steps) >= 50


def test_a_recorded_step_takes_at_most_15_percent_longer(training):
    """The two take turns, so that what else the machine does falls on both; the fastest turn counts."""
    alone, recorded = stepper(training, n_steps=2), stepper(training, Recorder(N, window=1000), n_steps=2)
    seconds = {alone: [], recorded: []}
    for _ in range(40):
        for one, spent in seconds.items():
            begun = perf_counter()
            one()
            spent.append(perf_counter() - begun)
    assert min(seconds[recorded]) <= 1.15 * min(seconds[alone])


def test_sharpness(benchmark, training):
    found = benchmark(sharpness, *training, tol=1e-3)
    assert float(found.residuals[0]) < 5e-3


def test_sharpness_scipy(benchmark, training):
    """The same products with ARPACK."""

    def run():
        operator = HessianOperator(*training)
        p = operator.n_parameters
        matrix = LinearOperator(
            (p, p), lambda v: operator(torch.from_numpy(np.ravel(v)).float()).numpy(), dtype=np.float32
        )
        return eigsh(matrix, 1, which="LA", tol=1e-3, v0=np.ones(p, np.float32))[0]

    assert benchmark(run)[0] > 0


def test_sharpness_power_iteration(benchmark, training):
    """The naive form, up to the same residual; it finds the largest by size, which may be negative."""

    def run():
        operator = HessianOperator(*training)
        v = torch.ones(operator.n_parameters) / operator.n_parameters**0.5
        for _ in range(500):
            product = operator(v)
            value = product @ v
            if (product - value * v).norm() < 1e-3 * value.abs():
                break
            v = product / product.norm()
        return value

    assert benchmark(run) > 0
