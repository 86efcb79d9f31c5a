import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.s_shaped import Erf, Sigmoid, Tanh

each = pytest.mark.parametrize("curve", [Sigmoid(), Tanh(), Erf()], ids=lambda curve: type(curve).__name__)


def interval(lower, upper, dtype=torch.float64):
    return (Interval(*(torch.tensor(x, dtype=dtype).reshape(-1, 1, 1) for x in (lower, upper))),)


@each
def test_slope_is_the_derivative(curve):
    x = torch.linspace(-6, 6, 101, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(curve(x).sum(), x)
    torch.testing.assert_close(curve.slope(x.detach()), expected, rtol=1e-9, atol=1e-12)


@each
def test_the_tangent_at_d_meets_the_curve_again(curve):
    u = torch.tensor([0.01, 0.3, 1, 4, 30, 900.0, 1e5], dtype=torch.float64)
    d = curve.touching(u)
    assert (d < 0).all()
    torch.testing.assert_close(curve(d) + curve.slope(d) * (u - d), curve(u), rtol=0, atol=3e-4)


def test_near_zero_d_is_minus_half_u():
    # x - x^3 / 3 + ...: the tangent of a cubic at d meets it again at -2d.
    assert Tanh().touching(torch.tensor([0.05])).item() == pytest.approx(-0.025, rel=1e-2)


@each
def test_the_chord_supports_a_one_sided_interval_and_tangents_move_with_their_parameter(curve):
    inputs = interval([0.5, -2.0], [2.0, -0.5])
    p = torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    planes = curve.relax(inputs, p.reshape(2, 1, 2, 1).expand(2, 2, 2, 1))
    (x,) = inputs
    chord = ((curve(x.upper) - curve(x.lower)) / (x.upper - x.lower)).flatten()
    slopes = curve.slope(torch.tensor([2.0, 0.5, -2.0, -0.5], dtype=torch.float64))
    torch.testing.assert_close(planes.lower_slopes[0][0].flatten(), chord[[0, 0]])
    torch.testing.assert_close(planes.upper_slopes[0][1].flatten(), chord[[1, 1]])
    torch.testing.assert_close(planes.upper_slopes[0][0].flatten(), slopes[:2])
    torch.testing.assert_close(planes.lower_slopes[0][1].flatten(), slopes[2:])


@each
def test_mixed_tangents_run_from_the_end_to_the_line_through_the_other_end(curve):
    inputs = interval([-3.0], [2.0])
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(1, 1, 2, 1).expand(2, 1, 2, 1)
    planes = curve.relax(inputs, ends)
    lower = inputs[0].lower
    assert planes.lower_slopes[0][0, 0].item() == pytest.approx(curve.slope(lower).item())
    at_upper = planes.lower_slopes[0] * 2.0 + planes.lower_intercept
    assert at_upper[0, 1].item() == pytest.approx(curve(torch.tensor(2.0)).item(), abs=1e-4)
    assert at_upper[0, 0].item() < at_upper[0, 1].item()


@each
def test_planes_are_better_than_horizontal_ones(curve):
    lower, width = torch.linspace(-4, 4, 30).repeat(30), torch.linspace(0.1, 6, 30).repeat_interleave(30)
    x = Interval(lower.double().reshape(-1, 1, 1), (lower + width).double().reshape(-1, 1, 1))
    planes = curve.relax((x,))
    middle = (x.lower + x.upper) / 2
    gap = (planes.upper_slopes[0] - planes.lower_slopes[0]) * middle + planes.upper_intercept - planes.lower_intercept
    assert (gap <= curve(x.upper) - curve(x.lower) + 1e-9).all()


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saturation(curve, dtype):
    inputs = interval([-1e6, 600.0, -900.0, -1e6], [1e6, 1e5, -700.0, -1e5], dtype)
    p = torch.full((2, 4, 1, 1), 0.3, dtype=dtype, requires_grad=True)
    planes = curve.relax(inputs, p)
    parts = (planes.lower_slopes[0], planes.lower_intercept, planes.upper_slopes[0], planes.upper_intercept)
    assert all(part.isfinite().all() for part in parts)
    assert torch.autograd.grad(sum(part.sum() for part in parts), p)[0].isfinite().all()
    (x,) = inputs
    for end in x:
        f = curve(end)
        assert (planes.lower_slopes[0] * end + planes.lower_intercept <= f + 1e-5).all()
        assert (planes.upper_slopes[0] * end + planes.upper_intercept >= f - 1e-5).all()
    assert curve.splittable(inputs, 0).flatten().tolist() == [True, False, False, False]


def test_tables_do_not_change_the_type_of_planes():
    for module, dtype in ((Sigmoid(), torch.float64), (Sigmoid().double(), torch.float32)):
        planes = module.relax(interval([-1.0], [1.0], dtype))
        assert planes.lower_intercept.dtype == dtype
    assert not Sigmoid().state_dict()
