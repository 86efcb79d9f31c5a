"""Bounds of whole graphs: no point lies outside, whatever the operations, the box and the method."""

import copy

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.bounds.optimization import optimize, refine
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import margin_slack
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval, ordered
from bab_verify.operators.affine import Add, Dense, Scale, Shift, Sum
from bab_verify.operators.convex import Absolute, Exp, Log, Reciprocal, Sqrt, Square
from bab_verify.operators.convolution import Convolution
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.power import Power
from bab_verify.operators.product import Product
from bab_verify.operators.rearrangements import Concatenate, Reshape, Select
from bab_verify.operators.relaxation import DomainError
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Erf, Sigmoid, Tanh
from bab_verify.operators.step import Sign
from bab_verify.rewriting.fusion import fuse

SIZE = 4
INFINITY = float("inf")
PI = 2 * np.arcsin(np.longdouble(1))
SMALLEST = mpmath.mpf("1e-4900")
CURVES = {
    "relu": Relu, "sigmoid": Sigmoid, "tanh": Tanh, "erf": Erf, "sin": Sin, "gelu": Gelu, "tanh_gelu": TanhGelu,
    "exp": Exp, "square": Square, "absolute": Absolute, "sign": Sign, "cube": lambda: Power(3),
}  # fmt: skip
POSITIVE = {"reciprocal": Reciprocal, "log": Log, "sqrt": Sqrt}
KINDS = [*CURVES, *POSITIVE, "product", "softmax", "add", "dense", "convolution", "repeat"]
NIGHTLY = settings().max_examples > 100


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Nodes(list):
    """The nodes of a graph under construction."""

    def put(self, operator, *inputs, shape=(SIZE,)):
        self.append(Node(operator, inputs, shape))
        return len(self) - 1


def layer(nodes, kind, at, other, seed):
    """One operation of a kind, with a layer before it that keeps values moderate."""
    weight = rand(SIZE, SIZE, seed=seed) / 2
    if kind == "add":
        return nodes.put(Add((SIZE,), (1, -1)), at, other)
    if kind == "repeat":
        return nodes.put(Select((SIZE,), torch.tensor([seed % SIZE, 0, -1, 2])), at)
    if kind == "convolution":
        image = nodes.put(Reshape((SIZE,), (1, 1, SIZE)), at, shape=(1, 1, SIZE))
        convolution = Convolution(rand(1, 1, 3, seed=seed), rand(1, seed=seed), (1, 1, SIZE), (1,), (1,), (1,))
        return nodes.put(Reshape((1, 1, SIZE), (SIZE,)), nodes.put(convolution, image, shape=(1, 1, SIZE)))
    at = nodes.put(Dense(weight, rand(SIZE, seed=seed + 1), (SIZE,)), at)
    if kind == "dense":
        return at
    if kind == "product":
        return nodes.put(Product(), at, other)
    if kind == "softmax":
        powers = nodes.put(Exp(), nodes.put(Scale(torch.tensor([0.3], dtype=torch.float64), (SIZE,)), at))
        total = nodes.put(Sum((SIZE,), (0,)), powers, shape=(1,))
        total = nodes.put(Shift(torch.tensor([1e-3], dtype=torch.float64), (1,)), total, shape=(1,))
        share = nodes.put(Select((1,), torch.zeros(SIZE, dtype=torch.long)), nodes.put(Reciprocal(), total, shape=(1,)))
        return nodes.put(Product(), powers, share)
    if kind in POSITIVE:
        square = nodes.put(Square(), at)
        return nodes.put(POSITIVE[kind](), nodes.put(Shift(rand(1, seed=seed).abs() + 0.1, (SIZE,)), square))
    return nodes.put(CURVES[kind](), at)


def build(recipe):
    nodes = Nodes([Node(None, (), (SIZE,))])
    places = [0]
    for kind, first, second, seed in recipe:
        places.append(layer(nodes, kind, places[-1 - first % len(places)], places[second % len(places)], seed))
    nodes.put(Dense(rand(3, SIZE, seed=7), rand(3), (SIZE,)), places[-1], shape=(3,))
    return Graph(nodes).double()


layers = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 5), st.integers(0, 99))
recipes = st.lists(layers, min_size=1, max_size=5)
radii = st.sampled_from([0.0, 1e-3, 0.1, 0.5, 2.0])
many = settings(max_examples=3000 if NIGHTLY else 35, suppress_health_check=list(HealthCheck))
few = settings(max_examples=600 if NIGHTLY else 20, suppress_health_check=list(HealthCheck))


