"""Input splitting: the verdict is that of an exact solver, and no violation is ever lost."""

import numpy as np
import pytest
import torch
from scipy.optimize import Bounds, LinearConstraint, milp

from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.bounds.propagation import Propagator
from bab_verify.configs import OptimizationConfig
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Tanh
from bab_verify.search.clipping import clip
from bab_verify.search.input_splitting import InputSplitter, InputSplittingConfig

DOUBLE = torch.float64


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, sizes=(2, 8, 8, 2), kind=Relu):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(kind(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=seed + i), uniform(-0.5, 0.5, m, seed=seed + 7 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def smallest(graph, c):
    """The least of c f(x) over [-1, 1]^n, by a mixed-integer program with a binary variable for each ReLU."""
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    known = Propagator(graph).intervals(box)
    layers = [graph.operator(i) for i in range(1, len(graph.nodes), 2)]
    sizes = [graph.n_inputs]
    for layer in layers[:-1]:
        sizes += [len(layer.bias)] * 2  # the ReLU's output and its state
    start = np.cumsum([0, *sizes])
    total = start[-1]
    rows, limits, lower, upper, whole = [], [], np.full(total, 0.0), np.full(total, 1.0), np.zeros(total)
    lower[: graph.n_inputs] = -1
    before = start[0]
    for k, layer in enumerate(layers[:-1]):
        at, state = start[1 + 2 * k], start[2 + 2 * k]
        bound = known[1 + 2 * k]
        for e in range(len(layer.bias)):
            low, u, b = bound.lower[0, e].item(), bound.upper[0, e].item(), layer.bias[e].item()
            row = np.zeros(total)
            row[before : before + layer.weight.shape[1]] = layer.weight[e].numpy()
            out, z = np.eye(total)[at + e], np.eye(total)[state + e]
            rows += [row - out, out - row - min(low, 0) * z, out - max(u, 0) * z]
            limits += [-b, b - min(low, 0), 0]
            upper[at + e], whole[state + e] = max(u, 0), 1
        before = at
    cost = np.zeros(total)
    cost[before : before + layers[-1].weight.shape[1]] = (c @ layers[-1].weight).numpy()
    constraints = LinearConstraint(np.array(rows), -np.inf, np.array(limits))
    found = milp(cost, integrality=whole, bounds=Bounds(lower, upper), constraints=constraints)
    assert found.success
    return found.fun + float(c @ layers[-1].bias)


def never(x):
    return None


def splitter(graph, c, d, **options):
    dtype = graph.example().dtype
    c, d = torch.as_tensor(c, dtype=dtype), torch.as_tensor(d, dtype=dtype)
    return InputSplitter(graph, (c, d), InputSplittingConfig(**{"batch_size": 64, "max_domains": 20000, **options}))


def run(searcher, violated=never, low=-1.0, high=1.0):
    n, dtype = searcher.graph.n_inputs, searcher.graph.example().dtype
    with torch.no_grad():
        return searcher.run(torch.full((n,), low, dtype=dtype), torch.full((n,), high, dtype=dtype), violated)


def first(graph, c, d):
    """What takes inputs and gives the first that violates."""

    def violated(x):
        y = graph(x)
        bad = (torch.einsum("kro,no->nkr", c, y) <= d).all(2).any(1)
        return x[bad][0] if bad.any() else None

    return violated


@pytest.mark.parametrize("clipping", [True, False])
@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_the_verdict_is_that_of_a_mixed_integer_program(seed, clipping):
    graph = network(seed, (2 + seed % 2, 8, 8, 2))
    c = torch.tensor([1.0, -0.5], dtype=DOUBLE)
    least = smallest(graph, c)
    for gap, proven in ((1e-2, True), (-1e-2, False)):
        d = torch.tensor([[least - gap]], dtype=DOUBLE)
        found = run(splitter(graph, c.reshape(1, 1, 2), d, clip=clipping), first(graph, c.reshape(1, 1, 2), d))
        assert found.proven == proven
        assert (found.candidate is not None) != proven
        if found.candidate is not None:
            assert (graph(found.candidate[None]) @ c <= d[0]).all()
            assert (found.candidate.abs() <= 1).all()


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 4))])
def test_every_clause_must_be_refuted_by_any_of_its_rows(seed):
    graph = network(seed)
    y = graph(uniform(-1, 1, 200000, 2))
    eye = torch.eye(2, dtype=DOUBLE)
    # Below both medians at once, or beyond what the outputs reach; the first clause twice.
    medians = y.median(0).values
    far = y.amin(0) - 0.05
    c = torch.stack([eye, torch.stack([eye[1], eye[0]])])
    both = (y <= medians).all(1).any()
    violated = first(graph, c, torch.stack([medians, far]))
    found = run(splitter(graph, c, torch.stack([medians, far])), violated)
    assert found.proven != bool(both)
    c = torch.stack([eye[:1].repeat(2, 1), eye[1:].repeat(2, 1)])
    d = torch.stack([far[:1].repeat(2), far[1:].repeat(2)])
    assert run(splitter(graph, c, d)).proven
    d[1] = y[:, 1].min() + 0.05
    found = run(splitter(graph, c, d), first(graph, c, d))
    assert not found.proven
    assert found.candidate is not None


