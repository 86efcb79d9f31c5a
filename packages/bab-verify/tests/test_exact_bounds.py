"""Every bound on the way, of piecewise linear graphs whose weights span many magnitudes, against exact values.

There is no tolerance: what is said to be a bound is one, in real arithmetic and of the weights as they are stored.
"""

import numpy as np
import torch
from exact_arithmetic import at_most, exact, exact_values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bab_verify import compute_bounds
from bab_verify.bounds.optimization import optimize, refine
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.rounding import margin_slack
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Add, Dense, Scale, Shift, Sum
from bab_verify.operators.convex import Absolute
from bab_verify.operators.convolution import Convolution
from bab_verify.operators.rearrangements import Concatenate, Reshape, Select
from bab_verify.operators.relu import Relu

SIZE = 4
NIGHTLY = settings().max_examples > 100
REFINED = OptimizationConfig(steps=2)


class Nodes(list):
    """The nodes of a graph under construction."""

    def put(self, operator, *inputs, shape=(SIZE,)):
        self.append(Node(operator, inputs, shape))
        return len(self) - 1


def numbers(rng, *shape, spread=8):
    """float32 of magnitudes 2^-spread to 2^spread, as float64."""
    x = rng.uniform(0.5, 1, shape) * 2.0 ** rng.integers(-spread, spread + 1, shape) * rng.choice([-1, 1], shape)
    return torch.tensor(np.float32(x).astype(float))


def dense(rng, nodes, at, inputs=SIZE, outputs=SIZE):
    weight = numbers(rng, outputs, inputs) * torch.tensor(rng.random((outputs, inputs)) < 0.8)
    bias = numbers(rng, outputs) if rng.random() < 0.7 else None
    return nodes.put(Dense(weight, bias, (inputs,)), at, shape=(outputs,))


def pair(rng, nodes, at):
    """K (relu(a x + c) - relu(b x + c)), a and b some units in the last place of float32 apart."""
    a, c = numbers(rng, SIZE, SIZE, spread=2), numbers(rng, SIZE, spread=4)
    units = np.spacing(a.abs().numpy().astype(np.float32)).astype(float) * rng.integers(-4, 5, a.shape)
    weight = torch.cat([a, a + torch.tensor(units)])
    hidden = nodes.put(Dense(weight, torch.cat([c, c]), (SIZE,)), at, shape=(2 * SIZE,))
    if rng.random() < 0.7:
        hidden = nodes.put(Relu(), hidden, shape=(2 * SIZE,))
    k = numbers(rng, SIZE, SIZE, spread=2) * 2.0 ** int(rng.integers(0, 24))
    return nodes.put(Dense(torch.cat([k, -k], 1), None, (2 * SIZE,)), hidden)


def largest(rng, nodes, at, other):
    return nodes.put(Add((SIZE,), (1, 1)), other, nodes.put(Relu(), nodes.put(Add((SIZE,), (1, -1)), at, other)))


def convolution(rng, nodes, at, other):
    image = nodes.put(Reshape((SIZE,), (1, 1, SIZE)), at, shape=(1, 1, SIZE))
    operator = Convolution(numbers(rng, 2, 1, 3), numbers(rng, 2), (1, 1, SIZE), (2,), (1,), (1,))
    return nodes.put(Reshape((1, 2, 2), (SIZE,)), nodes.put(operator, image, shape=(1, 2, 2)))


def total(rng, nodes, at, other):
    twice = nodes.put(Concatenate(((SIZE,), (SIZE,)), 0), at, other, shape=(2 * SIZE,))
    table = nodes.put(Reshape((2 * SIZE,), (2, SIZE)), twice, shape=(2, SIZE))
    return nodes.put(Reshape((1, SIZE), (SIZE,)), nodes.put(Sum((2, SIZE), (0,)), table, shape=(1, SIZE)))


def scaled(rng, nodes, at, other):
    return nodes.put(Shift(numbers(rng, SIZE), (SIZE,)), nodes.put(Scale(numbers(rng, SIZE), (SIZE,)), at))


