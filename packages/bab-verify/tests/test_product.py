import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bab_verify.intervals import Interval
from bab_verify.operators.product import Product

ends = st.tuples(st.floats(-100, 100), st.floats(-100, 100)).map(sorted)


def interval(lower, upper, dtype=torch.float64):
    return Interval(*(torch.tensor(x, dtype=dtype).reshape(-1, 1, 1) for x in (lower, upper)))


def value(planes, side, x, y):
    slopes, intercept = planes[2 * side], planes[2 * side + 1]
    return slopes[0].double() * x + slopes[1].double() * y + intercept.double()


@settings(max_examples=settings().max_examples * 3 // 5)
@given(ends, ends, st.floats(0, 1), st.floats(0, 1), st.sampled_from([torch.float32, torch.float64]))
def test_planes_and_intervals_hold(x_ends, y_ends, r, s, dtype):
    x, y = (interval([low], [high], dtype) for low, high in (x_ends, y_ends))
    planes = Product().relax((x, y), torch.tensor([r, s], dtype=dtype).reshape(2, 1, 1, 1))
    share = torch.linspace(0, 1, 45, dtype=torch.float64)
    a = torch.lerp(x.lower.double(), x.upper.double(), share).reshape(-1, 1)
    b = torch.lerp(y.lower.double(), y.upper.double(), share).reshape(1, -1)
    assert (value(planes, 0, a, b) <= a * b + 1e-11).all()
    assert (value(planes, 1, a, b) >= a * b - 1e-11).all()
    bounds = Product().interval(x, y)
    assert (bounds.lower <= a * b + 1e-11).all()
    assert (bounds.upper >= a * b - 1e-11).all()
    assert bounds.lower.item() == pytest.approx((a * b).min().item(), rel=1e-5, abs=1e-30)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_the_four_planes_of_mccormick_meet_two_corners_each(p):
    x, y = interval([-1.0, 2.0], [3.0, 5.0]), interval([-2.0, -4.0], [4.0, -1.0])
    planes = Product().relax((x, y), torch.full((2, 2, 1, 1), p, dtype=torch.float64))
    for side, element in itertools.product((0, 1), (0, 1)):
        corners = [(a[element].item(), b[element].item()) for a in x for b in y]
        gaps = [abs(value(planes, side, a, b)[element].item() - a * b) for a, b in corners]
        # Each plane is exact along two edges: at three corners.
        assert sum(gap < 1e-9 for gap in gaps) >= 2
    lower = (planes.lower_slopes[0], planes.lower_slopes[1])
    expected = (y.upper, x.upper) if p == 0 else (y.lower, x.lower)
    torch.testing.assert_close(lower, expected)
    upper = (planes.upper_slopes[0], planes.upper_slopes[1])
    torch.testing.assert_close(upper, (y.lower, x.upper) if p == 0 else (y.upper, x.lower))


def test_a_product_with_a_point_is_exact():
    x, y = interval([-1.0], [3.0]), interval([2.0], [2.0])
    planes = Product().relax((x, y))
    for a in (-1.0, 0.5, 3.0):
        assert value(planes, 0, a, 2.0).item() == pytest.approx(2 * a)
        assert value(planes, 1, a, 2.0).item() == pytest.approx(2 * a)
    assert not Product().splittable((x, y), 0).any()
    assert Product().splittable((x, x), 1).all()


def test_gradients_and_rows():
    x, y = interval([-1.0, 0.0], [3.0, 0.0]), interval([-2.0, 1.0], [4.0, 1.0])
    state = Product().prepare((x, y))
    p = torch.linspace(0.05, 0.95, 12, dtype=torch.float64).reshape(2, 2, 3, 1).requires_grad_()

    def planes(parameters):
        found = Product().planes(state, parameters)
        return (*found.lower_slopes, found.lower_intercept, *found.upper_slopes, found.upper_intercept)

    assert planes(p)[0].shape == (2, 3, 1)
    assert torch.autograd.gradcheck(planes, (p,))
    assert Product().initial_parameters((x, y)).shape == (2, 2, 1, 1)
