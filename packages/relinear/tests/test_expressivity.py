"""What networks can express, against dimensions, splines and pieces that are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline, PPoly, make_interp_spline
from torch import nn

from relinear import (
    QuadraticActivation,
    QuadraticLinear,
    functional_dimension,
    interpolating_network,
    make_mlp,
    polynomial_pieces,
    quadratic_energy,
    ring_neuron,
    spline_network,
    xor_neuron,
)


def values(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x)[:, None])[:, 0].numpy()


@pytest.mark.parametrize(("d", "quadratic", "activation"), [(2, 6, 3), (3, 10, 4), (4, 14, 5), (5, 17, 6), (8, 26, 9)])
def test_dimensions_of_single_neurons(d, quadratic, activation):
    assert functional_dimension(QuadraticLinear(d, 1), d, 60) == quadratic
    assert functional_dimension(nn.Sequential(nn.Linear(d, 1), QuadraticActivation()), d, 60) == activation
    assert functional_dimension(nn.Linear(d, 1), d, 60) == d + 1


@pytest.mark.parametrize(("d", "hidden", "quadratic", "activation"), [(2, 2, 12, 7), (3, 2, 20, 9), (3, 3, 28, 11)])
def test_dimensions_of_two_layers(d, hidden, quadratic, activation):
    two = nn.Sequential(QuadraticLinear(d, hidden), QuadraticLinear(hidden, 1))
    squares = nn.Sequential(
        nn.Linear(d, hidden), QuadraticActivation(), nn.Linear(hidden, 1), QuadraticActivation(), nn.Linear(1, 1)
    )
    assert functional_dimension(two, d, 100) == quadratic
    assert functional_dimension(squares, d, 100) == activation


def test_the_dimension_of_several_outputs_counts_them_all():
    # Three linear functions of two variables with constants; with one unit between, matrices of rank one.
    assert functional_dimension(nn.Linear(2, 3), 2, 50) == 9
    assert functional_dimension(nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 3)), 2, 50) == (3 + 2 - 1) + 3


def test_the_network_is_not_changed_and_too_few_points_are_told():
    model = QuadraticLinear(2, 1)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    functional_dimension(model, 2, 50)
    torch.testing.assert_close(dict(model.state_dict()), before)
    with pytest.raises(ValueError, match="use more points"):
        functional_dimension(model, 2, 6)
    with pytest.raises(ValueError, match="no parameters"):
        functional_dimension(nn.ReLU(), 2)


def test_xor_and_rings():
    table = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    assert xor_neuron()(table)[:, 0].tolist() == [0, 1, 1, 0]
    x = torch.randn(50, 3)
    torch.testing.assert_close(ring_neuron(3, 1.5)(x)[:, 0], x.norm(dim=1) ** 2 - 2.25)


# ---- splines


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 15))
def test_smooth_splines_of_scipy(seed, n):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.2, 1.0, n))
    spline = PPoly.from_spline(make_interp_spline(x, rng.normal(size=n), k=2))
    is_wide = np.diff(spline.x) > 0
    network = spline_network(np.r_[spline.x[:-1][is_wide], spline.x[-1]], spline.c[:, is_wide])
    at = np.linspace(x[0] - 0.5, x[-1] + 0.5, 301)
    scale = np.abs(spline(at)).max()
    np.testing.assert_allclose(values(network, at), spline(at), atol=1e-9 * scale)
    # Only the outermost piece has a slope of its own: elsewhere, the derivative has no jump.
    assert float(network[2].weight_r[0, 2:].detach().abs().max()) < 1e-9 * scale


def test_splines_with_corners():
    hat = BSpline.basis_element([0, 1, 2], extrapolate=False)
    knots = np.array([0.0, 1.0, 2.0])
    bump = PPoly([[1.0, -2.0], [1.0, 0.5], [0.0, 2.0]], knots)  # continuous at 1: 1 + 1 = 2
    network = spline_network(bump.x, bump.c)
    at = np.linspace(0, 2, 101)
    np.testing.assert_allclose(values(network, at), bump(at), atol=1e-12)
    linear = spline_network(knots, np.array([[0.0, 0.0], [1.0, -1.0], [0.0, 1.0]]))
    np.testing.assert_allclose(values(linear, at[1:-1]), hat(at[1:-1]), atol=1e-12)


def test_a_conventional_network_interpolates_and_its_error_is_known():
    knots = np.linspace(0, 1, 11)
    network = interpolating_network(knots, knots**2)
    at = np.linspace(0, 1, 4001)
    np.testing.assert_allclose(values(network, at), np.interp(at, knots, knots**2), atol=1e-12)
    assert np.abs(values(network, at) - at**2).max() == pytest.approx(1 / (4 * 10**2), rel=1e-3)


@pytest.mark.parametrize(
    ("knots", "coefficients", "said"),
    [
        ([0.0, 1.0, 2.0], [[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]], "jumps by 1 at 1"),
        ([0.0, 0.0, 2.0], np.zeros((3, 2)), "ascend"),
        ([0.0, 1.0], np.zeros((2, 1)), "leading zeros"),
        ([0.0, 1.0], [[np.nan], [0.0], [0.0]], "finite"),
    ],
)
def test_what_is_no_continuous_spline_is_told(knots, coefficients, said, unchecked):
    with pytest.raises(ValueError, match=said):
        spline_network(np.array(knots), np.array(coefficients))


# ---- pieces


@pytest.mark.parametrize("neuron", ["quadratic", "compact", "conventional", "activation"])
def test_pieces_are_the_network(neuron):
    torch.manual_seed(2)
    network = make_mlp((1, 5, 4, 1), neuron, "random").double()
    pieces = polynomial_pieces(network, -2.0, 1.5)
    at = np.linspace(-2, 1.5, 1001)
    expected = values(network, at)
    np.testing.assert_allclose(pieces(at), expected, atol=1e-9 * np.abs(expected).max())
    most = {"quadratic": 8, "compact": 8, "conventional": 1, "activation": 4}[neuron]
    assert 1 <= pieces.degree <= most
    assert (pieces.n_pieces == 1) == (neuron == "activation")
    assert pieces.knots[0] == -2
    assert pieces.knots[-1] == 1.5


def test_pieces_are_no_more_than_there_are():
    relu = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    with torch.no_grad():
        relu[0].weight.fill_(1)
        relu[0].bias.copy_(torch.tensor([0.0, -0.5, 3.0]))
        relu[2].weight.copy_(torch.tensor([[1.0, 2.0, 1.0]]))
    # Kinks at 0 and 0.5; the one at -3 is outside.
    pieces = polynomial_pieces(relu, -1, 1)
    np.testing.assert_allclose(pieces.knots, [-1, 0, 0.5, 1], atol=1e-9)
    assert pieces.degrees == (1, 1, 1)
    with torch.no_grad():
        relu[2].weight[0, 1] = 0  # no kink at 0.5 any more
    np.testing.assert_allclose(polynomial_pieces(relu, -1, 1).knots, [-1, 0, 1], atol=1e-9)


def test_a_spline_network_has_the_pieces_of_its_spline():
    spline = PPoly([[1.0, -2.0, 0.5], [0.0, 2.0, -2.0], [0.0, 1.0, 1.0]], [0.0, 1.0, 2.0, 3.0])
    pieces = polynomial_pieces(spline_network(spline.x, spline.c), 0, 3)
    np.testing.assert_allclose(pieces.knots, spline.x, atol=1e-9)
    assert pieces.degrees == (2, 2, 2)


@pytest.mark.parametrize(
    ("model", "interval", "said"),
    [
        (nn.Linear(1, 1), (1, 1), "lower to a higher"),
        (nn.Linear(2, 1), (0, 1), "one input"),
        (nn.Linear(1, 2), (0, 1), "one output"),
        (nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)), (0, 1), "not of Tanh"),
        (nn.Sequential(*[QuadraticLinear(1, 1, init="random") for _ in range(7)]), (0, 1), "degree beyond 64"),
    ],
)
def test_what_has_no_pieces_is_told(model, interval, said):
    with pytest.raises(ValueError, match=said):
        polynomial_pieces(model, *map(float, interval))


def test_energy_is_the_distance_from_a_conventional_layer():
    model = nn.Sequential(QuadraticLinear(2, 2), nn.ReLU(), QuadraticLinear(2, 1))
    assert quadratic_energy(model) == {"0": 0, "2": 0}
    with torch.no_grad():
        model[0].weight_r.copy_(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
        model[0].weight_b.copy_(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
        model[0].bias_g.copy_(torch.tensor([2.0, 3.0]))
        model[0].bias_b.copy_(torch.tensor([0.0, 4.0]))
    # Squares: 4 of the power term's weight, 1 + 4 of b_g - 1, 16 of its bias, by 25 of W_r.
    assert quadratic_energy(model) == {"0": pytest.approx(1.0), "2": 0}
    with pytest.raises(ValueError, match="no quadratic layer"):
        quadratic_energy(nn.Linear(2, 2))
