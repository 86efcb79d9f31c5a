"""Source terms as polynomials."""

import math

import pytest
import torch

from mt_deeponet import PolynomialSource, fisher_families, make_reaction


def derivatives(function, n):
    """Derivatives at zero by automatic differentiation, over factorials."""
    u = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    value, found = function(u), []
    for order in range(1, n + 1):
        (value,) = torch.autograd.grad(value, u, create_graph=True)
        found.append(float(value.detach()) / math.factorial(order))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize(("a", "b"), [(0.7, 1.3), (0.1, 2.0), (1.0, 0.5)])
def test_f4_is_the_taylor_expansion_with_the_exponential_to_second_order(a, b):
    def truncated(u):
        return a * u * (1 - u) * math.exp(-b) * (1 + b * u + (b * u) ** 2 / 2)

    expected = derivatives(truncated, 4)
    torch.testing.assert_close(PolynomialSource.encode("F4", a=a, b=b).coefficients, expected)


@pytest.mark.parametrize("name", ["F1", "F2"])
def test_laws_without_an_exponential_are_their_polynomials(name):
    u = torch.linspace(0, 1, 7, dtype=torch.float64)[None]
    encoded = PolynomialSource.encode(name, a=0.3)
    torch.testing.assert_close(encoded(u), make_reaction(name, a=0.3).rate(u))


def test_f4_without_activation_is_f1():
    expected = torch.tensor([1.0, -1, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(PolynomialSource.encode("F4", a=1, b=0).coefficients, expected)
    torch.testing.assert_close(PolynomialSource.encode("F1", a=1).coefficients, expected)


def test_the_data_is_solved_with_the_law_and_not_with_its_polynomial():
    u = torch.linspace(0, 1, 7, dtype=torch.float64)[None]
    exact = make_reaction("F4", a=1.0, b=2.0).rate(u)
    torch.testing.assert_close(exact, u * (1 - u) * torch.exp(-2 * (1 - u)))
    assert (PolynomialSource.encode("F4", a=1, b=2)(u) - exact).abs().max() > 0.01


def test_one_s_own_source_is_fitted_and_says_how_well():
    quintic = PolynomialSource.encode(lambda u: u - u**5, degree=5)
    torch.testing.assert_close(
        quintic.coefficients, torch.tensor([1.0, 0, 0, 0, -1], dtype=torch.float64), atol=1e-9, rtol=0
    )
    assert quintic.residual < 1e-12
    short = PolynomialSource.encode(lambda u, rate: rate * (u - u**5), degree=4, rate=2.0)
    assert 1e-4 < short.residual < 0.05
    u = torch.linspace(0, 1, 201, dtype=torch.float64)
    error = (short(u) - 2 * (u - u**5)).square().mean().sqrt() / (2 * (u - u**5)).square().mean().sqrt()
    assert short.residual == pytest.approx(float(error))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: PolynomialSource.encode("F3", a=1), "F1, F2, F4"),
        (lambda: PolynomialSource.encode("F4", a=1), "the parameters a, b"),
        (lambda: PolynomialSource.encode("F2", degree=2, a=1), r"u\^3, more than the encoding's degree of 2"),
        (lambda: PolynomialSource.encode("F1", a=float("nan")), "finite"),
        (lambda: PolynomialSource.encode(lambda u: u + 1), "zero at u = 0"),
        (lambda: PolynomialSource.encode(lambda u: 1 / u), "not finite"),
        (lambda: PolynomialSource.encode("F1", degree=0, a=1), "at least 1"),
    ],
)
def test_what_cannot_be_encoded_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_families_name_their_parameters():
    assert {name: tuple(params) for name, params in fisher_families().items()} == {
        "F1": ("a",),
        "F2": ("a",),
        "F4": ("a", "b"),
    }
