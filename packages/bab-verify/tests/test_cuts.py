"""Cutting planes: sound against linear programs, nothing without multipliers, and no further than they hold."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from bab_verify.bounds.cuts import CutMatrix, cut_backward
from bab_verify.bounds.optimization import optimize
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu

DOUBLE = torch.float64


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_single_neurons_are_bounded_below_the_program_over_input_and_state():
    """Of min A relu(h) + q z - c h over the hull of both states the least is at a corner: h in {l, 0} or {0, u}."""
    n = 3000
    lower, upper = uniform(-3, -0.01, n), uniform(0.01, 3, n, seed=1)
    a, q, slope = uniform(-2, 2, n, seed=2), uniform(-4, 4, n, seed=3), uniform(0, 1, n, seed=4)
    box = Interval(lower[:, None, None], upper[:, None, None])
    c, constant, _ = cut_backward(a[:, None, None], box, slope[:, None, None], q[:, None, None])
    c, constant = c[:, 0, 0], constant[:, 0]
    least = torch.stack([-c * lower, torch.zeros(n, dtype=DOUBLE), q, (a - c) * upper + q]).amin(0)
    assert (constant <= least + 1e-12).all()
    p = -a
    exact = (a <= 0) & (lower * p <= q) & (q <= upper * p)
    assert exact.sum() > 300
    torch.testing.assert_close(constant[exact], least[exact])


@pytest.mark.parametrize("seed", range(20))
def test_the_corners_are_the_linear_program(seed):
    low, u, a, q, c = (x.item() for x in uniform(-2, 2, 5, seed=seed))
    low, u = -abs(low) - 0.1, abs(u) + 0.1
    # Variables h, z and r = relu(h): r >= h, r <= h - l (1 - z), r <= u z.
    rows = [[1, 0, -1], [-1, -low, 1], [0, -u, 1]]
    found = linprog([-c, q, a], A_ub=rows, b_ub=[0, -low, 0], bounds=[(low, u), (0, 1), (0, None)])
    assert found.fun == pytest.approx(min(-c * low, 0, q, (a - c) * u + q), abs=1e-9)


def test_without_a_cost_it_is_crown():
    x = Interval(uniform(-2, 1, 50, 1, 4), uniform(-2, 1, 50, 1, 4) + uniform(0, 2, 50, 1, 4, seed=1))
    a, alpha = uniform(-2, 2, 50, 3, 4, seed=2), uniform(0, 1, 1, 50, 3, 4, seed=3)
    planes = Relu().relax((x,), alpha)
    (expected,), constant, _ = Relu().through(a, planes)
    found = cut_backward(a, x, planes.lower_slopes[0], torch.zeros_like(x.lower))
    torch.testing.assert_close(found[:2], (expected, constant))


def test_known_states_cost_what_they_are():
    x = Interval(torch.tensor([[[0.0, 1, -2, -1]]]), torch.tensor([[[1.0, 2, -1, 0]]]))
    q = torch.tensor([[[1.0, -2, 4, 8]]])
    found, constant, _ = cut_backward(torch.tensor([[[3.0, -3, 3, -3]]]), x, torch.ones(1, 1, 4), q)
    assert found.tolist() == [[[3, -3, 0, 0]]]
    assert constant.tolist() == [[-1]]


def network(seed, sizes=(3, 6, 6, 1)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=seed + i), uniform(-0.5, 0.5, m, seed=seed + 7 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes)


CUTS = [frozenset({(1, 0, 1), (1, 2, -1)}), frozenset({(3, 1, 1), (1, 2, 1), (3, 0, 1)}), frozenset({(3, 4, -1)})]


def test_the_matrix_states_the_cuts():
    matrix = CutMatrix.of(CUTS, torch.zeros(1, dtype=DOUBLE))
    rng = np.random.default_rng(0)
    for _ in range(100):
        z = {(n, e): int(rng.integers(2)) for n in (1, 3) for e in range(6)}
        value = (
            matrix.q @ torch.tensor([z[n, e] for n, e in zip(matrix.node.tolist(), matrix.element.tolist())]).double()
        )
        expected = [not all(z[n, e] == (s > 0) for n, e, s in cut) for cut in CUTS]
        assert (value <= matrix.limits).tolist() == expected


def test_multipliers_are_pulled_to_the_relus():
    graph, matrix = network(0), CutMatrix.of(CUTS, torch.zeros(1, dtype=DOUBLE))
    found = matrix.pull(graph, torch.tensor([[1.0, 10.0, 100.0], [0.0, 0.0, 1.0]], dtype=DOUBLE))
    assert set(found) == {2, 4}
    assert found[2].tolist() == [[1, 0, 9, 0, 0, 0], [0] * 6]
    assert found[4].tolist() == [[10, 10, 0, 0, -100, 0], [0, 0, 0, 0, -1, 0]]


def test_branches_with_every_literal_of_a_cut_are_covered():
    matrix = CutMatrix.of(CUTS[:2], torch.zeros(1))
    histories = [
        [(1, 0, 1), (1, 2, -1)],
        [(1, 0, 1), (1, 2, 1)],
        [(1, 0, 1)],
        [(3, 1, 1), (3, 0, 1), (5, 0, 1), (1, 2, 1)],
        [],
    ]
    parts = []
    for history in histories:
        one = Splits.none(1, torch.zeros(1))
        for entry in history:
            one = one.extended(*(torch.tensor([x]) for x in entry), torch.zeros(1))
        parts.append(one)
    assert matrix.covers(Splits.cat(parts)).tolist() == [True, False, False, True, False]


def test_layers_with_cuts_record_their_coefficients():
    """Branching heuristics score these layers by them, as if there were no cuts where multipliers are zero."""
    graph = network(0)
    propagator, box = Propagator(graph), Interval(-torch.ones(1, 3, dtype=DOUBLE), torch.ones(1, 3, dtype=DOUBLE))
    bounds, _ = propagator.crown(box)
    c, d, matrix = torch.ones(1, 1, 1, dtype=DOUBLE), torch.zeros(1, 1, dtype=DOUBLE), CutMatrix.of(CUTS, box.lower)
    plain, zero, cut = (
        optimize(propagator, box, bounds, c, d, OptimizationConfig(steps=0), cuts=cuts, cut_beta=beta).recording.outputs
        for cuts, beta in ((None, None), (matrix, torch.zeros(1, 3).double()), (matrix, torch.ones(1, 3).double()))
    )
    assert set(plain) == set(zero) == set(cut) == {2, 4}
    torch.testing.assert_close(zero, plain)
    assert not torch.allclose(cut[2], plain[2])


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 8))])
def test_bounds_with_cuts_hold_wherever_the_cuts_do(seed):
    graph, propagator = network(seed), Propagator(network(seed))
    box = Interval(-torch.ones(1, 3, dtype=DOUBLE), torch.ones(1, 3, dtype=DOUBLE))
    bounds, _ = propagator.crown(box)
    x = uniform(-1, 1, 20000, 3, seed=seed)
    values = graph.values(x)
    z = {1: values[1] > 0, 3: values[3] > 0}
    # What the lowest outputs have in common is cut off.
    worst = values[-1][:, 0].argsort()[:200]
    cut = frozenset(
        (n, e, 1 if z[n][worst, e].all() else -1)
        for n in (1, 3) for e in range(6)
        if (bounds[n].lower[0, e] < 0 < bounds[n].upper[0, e]) and len(z[n][worst, e].unique()) == 1
    )  # fmt: skip
    matrix = CutMatrix.of([cut], x) if cut else None
    if matrix is None:
        return
    satisfied = ~torch.stack([z[n][:, e] == (s > 0) for n, e, s in cut]).all(0)
    c, d = torch.ones(1, 1, 1, dtype=DOUBLE), torch.zeros(1, 1, dtype=DOUBLE)
    settings = OptimizationConfig(steps=40, cut_lr=0.1)
    plain = optimize(propagator, box, bounds, c, d, settings, target=float("inf"))
    found = optimize(propagator, box, bounds, c, d, settings, cuts=matrix, target=float("inf"))
    assert found.margins.item() <= values[-1][satisfied].min().item()
    assert found.margins.item() >= plain.margins.item() - 0.02
    assert (found.cut_beta >= 0).all()
    none = optimize(propagator, box, bounds, c, d, OptimizationConfig(steps=0), cuts=matrix)
    base = optimize(propagator, box, bounds, c, d, OptimizationConfig(steps=0))
    torch.testing.assert_close(none.margins, base.margins)
