import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.power import Power


def interval(lower, upper):
    return Interval(*(torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 1) for x in (lower, upper)))


@pytest.mark.parametrize("exponent", [3, 4, 5, 6, 7])
def test_slope_is_the_derivative(exponent):
    power = Power(exponent)
    x = torch.linspace(-3, 3, 41, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(power(x).sum(), x)
    torch.testing.assert_close(power.slope(x.detach()), expected)


def test_the_tangent_of_a_cube_through_its_other_end():
    # x^3 + 3x^2(-1 - ...): the tangent at 1/2 is 3x/4 - 1/4, which is -1 at -1.
    assert Power(3).ratio == pytest.approx(0.5)
    one = torch.ones(2, 1, 1, 1, dtype=torch.float64)
    planes = Power(3).relax((interval([-1.0], [1.0]),), one)
    values = [planes.lower_slopes[0], planes.lower_intercept, planes.upper_slopes[0], planes.upper_intercept]
    assert [value.item() for value in values] == pytest.approx([0.75, -0.25, 0.75, 0.25])


@pytest.mark.parametrize("exponent", [5, 7, 9])
def test_tangents_of_odd_powers(exponent):
    power = Power(exponent)
    c = power.ratio
    assert c**exponent + exponent * c ** (exponent - 1) * (-1 - c) == pytest.approx(-1)


def test_odd_intervals_and_even_ones():
    x = interval([-2.0, -1.0], [1.0, 3.0])
    assert Power(3).interval(x).lower.flatten().tolist() == pytest.approx([-8, -1])
    assert Power(4).interval(x).lower.flatten().tolist() == [0, 0]
    assert Power(4).interval(x).upper.flatten().tolist() == pytest.approx([16, 81])


@pytest.mark.parametrize("exponent", [2, 0, -1])
def test_other_exponents_are_refused(exponent):
    with pytest.raises(ValueError, match="whole number of at least 3"):
        Power(exponent)


def test_the_exponent_is_part_of_its_name():
    assert repr(Power(3)) == "Power(exponent=3)"
