"""Mixed-integer search: certificates against exact arithmetic, and verdicts against all activation patterns."""

import time
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.sparse import csr_array
from tight_boxes import tight

from bab_verify import Verifier, VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.frontends.onnx_registry import NetworkError
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Sigmoid
from bab_verify.rewriting.fusion import fuse
from bab_verify.search.hull_cuts import hull_cuts
from bab_verify.search.linear_program import LinearProgram, certified_minimum
from bab_verify.search.mixed_integer import MixedIntegerSearch
from bab_verify.search.relu_program import ReluProgram
from bab_verify.search.simplex import Simplex

DOUBLE = torch.float64


def exact_bound(program, y):
    """The Lagrangian's least value over the box, in rational arithmetic."""
    F = Fraction
    matrix = program.matrix.toarray()
    value = F(program.offset)
    for k, m in enumerate(y):
        value += F(float(m)) * (F(float((program.row_lower if m > 0 else program.row_upper)[k])) if m else 0)
    for j, c in enumerate(program.cost):
        r = F(float(c)) - sum(F(float(a)) * F(float(m)) for a, m in zip(matrix[:, j], y))
        value += min(r * F(float(program.lower[j])), r * F(float(program.upper[j])))
    return value


@pytest.mark.parametrize("scale", [0, 4, 12])
def test_certified_minima_are_below_exact_ones_and_close(scale):
    rng = np.random.default_rng(scale)
    for _ in range(60):
        m, n = rng.integers(1, 8, 2)
        a = rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-scale, scale, (m, n))
        lower = rng.normal(size=n) - 1
        upper = lower + rng.uniform(0, 2, n)
        middle = a @ ((lower + upper) / 2)
        program = LinearProgram(rng.normal(size=n), rng.normal(), csr_array(a), middle - 1, middle + 1, lower, upper)
        y = rng.normal(size=m) * 10.0 ** rng.uniform(-scale, scale, m)
        found, exact = certified_minimum(program, y), exact_bound(program, y)
        assert Fraction(found) < exact
        size = sum(abs(y) * abs(middle)) + (abs(a).T @ abs(y)) @ np.maximum(abs(lower), abs(upper)) + 1
        assert float(exact - Fraction(found)) < 1e-12 * size + 1e-12 * abs(y).sum() + 1e-12


def test_a_multiplier_of_a_row_without_that_limit_counts_as_zero():
    program = LinearProgram(
        np.ones(1), 0.0, csr_array(np.ones((1, 1))), np.array([-np.inf]), np.array([5.0]), np.zeros(1), np.ones(1)
    )
    assert -1e-12 < certified_minimum(program, np.array([3.0])) <= 0


def network(seed, sizes):
    generator = torch.Generator().manual_seed(seed)
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight = torch.randn(m, n, generator=generator, dtype=DOUBLE) / n**0.5
        bias = 0.3 * torch.randn(m, generator=generator, dtype=DOUBLE)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def least(graph):
    """The least first output over [-1, 1]^n, by a linear program for each activation pattern."""
    layers = [(o.weight.numpy(), o.bias.numpy()) for o in graph.operators if isinstance(o, Dense)]
    n, best = layers[0][0].shape[1], np.inf
    for pattern in product((0, 1), repeat=sum(len(b) for _, b in layers[:-1])):
        a, b, rows, limits, at = np.eye(n), np.zeros(n), [], [], 0
        for w, bias in layers[:-1]:
            state = np.array(pattern[at : at + len(bias)])
            at += len(bias)
            a, b = w @ a, w @ b + bias
            sign = 1 - 2 * state
            rows.append(sign[:, None] * a)
            limits.append(-sign * b)
            a, b = state[:, None] * a, state * b
        a, b = layers[-1][0] @ a, layers[-1][0] @ b + layers[-1][1]
        found = linprog(a[0], np.concatenate(rows), np.concatenate(limits), bounds=[(-1, 1)] * n)
        if found.status == 0:
            best = min(best, found.fun + b[0])
    return best


