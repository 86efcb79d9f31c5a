"""Optimised bounds: never looser than what they start from, never beyond the truth, exact where that is possible."""

import pytest
import torch
from scipy.optimize import linprog

from bab_verify.bounds.optimization import optimize, refine
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.periodic import Sin
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Sigmoid, Tanh

INFINITY = float("inf")
DOUBLE = torch.float64


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, kind=Relu, sizes=(3, 6, 6, 2)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(kind(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=seed + i), uniform(-0.5, 0.5, m, seed=seed + 7 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def boxed(radius=1.0, n=3, batch=1):
    return Interval(torch.full((batch, n), -radius, dtype=DOUBLE), torch.full((batch, n), radius, dtype=DOUBLE))


C = torch.eye(2, dtype=DOUBLE)[None]
D = torch.zeros(1, 2, dtype=DOUBLE)
kinds = pytest.mark.parametrize("kind", [Relu, Sigmoid, pytest.param(Tanh, marks=pytest.mark.slow), Sin])


seeds = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])


@kinds
@seeds
def test_optimised_bounds_are_tighter_and_refined_ones_tighter_still(kind, seed):
    graph, box = network(seed, kind), boxed()
    propagator = Propagator(graph)
    bounds, _ = propagator.crown(box)
    crown = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=0)).margins
    alpha = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=30), target=INFINITY).margins
    finer = refine(propagator, box, bounds, OptimizationConfig(steps=10))
    both = optimize(propagator, box, finer, C, D, OptimizationConfig(steps=30), target=INFINITY).margins
    values = graph.values(uniform(-1, 1, 5000, 3))
    assert (alpha >= crown).all()
    assert (both >= alpha - 1e-3).all()
    assert (alpha > crown + 1e-4).any()
    assert (both <= values[-1].amin(0)).all()
    for i in propagator.needed:
        assert (finer[i].lower >= bounds[i].lower - 1e-12).all()
        assert (finer[i].upper <= bounds[i].upper + 1e-12).all()
        assert (finer[i].lower <= values[i].amin(0)).all()
        assert (finer[i].upper >= values[i].amax(0)).all()
    assert any((finer[i].lower > bounds[i].lower + 1e-6).any() for i in propagator.optimized)


@kinds
def test_parameters_of_another_box_are_sound(kind):
    graph = network(1, kind)
    propagator = Propagator(graph)
    small, large = boxed(0.1), boxed(2.0)
    bounds, _ = propagator.crown(small)
    found = optimize(propagator, small, bounds, C, D, OptimizationConfig(steps=10), target=INFINITY)
    bounds, _ = propagator.crown(large)
    again = optimize(propagator, large, bounds, C, D, OptimizationConfig(steps=0), parameters=found.parameters).margins
    assert (again <= graph(uniform(-2, 2, 20000, 3)).amin(0)).all()


def test_the_parameters_kept_are_those_of_the_best_bound():
    graph, box = network(2), boxed()
    propagator = Propagator(graph)
    bounds, _ = propagator.crown(box)
    found = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=15, alpha_lr=0.5), target=INFINITY)
    again = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=0), parameters=found.parameters)
    torch.testing.assert_close(again.margins, found.margins)


def histories(entries):
    found = Splits.none(1, D)
    for node, element, sign, point in entries:
        found = found.extended(*(torch.tensor([x]) for x in (node, element, sign)), torch.tensor([point], dtype=DOUBLE))
    return found