def boxed(radius, seed, batch=2):
    center, size = rand(batch, SIZE, seed=seed), radius * rand(batch, SIZE, seed=seed + 1).abs()
    return Interval(center - size, center + size)


def attacked(graph, box, c):
    """Inputs of a box (n, batch, inputs): random ones, corners, and where gradient descent makes C f least."""
    u = rand(120, *box.lower.shape, seed=5).sigmoid()
    u[:40] = (u[:40] > 0.5).double()
    x = torch.lerp(box.lower, box.upper, u)
    worst = torch.lerp(box.lower, box.upper, rand(c.shape[1], *box.lower.shape, seed=6).sigmoid())
    for step in range(8):
        worst = worst.detach().requires_grad_()
        y = graph(worst.flatten(0, 1)).reshape(*worst.shape[:2], -1)
        gradient = torch.autograd.grad(torch.einsum("bro,rbo->", c, y), worst)[0].nan_to_num(0)
        worst = worst - 0.5**step * (box.upper - box.lower) * gradient.sign()
        worst = torch.minimum(torch.maximum(worst, box.lower), box.upper)
    return torch.cat([x, worst.detach()])


def digits(function):
    """A function of `mpmath`, to 30 digits, rounded to extended precision."""

    def value(x):
        with mpmath.workdps(30):
            y = function(mpmath.mpf(str(x)))
            return np.longdouble(str(y) if abs(y) > SMALLEST else 0)

    return lambda x: np.array([value(one) for one in x.ravel()], np.longdouble).reshape(x.shape)


FUNCTIONS = {
    Relu: lambda x: np.maximum(x, 0),
    Sigmoid: lambda x: 1 / (1 + np.exp(-x)),
    Tanh: np.tanh,
    Erf: digits(mpmath.erf),
    Sin: np.sin,
    Gelu: lambda x: x * digits(mpmath.ncdf)(x),
    TanhGelu: lambda x: x / (1 + np.exp(-2 * np.sqrt(2 / PI) * (x + np.longdouble("0.044715") * x**3))),
    Exp: np.exp,
    Square: np.square,
    Absolute: np.abs,
    Sign: np.sign,
    Power: lambda x: x**3,
    Reciprocal: np.reciprocal,
    Log: np.log,
    Sqrt: np.sqrt,
    Product: np.multiply,
}


def applied(operator, inputs):
    """An operation in extended precision: nonlinear ones by `FUNCTIONS`, affine ones as matrices."""
    if type(operator) in FUNCTIONS:
        return FUNCTIONS[type(operator)](*inputs)
    shapes = operator.input_shapes
    total = 0 if operator.constant() is None else operator.constant().numpy().astype(np.longdouble)
    for i, x in enumerate(inputs):
        size = x[0].size
        units = [torch.zeros(size, *shape, dtype=torch.float64) for shape in shapes]
        units[i] = torch.eye(size, dtype=torch.float64).reshape(size, *shapes[i])
        columns = operator.linear(*units).numpy().astype(np.longdouble)
        total = total + np.tensordot(x.reshape(-1, size), columns, 1)
    return total


def extended(graph, x):
    """The value of every node in extended precision, at inputs (n, inputs)."""
    values = [x.numpy().astype(np.longdouble)]
    with np.errstate(all="ignore"), torch.no_grad():
        for node in graph.nodes[1:]:
            values.append(applied(node.operator, [values[source] for source in node.inputs]))
    return values


def held(lower, value):
    """Whether a lower bound (batch, rows) is below values (n, batch, rows), without tolerance.

    What is not even a number in extended precision has no value to compare.
    """
    lower = lower.double().numpy().astype(np.longdouble)
    return not np.isnan(lower).any() and bool(((lower <= value) | np.isnan(value)).all())


def assert_below(linear, slack, x, values):
    """A linear bound (batch, rows) less its slack is below values (n, batch, rows) at inputs (n, batch, inputs)."""
    a, b, slack = (t.double().numpy().astype(np.longdouble) for t in (linear.coefficients, linear.offset, slack))
    at = np.einsum("bri,nbi->nbr", a, x.numpy().astype(np.longdouble)) + b - slack
    assert bool(((at <= values) | np.isnan(values) | np.isinf(slack)).all())