def search(graph, threshold, timeout=60.0):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    with torch.no_grad():
        bounds, _ = Propagator(graph).crown(box)
    c = torch.zeros(1, 1, graph.n_outputs, dtype=DOUBLE)
    c[..., 0] = 1
    d = torch.full((1, 1), threshold, dtype=DOUBLE)

    def violated(x):
        hit = (graph(x)[:, 0] <= threshold).nonzero()
        return x[hit[0]] if len(hit) else None

    return MixedIntegerSearch(graph, box, bounds, (c, d), violated=violated, deadline=time.monotonic() + timeout)


@pytest.mark.parametrize("sizes", [(3, 7, 2), (2, 4, 4, 1)])
@pytest.mark.parametrize("seed", range(2))
def test_verdicts_are_those_of_all_activation_patterns(sizes, seed):
    graph = network(seed, sizes)
    exact = least(graph)
    proof = search(graph, exact - 1e-4)
    assert proof.run()[0]
    refutation = search(graph, exact + 1e-4)
    assert not refutation.run()[0]
    assert refutation.found


def test_hull_cuts_hold_at_every_point_of_the_box():
    graph = network(0, (5, 12, 1))
    searching = search(graph, 0.0)
    relaxation = searching.searches[0].relaxation
    program, _ = relaxation.program()
    (layer,) = relaxation.layers
    rng = np.random.default_rng(0)
    corners = np.array(list(product((-1.0, 1.0), repeat=5)))
    x = np.r_[corners, rng.uniform(-1, 1, (500, 5))]
    for _ in range(20):
        point = rng.uniform(program.lower, program.upper)
        a, e, _ = hull_cuts(layer, program.lower, program.upper, point)
        y = np.maximum(x @ layer.weight.T + layer.bias, 0)
        assert (y <= x @ a.T + e).all()


def test_a_wide_network_is_proven_in_seconds():
    graph = network(3, (30, 128, 2))
    graph.operators[0].weight.mul_(0.15)
    box = 2 * torch.rand(4000, 30, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)) - 1
    box.requires_grad_()
    for _ in range(60):
        (grad,) = torch.autograd.grad(graph(box)[:, 0].sum(), box)
        box = (box - 0.1 * grad.sign()).clamp(-1, 1).detach().requires_grad_()
    threshold = float(graph(box)[:, 0].min().detach()) - 0.05
    assert search(graph, threshold, 20).run()[0]


def test_a_program_without_a_feasible_point_is_refuted_whatever_it_costs():
    for cost in (-1e6, 0.0):
        rows = csr_array(np.array([[1.0, 1.0], [1.0, -1.0]]))
        limits = (np.array([1.5, 0.75]), np.array([np.inf, np.inf]))
        program = LinearProgram(np.array([cost, 0.0]), 0.0, rows, *limits, np.zeros(2), np.ones(2))
        assert Simplex(program, np.zeros(2)).solve().positive


@pytest.fixture(scope="module")
def holds():
    """A 30-128-2 network and a property that holds by little."""
    return tight(0)


@pytest.fixture(scope="module")
def fails():
    """The same of a property that fails by little."""
    return tight(2, left=-0.01)


def verdict(case, **options):
    """Without an attack, which would find what the search is to find."""
    network, specification = case
    config = VerifyConfig(device="cpu", attack_restarts=0, **options)
    return Verifier(network, config, example=torch.zeros(1, 30, dtype=DOUBLE)).verify(specification)


@pytest.mark.parametrize("branching", ["milp", "auto"])
def test_what_holds_by_little_is_proven(holds, branching):
    told = []
    network, specification = holds
    config = VerifyConfig(device="cpu", attack_restarts=0, branching=branching, timeout=60)
    verifier = Verifier(network, config, example=torch.zeros(1, 30, dtype=DOUBLE))
    found = verifier.verify(specification, lambda *entry: told.append(entry))
    assert found.status == "unsat"
    assert found.margin > 0
    assert 0 < found.error_bound < 1e-6
    assert tuple(told) == found.history
    assert [entry[1] for entry in told] == sorted(entry[1] for entry in told)
    assert found.visited >= told[-1][1] > 0