@pytest.mark.parametrize(
    ("seed", "steps", "decay"),
    [(0, 100, 0.96), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(1, 300, 0.98), (2, 800, 0.992)])],
)
def test_with_all_neurons_split_it_is_the_linear_program_of_the_region(seed, steps, decay):
    graph, box = network(seed, sizes=(3, 4, 4, 2)), boxed()
    values = graph.values(uniform(-1, 1, 1, 3, seed=seed))
    splits = histories([(i, e, 1 if values[i][0, e] > 0 else -1, 0.0) for i in (1, 3) for e in range(4)])
    # In the region the network is affine, and so are the inputs of its neurons.
    matrix, offset, rows, limits = torch.eye(3, dtype=DOUBLE), torch.zeros(3, dtype=DOUBLE), [], []
    for i in (1, 3, 5):
        layer = graph.operator(i)
        matrix, offset = layer.weight @ matrix, layer.weight @ offset + layer.bias
        if i < 5:
            sign = (values[i][0] > 0).double() * 2 - 1
            rows.append(-sign[:, None] * matrix)
            limits.append(sign * offset)
            matrix, offset = matrix * (sign > 0)[:, None], offset * (sign > 0)
    rows, limits = torch.cat(rows).numpy(), torch.cat(limits).numpy()
    exact = [
        linprog(m.numpy(), A_ub=rows, b_ub=limits, bounds=[(-1, 1)] * 3).fun + b.item() for m, b in zip(matrix, offset)
    ]
    propagator = Propagator(graph)
    bounds = splits.apply(propagator.crown(box)[0], graph)
    settings = OptimizationConfig(steps=steps, beta_lr=0.3, decay=decay, patience=steps)
    twice = Splits(*(x.expand(2, -1) for x in splits.fields()))
    bounds = {i: Interval(*(x.expand(2, *x.shape[1:]) for x in b)) for i, b in bounds.items()}
    found = optimize(
        propagator, boxed(batch=2), bounds, C.mT.reshape(2, 1, 2), D.T, settings, splits=twice, target=INFINITY
    )
    assert found.margins[:, 0].tolist() == pytest.approx(exact, abs=1e-3)
    assert (found.margins[:, 0] <= torch.tensor(exact, dtype=DOUBLE) + 1e-9).all()
    assert (found.beta >= 0).all()


@kinds
@seeds
def test_splits_at_any_point_bound_what_satisfies_them(kind, seed):
    graph, box = network(seed, kind), boxed()
    propagator = Propagator(graph)
    root, _ = propagator.crown(box)
    values = graph.values(uniform(-1, 1, 50000, 3, seed=seed))
    where = torch.ones(50000, dtype=torch.bool)
    entries = []
    for node, element, sign in ((1, 0, 1), (1, 3, -1), (3, 2, 1)):
        point = 0.0 if kind is Relu else values[node][where][:, element].median().item()
        side = sign if ((sign * (values[node][:, element] - point) >= 0) & where).any() else -sign
        entries.append((node, element, side, point))
        where &= side * (values[node][:, element] - point) >= 0
    splits = histories(entries)
    bounds = splits.apply(root, graph)
    settings = OptimizationConfig(steps=30, beta_lr=0.1)
    plain = optimize(propagator, box, bounds, C, D, settings, target=INFINITY)
    found = optimize(propagator, box, bounds, C, D, settings, splits=splits, target=INFINITY)
    assert (found.margins <= values[-1][where].amin(0)).all()
    assert found.margins.sum() >= plain.margins.sum() - 0.05
    assert found.beta.shape == (1, 3)


@pytest.mark.parametrize(
    "options", [{"steps": -1}, {"patience": -1}, {"alpha_lr": float("nan")}, {"beta_lr": 0.0}, {"decay": 1.5}]
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        OptimizationConfig(**options)


def test_it_ends_at_the_deadline_at_the_target_and_without_patience():
    graph, box = network(0), boxed()
    propagator = Propagator(graph)
    bounds, _ = propagator.crown(box)
    plain = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=0)).margins
    for options in ({"deadline": 0.0}, {"target": float(plain.min()) - 1}):
        torch.testing.assert_close(
            optimize(propagator, box, bounds, C, D, OptimizationConfig(), **options).margins, plain
        )
    late = refine(propagator, box, bounds, OptimizationConfig(), deadline=0.0)
    assert all(torch.equal(late[i].lower, bounds[i].lower) for i in propagator.needed)


def test_a_bound_that_is_not_a_number_counts_as_minus_infinity():
    graph, box = network(0), boxed()
    propagator = Propagator(graph)
    bounds, _ = propagator.crown(box)
    bounds[1].upper[0, 0] = INFINITY
    found = optimize(propagator, box, bounds, C, D, OptimizationConfig(steps=2))
    assert (found.margins <= 0).all()
    assert not found.margins.isnan().any()
