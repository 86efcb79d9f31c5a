"""Histories of splits: kept in order, applied to bounds, and turned into multipliers."""

import torch

from bab_verify.bounds.splits import Splits
from bab_verify.graph import Graph, Node
from bab_verify.intervals import Interval
from bab_verify.operators.affine import Dense
from bab_verify.operators.relu import Relu

GRAPH = Graph([
    Node(None, (), (2,)),
    Node(Dense(torch.eye(2), None, (2,)), (0,), (2,)),
    Node(Relu(), (1,), (2,)),
])  # fmt: skip


def splits(*histories):
    """Histories of (node, element, sign, point)."""
    found = [Splits.none(1, torch.zeros(1)) for _ in histories]
    for i, history in enumerate(histories):
        for entry in history:
            found[i] = found[i].extended(*(torch.tensor([x]) for x in entry[:3]), torch.tensor([float(entry[3])]))
    return Splits.cat(found)


def test_histories_of_different_lengths_are_padded():
    found = splits([(1, 0, 1, 0.5)], [], [(1, 1, -1, 2.0), (0, 0, 1, 0.0)])
    assert (len(found), found.depth) == (3, 2)
    assert found.node.tolist() == [[1, -1], [-1, -1], [1, 0]]
    assert found.point.tolist() == [[0.5, 0], [0, 0], [2, 0]]
    assert found[torch.tensor([2, 0])].node.tolist() == [[1, 0], [1, -1]]
    assert found.padded(2) is found
    assert found[torch.tensor([0])].compact().depth == 1
    assert found[torch.tensor([1])].compact().depth == 0


def test_compacting_keeps_the_order():
    found = splits([(1, 0, 1, 0.0), (1, 1, -1, 1.0), (0, 1, 1, 2.0)])
    found.node[0, 0] = -1
    assert found.compact().point.tolist() == [[1, 2]]


def test_splits_cut_bounds_down_and_the_tightest_counts():
    box = Interval(torch.full((1, 2), -3.0), torch.full((1, 2), 3.0))
    found = splits([(1, 0, 1, 0.5), (1, 0, -1, 2.0), (1, 0, 1, 1.0)], [(1, 1, -1, 0.0)], [(1, 0, 1, -9.0)])
    bounds = found.apply({0: box, 1: box}, GRAPH)
    assert bounds[1].lower.tolist() == [[1, -3], [-3, -3], [-3, -3]]
    assert bounds[1].upper.tolist() == [[2, 3], [3, 0], [3, 3]]
    assert bounds[0].lower.shape == (3, 2)
    assert box.lower.tolist() == [[-3, -3]]


def test_multipliers_are_the_lagrangian_of_the_splits():
    found = splits([(1, 0, 1, 0.5), (1, 0, -1, 2.0), (0, 1, -1, 1.0)], [(1, 1, 1, 4.0)])
    beta = torch.tensor([[2.0, 3.0, 5.0], [7.0, 11.0, 13.0]])
    added, constant = found.multipliers(GRAPH, beta)
    h = {0: torch.tensor([0.3, -0.7]), 1: torch.tensor([0.9, 1.1])}
    for row in range(2):
        expected = 0.0
        for k in range(3):
            node = int(found.node[row, k])
            if node >= 0:
                value = h[node][found.element[row, k]]
                expected -= beta[row, k] * found.sign[row, k] * (value - found.point[row, k])
        total = constant[row, 0] + sum((added[i][row, 0] * h[i]).sum() for i in added)
        torch.testing.assert_close(total, expected)
