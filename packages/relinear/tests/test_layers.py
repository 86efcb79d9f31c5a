"""Layers that begin as conventional ones, whatever their settings."""

import copy
import re

import pytest
import torch
from torch import nn

from relinear import QuadraticConv1d, QuadraticConv2d, QuadraticConv3d, QuadraticLinear, quadratic_layers

FORMS = pytest.mark.parametrize("form", ["full", "compact"])
CONVOLUTIONS = [
    nn.Conv1d(4, 6, 3, padding=1, dilation=2, groups=2),
    nn.Conv1d(4, 6, 4, padding="same"),
    nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), bias=False),
    nn.Conv2d(4, 8, 3, padding=2, padding_mode="reflect", groups=4),
    nn.Conv2d(4, 8, 3, padding=(1, 2), padding_mode="circular", stride=2),
    nn.Conv2d(4, 8, (2, 3), padding="same", padding_mode="replicate", dilation=(1, 2)),
    nn.Conv2d(4, 8, 2, padding="valid"),
    nn.Conv3d(4, 2, 2, stride=2, padding=1),
]


def quadratic(layer, **settings):
    kinds = {nn.Conv1d: QuadraticConv1d, nn.Conv2d: QuadraticConv2d, nn.Conv3d: QuadraticConv3d}
    if isinstance(layer, nn.Linear):
        return QuadraticLinear.from_linear(layer, **settings)
    return kinds[type(layer)].from_conv(layer, **settings)


def sample(layer, n=3):
    if isinstance(layer, nn.Linear):
        return torch.randn(n, layer.in_features)
    return torch.randn(n, layer.in_channels, *[7] * len(layer.kernel_size))


@FORMS
@pytest.mark.parametrize("layer", [nn.Linear(5, 3), nn.Linear(5, 3, bias=False), *CONVOLUTIONS], ids=str)
def test_it_begins_as_the_conventional_layer(layer, form):
    x = sample(layer)
    new = quadratic(layer, form=form)
    torch.testing.assert_close(new(x), layer(x), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(new(x[0]), layer(x[0]), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=str)
def test_a_quadratic_convolution_is_three_conventional_ones(layer):
    x = sample(layer).double()
    new = quadratic(layer.double(), init="random")
    layers = {kind: copy.deepcopy(layer) for kind in "rgb"}
    for kind, one in layers.items():
        one.weight.data = new.get_parameter(f"weight_{kind}").data
        bias = getattr(new, f"bias_{kind}")
        one.bias = None if bias is None else nn.Parameter(bias.detach())
    torch.testing.assert_close(new(x), layers["r"](x) * layers["g"](x) + layers["b"](x * x))
    layer.float()


def test_biases_of_a_layer_without_them():
    bare = quadratic(nn.Linear(4, 2, bias=False))
    assert set(bare.state_dict()) == {"weight_r", "weight_g", "weight_b", "bias_g"}
    assert bare.bias_g.tolist() == [1, 1], "the gating map has its reference"
    given = quadratic(nn.Linear(4, 2, bias=False), bias=True)
    assert set(given.state_dict()) - set(bare.state_dict()) == {"bias_r", "bias_b"}
    x = torch.randn(3, 4)
    torch.testing.assert_close(given(x), x @ given.weight_r.T)


@FORMS
def test_sizes_of_the_forms(form):
    full = {"weight_r", "weight_g", "weight_b", "bias_r", "bias_g", "bias_b"}
    new = QuadraticLinear(7, 5, form=form)
    assert set(new.state_dict()) == (full if form == "full" else full - {"weight_g", "bias_g"})
    n = sum(one.numel() for one in new.parameters())
    assert n == (3 if form == "full" else 2) * (7 * 5 + 5)


def test_random_layers_are_no_conventional_ones():
    new = QuadraticLinear(200, 100, init="random")
    for weight in (new.weight_r, new.weight_g, new.weight_b):
        assert float(weight.detach().std()) == pytest.approx((2 / 200) ** 0.5, rel=0.05)  # He et al., equation 10
    conventional = QuadraticLinear(200, 100)
    assert not conventional.weight_g.any()
    assert not conventional.weight_b.any()
    assert float(conventional.weight_r.detach().abs().max()) <= 200**-0.5
    x = torch.randn(5, 200)
    torch.testing.assert_close(conventional(x), nn.functional.linear(x, conventional.weight_r, conventional.bias_r))


def test_quadratic_parameters_learn_from_where_they_begin():
    """Weights that are 0 have gradients delta (x·w_r + b_r) x and delta x², so that there is no symmetry to break."""
    layer = QuadraticLinear(3, 2).double()
    x, delta = torch.randn(4, 3).double(), torch.randn(4, 2).double()
    layer(x).backward(delta)
    linear = x @ layer.weight_r.T + layer.bias_r
    torch.testing.assert_close(layer.weight_g.grad, (delta * linear).T @ x)
    torch.testing.assert_close(layer.weight_b.grad, delta.T @ (x * x))


def test_frozen_layers_stay_frozen_and_modes_are_kept():
    layer = nn.Linear(3, 2).requires_grad_(requires_grad=False).eval()
    new = quadratic(layer)
    assert not any(one.requires_grad for one in new.parameters())
    assert not new.training


def test_type_and_device_are_those_of_the_layer():
    assert {one.dtype for one in quadratic(nn.Linear(3, 2).bfloat16()).parameters()} == {torch.bfloat16}
    assert {one.device.type for one in quadratic(nn.Conv2d(1, 2, 3, device="meta")).parameters()} == {"meta"}
    assert QuadraticLinear(3, 2, device="meta")(torch.empty(4, 3, device="meta")).shape == (4, 2)


def test_layers_are_copied_and_listed():
    model = nn.Sequential(QuadraticLinear(3, 2), nn.ReLU(), QuadraticLinear(2, 1))
    again = copy.deepcopy(model)
    x = torch.randn(2, 3)
    torch.testing.assert_close(again(x), model(x))
    assert list(quadratic_layers(again)) == ["0", "2"]
    assert "form=full" in str(model)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: QuadraticLinear(3, 0), "at least one input and one output, not 3 and 0"),
        (lambda: QuadraticLinear(3, 2, form="short"), "full or compact"),
        (lambda: QuadraticLinear(3, 2, init="zero"), "relinear or random"),
        (lambda: QuadraticConv2d(3, 4, 3, groups=2), "groups must divide"),
        (lambda: QuadraticConv2d(3, 4, (3, 3, 3)), "kernel_size must be a number or 2"),
        (lambda: QuadraticConv2d(3, 4, 3, padding="full"), "'same' or 'valid'"),
        (lambda: QuadraticConv2d(3, 4, 3, stride=2, padding="same"), "stride of 1"),
        (lambda: QuadraticConv2d(3, 4, 3, padding_mode="mirror"), "padding_mode"),
        (lambda: QuadraticConv2d.from_conv(nn.Conv1d(3, 4, 3)), "made of an Conv2d, not of a Conv1d"),
        (lambda: QuadraticConv2d(3, 4, 3)(torch.zeros(3, 3)), "takes inputs (batch, 3, *size)"),
    ],
)
def test_bad_settings_are_told(make, said, unchecked):
    with pytest.raises(ValueError, match=re.escape(said)):
        make()