@pytest.mark.parametrize("branching", ["milp", "auto"])
def test_what_fails_by_little_is_refuted(fails, branching):
    found = verdict(fails, branching=branching, timeout=60)
    assert found.status == "sat"
    network, specification = fails
    (query,) = specification.queries
    x = found.counterexample.x.double().flatten()
    assert ((query.lower <= x) & (x <= query.upper)).all()
    assert float(query.clauses[0].C[0] @ network(x)) <= 0


def test_branch_and_bound_alone_is_far_from_the_proof(holds):
    found = verdict(holds, branching="bbps", timeout=2)
    assert found.status == "unknown"
    assert found.lower_bounds[0][0] < -1


@pytest.mark.parametrize("branching", ["milp", "auto"])
def test_no_more_branches_are_visited_than_asked_for(holds, branching):
    found = verdict(holds, branching=branching, max_domains=2, batch_size=1)
    assert found.status == "unknown"
    assert found.reason == "domain limit"
    assert found.visited <= 4


def test_other_networks_are_refused_by_name(holds):
    _, specification = holds
    nodes = [Node(None, (), (30,)), Node(Dense(0.01 * torch.ones(2, 30), torch.tensor([0.01, 0]), (30,)), (0,), (2,))]
    nodes += [Node(Sigmoid(), (1,), (2,)), Node(Dense(torch.eye(2), None, (2,)), (2,), (2,))]
    with pytest.raises(NetworkError, match="--branching milp is for networks of affine layers and ReLUs"):
        verdict((Graph(nodes), specification), branching="milp", bounds="beta-crown")


def exactly(layers, x):
    """Values behind some affine layers, in rational arithmetic."""
    values = [Fraction(v) for v in x.tolist()]
    for w, b in layers:
        values = [
            sum((Fraction(a) * v for a, v in zip(row, values)), Fraction(c)) for row, c in zip(w.tolist(), b.tolist())
        ]
    return values


def two_affine_layers():
    """Two layers that a third follows, whose products cancel."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(4, 3, generator=generator, dtype=DOUBLE), torch.randn(4, generator=generator, dtype=DOUBLE)
    second = 1e8 * torch.randn(6, 4, generator=generator, dtype=DOUBLE)
    second[:, 2:] = -second[:, :2]
    first[0][2:], first[1][2:] = first[0][:2] + 1e-8, first[1][:2]
    layers = [first, (second, 0.1 * torch.randn(6, generator=generator, dtype=DOUBLE))]
    nodes = [Node(None, (), (3,))]
    nodes += [Node(Dense(w, b, (w.shape[1],)), (i,), (len(b),)) for i, (w, b) in enumerate(layers)]
    nodes += [Node(Relu(), (2,), (6,)), Node(Dense(torch.ones(1, 6, dtype=DOUBLE), None, (6,)), (3,), (1,))]
    return Graph(nodes).double(), layers


@pytest.mark.parametrize("inference", [None, torch.float32])
def test_rows_allow_for_what_their_constants_are_off(inference):
    """Fused, the layers are another function; single precision is another again."""
    graph, layers = two_affine_layers()
    fused = fuse(graph)
    assert len(fused.nodes) < len(graph.nodes)
    fused.inference = inference
    box = Interval(torch.full((1, 3), -1.0, dtype=DOUBLE), torch.full((1, 3), 1.0, dtype=DOUBLE))
    with torch.no_grad():
        bounds, _ = Propagator(fused).crown(box)
        relaxation = ReluProgram(fused, box, bounds, torch.ones(1, 1, dtype=DOUBLE), torch.zeros(1, dtype=DOUBLE))
    (layer,) = relaxation.layers
    generator = torch.Generator().manual_seed(1)
    off = []
    for _ in range(20):
        x = (2 * torch.rand(3, generator=generator, dtype=DOUBLE) - 1).float().double()
        if inference is None:
            exact = exactly(layers, x)
        else:
            z = x.float()
            for w, b in layers:
                z = w.float() @ z + b.float()
            exact = [Fraction(v) for v in z.double().tolist()]
        stored = exactly([(layer.weight, layer.bias)], x)
        known = zip(exact, stored, layer.allowance.tolist(), strict=False)
        off += [(abs(z - w), Fraction(a)) for z, w, a in known]
    assert all(distance <= allowed for distance, allowed in off)
    assert any(distance > 0 for distance, _ in off)
