"""A training step of a hypernetwork, beside hyperlight, the default and a plain network; and one γ for each sample."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mip_hypernet import ConvNet, hypernetize

BATCH, SIZE, WIDTH, HIDDEN = 64, 28, 8, (16, 128)


@pytest.fixture(scope="module")
def samples():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(BATCH, 1, SIZE, SIZE, generator=generator), torch.arange(BATCH) % 10


def network():
    return ConvNet(1, 10, (SIZE, SIZE), WIDTH)


def step(predict, optimizer, y):
    optimizer.zero_grad()
    loss = cross_entropy(predict(), y)
    loss.backward()
    optimizer.step()
    return loss


def run(benchmark, module, predict, y):
    optimizer = torch.optim.Adam(module.parameters(), 1e-4, fused=True)
    assert benchmark(step, predict, optimizer, y).isfinite()


@pytest.mark.parametrize("parametrization", ["mip", "default"])
def test_step(benchmark, samples, parametrization):
    x, y = samples
    model = hypernetize(network(), parametrization=parametrization, hidden_sizes=HIDDEN)
    gamma = torch.tensor([0.3])
    run(benchmark, model, lambda: model(x, gamma=gamma), y)


def test_step_of_hyperlight(benchmark, samples):
    hyperlight = pytest.importorskip("hyperlight", reason="hyperlight is not installed")
    x, y = samples
    primary = network()
    modules = hyperlight.find_modules_of_type(primary, [nn.Conv2d, nn.Linear])
    primary = hyperlight.hypernetize(primary, modules=modules)
    hypernet = hyperlight.HyperNet({"gamma": (1,)}, primary.external_shapes(), list(HIDDEN))
    gamma = torch.tensor([0.3])

    def predict():
        with primary.using_externals(hypernet(gamma=gamma)):
            return primary(x)

    run(benchmark, hypernet, predict, y)


def test_step_without_a_hypernetwork(benchmark, samples):
    x, y = samples
    plain = network()
    run(benchmark, plain, lambda: plain(x), y)


@pytest.mark.parametrize("way", ["batched", "loop"])
def test_one_gamma_for_each_sample(benchmark, samples, way):
    x, _ = samples
    model = hypernetize(network(), hidden_sizes=HIDDEN)
    gammas = torch.linspace(0, 1, BATCH)[:, None]

    def predict():
        with torch.no_grad():
            if way == "batched":
                return model.batched(x, gamma=gammas)
            return torch.cat([model(x[i : i + 1], gamma=gammas[i]) for i in range(BATCH)])

    assert benchmark(predict).shape == (BATCH, 10)
