import math

import pytest
import torch

from revibranch.learning.targets import double_q, log_tree_size, segment_argmax


def test_the_online_network_chooses_and_the_target_network_values():
    online, target = torch.tensor([1.0, 5.0, 2.0, 0.0, 9.0]), torch.tensor([-1.0, -2.0, -3.0, -4.0, -0.5])
    segments = torch.tensor([0, 0, 0, 1, 1])
    torch.testing.assert_close(double_q(online, target, segments, 2), torch.tensor([-2.0, -0.5]))


def test_of_equal_actions_the_first_is_best():
    scores, segments = torch.tensor([3.0, 3.0, 1.0, 1.0]), torch.tensor([1, 1, 0, 0])
    assert segment_argmax(scores, segments, 2).tolist() == [2, 0]


def test_with_the_true_values_of_children_the_target_is_the_size_of_the_subtree():
    """A random tree, whose subtrees are counted by walking through it."""
    generator = torch.Generator().manual_seed(0)
    children = {0: []}
    for node in range(1, 60):
        room = [n for n in children if len(children[n]) < 2]
        children[room[int(torch.randint(len(room), (), generator=generator))]].append(node)
        children[node] = []

    def size(node):
        return 1 + sum(map(size, children[node]))

    pairs = [(parent, child) for parent in children for child in children[parent]]
    values = torch.tensor([-math.log(size(child)) for _, child in pairs])
    found = log_tree_size(values, torch.tensor([parent for parent, _ in pairs]), 60)
    torch.testing.assert_close(found.exp(), torch.tensor([float(size(node)) for node in range(60)]), rtol=1e-4, atol=0)


def test_without_children_a_subtree_is_one_branching():
    found = log_tree_size(torch.empty(0), torch.empty(0, dtype=torch.int64), 3)
    torch.testing.assert_close(found, torch.zeros(3))


def test_large_trees_do_not_overflow():
    found = log_tree_size(torch.tensor([-200.0, -200.0, 300.0]), torch.tensor([0, 0, 1]), 2)
    assert found[0] == pytest.approx(200 + math.log(2))
    assert found[1] == pytest.approx(0, abs=1e-6)