@many
@given(recipe=recipes, radius=radii, seed=st.integers(0, 50), single=st.booleans(), refining=st.booleans())
def test_no_point_is_outside_the_bounds(recipe, radius, seed, single, refining):
    exact = build(recipe)
    dtype = torch.float32 if single else torch.float64
    graph = fuse(exact.to(dtype)) if seed % 2 else exact.to(dtype)
    exact = copy.deepcopy(graph).double()
    box = Interval(*(x.to(dtype) for x in boxed(radius, seed)))
    wide = Interval(box.lower.double(), box.upper.double())
    c = torch.eye(3, dtype=torch.float64).repeat(2, 1)
    c[3:] *= -1
    c = c.expand(2, -1, -1)
    d = torch.zeros(2, 6, dtype=dtype)
    x = attacked(exact, wide, c)
    y = extended(exact, x.flatten(0, 1))[-1].reshape(*x.shape[:2], -1)
    # The products with C; where an output overflows, a product with its zeros would be no number.
    values = np.concatenate([y, -y], -1)
    propagator, last = Propagator(graph), len(graph.nodes) - 1
    everything = propagator.intervals(box)
    c = c.to(dtype)
    with torch.no_grad():
        bounds, planes = propagator.crown(box)
        linear = propagator.backward(last, c.reshape(2, 6, 3), planes)
        crown = linear.minimum(box)
        slack = margin_slack(linear, box, d)
        assert held(crown - slack, values)
        assert held(torch.cat([everything[last].lower, -everything[last].upper], 1), values)
        assert_below(linear, slack, x, values)
    alpha = optimize(propagator, box, bounds, c, d, OptimizationConfig(steps=3), target=INFINITY)
    assert held(alpha.margins, values)
    assert (alpha.margins >= crown - slack).all()
    if refining:
        one = Interval(box.lower[:1], box.upper[:1])
        known = {i: Interval(b.lower[:1], b.upper[:1]) for i, b in bounds.items()}
        finer = refine(propagator, one, known, OptimizationConfig(steps=2))
        tight = optimize(propagator, one, finer, c[:1], d[:1], OptimizationConfig(steps=1))
        assert held(tight.margins, values[:, :1])


@few
@given(recipe=recipes, radius=radii, seed=st.integers(0, 50))
def test_recorded_linear_bounds_of_inner_nodes_hold_at_every_point(recipe, radius, seed):
    graph = fuse(build(recipe))
    box = boxed(radius, seed)
    recorded, slopes = {}, {}
    with torch.no_grad():
        bounds, _ = Propagator(graph).crown(box, recorded=recorded, slopes=slopes)
    x = torch.lerp(box.lower, box.upper, rand(50, *box.lower.shape, seed=3).sigmoid())
    values = extended(graph, x.flatten(0, 1))
    for index, (below, above) in recorded.items():
        value = values[index].reshape(50, 2, -1)
        slack = margin_slack(below, box, torch.zeros_like(below.offset))
        assert_below(below, slack, x, value)
        slack = margin_slack(above, box, torch.zeros_like(above.offset))
        assert_below(LinearBound(-above.coefficients, -above.offset, above.error), slack, x, -value)
        rows, coefficients = slopes[index]
        expected = below.coefficients.gather(1, rows.expand(2, -1).unsqueeze(2).expand(-1, -1, SIZE))
        torch.testing.assert_close(coefficients.expand(2, -1, -1), expected)
    for index, bound in bounds.items():
        value = values[index].reshape(50, 2, -1)
        assert held(bound.lower.flatten(1), value)
        assert held(-bound.upper.flatten(1), -value)


def toy():
    """relu(x1 - x2) - relu(2 x1 - x2), whose bounds can be found by hand."""
    first = torch.tensor([[1.0, -1.0], [2.0, -1.0]], dtype=torch.float64)
    nodes = Nodes([Node(None, (), (2,))])
    nodes.put(Dense(first, None, (2,)), 0, shape=(2,))
    nodes.put(Relu(), 1, shape=(2,))
    nodes.put(Dense(torch.tensor([[1.0, -1.0]], dtype=torch.float64), None, (2,)), 2, shape=(1,))
    box = Interval(torch.tensor([[-1.0, -2.0]], dtype=torch.float64), torch.tensor([[2.0, 1.0]], dtype=torch.float64))
    return Graph(nodes), box


def output(graph, box, sign=1.0):
    propagator = Propagator(graph)
    _, planes = propagator.crown(box)
    return propagator.backward(len(graph.nodes) - 1, box.lower.new_full((1, 1, 1), sign), planes).minimum(box).item()


def enclosed(exact, found):
    """Whether bounds enclose exact ones, and are no wider than rounding takes."""
    lower, upper = (torch.tensor(x, dtype=torch.float64) for x in exact)
    outside = bool((found.lower <= lower).all() and (found.upper >= upper).all())
    return outside and torch.allclose(found.lower, lower, 1e-13) and torch.allclose(found.upper, upper, 1e-13)


