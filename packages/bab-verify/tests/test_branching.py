# ruff: noqa: B023
"""Branching heuristics: scores are those of the paper's steps, one element at a time."""

import pytest
import torch

from bab_verify.bounds.optimization import optimize
from bab_verify.bounds.propagation import Propagator
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.product import Product
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh
from bab_verify.search.branching import Brancher

DOUBLE = torch.float64


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(kind, seed=0, sizes=(3, 5, 4, 1)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(kind(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=10 * seed + i), uniform(-0.5, 0.5, m, seed=10 * seed + 5 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def square():
    """The product of a layer with itself, and with another."""
    return Graph([
        Node(None, (), (3,)),
        Node(Dense(uniform(-1, 1, 4, 3), uniform(-1, 1, 4, seed=1), (3,)), (0,), (4,)),
        Node(Dense(uniform(-1, 1, 4, 3, seed=2), None, (3,)), (0,), (4,)),
        Node(Product(), (1, 2), (4,)),
        Node(Dense(uniform(-1, 1, 1, 4, seed=3), None, (4,)), (3,), (1,)),
    ]).double()  # fmt: skip


def setting(graph, **options):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    propagator = Propagator(graph)
    bounds, _ = propagator.crown(box)
    c, d = torch.ones(1, 1, 1, dtype=DOUBLE), torch.zeros(1, 1, dtype=DOUBLE)
    found = optimize(propagator, box, bounds, c, d, OptimizationConfig(steps=0))
    outputs = {i: a[:, 0] for i, a in found.recording.outputs.items()}
    return Brancher(propagator, box, bounds, **{"points": "middle", **options}), bounds, outputs


def plain_scores(brancher, bounds, outputs, reduce):
    """Steps 1 to 3 of BBPS for operations of one input each: a vector over the input for every element."""
    graph, propagator = brancher.propagator.graph, brancher.propagator
    planes = propagator.planes(bounds)
    scores = {}
    for op in propagator.nonlinear:
        (node,) = graph.nodes[op].inputs
        n = graph.nodes[node].size
        linear = propagator.unit_backward(node, torch.arange(n)[None], planes)
        low, low0 = linear.coefficients[0, :n], linear.offset[0, :n]
        high, high0 = -linear.coefficients[0, n:], -linear.offset[0, n:]

        def through(j, lo, u):
            one = Interval(torch.full((1, 1, n), lo, dtype=DOUBLE), torch.full((1, 1, n), u, dtype=DOUBLE))
            relaxed = propagator.operator(op).relax((one,))
            pick = lambda x: x.expand(1, 1, n)[0, 0, j].item()  # noqa: E731
            a = outputs[op][0, j].item()
            slope, intercept = (
                (relaxed.lower_slopes[0], relaxed.lower_intercept)
                if a >= 0
                else (relaxed.upper_slopes[0], relaxed.upper_intercept)
            )
            g, constant = a * pick(slope), a * pick(intercept)
            row, offset = (low[j], low0[j]) if g >= 0 else (high[j], high0[j])
            return g * row, constant + (g * offset).item()

        ends = [(bounds[node].lower[0, j].item(), bounds[node].upper[0, j].item()) for j in range(n)]
        before = [through(j, *ends[j]) for j in range(n)]
        total = sum(row for row, _ in before)
        value = -total.abs().sum().item()
        for j, (lo, u) in enumerate(ends):
            relu = isinstance(propagator.operator(op), Relu)
            point = 0.0 if relu else (lo + u) / 2
            if not lo < point < u:
                continue
            gains = []
            for half in ((lo, point), (point, u)):
                row, constant = through(j, *half)
                moved = total - before[j][0] + row
                gains.append(-moved.abs().sum().item() + constant - value - before[j][1])
            scores[node, j] = reduce(gains)
    return scores


@pytest.mark.parametrize("reduce", [min, max])
@pytest.mark.parametrize("kind", [Relu, Tanh])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_a_plain_loop(seed, kind, reduce):
    brancher, bounds, outputs = setting(network(kind, seed), reduce=reduce.__name__)
    expected = plain_scores(brancher, bounds, outputs, reduce)
    found = brancher.best(bounds, outputs, 9)
    got = {(d.node.item(), d.element.item()): d.score.item() for d in found if d.node >= 0}
    assert set(got) == set(expected)
    assert got == pytest.approx(expected, abs=1e-8)
    scores = [d.score.item() for d in found]
    assert scores == sorted(scores, reverse=True)
    decided = brancher.decide(bounds, outputs)
    assert (decided.node, decided.element, decided.score) == (found[0].node, found[0].element, found[0].score)


@pytest.mark.parametrize("heuristic", ["bbps", "babsr", "random"])
def test_stable_units_are_never_chosen_and_kinks_are_at_zero(heuristic):
    brancher, bounds, outputs = setting(network(Relu), heuristic=heuristic, generator=torch.Generator().manual_seed(0))
    bounds[1].lower[0, :2] = 0.0
    bounds[3].upper[0, 0] = -0.1
    for decision in brancher.best(bounds, outputs, 20) + brancher.candidates(bounds, outputs, 20):
        if decision.node < 0:
            continue
        node, j = decision.node.item(), decision.element.item()
        assert bounds[node].lower[0, j] < 0 < bounds[node].upper[0, j]
        assert decision.point == 0


@pytest.mark.parametrize("points", ["middle", "table"])
def test_points_lie_strictly_inside(points):
    brancher, bounds, outputs = setting(network(Tanh, sizes=(3, 20, 20, 1)), points=points)
    found = brancher.best(bounds, outputs, 40)
    assert len(found) == 40
    for decision in found:
        node, j = decision.node.item(), decision.element.item()
        lo, u = bounds[node].lower[0, j].item(), bounds[node].upper[0, j].item()
        assert lo < decision.point.item() < u
        assert points == "table" or decision.point.item() == pytest.approx((lo + u) / 2)


def test_products_may_be_split_on_either_side():
    brancher, bounds, outputs = setting(square())
    found = brancher.best(bounds, outputs, 8)
    assert {d.node.item() for d in found} == {1, 2}
    bounds[2] = Interval(bounds[2].lower, bounds[2].lower)
    assert all(d.node.item() == -1 for d in brancher.best(bounds, outputs, 8))


def test_random_choices_follow_the_generator():
    def order(seed):
        generator = torch.Generator().manual_seed(seed)
        brancher, bounds, outputs = setting(network(Relu), heuristic="random", generator=generator)
        return [(d.node.item(), d.element.item()) for d in brancher.best(bounds, outputs, 9)]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_without_anything_to_split_there_is_no_decision():
    brancher, bounds, outputs = setting(network(Tanh), relu_only=True)
    assert brancher.decide(bounds, outputs).node.tolist() == [-1]
