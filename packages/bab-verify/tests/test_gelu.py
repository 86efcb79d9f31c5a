import pytest
import torch
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from bab_verify.intervals import Interval
from bab_verify.operators.gelu import Gelu, TanhGelu

each = pytest.mark.parametrize("curve", [Gelu(), TanhGelu()], ids=lambda curve: type(curve).__name__)


def interval(lower, upper):
    return Interval(*(torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 1) for x in (lower, upper)))


def test_value():
    x = torch.linspace(-8, 8, 33, dtype=torch.float64)
    torch.testing.assert_close(Gelu()(x), x * torch.from_numpy(norm.cdf(x.numpy())))
    torch.testing.assert_close(TanhGelu()(x), Gelu()(x), atol=1e-3, rtol=0)


@each
def test_slope_is_the_derivative(curve):
    x = torch.linspace(-8, 8, 161, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(curve(x).sum(), x)
    torch.testing.assert_close(curve.slope(x.detach()), expected, rtol=1e-9, atol=1e-12)
    far = torch.tensor([-1e30, 1e30])
    assert curve.slope(far).tolist() == [0.0, 1.0]


@each
def test_inflection_and_minimum(curve):
    def curvature(x):
        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(curve(at), at, create_graph=True)
        return torch.autograd.grad(slope, at)[0].item()

    assert brentq(curvature, 0.5, 3, xtol=1e-14) == pytest.approx(curve.inflection, abs=1e-9)
    grid = torch.linspace(-6, 6, 241, dtype=torch.float64)
    assert all((curvature(x) >= 0) == (abs(x) <= curve.inflection) for x in grid.tolist())
    found = minimize_scalar(lambda x: curve(torch.tensor(x, dtype=torch.float64)).item(), (-2, -0.5), tol=1e-12)
    assert found.x == pytest.approx(curve.minimum, abs=1e-6)


@each
def test_the_function_less_half_its_argument_is_even(curve):
    x = torch.linspace(0, 6, 50, dtype=torch.float64)
    torch.testing.assert_close(curve(x) - x / 2, curve(-x) + x / 2)


@each
def test_interval_dips_below_zero(curve):
    bounds = curve.interval(interval([-3.0, -0.5, -3.0, 1.0], [3.0, 0.5, -1.0, 2.0]))
    value = curve(torch.tensor([curve.minimum, -0.5, -1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(bounds.lower.flatten(), value)
    assert value[0].item() == pytest.approx(-0.17, abs=1e-3)


@each
def test_over_zero_the_chord_is_above(curve):
    x = interval([-4.0, -1.0, -0.2], [3.0, 1.0, 6.0])
    planes = curve.relax((x,))
    torch.testing.assert_close(planes.upper_slopes[0], (curve(x.upper) - curve(x.lower)) / (x.upper - x.lower))


@each
def test_planes_mirror(curve):
    generator = torch.Generator().manual_seed(0)
    lower, upper = torch.rand(2, 300, 1, 1, generator=generator, dtype=torch.float64).mul(12).sub(6).sort(0).values
    here, there = curve.relax((Interval(lower, upper),)), curve.relax((Interval(-upper, -lower),))
    middle = (lower + upper) / 2
    for side in (0, 2):
        a = here[side][0] * middle + here[side + 1]
        b = -there[side][0] * middle + there[side + 1]
        torch.testing.assert_close(a - middle / 2, b + middle / 2, atol=1e-5, rtol=0)


@each
def test_saturated_intervals_are_not_split(curve):
    x = interval([-50.0, 10.0, -50.0], [-7.0, 90.0, 90.0])
    assert curve.splittable((x,), 0).flatten().tolist() == [False, False, True]
