"""Inference that skips what is gated off, beside a dense network and beside masking; samples of estimators at once."""

import time
from statistics import median

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli

from stochastic_neurons import (
    ModelConfig,
    StraightThroughBernoulli,
    UnbiasedBernoulli,
    gradient_samples,
    make_function,
    make_network,
    set_activity,
)

N_FEATURES, N_EXPERTS, BLOCK = 784, 4000, 50


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = make_network(ModelConfig("st", N_EXPERTS, block_size=BLOCK), (N_FEATURES,), 10).eval()
    made.conditional.gater.neuron.inference = "threshold"
    set_activity(made, inputs(1000), 0.1)
    return made


def inputs(n):
    return torch.randn(n, N_FEATURES, generator=torch.Generator().manual_seed(n))


def plain(model):
    return nn.Sequential(model.conditional.experts, model.output)


@pytest.mark.benchmark(group="4,000 experts, a tenth on, 32 examples")
@pytest.mark.parametrize("kind", ["dense", "masked", "skipping"])
@torch.no_grad()
def test_inference(benchmark, model, kind):
    model.conditional.skip = kind == "skipping"
    run = plain(model) if kind == "dense" else model
    assert benchmark(run, inputs(32)).shape == (32, 10)
    model.conditional.skip = True


@pytest.mark.benchmark(group="skipping, over the examples of a pass")
@pytest.mark.parametrize("n", [1, 8, 64, 512])
@torch.no_grad()
def test_over_batches(benchmark, model, n):
    assert benchmark(model, inputs(n)).shape == (n, 10)


@pytest.mark.timed
@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.slow), 256])
@torch.no_grad()
def test_skipping_is_at_least_1_3_times_as_fast_as_the_dense_network(model, n, record_property):
    """One example needs an idle machine to be timed; what lies between is measured by a claim."""
    x, dense = inputs(n), plain(model)
    seconds = {"dense": [], "skipping": []}
    for _ in range(20):
        for name, run in (("dense", dense), ("skipping", model)):
            start = time.perf_counter()
            run(x)
            seconds[name].append(time.perf_counter() - start)
    ratio = median(seconds["dense"]) / median(seconds["skipping"])
    record_property("ratio", ratio)
    assert ratio >= 1.3


@pytest.mark.benchmark(group="10,000 gradient samples of 8 units")
@pytest.mark.parametrize("kind", ["unbiased", "straight-through", "torch.distributions"])
def test_samples(benchmark, kind):
    generator = torch.Generator().manual_seed(0)
    f, a = make_function("mlp", 8, generator), torch.randn(8, generator=generator, dtype=torch.float64)

    def peer():
        rows = a.expand(10_000, -1).clone().requires_grad_()
        of = Bernoulli(logits=rows)
        h = of.sample()
        return torch.autograd.grad((of.log_prob(h) * f(h)[:, None]).sum(), rows)[0]

    neuron = UnbiasedBernoulli(8).double() if kind == "unbiased" else StraightThroughBernoulli().double()
    run = peer if kind == "torch.distributions" else lambda: gradient_samples(f, a, neuron, 10_000)
    assert benchmark(run).shape == (10_000, 8)
