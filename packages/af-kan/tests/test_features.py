"""Basis functions and their derivatives, against closed forms and finite differences."""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from af_kan import basis_features, uniform_grid
from af_kan.configs import Activation, Combination
from af_kan.layers.activations import activate, slope
from af_kan.layers.combinations import combine, partials

ACTIVATIONS, COMBINATIONS = get_args(Activation), get_args(Combination)


def test_the_grid_is_relu_kan_s():
    low, high = uniform_grid(5, 3)
    torch.testing.assert_close(low, torch.arange(-3.0, 5.0) / 5)
    torch.testing.assert_close(high, low + 0.8)
    assert len(low) == 8


@given(st.integers(1, 12), st.integers(0, 6))
def test_a_relu_basis_function_peaks_at_one_in_the_middle_of_its_support(g, k):
    low = torch.arange(-k, g, dtype=torch.double) / g
    high = low + (k + 1) / g
    for exact, ends in zip((low, high), uniform_grid(g, k), strict=True):
        torch.testing.assert_close(ends, exact.float())
    r = 4 * g**2 / (k + 1) ** 2
    middle = (low + high) / 2
    values = r**2 * basis_features(middle, low, high, "relu", "quad1")
    torch.testing.assert_close(values.diagonal(), torch.ones_like(middle))
    x = torch.linspace(-3, 4, 701, dtype=torch.double)
    all_values = r**2 * basis_features(x, low, high, "relu", "quad1")
    outside = (x[:, None] <= low) | (x[:, None] >= high)
    assert (all_values[outside] == 0).all()
    assert (all_values <= 1 + 1e-12).all()


def test_the_factor_of_the_usual_setting():
    assert 4 * 5**2 / (3 + 1) ** 2 == 6.25


CLOSED_FORMS = {
    "softplus": lambda t: (1 + t.exp()).log(),
    "sigmoid": lambda t: 1 / (1 + (-t).exp()),
    "silu": lambda t: t / (1 + (-t).exp()),
    "relu": lambda t: t.clamp(min=0),
    "leaky_relu": lambda t: torch.where(t > 0, t, 0.01 * t),
    "elu": lambda t: torch.where(t > 0, t, t.exp() - 1),
    "gelu": lambda t: t * torch.distributions.Normal(0, 1).cdf(t),
    "selu": lambda t: 1.0507009873554805 * torch.where(t > 0, t, 1.6732632423543772 * (t.exp() - 1)),
    "tanh": lambda t: (t.exp() - (-t).exp()) / (t.exp() + (-t).exp()),
    "identity": lambda t: t,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_their_names(name):
    t = torch.linspace(-6, 6, 101, dtype=torch.double)
    torch.testing.assert_close(activate(name, t), CLOSED_FORMS[name](t), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_the_derivatives(name):
    # Zero, where some have a kink, is among them: there, it is what autograd takes.
    t = torch.linspace(-5, 5, 41, dtype=torch.double, requires_grad=True)
    y = activate(name, t)
    (expected,) = torch.autograd.grad(y.sum(), t)
    torch.testing.assert_close(slope(name, t.detach(), y.detach()), expected)


POLYNOMIALS = {
    "quad1": lambda a, b: a**2 * b**2,
    "quad2": lambda a, b: a**2 + a * b + b**2,
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "sum_prod": lambda a, b: (1 + a) * (1 + b) - 1,
    "cubic1": lambda a, b: a**3 + a**2 * b + a * b**2 + b**3,
    "cubic2": lambda a, b: a**3 * b**3,
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_combinations_are_their_polynomials(name):
    a, b = torch.randn(2, 50, dtype=torch.double, requires_grad=True).unbind()
    values = combine(name, a, b)
    torch.testing.assert_close(values, POLYNOMIALS[name](a, b))
    expected = torch.autograd.grad(values.sum(), (a, b))
    torch.testing.assert_close(partials(name, a.detach(), b.detach()), expected)


@pytest.mark.parametrize("combination", COMBINATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_features_are_defined_number_by_number(activation, combination):
    low, high = torch.tensor([-0.5, 0.1]).double(), torch.tensor([0.4, 1.3]).double()
    x = torch.tensor([[-1.0, 0.2], [0.3, 2.0], [0.0, 0.7]]).double()
    found = basis_features(x, low, high, activation, combination)
    assert found.shape == (3, 2, 2)
    for index in torch.cartesian_prod(torch.arange(3), torch.arange(2), torch.arange(2)).tolist():
        b, d, i = index
        a = CLOSED_FORMS[activation]((x[b, d] - low[i]).double())
        c = CLOSED_FORMS[activation]((high[i] - x[b, d]).double())
        assert found[b, d, i].item() == pytest.approx(POLYNOMIALS[combination](a, c).item(), abs=2e-6)


def test_negative_numbers_have_features_that_relu_does_not_tell_apart():
    low, high = uniform_grid(3, 3)
    x = torch.tensor([-1.4, -1.8])
    assert (basis_features(x, low, high, "relu", "quad1") == 0).all()
    smooth = basis_features(x, low, high, "silu", "quad1")
    assert (smooth[0] - smooth[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: uniform_grid(0, 3), "grid size"),
        (lambda: uniform_grid(3, -1), "order"),
        (lambda: activate("swish", torch.zeros(2)), "softplus, sigmoid, silu"),
        (lambda: combine("quad3", torch.zeros(2), torch.zeros(2)), "quad1, quad2"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_exist_is_refused_with_what_does(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_gelu_is_the_exact_one():
    t = torch.linspace(-3, 3, 31)
    torch.testing.assert_close(activate("gelu", t), F.gelu(t, approximate="none"))
