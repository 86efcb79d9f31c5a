"""Formulas that a user types."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from separata.formulas import FUNCTIONS, OF_TWO, parse

X = torch.tensor([[0.25, 2.0], [0.5, 3.0], [0.75, -1.5]], dtype=torch.float64)
x, y = X[:, 0].numpy(), X[:, 1].numpy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(sin(pi*x)) + y**2", np.exp(np.sin(np.pi * x)) + y**2),
        ("-x^2 * +y", -(x**2) * y),
        ("2**-x / (1 + y % 2)", 2**-x / (1 + y % 2)),
        ("maximum(x, minimum(y, 0.5)) - 3", np.maximum(x, np.minimum(y, 0.5)) - 3),
        ("j0(20*x) + j1(y)*e", special.j0(20 * x) + special.j1(y) * math.e),
        ("erf(x) + gamma(y)", special.erf(x) + special.gamma(y)),
        ("step(y) + sign(y) * round(x) + y*0", np.heaviside(y, 1) + np.sign(y) * np.round(x)),
        ("sigmoid(x) + relu(y) + sqrt(x) * log10(x)", special.expit(x) + np.maximum(y, 0) + np.sqrt(x) * np.log10(x)),
    ],
)
def test_values_are_those_of_numpy(text: str, expected: np.ndarray) -> None:
    formula = parse(text)
    assert formula.variables == ("x", "y")
    np.testing.assert_allclose(formula(X), expected, rtol=1e-6)


def test_every_function_has_a_value() -> None:
    for name in FUNCTIONS:
        text = f"{name}(x, x)" if name in OF_TWO else f"{name}(x)"
        assert torch.isfinite(parse(text)(X[:, :1])).all()


@given(st.floats(-4.9, 8).filter(lambda value: abs(value - round(value)) > 1e-3 or value > 0.1))
def test_gamma_on_both_sides_of_zero(value: float) -> None:
    found = parse("gamma(x)")(torch.tensor([[value]], dtype=torch.float64))
    np.testing.assert_allclose(found, special.gamma(value), rtol=1e-9)


def test_variables_are_in_natural_order() -> None:
    assert parse("x10 + x2*x1 + alpha").variables == ("alpha", "x1", "x2", "x10")
    assert parse("2*t")(torch.ones(3, 1)).tolist() == [2, 2, 2]
    assert parse("0*x + 5")(torch.ones(2, 1)).shape == (2,)
    with pytest.raises(ValueError, match="a function of x and y, not of 3 variables"):
        parse("x*y")(torch.ones(2, 3))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a formula"),
        ("x +", "is not a formula"),
        ("a = 3", "is not a formula"),
        ("x; y", "is not a formula"),
        ("x\x00", "is not a formula"),
        ("3 + pi", "has no variable"),
        ("sin", "sin is a function, and needs its argument"),
        ("sin(x, y)", "sin takes 1 argument, not 2"),
        ("maximum(x)", "maximum takes 2 arguments, not 1"),
        ("sin(*x)", "no part of a formula"),
        ("sin(x=y)", "no part of a formula"),
        ("sine(x)", "there is no function sine; there are sin, cos"),
        ("__import__('os').system('true')", "no part of a formula"),
        ("x.__class__", "no part of a formula"),
        ("x[0]", "no part of a formula"),
        ("lambda: x", "no part of a formula"),
        ("[y for y in x]", "no part of a formula"),
        ("x if y else x", "no part of a formula"),
        ("x == y", "no part of a formula"),
        ("'x'", "no part of a formula"),
        ("True * x", "no part of a formula"),
        ("1j * x", "no part of a formula"),
        ("(" * 300 + "x" + ")" * 300, "is not a formula"),
        ("-" * 200 + "x", "more than 50 operations inside one another"),
        ("1e999 * x", "has a number beyond 1e.300"),
        (f"{10**400} * x", "has a number beyond 1e.300"),
        ("x" * 3_000, "2,000 characters, not 3,000"),
    ],
)
def test_what_is_no_formula(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_towers_of_powers_are_arithmetic_of_tensors_and_end_at_once() -> None:
    assert parse("9**9**9**9 * x")(torch.ones(1, 1)).tolist() == [math.inf]
    assert parse("-(10**400) * x")(torch.ones(1, 1)).tolist() == [-math.inf]