@pytest.mark.parametrize("kind", [Relu, Tanh])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shrunk_boxes_keep_every_violation(kind, dtype):
    graph = network(3, kind=kind).to(dtype)
    x = uniform(-1, 1, 4000, 2, seed=5)
    exact = network(3, kind=kind).to(dtype).double()
    y = exact(x)
    lower, upper = uniform(-1, 0, 30, 2, seed=6), uniform(0, 1, 30, 2, seed=7)
    c = torch.eye(2, dtype=DOUBLE)[:, None]
    d = y.quantile(0.1, dim=0)[:, None]
    found, _ = splitter(graph, c, d).bound(lower.to(dtype), upper.to(dtype))
    low, high = lower.to(dtype).double(), upper.to(dtype).double()
    inside = ((x >= low[:, None]) & (x <= high[:, None])).all(2)
    bad = inside & (y <= d[:, 0]).any(1)
    kept = ((x >= found.lower.double()[:, None]) & (x <= found.upper.double()[:, None])).all(2)
    assert bad.any()
    assert (kept | ~bad).all()
    assert (found.margin[bad.any(1)] <= 0).all()
    assert ((found.upper - found.lower).double() < (high - low) - 1e-3).any()


def test_a_linear_constraint_is_clipped_as_by_hand():
    # x + 2 y - 1 <= 0 over [0, 1]^2 leaves y <= 1/2; and -x + 1/4 <= 0 leaves x >= 1/4.
    linear = LinearBound(torch.tensor([[[1.0, 2.0], [-1.0, 0.0]]]), torch.tensor([[-1.0, 0.25]]), torch.ones(1, 2))
    box = Interval(torch.zeros(1, 2), torch.ones(1, 2))
    below, above = clip(linear, linear.minimum(box), box)
    assert below.tolist()[0] == [pytest.approx([0, 0]), pytest.approx([0.25, 0], abs=1e-4)]
    assert above.tolist()[0] == [pytest.approx([1, 0.5], abs=1e-4), pytest.approx([1, 1])]
    assert below[0, 1, 0] <= 0.25
    assert above[0, 0, 1] >= 0.5


def test_the_lower_bound_is_below_what_is_left():
    graph = network(1)
    least = smallest(graph, torch.tensor([1.0, 0.0], dtype=DOUBLE))
    found = run(splitter(graph, [[[1.0, 0.0]]], [[least + 0.1]], max_domains=200))
    assert not found.proven
    assert found.candidate is None
    assert found.visited >= 200
    assert found.lower_bound <= -0.1


def test_without_memory_for_a_batch_it_goes_on_with_half(monkeypatch):
    graph = network(0)
    least = smallest(graph, torch.tensor([1.0, 0.0], dtype=DOUBLE))
    searcher = splitter(
        graph, [[[1.0, 0.0]]], [[least - 1e-3]], batch_size=64, optimization=OptimizationConfig(steps=0)
    )
    bound, refused, sizes = searcher.bound, [], []

    def little(lower, upper, parent=None):
        if len(lower) > 6:
            refused.append(len(lower))
            raise torch.OutOfMemoryError
        sizes.append(len(lower))
        return bound(lower, upper, parent)

    monkeypatch.setattr(searcher, "bound", little)
    assert run(searcher).proven
    assert refused
    assert max(sizes) <= 6
    assert searcher.batch_size < 64


def test_without_memory_for_a_single_box_it_ends(monkeypatch):
    graph = network(0)
    searcher = splitter(graph, [[[1.0, 0.0]]], [[smallest(graph, torch.tensor([1.0, 0.0], dtype=DOUBLE)) - 1e-3]])
    bound = searcher.bound

    def none(lower, upper, parent=None):
        if parent is not None:
            raise torch.OutOfMemoryError
        return bound(lower, upper, parent)

    monkeypatch.setattr(searcher, "bound", none)
    with pytest.raises(torch.OutOfMemoryError, match="single"):
        run(searcher)
