"""Forward and backward of a layer of 512 x 512 on 256 samples, of each kind; and what one would write without it."""

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from relinear import QuadraticConv2d, QuadraticLinear

WIDTH, BATCH = 512, 256


@pytest.fixture(scope="module")
def x():
    return torch.randn(BATCH, WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_()


def step(layer, parameters, x, grad):
    return torch.autograd.grad(layer(x), [x, *parameters], grad)


def run(benchmark, layer, parameters, x):
    grad = torch.ones_like(layer(x))
    gradients = benchmark(step, layer, parameters, x, grad)
    assert len(gradients) == 1 + len(parameters)


def test_conventional(benchmark, x):
    layer = nn.Linear(WIDTH, WIDTH)
    run(benchmark, layer, list(layer.parameters()), x)


@pytest.mark.parametrize("form", ["compact", "full"])
def test_quadratic(benchmark, x, form):
    layer = QuadraticLinear(WIDTH, WIDTH, form=form, init="random")
    run(benchmark, layer, list(layer.parameters()), x)


def test_three_layers(benchmark, x):
    """What a user would write, which also keeps the squares."""
    r, g, b = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
    parameters = [one for layer in (r, g, b) for one in layer.parameters()]
    run(benchmark, lambda x: r(x) * g(x) + b(x * x), parameters, x)


def test_one_product_for_both_linear_maps(benchmark, x):
    """W_r and W_g are stacked in each call, since an optimizer that gives each its rate needs them apart."""
    r, g, b = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
    parameters = [one for layer in (r, g, b) for one in layer.parameters()]

    def stacked(x):
        both = linear(x, torch.cat([r.weight, g.weight]), torch.cat([r.bias, g.bias]))
        left, right = both.chunk(2, 1)
        return torch.addcmul(b(x * x), left, right)

    run(benchmark, stacked, parameters, x)


@pytest.mark.parametrize("kind", ["conventional", "compact", "full"])
def test_convolution(benchmark, kind):
    images = torch.randn(32, 16, 32, 32).requires_grad_()
    layer = nn.Conv2d(16, 16, 3, padding=1)
    if kind != "conventional":
        layer = QuadraticConv2d.from_conv(layer, form=kind, init="random")
    run(benchmark, layer, list(layer.parameters()), images)
