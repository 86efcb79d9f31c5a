"""A training step: all families as one product beside a loop over them; before and after pruning; and peers."""

import pytest
import torch

from s_kan import KAN, SKAN, SKANConv2d, linear, make_basis, to_compact
from s_kan.linear import loop_over_members
from separata.models import MLP

N, WIDTHS = 1000, [64, 32, 10]
POOL = ("bspline", "rbf", "chebyshev", "fourier", "wavelet")


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(N, WIDTHS[0], generator=generator) - 1, torch.randn(N, WIDTHS[-1], generator=generator)


def step(model, call, x, y, optimizer):
    """One step of Adam."""
    optimizer.zero_grad()
    loss = (call(x) - y).square().mean()
    loss.backward()
    optimizer.step()
    return loss


def run(benchmark, model, data, call=None):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    loss = benchmark(step, model, call or model, *data, optimizer)
    assert loss.isfinite()


def decided(model):
    """Nodes choose at random, so that every family is kept by some."""
    for number, layer in enumerate(model.layers):
        with torch.no_grad():
            generator = torch.Generator().manual_seed(number)
            layer.select.logits.copy_(torch.randn(layer.select.logits.shape, generator=generator))
    return model


@pytest.mark.parametrize("largest", [2**40, 0], ids=["one product", "a product for each"])
def test_five_families(benchmark, data, largest, monkeypatch):
    """The weights folded into the coefficients; five families as one expansion, or as one each, as in large batches."""
    monkeypatch.setattr(linear, "LARGEST_JOINED", largest)
    run(benchmark, SKAN(WIDTHS), data)


def test_loop_over_families(benchmark, data):
    """The definition: a product for each family."""
    model = SKAN(WIDTHS)

    def call(x):
        for layer in model.layers:
            x = loop_over_members(layer, x)
        return x

    run(benchmark, model, data, call)


def test_pruned(benchmark, data):
    model = decided(SKAN(WIDTHS))
    model.prune()
    run(benchmark, model, data)


def test_pruned_and_compact(benchmark, data):
    model = decided(SKAN(WIDTHS))
    model.prune()
    run(benchmark, to_compact(model), data)


@pytest.mark.parametrize("basis", POOL)
def test_one_family(benchmark, data, basis):
    run(benchmark, KAN(WIDTHS, basis), data)


def test_perceptron_of_the_same_size(benchmark, data):
    run(benchmark, MLP((64, 285, 10), torch.nn.SiLU), data)


@pytest.mark.parametrize("name", POOL)
def test_expansion(benchmark, data, name):
    basis = make_basis(name)
    assert benchmark(basis, data[0]).shape == (N, WIDTHS[0], 8)


@pytest.mark.parametrize("is_pruned", [False, True])
def test_convolution(benchmark, is_pruned):
    layer = SKANConv2d(8, 16, 3, padding=1)
    with torch.no_grad():
        layer.select.logits.copy_(torch.randn(5, 16, 1))
    if is_pruned:
        layer.prune()
    x = torch.randn(64, 8, 14, 14)
    assert benchmark(layer, x).shape == (64, 16, 14, 14)
