"""Leaves: where every unit is fixed a linear program decides, and it says what a fine grid says."""

import pytest
import torch

from bab_verify import VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.search.bounder import BranchBounder
from bab_verify.search.leaves import refute_leaf

DOUBLE = torch.float64


def uniform(low, high, *shape, seed=0):
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(seed, sizes=(2, 4, 3, 2)):
    nodes = [Node(None, (), (sizes[0],))]
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        if i:
            nodes.append(Node(Relu(), (len(nodes) - 1,), (n,)))
        weight, bias = uniform(-1, 1, m, n, seed=10 * seed + i), uniform(-0.3, 0.3, m, seed=10 * seed + 5 + i)
        nodes.append(Node(Dense(weight, bias, (n,)), (len(nodes) - 1,), (m,)))
    return Graph(nodes).double()


def search(graph, c, d):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    bounds, _ = Propagator(graph).crown(box)
    return BranchBounder(graph, box, bounds, (c, d), VerifyConfig(device="cpu"), violated=lambda x: None)


def leaf(searching, values, k):
    """The history that fixes every unstable unit as it is at the k-th point."""
    splits = Splits.none(1, torch.zeros(1, dtype=DOUBLE))
    for node in (1, 3):
        bounds = searching.bounds[node]
        for e in ((bounds.lower[0] < 0) & (bounds.upper[0] > 0)).nonzero().squeeze(1).tolist():
            sign = 1.0 if values[node][k, e] >= 0 else -1.0
            entry = (torch.tensor([node]), torch.tensor([e]), torch.tensor([sign]).double(), torch.zeros(1).double())
            splits = splits.extended(*entry)
    return splits


GRID = torch.cartesian_prod(*[torch.linspace(-1, 1, 201, dtype=DOUBLE)] * 2)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 6))])
def test_leaves_are_decided_as_on_a_grid(seed):
    graph = network(seed)
    values = graph.values(GRID)
    c = uniform(-1, 1, 1, 2, 2, seed=seed)
    searching = search(graph, c, torch.zeros(1, 2, dtype=DOUBLE))
    pattern = torch.cat([values[1] >= 0, values[3] >= 0], 1)
    kinds, kind, count = pattern.unique(dim=0, return_inverse=True, return_counts=True)
    assert len(kinds) > 3
    rows = values[-1] @ c[0].T
    for k in count.topk(4).indices.tolist():
        here = (kind == k).nonzero().squeeze(1)
        splits = leaf(searching, values, int(here[0]))
        shift = rows[here].mean(0)
        rest = rows[here] - shift
        worst = rest.amax(1).min()
        for gap, refuted in ((-0.05, True), (0.01, False)):
            searching.d = (shift + worst + gap)[None]
            with torch.no_grad():
                found = refute_leaf(searching, splits, 0)
            if refuted:
                assert found is True
            else:
                assert isinstance(found, torch.Tensor)
                assert found.shape == (1, 2)
                assert (found.abs() <= 1).all()
                assert (graph(found) @ c[0].T - searching.d <= 1e-6).all()
                state = torch.cat([v[:, :] for v in (graph.values(found)[1], graph.values(found)[3])], 1)
                assert ((state >= -1e-6) | ~kinds[k]).all()
                assert ((state <= 1e-6) | kinds[k]).all()


def test_leaves_that_no_input_reaches_are_refuted_whatever_the_clause():
    """x >= 0 and -x - 1/2 >= 0 at once."""
    graph = Graph([
        Node(None, (), (1,)),
        Node(Dense(torch.tensor([[1.0], [-1.0]]), torch.tensor([0.0, -0.5]), (1,)), (0,), (2,)),
        Node(Relu(), (1,), (2,)),
        Node(Dense(torch.ones(1, 2), None, (2,)), (2,), (1,)),
    ]).double()  # fmt: skip
    searching = search(graph, torch.ones(1, 1, 1, dtype=DOUBLE), torch.full((1, 1), 10.0, dtype=DOUBLE))
    both = Splits.none(1, torch.zeros(1, dtype=DOUBLE))
    for e in range(2):
        both = both.extended(torch.tensor([1]), torch.tensor([e]), torch.ones(1).double(), torch.zeros(1).double())
    one = Splits(*(x[:, :1] for x in both.fields()))
    with torch.no_grad():
        assert refute_leaf(searching, both, 0) is True
        found = refute_leaf(searching, one, 0)
    assert isinstance(found, torch.Tensor)
    assert -1e-7 <= found.item() <= 1
