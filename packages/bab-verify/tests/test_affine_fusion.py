"""Fusion, restriction and pruning: the same function, with fewer nodes or elements."""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bab_verify.bounds.propagation import Propagator
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Add, Dense, Scale, Shift, Sum
from bab_verify.operators.combination import Combination
from bab_verify.operators.product import Product
from bab_verify.operators.rearrangements import Concatenate, Reshape, Select
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh
from bab_verify.rewriting.fusion import fuse, restrict, unrepeated
from bab_verify.rewriting.pruning import prune

SIZE = 4
KINDS = ["dense", "add", "twice", "select", "scale", "shift", "join", "sum", "relu", "product"]


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def operation(kind, seed):
    """The operation of a kind."""
    return {
        "dense": lambda: Dense(rand(SIZE, SIZE, seed=seed), rand(SIZE, seed=seed), (SIZE,)),
        "add": lambda: Add((SIZE,), (1, -1)),
        "twice": lambda: Add((SIZE,), (1, 1)),
        "select": lambda: Select((SIZE,), torch.arange(seed, seed + SIZE * 3, 3) % (SIZE + 1) - 1),
        "scale": lambda: Scale(rand(SIZE, seed=seed), (SIZE,)),
        "shift": lambda: Shift(rand(SIZE, seed=seed), (SIZE,)),
        "join": lambda: Select((2 * SIZE,), torch.arange(1, 2 * SIZE, 2)),
        "sum": lambda: Select((1, SIZE // 2), torch.arange(SIZE) % 2),
        "relu": Relu,
        "product": Product,
    }[kind]()


def build(recipe):
    """A graph of affine and nonlinear operations, with values used several times."""
    nodes = [Node(None, (), (SIZE,))]
    places = [0]
    for kind, first, second, seed in recipe:
        at, other = places[first % len(places)], places[second % len(places)]
        if kind == "join":
            nodes.append(Node(Concatenate(((SIZE,), (SIZE,)), 0), (at, other), (2 * SIZE,)))
            at = len(nodes) - 1
        elif kind == "sum":
            nodes.append(Node(Reshape((SIZE,), (2, SIZE // 2)), (at,), (2, SIZE // 2)))
            nodes.append(Node(Sum((2, SIZE // 2), (0,)), (len(nodes) - 1,), (1, SIZE // 2)))
            at = len(nodes) - 1
        operator = operation(kind, seed)
        inputs = {"add": (at, other), "twice": (at, at), "product": (at, other)}.get(kind, (at,))
        places.append(len(nodes))
        nodes.append(Node(operator, inputs, (SIZE,)))
    return Graph(nodes).double()


steps = st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99))
recipes = st.lists(steps, min_size=1, max_size=10)
few = settings(max_examples=settings().max_examples * 2 // 5, suppress_health_check=list(HealthCheck))


@few
@given(recipe=recipes, limit=st.sampled_from([16, 200, 2**21]))
def test_a_fused_graph_is_the_same_function_of_no_more_nodes(recipe, limit):
    graph = build(recipe)
    x = rand(7, SIZE, seed=1)
    fused = fuse(graph, limit)
    torch.testing.assert_close(fused(x), graph(x))
    assert len(fused.nodes) <= len(graph.nodes)


@few
@given(recipe=recipes, fixed=st.lists(st.booleans(), min_size=SIZE, max_size=SIZE), fusing=st.booleans())
def test_a_restricted_graph_is_the_same_function_of_the_free_inputs(recipe, fixed, fusing):
    graph = build(recipe)
    lower = rand(SIZE, seed=2)
    upper = torch.where(torch.tensor(fixed), lower, lower + 1)
    small, free = restrict(graph, Interval(lower, upper))
    small = fuse(small) if fusing else small
    x = torch.lerp(lower, upper, rand(5, SIZE, seed=3).sigmoid())
    torch.testing.assert_close(small(x[:, free]), graph(x))
    expected = [i for i in range(SIZE) if not fixed[i]]
    assert free.tolist() == (expected or list(range(SIZE)))


@few
@given(recipe=recipes)
def test_ranges_through_one_matrix_are_never_wider(recipe):
    graph = build(recipe)
    box = Interval(rand(1, SIZE, seed=4) - 1, rand(1, SIZE, seed=4) + 1)
    fused = fuse(graph)
    before = Propagator(graph).intervals(box)[len(graph.nodes) - 1]
    after = Propagator(fused).intervals(box)[len(fused.nodes) - 1]
    assert (after.lower >= before.lower - 1e-9 * (1 + before.lower.abs())).all()
    assert (after.upper <= before.upper + 1e-9 * (1 + before.upper.abs())).all()


def residual():
    """tanh(W x) + W' x, a residual connection, and then a ReLU and another matrix."""
    return Graph(
        [
            Node(None, (), (SIZE,)),
            Node(Dense(rand(SIZE, SIZE), None, (SIZE,)), (0,), (SIZE,)),
            Node(Scale(rand(SIZE, seed=5), (SIZE,)), (1,), (SIZE,)),
            Node(Tanh(), (2,), (SIZE,)),
            Node(Dense(rand(SIZE, SIZE, seed=6), rand(SIZE), (SIZE,)), (0,), (SIZE,)),
            Node(Add((SIZE,), (1, 1)), (3, 4), (SIZE,)),
            Node(Relu(), (5,), (SIZE,)),
            Node(Dense(rand(2, SIZE, seed=7), None, (SIZE,)), (6,), (2,)),
            Node(Shift(rand(2), (2,)), (7,), (2,)),
        ]
    )


def test_what_is_between_nonlinear_operations_becomes_one_matrix():
    fused = fuse(residual())
    kinds = [type(node.operator) for node in fused.nodes[1:]]
    assert kinds == [Combination, Tanh, Combination, Relu, Combination]
    assert fused.nodes[3].inputs == (0, 2)


def test_a_graph_without_constants_is_fused_in_its_own_precision():
    graph = Graph([Node(None, (), (2,)), Node(Add((2,), (1, 1)), (0, 0), (2,))])
    for dtype in (torch.float32, torch.float64):
        assert fuse(graph.to(dtype))(torch.ones(1, 2, dtype=dtype)).dtype == dtype


def test_tables_do_not_decide_the_precision():
    graph = Graph(
        [Node(None, (), (2,)), Node(Tanh(), (0,), (2,)), Node(Dense(torch.ones(1, 2), None, (2,)), (1,), (1,))]
    )
    assert graph.example().dtype == torch.float32


def test_single_precision_is_fused_in_double_precision():
    graph = residual().float()
    fused = fuse(graph)
    exact = fuse(residual().float().double())
    assert fused.example().dtype == torch.float32
    for found, expected in zip(fused.operators, exact.operators):
        if isinstance(found, Combination):
            assert all(torch.equal(a, b.float()) for a, b in zip(found.weights, expected.weights))


def test_large_matrices_stay_apart():
    graph = residual()
    assert not any(isinstance(node.operator, Combination) for node in fuse(graph, 1).nodes)


def test_repeated_elements_are_traced_to_where_they_come_from():
    graph = Graph(
        [
            Node(None, (), (2,)),
            Node(Tanh(), (0,), (2,)),
            Node(Select((2,), torch.tensor([[1, 0], [0, 0]])), (1,), (2, 2)),
            Node(Reshape((2, 2), (4,)), (2,), (4,)),
            Node(Relu(), (3,), (4,)),
            Node(Select((4,), torch.tensor([1])), (4,), (1,)),
        ]
    )
    assert unrepeated(graph, 3) == 1
    assert unrepeated(graph, 5) == 5
    source, place = Propagator(graph).place(3)
    assert (source, place.tolist()) == (1, [1, 0, 0, 0])


kept = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=SIZE + 1)


@few
@given(recipe=recipes, outputs=kept, limit=st.sampled_from([0, 20, 2**21]), fusing=st.booleans())
def test_a_pruned_graph_is_the_same_function_of_some_outputs(recipe, outputs, limit, fusing):
    graph = build(recipe)
    outputs = torch.tensor(outputs)
    pruned = prune(fuse(graph) if fusing else graph, outputs, limit)
    x = rand(7, SIZE, seed=4)
    torch.testing.assert_close(pruned(x), graph(x)[:, outputs])


@few
@given(recipe=recipes, outputs=kept)
def test_bounds_of_a_pruned_graph_are_not_looser(recipe, outputs):
    graph, outputs = fuse(build(recipe)), torch.tensor(outputs)
    pruned = prune(graph, outputs)
    box = Interval(*(rand(1, SIZE, seed=5) + end for end in (0, 0.3)))
    chosen = torch.eye(SIZE, dtype=torch.float64)[outputs]
    margins = [
        Propagator(one).backward(
            len(one.nodes) - 1, rows.reshape(1, len(outputs), *one.output_shape), Propagator(one).crown(box)[1]
        )
        for one, rows in ((graph, chosen), (pruned, torch.eye(len(outputs), dtype=torch.float64)))
    ]
    before, after = (linear.minimum(box) for linear in margins)
    inside = box.lower + torch.rand(200, SIZE, dtype=torch.float64) * (box.upper - box.lower)
    assert (after <= pruned(inside).amin(0) + 1e-9).all()
    if not any(isinstance(node.operator, Product) for node in graph.nodes):
        assert (after >= before - 1e-6 * (1 + before.abs())).all()


def test_what_an_output_does_not_depend_on_is_gone():
    nodes = [
        Node(None, (), (4,)),
        Node(Relu(), (0,), (4,)),
        Node(Scale(torch.tensor([1.0, 2, 3, 4]), (4,)), (1,), (4,)),
    ]
    pruned = prune(Graph(nodes), torch.tensor([2]))
    assert [node.shape for node in pruned.nodes if isinstance(node.operator, Relu)] == [(1,)]
    assert pruned(torch.tensor([[-1.0, 1, 2, 3]])).tolist() == [[6.0]]
