"""Every operation: planes are sound for any parameters, touch the curve, and leave the least area at first."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bab_verify.intervals import Interval
from bab_verify.operators.convex import Absolute, Exp, Log, Reciprocal, Sqrt, Square
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.power import Power
from bab_verify.operators.relaxation import Nonlinear
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Erf, Sigmoid, Tanh
from bab_verify.operators.step import Sign
from bab_verify.operators.tangent import Smooth

CURVES = {
    "sigmoid": (Sigmoid(), -1e4, 1e4),
    "tanh": (Tanh(), -1e4, 1e4),
    "erf": (Erf(), -1e4, 1e4),
    "sin": (Sin(), -1e4, 1e4),
    "gelu": (Gelu(), -1e4, 1e4),
    "tanh_gelu": (TanhGelu(), -1e4, 1e4),
    "exp": (Exp(), -100.0, 80.0),
    "square": (Square(), -1e4, 1e4),
    "reciprocal": (Reciprocal(), 1e-3, 1e4),
    "negative reciprocal": (Reciprocal(), -1e4, -1e-3),
    "log": (Log(), 1e-6, 1e4),
    "sqrt": (Sqrt(), 0.0, 1e4),
    "absolute": (Absolute(), -1e4, 1e4),
    "cube": (Power(3), -1e3, 1e3),
    "fourth power": (Power(4), -1e3, 1e3),
    "fifth power": (Power(5), -1e2, 1e2),
    "sign": (Sign(), -1e4, 1e4),
    "relu": (Relu(), -1e4, 1e4),
}
SMOOTH = [name for name in CURVES if name not in {"absolute", "sign", "relu"}]
N_RANDOM = 500
each_curve = pytest.mark.parametrize("name", CURVES)
each_smooth = pytest.mark.parametrize("name", SMOOTH)
NIGHTLY = settings().max_examples > 100
few = settings(max_examples=500 if NIGHTLY else 15, suppress_health_check=list(HealthCheck))


def reals(low, high):
    near = st.floats(max(low, -8.0), min(high, 8.0))
    special = [x for x in (-1.0, 0.0, 1.0, low, high) if low <= x <= high]
    return st.one_of(near, st.floats(low, high), st.sampled_from(special))


@st.composite
def intervals(draw, low, high):
    """Wide, narrow, symmetric, one-sided and degenerate intervals."""
    a = draw(reals(low, high))
    kind = draw(st.sampled_from(["any", "near", "tiny", "symmetric", "point"]))
    if kind == "any":
        b = draw(reals(low, high))
    elif kind == "near":
        b = a + draw(st.floats(0, 4))
    elif kind == "tiny":
        b = a + draw(st.floats(0, 1e-5))
    else:
        b = -a if kind == "symmetric" and low <= -a <= high else a
    return min(a, b), min(max(a, b), high)


def as_inputs(pairs, dtype):
    bounds = torch.tensor(pairs, dtype=torch.float64).to(dtype)
    return (Interval(bounds[:, 0].reshape(-1, 1, 1), bounds[:, 1].reshape(-1, 1, 1)),)


def samples(x, n=2000):
    lower, upper = x.lower.double(), x.upper.double()
    return torch.lerp(lower, upper, torch.linspace(0, 1, n, dtype=torch.float64)).clamp(lower, upper)


def random_intervals(name, n, seed=0, width=6.0):
    generator = torch.Generator().manual_seed(seed)
    _, low, high = CURVES[name]
    a, b = torch.rand(2, n, generator=generator, dtype=torch.float64) * width * 2 - width
    if low >= 0:
        a, b = a.abs() + 0.1, b.abs() + 0.1
    if high <= 0:
        a, b = -a.abs() - 0.1, -b.abs() - 0.1
    return as_inputs(torch.stack((torch.minimum(a, b), torch.maximum(a, b)), 1).tolist(), torch.float64)


def lines(planes, x):
    below = planes.lower_slopes[0].double() * x + planes.lower_intercept.double()
    above = planes.upper_slopes[0].double() * x + planes.upper_intercept.double()
    return below, above


@each_curve
@few
@given(data=st.data())
def test_planes_and_intervals_hold_for_any_parameters(name, data):
    operator, low, high = CURVES[name]
    pair = data.draw(intervals(low, high))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    n = operator.n_parameters * 3
    parameters = data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    inputs = as_inputs([pair], dtype)
    parameters = torch.tensor(parameters, dtype=dtype).reshape(-1, 1, 3, 1)
    x = samples(inputs[0])
    f = operator(x)
    # The samples' own rounding, in double precision; vanished values. The chord of a rectifier is rounded to nearest.
    rounded = 1e-6 if name == "relu" else 1e-14
    slack = 1e-37 + rounded * (10 if name == "sin" else 1e-3 if name == "relu" else 0)
    for planes in (operator.relax(inputs, parameters), operator.relax(inputs)):
        below, above = lines(planes, x)
        assert below.isfinite().all()
        assert above.isfinite().all()
        tolerance = slack + rounded * (f.abs() + (planes.lower_slopes[0].double() * x).abs())
        assert (below <= f + tolerance).all()
        tolerance = slack + rounded * (f.abs() + (planes.upper_slopes[0].double() * x).abs())
        assert (above >= f - tolerance).all()
    bounds = operator.interval(inputs[0])
    tolerance = slack + rounded * f.abs()
    assert (bounds.lower.double() <= f + tolerance).all()
    assert (bounds.upper.double() >= f - tolerance).all()


@each_curve
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_random_intervals(name, dtype):
    operator, low, high = CURVES[name]
    generator = torch.Generator().manual_seed(1)

    def rand(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    def one_of(*sizes):
        return torch.tensor(sizes)[torch.randint(len(sizes), (N_RANDOM,), generator=generator)]

    center = (rand(N_RANDOM) * 2 - 1) * one_of(0.1, 2.0, 20.0, 1000.0)
    width = rand(N_RANDOM) * one_of(0.0, 1e-7, 1e-3, 1.0, 10.0)
    pairs = torch.stack(((center - width).clamp(low, high), (center + width).clamp(low, high)), 1)
    inputs = as_inputs(pairs.tolist(), dtype)
    x = samples(inputs[0], 150)
    f = operator(x)
    parameters = rand(operator.n_parameters, N_RANDOM, 2, 1).to(dtype).requires_grad_()
    planes = operator.relax(inputs, parameters)
    planes = type(planes)(*(_rows(part) for part in planes[:4]))
    scale = 1e-13 if name == "sin" else 1e-6 if name == "relu" else 1e-14
    for k in range(2):
        below, above = (side.detach() for side in lines(type(planes)(*(_row(part, k) for part in planes[:4])), x))
        tolerance = scale * (1 + f.abs() + below.abs() + above.abs())
        tolerance = tolerance + scale * x.abs() * (1 + planes.lower_slopes[0].detach().abs().amax(1, keepdim=True))
        assert (below <= f + tolerance).all()
        assert (above >= f - tolerance).all()
    total = sum(part.sum() for part in (*planes.lower_slopes, planes.lower_intercept, *planes.upper_slopes))
    (gradient,) = torch.autograd.grad(total + planes.upper_intercept.sum(), parameters)
    assert gradient.isfinite().all()


def _rows(part):
    return tuple(map(_rows, part)) if isinstance(part, tuple) else part.expand(N_RANDOM, 2, 1)


def _row(part, k):
    return tuple(_row(tensor, k) for tensor in part) if isinstance(part, tuple) else part[:, k : k + 1]


@each_curve
def test_relax_is_planes_of_prepare(name):
    operator = CURVES[name][0]
    inputs = random_intervals(name, 50)
    generator = torch.Generator().manual_seed(8)
    parameters = torch.rand(operator.n_parameters, 50, 4, 1, generator=generator, dtype=torch.float64)
    state = operator.prepare(inputs)
    for chosen in (parameters, operator.initial_parameters(inputs)):
        whole, parts = operator.relax(inputs, chosen), operator.planes(state, chosen)
        torch.testing.assert_close(torch.stack(whole.lower_slopes), torch.stack(parts.lower_slopes))
        torch.testing.assert_close(whole.upper_intercept, parts.upper_intercept)
    initial, default = operator.relax(inputs, operator.initial_parameters(inputs)), operator.relax(inputs)
    torch.testing.assert_close(initial.lower_intercept, default.lower_intercept)
    torch.testing.assert_close(initial.upper_slopes[0], default.upper_slopes[0])


def hull_in_the_middle(operator, x, n=241):
    """The convex and the concave hull of sampled points in the middle, by all chords over it."""
    points = samples(x, n)[:, 0]
    f = operator(points)
    m = n // 2
    left, right = points[:, : m + 1, None], points[:, None, m + 1 :]
    share = (points[:, m, None, None] - left) / (right - left)
    chord = torch.lerp(f[:, : m + 1, None], f[:, None, m + 1 :], share).flatten(1)
    return chord.amin(1), chord.amax(1), points[:, m, None]


@each_curve
def test_initial_planes_leave_the_least_area(name):
    operator = CURVES[name][0]
    inputs = random_intervals(name, 120, seed=2, width=0.4 if name == "exp" else 6.0)
    wide = (inputs[0].upper - inputs[0].lower).flatten() > 0.05
    inputs = (Interval(inputs[0].lower[wide], inputs[0].upper[wide]),)
    convex, concave, middle = hull_in_the_middle(operator, inputs[0])
    below, above = (side.flatten() for side in lines(operator.relax(inputs), middle.unsqueeze(1)))
    gap, least = above - below, concave - convex
    # Sampled hulls are inside the true ones, by a little; a step's by a sample's width.
    spare = 3e-2 if name == "sign" else 2e-3
    assert (gap <= least * (1 + spare) + 1e-5).all(), ((gap - least) / least).max()


@each_smooth
def test_planes_touch_the_curve_for_any_parameters(name):
    operator = CURVES[name][0]
    inputs = random_intervals(name, 200, seed=3)
    parameters = torch.rand(operator.n_parameters, 200, 1, 1, generator=torch.Generator().manual_seed(4)).double()
    x = samples(inputs[0])
    f = operator(x)
    below, above = lines(operator.relax(inputs, parameters), x)
    scale = 1e-5 * (1 + f.amax(-1) - f.amin(-1))
    assert ((f - below).amin(-1) < scale).all()
    assert ((above - f).amin(-1) < scale).all()


@each_smooth
def test_gradients_by_finite_differences(name):
    operator = CURVES[name][0]
    inputs = random_intervals(name, 12, seed=5, width=3.0)
    state = operator.prepare(inputs)
    p = torch.rand(operator.n_parameters, 12, 2, 1, generator=torch.Generator().manual_seed(6)).double() * 0.8 + 0.1

    def planes(parameters):
        found = operator.planes(state, parameters)
        shape = (12, 2, 1)
        return tuple(t.expand(shape) for t in (*found.lower_slopes, found.lower_intercept, *found.upper_slopes))

    assert torch.autograd.gradcheck(planes, (p.requires_grad_(),), eps=1e-6, atol=1e-4, rtol=1e-4)
    assert torch.autograd.gradcheck(
        lambda q: operator.planes(state, q).upper_intercept.expand(12, 2, 1), (p,), eps=1e-6, atol=1e-4, rtol=1e-4
    )


@each_curve
def test_intervals_are_tight(name):
    operator = CURVES[name][0]
    inputs = random_intervals(name, 200, seed=7)
    f = operator(samples(inputs[0]))
    bounds = operator.interval(inputs[0])
    # Samples miss an extremum by the square of their spacing, a kink by their spacing.
    spare = (1e-3 if name == "absolute" else 1e-4) * (f.amax(-1) - f.amin(-1)) + 1e-9
    assert (bounds.lower[..., 0] >= f.amin(-1) - spare).all()
    assert (bounds.upper[..., 0] <= f.amax(-1) + spare).all()


@each_curve
def test_splitting_a_point_is_of_no_use(name):
    operator, low, high = CURVES[name]
    point = float(np.clip(1.0, low, high))
    assert not operator.splittable(as_inputs([(point, point)], torch.float32), 0).any()
    wide = as_inputs([(max(low, -2.0), min(high, 2.0))], torch.float32)
    assert operator.splittable(wide, 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_chord_of_a_rectifier_is_nowhere_below_it(dtype):
    generator = torch.Generator().manual_seed(0)
    size = 10 ** (torch.rand(2, 20000, 1, 1, generator=generator, dtype=torch.float64) * 30 - 20)
    x = Interval(-size[0].to(dtype), size[1].to(dtype))
    planes = Relu().relax((x,))
    slope, intercept = planes.upper_slopes[0], planes.upper_intercept
    for end, least in ((x.lower, torch.zeros_like(x.lower)), (x.upper, x.upper), (torch.zeros_like(x.lower), 0)):
        assert (slope.double() * end.double() + intercept.double() >= least).all()


def test_an_operation_of_one_s_own_that_lacks_something_is_refused_by_its_name():
    class WithoutPlanes(Nonlinear):
        def prepare(self, inputs):
            return inputs

    class WithoutSupports(Smooth):
        def forward(self, x):
            return x**3

        def slope(self, x):
            return 3 * x**2

    with pytest.raises(TypeError, match="WithoutPlanes .*planes"):
        WithoutPlanes()
    with pytest.raises(NotImplementedError, match="WithoutSupports must define supports"):
        WithoutSupports().prepare((Interval(torch.zeros(1, 1, 1), torch.ones(1, 1, 1)),))