LAYERS = {
    "dense": lambda rng, nodes, at, other: dense(rng, nodes, at),
    "pair": lambda rng, nodes, at, other: pair(rng, nodes, at),
    "relu": lambda rng, nodes, at, other: nodes.put(Relu(), at),
    "absolute": lambda rng, nodes, at, other: nodes.put(Absolute(), at),
    "max": largest,
    "convolution": convolution,
    "add": lambda rng, nodes, at, other: nodes.put(Add((SIZE,), (1, -1)), at, other),
    "sum": total,
    "scale": scaled,
    "select": lambda rng, nodes, at, other: nodes.put(Select((SIZE,), torch.tensor(rng.integers(-1, SIZE, SIZE))), at),
}


def build(recipe, rng):
    nodes = Nodes([Node(None, (), (SIZE,))])
    places = [0]
    for kind, first, second in recipe:
        places.append(LAYERS[kind](rng, nodes, places[-1 - first % len(places)], places[second % len(places)]))
    dense(rng, nodes, places[-1], outputs=2)
    return Graph(nodes)


def boxed(rng, dtype, batch=2):
    center = numbers(rng, batch, SIZE, spread=4)
    radius = center.abs() * 10.0 ** torch.tensor(rng.uniform(-1, 0.5, (batch, SIZE)) + rng.uniform(-8, 0))
    radius = radius * torch.tensor(rng.random((batch, SIZE)) < 0.9)
    if rng.random() < 0.2:
        center = center * 0
    return Interval((center - radius).to(dtype), (center + radius).to(dtype))


def points(rng, graph, box):
    """Inputs (n, inputs) of one box: corners, inner points, and where units change their state, nearly."""
    low, high = box.lower.double().numpy(), box.upper.double().numpy()
    weight = np.concatenate([rng.integers(0, 2, (5, SIZE)), rng.random((3, SIZE))])
    x = inside(low + weight * (high - low), low, high)
    values = graph.double().values(torch.tensor(x))
    kinks = []
    for node in graph.nodes:
        if isinstance(node.operator, Relu | Absolute):
            h = values[node.inputs[0]].flatten(1).numpy()
            for k in rng.integers(0, h.shape[1], 2):
                one, other = h[:, k].argmin(), h[:, k].argmax()
                if h[one, k] < 0 < h[other, k]:
                    share = h[one, k] / (h[one, k] - h[other, k])
                    kinks.append(inside(x[one] + share * (x[other] - x[one]), low, high))
    return np.array([*x, *kinks])


def inside(x, low, high):
    return np.minimum(np.maximum(x, low), high)


def sound(linear, box):
    """A linear bound that holds: coefficients and offset, of one box."""
    offset = linear.offset - margin_slack(linear, box, torch.zeros_like(linear.offset))
    return linear.coefficients, offset


def assert_encloses(bound, k, value, what):
    """Bounds (batch, *shape) of the k-th box enclose values (n, size)."""
    lower, upper = (x[k].flatten() for x in bound)
    below, above = (bool(held.all()) for held in (at_most(lower, value), at_most(-upper, -value)))
    assert below, f"{what}: a lower bound is above a value by {excess(lower, value)}"
    assert above, f"{what}: an upper bound is below a value by {excess(-upper, -value)}"


def assert_below(coefficients, offset, k, x, value, what):
    """A x + b of the k-th box is at most values (n, rows) at inputs x (n, inputs), in exact arithmetic."""
    # Rows that are the same over all boxes may stand once.
    coefficients, offset = (t.expand(max(len(coefficients), len(offset)), *t.shape[1:]) for t in (coefficients, offset))
    finite = offset[k].isfinite()
    line = exact(x) @ exact(coefficients[k]).T + exact(offset[k].where(finite, 0.0))[None]
    held = bool(((line <= value) | ~finite.numpy()).all())
    assert held, f"{what}: a linear bound is above a value by {(line - value).floats().max()}"


def excess(bound, value):
    return (exact(bound.nan_to_num(0, 0, 0))[None] - value).floats().max()


