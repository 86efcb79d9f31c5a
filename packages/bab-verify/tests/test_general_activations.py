"""Activation splitting of general operations: no violation is lost, whatever is split, and wherever."""

import pytest
import torch

from bab_verify import Clause, Query, Specification, Verifier, VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.convex import Exp
from bab_verify.operators.gelu import Gelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.product import Product
from bab_verify.operators.rearrangements import Reshape, Select
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Sigmoid, Tanh
from bab_verify.search.activation_splitting import ActivationSplitter
from bab_verify.search.bounder import BranchBounder

DOUBLE = torch.float64
CONFIG = {"attack_restarts": 0, "timeout": 300.0, "device": "cpu", "dtype": "float64"}
FAST = {"root_steps": 6, "root_lr": 0.15, "branch_steps": 6, "branch_lr": 0.15, "beta_lr": 0.15}
LONGER = {"branch_steps": 12, "branch_lr": 0.1, "beta_lr": 0.1}


@pytest.fixture(autouse=True)
def _every_property_is_hard(monkeypatch):
    """Multi-tree search begins at once."""
    monkeypatch.setattr("bab_verify.search.activation_splitting.HARD", 0)


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, sizes=(3, 6, 6, 1), kinds=(Relu,), scale=1.0):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(kinds[(i - 1) % len(kinds)](), (len(nodes) - 1,), (n,)))
        weight = scale * uniform(-1, 1, m, n, seed=10 * seed + i)
        nodes.append(Node(Dense(weight, uniform(-0.5, 0.5, m, seed=10 * seed + 5 + i), (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


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


def products(seed):
    """Two affine functions times each other, and a third that takes one of them again."""
    n, m = 3, 2

    def dense(i, rows, columns):
        return Dense(
            uniform(-1, 1, rows, columns, seed=seed + i), uniform(-0.5, 0.5, rows, seed=seed + 9 + i), (columns,)
        )

    nodes = [
        Node(None, (), (n,)),
        Node(dense(0, m, n), (0,), (m,)),
        Node(dense(1, m, n), (0,), (m,)),
        Node(Product(), (1, 2), (m,)),
        Node(Tanh(), (1,), (m,)),
        Node(dense(2, m, m), (3,), (m,)),
        Node(Product(), (5, 4), (m,)),
        Node(dense(3, 1, m), (6,), (1,)),
    ]
    return Graph(nodes).double()


GENERAL = {
    "sigmoid": lambda seed: network(seed, (3, 4, 3, 1), (Sigmoid,), 2.0),
    "tanh": lambda seed: network(seed, (3, 4, 3, 1), (Tanh,), 1.5),
    "sin": lambda seed: network(seed, (3, 4, 3, 1), (Sin,)),
    "gelu": lambda seed: network(seed, (3, 4, 3, 1), (Gelu,), 1.5),
    "exp": lambda seed: network(seed, (3, 6, 1), (Exp,)),
    "relu and tanh": lambda seed: network(seed, (3, 4, 3, 1), (Relu, Tanh), 1.5),
    "products": products,
}


def lowest(graph):
    """The least output that descent from many points finds."""
    x = uniform(-1, 1, 2000, graph.n_inputs, seed=3)
    for step in range(40):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(graph(x).sum(), x)
        x = (x.detach() - 0.3 * 0.9**step * gradient.sign()).clamp(-1, 1)
    return graph(x.detach()).min().item()


@pytest.mark.parametrize(
    ("kind", "seed", "visited"),
    [
        *((kind, 0, 16) for kind in GENERAL if "tanh" not in kind),
        *(pytest.param(kind, 0, 16, marks=pytest.mark.slow) for kind in GENERAL if "tanh" in kind),
        *(pytest.param(kind, 1, 40, marks=pytest.mark.slow) for kind in GENERAL),
    ],
)
def test_general_activations_are_never_wrong(kind, seed, visited):
    graph = GENERAL[kind](seed)
    least = lowest(graph)
    options = {**FAST, "points": "middle" if kind == "products" else "table"}
    wrong = search(graph, [[[1.0]]], [[least + 1e-6]], max_domains=visited, **options)
    with torch.no_grad():
        assert not wrong.run()[0]
    assert wrong.bounder.visited >= visited
    spread = graph(uniform(-1, 1, 1000, 3)).std().item()
    limit = torch.tensor([least - 2 * spread])
    assert verify(graph, one_box(graph, (torch.ones(1, 1), limit)), max_domains=2000, **options).status == "unsat"


@pytest.mark.parametrize(
    ("branching", "cuts"),
    [
        ("babsr", "none"),
        ("random", "biccos"),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in [("kfsb", "biccos"), ("kfsb", "none"), ("random", "none"), ("babsr", "biccos")]
        ),
    ],
)
def test_mixed_activations_under_every_heuristic(branching, cuts):
    graph = GENERAL["relu and tanh"](2)
    least = lowest(graph)
    for shift, most, holds in ((-0.2, 60, True), (1e-6, 16, False)):
        options = {"branching": branching, "cuts": cuts, "max_domains": most, **FAST}
        searching = search(graph, [[[1.0]]], [[least + shift]], **options)
        with torch.no_grad():
            assert searching.run()[0] == holds
        assert searching.bounder.visited >= 3


@pytest.mark.parametrize(
    "kind",
    ["sin", "products", "relu and tanh", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("relu", "sigmoid"))],
)
def test_children_together_are_no_looser_than_their_parent(kind):
    graph = network(0) if kind == "relu" else GENERAL[kind](0)
    searching = search(
        graph, [[[1.0]]], [[lowest(graph) + 0.01]], branch_steps=6, branch_lr=0.1, root_steps=6, root_lr=0.1
    )
    with torch.no_grad():
        open_ = searching.bounder.roots(torch.tensor([0]))
        points = []
        for _ in range(4):
            parents, children = open_, open_.children()
            points.append(parents.next.point)
            found, refuted, index = searching.bounder.bound_with_index(children)
            margin = torch.full((len(children),), torch.inf, dtype=DOUBLE)
            margin[index] = found.margin
            both = margin.reshape(2, -1).amin(0)
            assert (both >= parents.margin).all()
            assert (refuted.margin > 0).all()
            # What is known of nodes is within what the parent knew, and both children cover it.
            mine, _ = searching.bounder.narrowed(parents.splits)
            low, high = (
                searching.bounder.narrowed(children.splits[part])[0] for part in torch.arange(len(children)).chunk(2)
            )
            for i, interval in mine.items():
                assert (torch.minimum(low[i].lower, high[i].lower) >= interval.lower - 1e-9).all()
                assert (torch.maximum(low[i].upper, high[i].upper) <= interval.upper + 1e-9).all()
            open_ = found
    assert (torch.cat(points) != 0).any() == (kind != "relu")


def test_no_input_is_lost_between_the_branches():
    """Every sample lies within the splits, and the bounds, of at least one of the branches, and above its margin."""
    graph = GENERAL["sin"](1)
    searching = search(graph, [[[1.0]]], [[lowest(graph) + 0.05]], **FAST)
    x = uniform(-1, 1, 500, 3)
    values = graph.values(x)
    covered = torch.zeros(500, dtype=torch.bool)
    with torch.no_grad():
        branches = searching.bounder.roots(torch.tensor([0]))
        for _ in range(4):
            open_, refuted = searching.bounder.bound(branches.children())
            for part in (open_, refuted):
                bounds, empty = searching.bounder.narrowed(part.splits)
                for k in range(len(part)):
                    inside = torch.ones(500, dtype=torch.bool)
                    for node, element, sign, point in zip(*(x[k].tolist() for x in part.splits.fields()[:4])):
                        if node >= 0:
                            inside &= sign * (values[node].flatten(1)[:, element] - point) >= 0
                    assert not (bool(empty[k]) and inside.any())
                    if bool(inside.any()):
                        y = values[-1][inside, 0] - searching.bounder.d[0, 0]
                        assert part is open_ or y.min() > 0
                        assert part.margin[k] <= y.min()
                        for i, interval in bounds.items():
                            assert (values[i][inside] >= interval.lower[k] - 1e-9).all()
                            assert (values[i][inside] <= interval.upper[k] + 1e-9).all()
                    if part is refuted:
                        covered |= inside
            branches = open_
        for k in range(len(branches)):
            inside = torch.ones(500, dtype=torch.bool)
            for node, element, sign, point in zip(*(x[k].tolist() for x in branches.splits.fields()[:4])):
                inside &= sign * (values[node].flatten(1)[:, element] - point) >= 0
            covered |= inside
    assert covered.all()


def repeated(kind, middle):
    """An affine layer, moved or repeated by `middle`, and an operation on that."""
    size = middle(torch.zeros(1, 4)).shape[1:]
    nodes = [
        Node(None, (), (3,)),
        Node(Dense(uniform(-1, 1, 4, 3), uniform(-0.5, 0.5, 4, seed=1), (3,)), (0,), (4,)),
        Node(middle, (1,), tuple(size)),
        Node(kind(), (2,), tuple(size)),
        Node(Reshape(tuple(size), (size.numel(),)), (3,), (size.numel(),)),
        Node(Dense(uniform(-1, 1, 1, size.numel(), seed=4), None, (size.numel(),)), (4,), (1,)),
    ]
    return Graph(nodes).double()


MIDDLES = {
    "reshaped": lambda: Reshape((4,), (2, 2)),
    "repeated": lambda: Select((4,), torch.tensor([0, 1, 2, 3, 2, 1])),
}


@pytest.mark.parametrize(
    ("middle", "kind", "cuts"),
    [
        ("repeated", Relu, "biccos"),
        ("repeated", Tanh, "none"),
        ("reshaped", Relu, "none"),
        pytest.param("repeated", Relu, "none", marks=pytest.mark.slow),
        pytest.param("reshaped", Relu, "biccos", marks=pytest.mark.slow),
        pytest.param("reshaped", Tanh, "none", marks=pytest.mark.slow),
    ],
)
def test_elements_that_are_moved_or_repeated(kind, middle, cuts):
    graph = repeated(kind, MIDDLES[middle]())
    least = lowest(graph)
    found = search(graph, [[[1.0]]], [[least - 1e-2]], cuts=cuts, max_domains=3000, **LONGER)
    with torch.no_grad():
        assert found.run()[0]
    wrong = search(graph, [[[1.0]]], [[least + 1e-6]], cuts=cuts, max_domains=24, **FAST)
    with torch.no_grad():
        assert not wrong.run()[0]


def test_operations_that_nothing_can_be_split_for_are_left_open():
    """The input itself is not split: the verdict is open, not an error."""
    graph = Graph([
        Node(None, (), (3,)),
        Node(Tanh(), (0,), (3,)),
        Node(Dense(torch.ones(1, 3), None, (3,)), (1,), (1,)),
    ]).double()  # fmt: skip
    with torch.no_grad():
        assert not search(graph, [[[1.0]]], [[-2.28]]).run()[0]
        assert not search(network(0, kinds=(Tanh,)), [[[1.0]]], [[0.0]], relu_only=True).run()[0]
