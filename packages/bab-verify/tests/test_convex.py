import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.convex import Absolute, Exp, Log, Reciprocal, Sqrt, Square
from bab_verify.operators.relaxation import DomainError


def interval(lower, upper, dtype=torch.float64):
    return Interval(*(torch.tensor(x, dtype=dtype).reshape(-1, 1, 1) for x in (lower, upper)))


@pytest.mark.parametrize("curve", [Exp(), Square(), Reciprocal(), Log(), Sqrt()], ids=repr)
def test_slope_is_the_derivative(curve):
    x = torch.linspace(0.1, 4, 40, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(curve(x).sum(), x)
    torch.testing.assert_close(curve.slope(x.detach()), expected)


def test_tangents_of_a_square_by_hand():
    planes = Square().relax((interval([-1.0], [3.0]),), torch.tensor([0.75], dtype=torch.float64).reshape(1, 1, 1, 1))
    values = [planes.lower_slopes[0], planes.lower_intercept, planes.upper_slopes[0], planes.upper_intercept]
    assert [value.item() for value in values] == pytest.approx([4, -4, 2, 3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_line_below_an_exponential_stays_positive(dtype):
    lower = torch.linspace(-60, 60, 200, dtype=dtype).reshape(-1, 1, 1)
    for width in (0.1, 1, 3, 20):
        for p in (0.0, 0.3, 1.0):
            planes = Exp().relax((Interval(lower, lower + width),), torch.full((1, 200, 1, 1), p, dtype=dtype))
            assert (planes.lower_slopes[0] * lower + planes.lower_intercept > 0).all()


def test_an_exponential_that_overflows_has_no_line_above_but_one_below():
    inputs = (interval([-1.0, 100.0], [200.0, 300.0], torch.float32),)
    p = torch.full((1, 2, 1, 1), 0.5, requires_grad=True)
    planes = Exp().relax(inputs, p)
    assert planes.lower_slopes[0].isfinite().all()
    assert planes.lower_intercept.isfinite().all()
    assert (planes.upper_slopes[0] == 0).all()
    assert (planes.upper_intercept == torch.inf).all()
    (gradient,) = torch.autograd.grad(planes.lower_intercept.sum() + planes.lower_slopes[0].sum(), p)
    assert gradient.isfinite().all()
    assert Exp().interval(inputs[0]).upper.isposinf().all()


def test_a_reciprocal_turns_with_the_sign():
    p = torch.full((1, 2, 1, 1), 0.5, dtype=torch.float64)
    planes = Reciprocal().relax((interval([1.0, -3.0], [3.0, -1.0]),), p)
    assert planes.lower_slopes[0].flatten().tolist() == pytest.approx([-1 / 4, -1 / 3])
    assert planes.upper_slopes[0].flatten().tolist() == pytest.approx([-1 / 3, -1 / 4])
    assert planes.lower_intercept[1].item() == pytest.approx(-planes.upper_intercept[0].item())


def test_a_square_root_at_zero_is_finite():
    p = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1).requires_grad_()
    planes = Sqrt().relax((interval([0.0, 0.0, 0.0], [0.0, 1.0, 1e-30], torch.float32),), p)
    parts = (planes.lower_slopes[0], planes.lower_intercept, planes.upper_slopes[0], planes.upper_intercept)
    assert all(part.isfinite().all() for part in parts)
    assert torch.autograd.grad(sum(part.sum() for part in parts), p)[0].isfinite().all()
    assert planes.upper_intercept[1].item() >= 0


@pytest.mark.parametrize(
    ("curve", "bad", "good"),
    [
        (Reciprocal(), (-1.0, 1.0), (0.5, 1.0)),
        (Reciprocal(), (0.0, 1.0), (-2.0, -1.0)),
        (Log(), (0.0, 1.0), (0.1, 1.0)),
        (Sqrt(), (-0.1, 1.0), (0.0, 1.0)),
    ],
)
def test_domains(curve, bad, good):
    with pytest.raises(DomainError, match="the network"):
        curve.check((interval([good[0], bad[0]], [good[1], bad[1]]),))
    with pytest.raises(DomainError):
        curve.check((interval([float("nan")], [1.0]),))
    curve.check((interval([good[0]], [good[1]]),))


def test_intervals_keep_their_sign():
    wide = interval([-2.0, 0.0, 1.0], [1.0, 3.0, 2.0], torch.float32)
    assert (Square().interval(wide).lower >= 0).all()
    assert (Absolute().interval(wide).lower >= 0).all()
    assert (Exp().interval(wide).lower > 0).all()
    Sqrt().check((Square().interval(wide),))


def test_absolute_value_is_exact_on_either_side():
    x = interval([-2.0, 0.0, -1.0], [0.0, 2.0, 3.0])
    planes = Absolute().relax((x,), torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64))
    assert planes.lower_slopes[0].flatten().tolist() == [-1, 1, 0]
    assert planes.upper_slopes[0].flatten().tolist() == [-1, 1, 0.5]
    assert planes.upper_intercept.flatten().tolist() == pytest.approx([0, 0, 1.5])
    assert Absolute().splittable((x,), 0).flatten().tolist() == [False, False, True]
