"""Activation splitting: the verdict is that of an exact solver, whatever is split, wherever, and with whatever cuts."""

import itertools
import time

import numpy as np
import pytest
import torch
from scipy.optimize import Bounds, LinearConstraint, milp

from bab_verify import Clause, Query, Specification, Verifier, VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh
from bab_verify.search.activation_splitting import ActivationSplitter
from bab_verify.search.bounder import BranchBounder

DOUBLE = torch.float64
CONFIG = {"attack_restarts": 0, "timeout": 300.0, "device": "cpu", "dtype": "float64"}
FAST = {"root_steps": 4, "root_lr": 0.2, "branch_steps": 4, "branch_lr": 0.2, "beta_lr": 0.2}
SMALL = (3, 4, 4, 1)


@pytest.fixture(autouse=True)
def _every_property_is_hard(monkeypatch):
    """Multi-tree search begins at once."""
    monkeypatch.setattr("bab_verify.search.activation_splitting.HARD", 0)


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, sizes=(3, 6, 6, 1)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=10 * seed + i), uniform(-0.5, 0.5, m, seed=10 * seed + 5 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def minimum(graph, c, limits=()):
    """The least of c f(x) over [-1, 1]^n where A f(x) <= b for (A, b) in limits, by a mixed-integer program.

    Infinite where nothing satisfies the limits.
    """
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    known = Propagator(graph).intervals(box)
    layers = [graph.operator(i) for i in range(1, len(graph.nodes), 2)]
    sizes = [graph.n_inputs]
    for layer in layers[:-1]:
        sizes += [len(layer.bias)] * 2  # the ReLU's output and its state
    start = np.cumsum([0, *sizes])
    total = start[-1]
    rows, ends, lower, upper, whole = [], [], np.full(total, 0.0), np.full(total, 1.0), np.zeros(total)
    lower[: graph.n_inputs] = -1
    before = start[0]
    for k, layer in enumerate(layers[:-1]):
        at, state = start[1 + 2 * k], start[2 + 2 * k]
        for e in range(len(layer.bias)):
            lo, u = known[1 + 2 * k].lower[0, e].item(), known[1 + 2 * k].upper[0, e].item()
            row, b = np.zeros(total), layer.bias[e].item()
            row[before : before + layer.weight.shape[1]] = layer.weight[e].numpy()
            out, z = np.eye(total)[at + e], np.eye(total)[state + e]
            rows += [row - out, out - row - min(lo, 0) * z, out - max(u, 0) * z]
            ends += [-b, b - min(lo, 0), 0]
            upper[at + e], whole[state + e] = max(u, 0), 1
        before = at

    def through(row):
        dense = np.zeros(total)
        dense[before : before + layers[-1].weight.shape[1]] = (row @ layers[-1].weight).numpy()
        return dense, float(row @ layers[-1].bias)

    for row, limit in limits:
        dense, constant = through(row)
        rows.append(dense)
        ends.append(float(limit) - constant)
    cost, constant = through(c)
    constraints = LinearConstraint(np.array(rows), -np.inf, np.array(ends))
    found = milp(cost, integrality=whole, bounds=Bounds(lower, upper), constraints=constraints)
    return found.fun + constant if found.success else np.inf


def one_box(graph, *clauses):
    n = graph.n_inputs
    return Specification((Query(-torch.ones(n), torch.ones(n), tuple(Clause(c, d) for c, d in clauses)),))


def verify(graph, specification, **options):
    options = {"branching": "bbps", "cuts": "none", "points": "middle", **options}
    return Verifier(graph, VerifyConfig(**{**CONFIG, **options})).verify(specification)


def search(graph, c, d, violated=lambda x: None, **options):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    keys = {"deadline", "progress", "generator"} & options.keys()
    rest = {key: options.pop(key) for key in keys}
    config = VerifyConfig(**{**CONFIG, "branching": "bbps", "cuts": "none", "points": "middle", **options})
    bounds, _ = Propagator(graph).crown(box)
    c, d = torch.as_tensor(c, dtype=DOUBLE), torch.as_tensor(d, dtype=DOUBLE)
    progress = rest.pop("progress", None)
    bounder = BranchBounder(graph, box, bounds, (c, d), config, violated=violated, **rest)
    return ActivationSplitter(bounder, progress)


def exact(graph):
    """A network and its least output."""
    return graph, minimum(graph, torch.ones(1, dtype=DOUBLE))


@pytest.fixture(scope="module")
def solved():
    """Networks whose least output takes branches to prove, and its exact value; the first takes some to refute, too."""
    return [exact(network(seed, SMALL)) for seed in (1, 7)]


def below(graph, limit):
    """Takes inputs and gives one whose output is at most a limit, if there is one."""

    def violated(x):
        found = x[graph(x)[:, 0] <= limit]
        return found[:1] if len(found) else None

    return violated


OPTIONS = [
    {"cuts": "none"},
    {"cuts": "base"},
    {"cuts": "base-unstrengthened", "branching": "random"},
    {"cuts": "mts", "branching": "babsr"},
    {"cuts": "biccos", "branching": "kfsb"},
    {"cuts": "auto", "reduce": "max", "relu_only": True, "points": "table", "batch_size": 3},
]
named = {"ids": lambda options: "-".join(str(value) for value in options.values())}


@pytest.mark.parametrize(
    ("which", "options"),
    [
        *((0, options) for options in OPTIONS if options != {"cuts": "base"}),
        pytest.param(0, {"cuts": "base"}, marks=pytest.mark.slow),
        *(pytest.param(1, options, marks=pytest.mark.slow) for options in OPTIONS),
    ],
    ids=str,
)
def test_the_verdict_is_that_of_the_exact_program(solved, which, options):
    (graph, least), visited = solved[which], []
    for shift in (-1e-3, 1e-3):
        limit = least + shift
        searching = search(graph, [[[1.0]]], [[limit]], below(graph, limit), **FAST, **options)
        with torch.no_grad():
            proven, _ = searching.run()
        assert (proven, searching.bounder.found) == (shift < 0, shift > 0)
        visited.append(searching.bounder.visited)
    assert min(visited[: 2 - which]) > 10


EVERY_OPTION = [
    {"branching": branching, "cuts": cuts}
    for branching, cuts in itertools.product(
        ["bbps", "babsr", "kfsb", "random"], ["none", "base", "base-unstrengthened", "mts", "biccos"]
    )
] + [{"cuts": "auto", "reduce": "max"}, {"relu_only": True, "points": "table"}, {"batch_size": 3}, {"dtype": "auto"}]


@pytest.mark.parametrize(
    "options",
    [{"cuts": "biccos", "dtype": "auto"}, *(pytest.param(one, marks=pytest.mark.slow) for one in EVERY_OPTION)],
    **named,
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_verifier_s_verdict_is_that_of_the_exact_program(seed, options):
    graph, least = exact(network(seed))
    row = torch.ones(1, 1)
    held = verify(graph, one_box(graph, (row, torch.tensor([least - 1e-3]))), **options, **FAST)
    assert held.status == "unsat"
    broken = verify(graph, one_box(graph, (row, torch.tensor([least + 1e-3]))), **options, **FAST)
    assert broken.status == "sat"
    assert graph(broken.counterexample.x[None]).item() <= least + 1e-3


@pytest.fixture(scope="module")
def three_outputs():
    """A network, and limits of its outputs y_0 <= a and y_1 <= b, or y_2 <= c, beyond which both are violated.

    The first clause has no row that alone refutes it.
    """
    graph = network(6, (3, 4, 4, 3))
    rows = torch.eye(3, dtype=DOUBLE)
    a = minimum(graph, rows[0]) + 0.3
    b = minimum(graph, rows[1], [(rows[0], a)])
    return graph, a, b, minimum(graph, rows[2])


@pytest.mark.parametrize("cuts", ["base", *(pytest.param(cuts, marks=pytest.mark.slow) for cuts in ("none", "biccos"))])
def test_clauses_of_several_rows_and_several_clauses(three_outputs, cuts):
    graph, a, b, c = three_outputs
    rows = torch.eye(3, dtype=DOUBLE)
    for shift, other, status in ((-1e-3, -1e-3, "unsat"), (1e-2, -1e-3, "sat"), (-1e-3, 1e-2, "sat")):
        specification = one_box(graph, (rows[:2], torch.tensor([a, b + shift])), (rows[2:], torch.tensor([c + other])))
        found = verify(graph, specification, cuts=cuts, **FAST)
        assert found.status == status or (found.status == "unknown" and status == "sat")
        if found.status == "sat":
            assert (
                specification.queries[0].violation(found.counterexample.x, graph(found.counterexample.x[None])[0]) <= 0
            )


def failing(searching, n):
    """Out of memory above n branches."""
    bound, sizes = searching.bounder.optimize, []

    def limited(branches, *rest):
        sizes.append(len(branches))
        if len(branches) > n:
            raise torch.OutOfMemoryError("too many")
        return bound(branches, *rest)

    searching.bounder.optimize = limited
    return sizes


def test_without_memory_for_a_batch_it_goes_on_with_half(solved):
    graph, least = solved[0]
    plain = search(graph, [[[1.0]]], [[least - 1e-3]], **FAST)
    short = search(graph, [[[1.0]]], [[least - 1e-3]], **FAST)
    sizes = failing(short, 2)
    with torch.no_grad():
        assert plain.run()[0]
        assert short.run()[0]
    assert max(sizes) > 2
    assert short.batch_size == 1
    assert plain.batch_size == 64
    never = search(graph, [[[1.0]]], [[least - 1e-3]], **FAST)
    failing(never, 1)
    with torch.no_grad(), pytest.raises(torch.OutOfMemoryError, match="a single branch"):
        never.run()


def test_without_memory_for_all_roots_it_goes_on_with_some():
    graph = network(0, (3, 4, 3, 3))
    rows = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    limits = torch.tensor([minimum(graph, row) - 1e-2 for row in rows])
    short = search(graph, rows[:, None], limits[:, None], **FAST)
    failing(short, 4)
    with torch.no_grad():
        assert short.run()[0]


@pytest.mark.parametrize("cuts", [pytest.param("base", marks=pytest.mark.slow), "biccos"])
def test_without_memory_while_cuts_are_inferred(solved, cuts):
    graph, least = solved[cuts == "biccos"]
    short = search(graph, [[[1.0]]], [[least - 1e-3]], **FAST, cuts=cuts)
    most = 8 if cuts == "biccos" else 2
    sizes = failing(short, most)
    with torch.no_grad():
        assert short.run()[0]
    assert max(sizes) > most


@pytest.mark.parametrize("cuts", ["none", pytest.param("base", marks=pytest.mark.slow), "biccos"])
def test_limits_of_time_and_of_branches_leave_it_open(solved, cuts):
    graph, least = solved[0]
    few = verify(
        graph,
        one_box(graph, (torch.ones(1, 1), torch.tensor([least - 1e-3]))),
        cuts=cuts,
        max_domains=4,
        batch_size=2,
        **FAST,
    )
    assert (few.status, few.reason) == ("unknown", "domain limit")
    assert few.lower_bounds[0][0] <= 0
    with torch.no_grad():
        late = search(graph, [[[1.0]]], [[least - 1e-3]], cuts=cuts, deadline=time.monotonic() - 1)
        proven, margin = late.run()
    assert not proven
    assert margin <= 0
    assert late.bounder.visited <= 1


def test_a_counterexample_ends_the_search(solved):
    graph, least = solved[1]
    asked = []

    def violated(x):
        asked.append(x)
        return x[:1] if len(asked) == 3 else None

    for cuts in ("none", "base"):
        asked.clear()
        searching = search(graph, [[[1.0]]], [[least + 1e-3]], violated, cuts=cuts, **FAST, batch_size=1)
        with torch.no_grad():
            proven, _ = searching.run()
        assert (proven, searching.bounder.found) == (False, True)
        assert len(asked) == 3
        assert all((x.abs() <= 1).all() and x.shape[1] == 3 for x in asked)


def test_progress_is_told(solved):
    graph, least = solved[0]
    told = []
    searching = search(graph, [[[1.0]]], [[least - 1e-3]], **FAST, progress=lambda *x: told.append(x))
    with torch.no_grad():
        assert searching.run() == (True, 0.0)
    visited = [entry[0] for entry in told]
    assert visited == sorted(visited)
    assert told[-1] == (searching.bounder.visited, 0, 0.0)
    assert all(margin <= 0 for _, _, margin in told)


def difference_of_tanh():
    """f(x) = tanh(x + 1) - tanh(x - 1) on [-3, 3.3], behind ReLUs that are all active; f(0) = 1.523."""
    one = torch.ones(2, 1, dtype=DOUBLE)
    shift = Dense(torch.eye(2, dtype=DOUBLE), torch.tensor([-9.0, -11.0], dtype=DOUBLE), (2,))
    return Graph([
        Node(None, (), (1,)),
        Node(Dense(one, torch.full((2,), 10.0, dtype=DOUBLE), (1,)), (0,), (2,)),
        Node(Relu(), (1,), (2,)),
        Node(shift, (2,), (2,)),
        Node(Tanh(), (3,), (2,)),
        Node(Dense(torch.tensor([[1.0, -1.0]], dtype=DOUBLE), None, (2,)), (4,), (1,)),
    ])  # fmt: skip


@pytest.mark.parametrize("cuts", ["auto", "none", "base", "base-unstrengthened", "mts", "biccos"])
@pytest.mark.parametrize("branching", ["bbps", "babsr", "kfsb", "random"])
def test_where_nothing_can_be_split_nothing_is_refuted(branching, cuts):
    query = Query(
        torch.tensor([-3.0], dtype=DOUBLE),
        torch.tensor([3.3], dtype=DOUBLE),
        (Clause(-torch.ones(1, 1, dtype=DOUBLE), -torch.ones(1, dtype=DOUBLE)),),
    )
    config = VerifyConfig(**CONFIG, root_steps=1, branch_steps=1, branching=branching, cuts=cuts, relu_only=True)
    found = Verifier(difference_of_tanh(), config).verify(Specification((query,)))
    assert found.status != "unsat"


def test_multipliers_of_splits_that_are_none_add_nothing():
    splits = Splits(
        torch.tensor([[-1, 0]]),
        torch.tensor([[0, 0]]),
        torch.tensor([[1.0, -1.0]]),
        torch.tensor([[2.0, 3.0]]),
        torch.zeros(1, 2),
        torch.zeros(1, 2),
    )
    graph = Graph([Node(None, (), (1,))])
    added, constant = splits.multipliers(graph, torch.tensor([[5.0, 7.0]]))
    assert constant.item() == -21.0
    assert {i: x.tolist() for i, x in added.items()} == {0: [[[7.0]]]}


@pytest.mark.parametrize("branching", ["bbps", "babsr", "kfsb", "random", "auto"])
def test_an_affine_network_has_nothing_to_split(branching):
    """f(x) = 0.1 x, over a box whose end is exactly at the threshold."""
    graph = Graph([Node(None, (), (1,)), Node(Dense(torch.full((1, 1), 0.1, dtype=DOUBLE), None, (1,)), (0,), (1,))])
    least = torch.full((1,), 0.1, dtype=DOUBLE)
    query = Query(
        torch.ones(1, dtype=DOUBLE), torch.full((1,), 2.0, dtype=DOUBLE), (Clause(torch.ones(1, 1).double(), least),)
    )
    config = VerifyConfig(**CONFIG, branching=branching, input_dimensions=0)
    assert Verifier(graph, config).verify(Specification((query,))).status != "unsat"
