import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.step import Sign


def interval(lower, upper, dtype=torch.float64):
    return Interval(*(torch.tensor(x, dtype=dtype).reshape(-1, 1, 1) for x in (lower, upper)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_planes_hold_at_the_jump_and_at_the_ends(p, dtype):
    pairs = [(-1, 2), (-3, 0.1), (0, 1), (-1, 0), (0, 0), (0.5, 1), (-2, -1), (-1e-9, 1e-9), (-1e5, 1e-3), (-1e-30, 7)]
    x = interval(*(list(map(float, ends)) for ends in zip(*pairs)), dtype)
    planes = Sign().relax((x,), torch.full((2, len(pairs), 1, 1), p, dtype=dtype))
    lower, upper = x.lower.double(), x.upper.double()
    tiny = torch.full_like(lower, 1e-300)
    for at in (lower, upper, torch.zeros_like(lower), tiny, -tiny, upper / 3, lower / 3):
        inside = (at >= lower) & (at <= upper)
        below = planes.lower_slopes[0].double() * at + planes.lower_intercept.double()
        above = planes.upper_slopes[0].double() * at + planes.upper_intercept.double()
        assert (below <= at.sign() + 1e-15)[inside].all()
        assert (above >= at.sign() - 1e-15)[inside].all()


def test_the_steepest_lines_pass_through_the_far_ends():
    planes = Sign().relax((interval([-1.0], [2.0]),), torch.ones(2, 1, 1, 1, dtype=torch.float64))
    values = [planes.lower_slopes[0], planes.lower_intercept, planes.upper_slopes[0], planes.upper_intercept]
    assert [value.item() for value in values] == pytest.approx([1, -1, 2, 1])


def test_only_a_step_is_split():
    x = interval([-1.0, 0.5, 0.0, -2.0], [1.0, 1.0, 1.0, -1.0])
    assert Sign().splittable((x,), 0).flatten().tolist() == [True, False, True, False]
    assert Sign().split_point == 0
