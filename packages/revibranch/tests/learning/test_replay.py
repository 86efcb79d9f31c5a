import math

import pytest
import torch
from bipartite import PARENTS, episode

from revibranch.learning.forest import Tree
from revibranch.learning.replay import ReplayForest
from revibranch.network.graphs import collate

FIELDS = (
    "variables",
    "rows",
    "edge_index",
    "edge_attr",
    "variable_batch",
    "row_batch",
    "candidates",
    "candidate_batch",
)


def forest(*episodes, **options):
    made = ReplayForest(1000, **options)
    for one in episodes:
        made.add(one)
    return made


def who(graphs, episodes):
    """The decisions whose graphs are in a batch, found by their features."""
    known = {
        round(float(decision.observation.variables.half().float().sum()), 2): (number, decision.index)
        for number, one in enumerate(episodes)
        for decision in one.decisions
    }
    sums = torch.zeros(graphs.n_graphs).index_add(0, graphs.variable_batch, graphs.variables.half().float().sum(1))
    found = []
    for value in sums.tolist():
        near = min(known, key=lambda key: abs(key - value))
        assert abs(near - value) < 0.05
        found.append(known[near])
    return found


def test_what_is_stored_comes_back_as_it_was_but_for_half_precision():
    one = episode(PARENTS)
    tree = Tree.store(one)
    found, order = tree.batch([6, 0, 3])
    assert sorted(order) == [0, 3, 6]
    expected = collate([one.decisions[i].observation for i in order])
    for name in FIELDS:
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.variables[:, :5], expected.variables[:, :5], rtol=0, atol=0)
    torch.testing.assert_close(found.edge_attr, expected.edge_attr, rtol=0, atol=0)
    again, _ = Tree.from_state(tree.state()).batch(order)
    for name in FIELDS:
        assert torch.equal(getattr(again, name), getattr(found, name))


@pytest.mark.parametrize("trajectory", ["tree", "shuffled", "temporal"])
def test_a_batch_has_paths_memories_and_children(trajectory):
    episodes = [episode(PARENTS, 1), episode((None, 0, 1), 2, n=9, m=5)]
    replay = forest(*episodes, memory_length=2, trajectory=trajectory)
    parents = [(None, *range(6)), (None, 0, 1)] if trajectory == "temporal" else [PARENTS, (None, 0, 1)]
    for seed in range(5):
        batch = replay.sample_paths(8, torch.Generator().manual_seed(seed))
        names = who(batch.graphs, episodes)
        every = names + ([] if batch.others is None else who(batch.others, episodes))
        assert len(set(every)) == len(every)
        assert len(batch.steps) == 8
        for graph, (number, decision) in enumerate(every):
            above, expected = decision, []
            while (above := parents[number][above]) is not None and len(expected) < 2:
                expected.insert(0, (number, above))
            found = [names[i] for i in batch.memory[graph][batch.mask[graph]].tolist()]
            is_needed = graph in {*batch.steps.tolist(), *batch.children.tolist()}
            assert (sorted(found) if trajectory == "shuffled" else found) == (expected if is_needed else found)
            if graph < len(names):
                taken = episodes[number].decisions[decision]
                start = int((batch.graphs.variable_batch == graph).nonzero()[0])
                assert batch.actions[graph] == start + taken.observation.candidates[taken.action]
                assert batch.graphs.candidates[batch.taken[graph]] == batch.actions[graph]
                assert batch.depths[graph] == {"tree": taken.depth, "shuffled": 0, "temporal": decision}[trajectory]
        children = {(names[batch.steps[p]], every[c]) for p, c in zip(batch.parents.tolist(), batch.children.tolist())}
        assert children == {
            (names[s], (names[s][0], child))
            for s in batch.steps.tolist()
            for child, parent in enumerate(parents[names[s][0]])
            if parent == names[s][1]
        }
        for path, mask in zip(batch.paths, batch.path_mask):
            on_path = [names[batch.steps[i]] for i in path[mask].tolist()]
            assert all(parents[n][b] == a for (n, a), (_, b) in zip(on_path, on_path[1:]))


def test_a_decision_may_be_followed_by_more_than_two_where_scip_branched_in_between():
    one = episode((None, 0, 0, 0, 2))
    tree = Tree.store(one, "tree")
    followed = [[child for child in row if child >= 0] for row in tree.children.tolist()]
    assert followed == [[1, 2, 3], [], [4], [], []]
    assert tree.size.tolist() == [1 + sum(int(tree.size[child]) for child in below) for below in followed]


def test_returns_are_those_of_subtrees():
    one = episode(PARENTS)
    sizes = [7, 4, 2, 1, 1, 2, 1]
    for batch_size in (2, 12):
        for seed in range(6):
            batch = forest(one).sample_paths(batch_size, torch.Generator().manual_seed(seed))
            names = [decision for _, decision in who(batch.graphs, [one])]
            for path, mask, total, tail, gains in zip(
                batch.paths, batch.path_mask, batch.returns, batch.tails, batch.gains
            ):
                on_path = [names[batch.steps[i]] for i in path[mask].tolist()]
                assert float(total + tail) == pytest.approx(-math.log(sizes[on_path[0]]), abs=1e-6)
                below = [child for child, parent in enumerate(PARENTS) if parent == on_path[-1]]
                assert any(float(tail) == pytest.approx(-math.log(sizes[c]), abs=1e-6) for c in below) or (
                    not below and tail == 0
                )
                torch.testing.assert_close(
                    gains[mask], torch.as_tensor(one.gains()[on_path], dtype=torch.float32), rtol=1e-5, atol=0
                )


def test_decisions_of_large_trees_are_drawn_more_often():
    """Their shares are those of a uniformly drawn decision's path."""
    replay = forest(episode((None,), 1), episode((None, 0, 1, 2, 3, 4, 5, 6), 2))
    generator = torch.Generator().manual_seed(0)
    sizes = [len(replay.sample_paths(1, generator).returns) for _ in range(3)]
    assert sizes == [1, 1, 1]
    tails = [float(replay.sample_paths(16, generator).returns.min()) for _ in range(30)]
    assert sum(tail < -1 for tail in tails) > 25


def test_the_oldest_episodes_go_first():
    replay = ReplayForest(10)
    for seed in range(4):
        replay.add(episode(PARENTS[:4], seed))
    assert len(replay) == 8
    expected = collate([episode(PARENTS[:4], 2).decisions[0].observation])
    torch.testing.assert_close(replay.trees[0].batch([0])[0].variables, expected.variables, rtol=1e-3, atol=1e-4)


def test_two_thousand_nodes_of_400_rows_and_750_columns_need_less_than_600_megabytes():
    one = episode((None, *range(9)), n=750, m=400, k=60, density=0.05)
    edges = one.decisions[0].observation.edge_index.shape[1]
    assert edges > 14_000
    assert forest(one).nbytes / 10 * 2000 < 120e6


def test_an_episode_without_branching_is_not_kept():
    replay = ReplayForest(10)
    replay.add(episode(()))
    with pytest.raises(ValueError, match="the replay is empty"):
        replay.sample_paths(2, torch.Generator())
    assert len(replay) == 0


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="at least one decision, not 0"):
        ReplayForest(0)
    with pytest.raises(ValueError, match="at least one decision, not 0"):
        forest(episode(PARENTS)).sample_paths(0, torch.Generator())