def test_a_network_that_is_bounded_by_hand():
    graph, box = toy()
    found = Propagator(graph).intervals(box)[3]
    assert enclosed((-6, 4), found)
    assert output(graph, box) == pytest.approx(-3)
    assert -output(graph, box, -1.0) == pytest.approx(3)
    box = Interval(*(x.repeat(2, 1) for x in box))
    first = Propagator(graph).crown(box)[0][1]
    assert enclosed(([-2, -3], [4, 6]), first)


def test_what_is_known_is_kept():
    graph, box = toy()
    propagator = Propagator(graph)
    known = {1: Interval(torch.full((1, 2), -1.0).double(), torch.full((1, 2), 0.5).double())}
    for bounds in (propagator.intervals(box, known), propagator.crown(box, known)[0]):
        assert bounds[1].lower.tolist() == [[-1, -1]]
        assert bounds[1].upper.tolist() == [[0.5, 0.5]]
    assert Interval(*known[1]).intersect(Interval(-known[1].upper, known[1].lower)).lower.tolist() == [[-0.5, -0.5]]


def test_bounds_that_rounding_made_cross_enclose_both():
    found = ordered(torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 2.0]]), (2,))
    assert (found.lower.tolist(), found.upper.tolist()) == ([[1, 2]], [[2, 3]])


def test_the_minimizer_is_where_a_linear_bound_is_least():
    box = boxed(1.0, 3)
    linear = LinearBound(rand(2, 5, SIZE), rand(2, 5, seed=1), torch.zeros(2, 5))
    at = torch.einsum("bri,bri->br", linear.coefficients, linear.minimizer(box)) + linear.offset
    torch.testing.assert_close(at, linear.minimum(box))


@pytest.mark.parametrize("rest", [(), (Relu,), (Absolute,), (Sign,), (Sigmoid,), (Square, Sqrt)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_overflows_is_bounded_by_infinity(rest, dtype):
    nodes = Nodes([Node(None, (), (2,))])
    nodes.put(Scale(torch.tensor([1e3]), (2,)), 0, shape=(2,))
    nodes.put(Exp(), 1, shape=(2,))
    for operator in rest:
        nodes.put(operator(), len(nodes) - 1, shape=(2,))
    nodes.put(Product(), len(nodes) - 1, 1, shape=(2,))
    nodes.put(Concatenate(((2,), (2,)), 0), len(nodes) - 1, 1, shape=(4,))
    graph = Graph(nodes).to(dtype)
    box = Interval(torch.full((1, 2), -1.0, dtype=dtype), torch.full((1, 2), 1.0, dtype=dtype))
    propagator, last = Propagator(graph), len(nodes) - 1
    bounds = propagator.intervals(box)
    assert not any(x.isnan().any() for bound in bounds.values() for x in bound)
    assert all((bound.lower < INFINITY).all() and (bound.upper > -INFINITY).all() for bound in bounds.values())
    c = torch.eye(4, dtype=dtype)
    c = torch.cat([c, -c])[None]
    found, planes = propagator.crown(box)
    assert not any(x.isnan().any() for bound in found.values() for x in bound)
    linear = propagator.backward(last, c, planes)
    slack = margin_slack(linear, box, torch.zeros(8, dtype=dtype))
    margins = linear.minimum(box) - slack
    assert (margins < INFINITY).all()
    x = torch.tensor([[0.003, -0.5]], dtype=dtype)
    assert (margins <= graph.double()(x.double()) @ c[0].double().T).all()


def test_leaving_the_domain_is_an_error():
    graph = Graph([Node(None, (), (2,)), Node(Reciprocal(), (0,), (2,))])
    with pytest.raises(DomainError, match="zero"):
        Propagator(graph).crown(Interval(-torch.ones(1, 2), torch.ones(1, 2)))


def test_multipliers_count_on_nodes_that_the_start_is_not_computed_from():
    graph, box = toy()
    nodes = [*graph.nodes, Node(Relu(), (0,), (2,)), Node(Dense(rand(1, 2), None, (2,)), (4,), (1,))]
    propagator = Propagator(Graph(nodes))
    bounds = propagator.intervals(box)
    planes = propagator.planes(bounds)
    c = torch.ones(1, 1, 1, dtype=torch.float64)
    without = propagator.backward(3, c, planes)
    added = {5: torch.full((1, 1, 1), 0.7, dtype=torch.float64)}
    both = propagator.backward(3, c, planes, added)
    apart = propagator.backward(5, added[5], planes)
    torch.testing.assert_close(both.coefficients, without.coefficients + apart.coefficients)
    torch.testing.assert_close(both.offset, without.offset + apart.offset)