layers = st.tuples(st.sampled_from([*LAYERS, "dense", "pair", "relu"]), st.integers(0, 1), st.integers(0, 3))
recipes = st.lists(layers, min_size=1, max_size=5)
cases = given(recipe=recipes, seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([torch.float32, torch.float64]))
few = settings(
    max_examples=1500 if NIGHTLY else 40,
    # A simpler seed is no simpler graph, and failures that are alike are many.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class Case:
    """A graph, boxes in a type of numbers, and exact values of all nodes at points of each box."""

    def __init__(self, recipe, seed, dtype):
        rng = np.random.default_rng(seed)
        self.graph = build(recipe, rng).to(dtype)
        self.box = boxed(rng, dtype)
        wide = build(recipe, np.random.default_rng(seed)).double()
        self.x = [points(rng, wide, Interval(lower, upper)) for lower, upper in zip(*self.box)]
        self.values = [exact_values(self.graph, exact(x)) for x in self.x]
        self.propagator = Propagator(self.graph)

    def boxes(self):
        return range(len(self.x))


@few
@cases
def test_intervals_of_all_nodes(recipe, seed, dtype):
    case = Case(recipe, seed, dtype)
    found = case.propagator.intervals(case.box)
    for k in case.boxes():
        for index, value in enumerate(case.values[k]):
            assert_encloses(found[index], k, value, f"node {index}")


@few
@cases
def test_bounds_of_inner_nodes_by_backward_passes(recipe, seed, dtype):
    case = Case(recipe, seed, dtype)
    recorded = {}
    with torch.no_grad():
        found, _ = case.propagator.crown(case.box)
        case.propagator.crown(case.box, recorded=recorded)
    for k in case.boxes():
        for index, bound in found.items():
            assert_encloses(bound, k, case.values[k][index], f"node {index}")
        for index, (below, above) in recorded.items():
            value, x = case.values[k][index], case.x[k]
            assert_below(*sound(below, case.box), k, x, value, f"node {index}, below")
            a, b = sound(type(above)(-above.coefficients, -above.offset, above.error), case.box)
            assert_below(a, b, k, x, -value, f"node {index}, above")


@few
@cases
def test_bounds_of_inner_nodes_by_optimized_planes(recipe, seed, dtype):
    case = Case(recipe, seed, dtype)
    with torch.no_grad():
        known, _ = case.propagator.crown(case.box)
        first = {i: Interval(x.lower[:1], x.upper[:1]) for i, x in known.items()}
        found = refine(case.propagator, Interval(case.box.lower[:1], case.box.upper[:1]), first, REFINED)
    for index, bound in found.items():
        assert_encloses(bound, 0, case.values[0][index], f"node {index}")


@few
@cases
def test_margins_with_optimized_planes(recipe, seed, dtype):
    """Of the outputs and of their negatives, less thresholds that cancel most of them."""
    case = Case(recipe, seed, dtype)
    c = torch.cat([torch.eye(2), -torch.eye(2)]).to(dtype).expand(2, -1, -1)
    y = [np.concatenate([v[-1].floats(), -v[-1].floats()], 1).min(0) for v in case.values]
    d = torch.tensor(np.array(y)).to(dtype)
    with torch.no_grad():
        bounds, _ = case.propagator.crown(case.box)
        found = optimize(case.propagator, case.box, bounds, c, d, REFINED, target=float("inf"))
    for k in case.boxes():
        value = case.values[k][-1]
        for sign, rows in ((1, slice(0, 2)), (-1, slice(2, 4))):
            exactly = (value if sign > 0 else -value) - exact(d[k, rows])[None]
            held = bool(at_most(found.margins[k, rows], exactly).all())
            assert held, f"a margin is above the exact one by {excess(found.margins[k, rows], exactly)}"


@few
@cases
def test_bounds_of_rows_of_the_output(recipe, seed, dtype):
    case = Case(recipe, seed, dtype)
    rows = numbers(np.random.default_rng(seed), 3, 2)
    for method in ("ibp", "crown", "alpha-crown"):
        found = compute_bounds(case.graph, *case.box, rows, method, config=REFINED)
        for k in case.boxes():
            assert_encloses(found, k, case.values[k][-1] @ exact(rows).T, method)


@few
@cases
def test_lines_below_and_above_rows_of_the_output(recipe, seed, dtype):
    """A x + b <= C f(x), as `compute_bounds` gives them to whoever goes on with them."""
    case = Case(recipe, seed, dtype)
    rows = numbers(np.random.default_rng(seed), 3, 2)
    for method in ("crown", "alpha-crown"):
        _, (below, above) = compute_bounds(case.graph, *case.box, rows, method, return_linear=True, config=REFINED)
        for k in case.boxes():
            value = case.values[k][-1] @ exact(rows).T
            assert_below(below.coefficients, below.offset, k, case.x[k], value, f"{method}, below")
            assert_below(-above.coefficients, -above.offset, k, case.x[k], -value, f"{method}, above")
