"""Multi-tree search: what is kept is one complete tree, and verdicts stay what they are."""

import random

import pytest
import torch

from bab_verify import VerifyConfig
from bab_verify.bounds.propagation import Propagator
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu
from bab_verify.search.activation_splitting import ActivationSplitter
from bab_verify.search.bounder import BranchBounder
from bab_verify.search.cut_inference import CutInference
from bab_verify.search.multi_tree import ITERATIONS, TreeNode, multi_tree_search

DOUBLE = torch.float64


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


def search(graph, limit, cuts="mts", **options):
    box = Interval(*(x * torch.ones(1, graph.n_inputs, dtype=DOUBLE) for x in (-1.0, 1.0)))
    fast = {"root_steps": 6, "root_lr": 0.1, "branch_steps": 6, "branch_lr": 0.1}
    bounds, _ = Propagator(graph).crown(box)
    config = VerifyConfig(device="cpu", cuts=cuts, **fast, **options)
    clauses = (torch.ones(1, 1, 1, dtype=DOUBLE), torch.full((1, 1), limit, dtype=DOUBLE))
    return ActivationSplitter(BranchBounder(graph, box, bounds, clauses, config, violated=lambda x: None))


def forest(depth, numbers):
    node = TreeNode(depth, refuted=depth > 0 and numbers.random() < 0.3, place=numbers.randrange(10**6))
    if not node.refuted and depth < ITERATIONS:
        for key in range(numbers.randrange(4)):
            node.children[1, key] = (forest(depth + 1, numbers), forest(depth + 1, numbers))
    return node


def trees(node):
    """The open leaves of every single complete tree."""
    if node.refuted:
        return [[]]
    if not node.children:
        return [[node]]
    return [a + b for low, high in node.children.values() for a in trees(low) for b in trees(high)]


@pytest.mark.parametrize("seed", range(40))
def test_the_leaves_are_those_of_one_complete_binary_tree(seed):
    tree = forest(0, random.Random(seed))
    leaves = tree.leaves()
    places = [leaf.place for leaf in leaves]
    assert not any(leaf.refuted or leaf.children for leaf in leaves)
    for depth_first in trees(tree):
        if [leaf.place for leaf in depth_first] == places:
            return
    pytest.fail("no single tree has these leaves")


def test_the_split_that_explored_most_is_kept():
    done, half = TreeNode(1, refuted=True), TreeNode(1, place=3)
    low, high = TreeNode(1, place=1), TreeNode(1, place=2)
    tree = TreeNode(0, children={(1, 0): (low, high), (1, 1): (done, half)})
    assert tree.leaves() == [half]
    assert done.explored() == 2.0**ITERATIONS - 1
    tree.children[1, 2] = (TreeNode(1, refuted=True), TreeNode(1, refuted=True))
    assert tree.leaves() == []
    assert TreeNode(0, place=7).leaves()[0].place == 7


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_the_branches_that_are_kept_cover_every_violation(seed):
    graph = network(seed)
    x = uniform(-1, 1, 30000, 3)
    values = graph.values(x)
    y = values[-1][:, 0]
    limit = y.quantile(0.02).item()
    searching = search(graph, limit)
    cuts = CutInference(searching.bounder, 0, strengthen=seed % 2 == 0)
    with torch.no_grad():
        roots = searching.bounder.roots(torch.tensor([0]))
        kept = multi_tree_search(searching.bounder, cuts, roots)
    covered = torch.zeros(len(x), dtype=torch.long)
    for k in range(len(kept)):
        inside = torch.ones(len(x), dtype=torch.bool)
        for node, element, sign, point in zip(*(f[k].tolist() for f in kept.splits.fields()[:4])):
            if node >= 0:
                inside &= sign * (values[node][:, element] - point) >= 0
        covered += inside
    assert (covered[y <= limit] == 1).all()
    assert (covered <= 1).all()
    assert kept.cut_beta.shape == (len(kept), len(cuts.cuts))
    assert (kept.splits.lengths() <= ITERATIONS).all()
    assert len(kept) <= 2**ITERATIONS


@pytest.mark.parametrize(
    ("seed", "cuts"),
    [(0, "biccos"), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in [(1, "mts"), (0, "mts"), (1, "biccos")])],
)
def test_verdicts_stay(seed, cuts):
    graph = network(seed)
    lowest = graph(uniform(-1, 1, 20000, 3)).min().item()
    with torch.no_grad():
        assert search(graph, lowest - 0.1, cuts).run() == (True, 0.0)
        assert not search(graph, lowest, cuts, max_domains=60).run()[0]


def test_without_time_the_root_is_left():
    searching = search(network(0), 0.0, max_domains=1)
    cuts = CutInference(searching.bounder, 0, strengthen=False)
    with torch.no_grad():
        roots = searching.bounder.roots(torch.tensor([0]))
        kept = multi_tree_search(searching.bounder, cuts, roots)
    assert len(kept) == 1
    assert kept.splits.lengths().tolist() == [0]
