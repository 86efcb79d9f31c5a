"""The networks that AF-KAN is compared with, against SciPy, NumPy, closed forms and the peer's own code."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.interpolate import BSpline
from torch import nn

from af_kan import (
    MLP,
    BSplineKANLinear,
    BSRBFKANLinear,
    ChebyshevKANLinear,
    FasterKANLinear,
    ModelConfig,
    RBFKANLinear,
    ReLUKANLinear,
    make_network,
)
from af_kan.baselines.chebyshev_kan import chebyshev_basis
from af_kan.configs import KINDS
from separata.configs import replaced


def curves(layer, x, n_functions):
    """The functions that each coordinate adds to the first output, given the layer's weights on basis functions."""
    weight = layer.linear.weight[0].view(-1, n_functions)
    return weight.detach().double().numpy(), x.double().numpy()


def splines(x, coefficients, intervals, degree, low, high):
    """Curves of SciPy's B-splines, (batch, d), which reach beyond the grid by as many intervals as their degree."""
    step = (high - low) / intervals
    knots = low + step * np.arange(-degree, intervals + degree + 1)
    bases = [BSpline.basis_element(knots[i : i + degree + 2], extrapolate=False) for i in range(intervals + degree)]
    return sum(np.nan_to_num(one(x)) * c for one, c in zip(bases, coefficients.T, strict=True))


def test_b_splines_are_scipy_s():
    layer = BSplineKANLinear(3, 2).double()
    nn.init.normal_(layer.spline_weight)
    x = torch.linspace(-1.9, 1.9, 60, dtype=torch.double).view(20, 3)
    coefficients = (layer.spline_weight * layer.spline_scale[..., None]).detach().numpy()
    expected = np.stack([splines(x.numpy(), c, 5, 3, -1.5, 1.5).sum(1) for c in coefficients], 1)
    base = (F.silu(x) @ layer.base_weight.T).detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), expected + base, atol=1e-10)


def test_b_splines_are_those_of_efficient_kan():
    """The peer's code, from the wheel of kan-gpt, with the same weights."""
    peer = pytest.importorskip("kan_gpt.efficient_kan.model", reason="efficient-kan is not installed")
    theirs = peer.KANLinear(6, 4, grid_size=5, spline_order=3, grid_range=[-1.5, 1.5])
    ours = BSplineKANLinear(6, 4)
    with torch.no_grad():
        ours.base_weight.copy_(theirs.base_weight)
        ours.spline_weight.copy_(theirs.spline_weight)
        ours.spline_scale.copy_(theirs.spline_scaler)
    x = 3 * torch.rand(50, 6) - 1.5
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-4)


def test_splines_begin_small():
    layer = BSplineKANLinear(3, 2)
    assert 0 < layer.spline_weight.abs().max() <= 0.01


def test_relu_kan_s_functions_peak_at_one():
    layer = ReLUKANLinear(2, 1, 5, 3, norm="none")
    nn.init.zeros_(layer.linear.weight)
    nn.init.zeros_(layer.linear.bias)
    for i in range(8):
        with torch.no_grad():
            layer.linear.weight.zero_()[0, 8 + i] = 1.0  # the function i of the second coordinate
        middle = (layer.low[1, i] + layer.high[1, i]) / 2
        x = torch.tensor([[9.0, float(middle)], [9.0, float(layer.low[1, i])], [9.0, float(middle) + 0.1]])
        y = layer(x)[:, 0]
        torch.testing.assert_close(y[:2], torch.tensor([1.0, 0.0]), atol=1e-6, rtol=0)
        u = 0.1 / 0.4  # in half supports: (1 - u²)² there
        assert y[2].item() == pytest.approx((1 - u**2) ** 2, abs=1e-5)


def test_gaussian_bumps_are_as_wide_as_they_are_apart():
    layer = RBFKANLinear(2, 1, norm="none").double()
    x = torch.linspace(-3, 3, 14, dtype=torch.double).view(7, 2)
    weight, at = curves(layer, x, 8)
    centers = np.linspace(-2, 2, 8)
    bumps = np.exp(-(((at[..., None] - centers) * 7 / 4) ** 2))
    expected = (bumps * weight).sum((1, 2)) + layer.base(F.silu(x)).detach().numpy()[:, 0]
    np.testing.assert_allclose(layer(x).detach().numpy()[:, 0], expected, atol=1e-6)


def test_switch_functions_are_squared_hyperbolic_secants():
    layer = FasterKANLinear(2, 1, norm="none").double()
    x = torch.linspace(-3, 3, 14, dtype=torch.double).view(7, 2)
    weight, at = curves(layer, x, 8)
    bumps = 1 / np.cosh(at[..., None] - np.linspace(-1.2, 0.2, 8)) ** 2
    np.testing.assert_allclose(layer(x).detach().numpy()[:, 0], (bumps * weight).sum((1, 2)), atol=1e-6)


def test_sums_of_splines_and_bumps():
    layer = BSRBFKANLinear(2, 1, norm="none").double()
    x = torch.linspace(-1.4, 1.4, 14, dtype=torch.double).view(7, 2)
    weight, at = curves(layer, x, 8)
    bumps = np.exp(-(((at[..., None] - np.linspace(-1.5, 1.5, 8)) * 7 / 3) ** 2))
    expected = (bumps * weight).sum((1, 2)) + splines(at, weight, 5, 3, -1.5, 1.5).sum(1)
    expected += layer.base(F.silu(x)).detach().numpy()[:, 0]
    np.testing.assert_allclose(layer(x).detach().numpy()[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_chebyshev_polynomials_are_numpy_s(degree):
    x = torch.linspace(-1, 1, 21, dtype=torch.double)
    expected = np.polynomial.chebyshev.chebvander(x.numpy(), degree)
    np.testing.assert_allclose(chebyshev_basis(x, degree).numpy(), expected, atol=1e-12)
    layer = ChebyshevKANLinear(2, 1, degree, norm="none").double()
    at = torch.randn(6, 2, dtype=torch.double)
    weight, values = curves(layer, at, degree + 1)
    expected = sum(np.polynomial.chebyshev.chebval(np.tanh(values[:, d]), weight[d]) for d in range(2))
    np.testing.assert_allclose(layer(at).detach().numpy()[:, 0], expected, atol=1e-10)


@pytest.mark.parametrize("final", [False, True])
def test_the_perceptron_is_normalization_linear_map_and_activation(final):
    network = MLP([5, 4, 3], final_activation=final)
    x = torch.randn(7, 5)
    first, second = (layer.linear.weight for layer in network.layers)
    hidden = F.silu(F.layer_norm(x, (5,)) @ first.T)
    logits = F.layer_norm(hidden, (4,)) @ second.T
    torch.testing.assert_close(network(x), F.silu(logits) if final else logits)
    if final:
        assert network(x).min() > -0.3, "hardly a logit below zero"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_every_kind_learns(kind, norm):
    """Two classes that only a function that is not monotone tells apart."""
    network = make_network(replaced(ModelConfig(kind, "12"), norm=norm), 4, 2)
    x = 2 * torch.rand(256, 4) - 1
    y = ((x[:, 0] + x[:, 1]).abs() < 0.5).long()
    optimizer = torch.optim.AdamW(network.parameters(), 2e-2)
    for _ in range(80):
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()
    accuracy = (network.eval()(x).argmax(1) == y).float().mean()
    assert accuracy > max(y.float().mean(), 1 - y.float().mean()) + 0.1
