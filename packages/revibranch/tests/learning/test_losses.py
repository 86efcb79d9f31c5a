import copy
import math

import pytest
import torch
from bipartite import PARENTS, episode

from revibranch.configs import PolicyConfig, TrainConfig
from revibranch.learning.losses import imitation_loss, loss
from revibranch.learning.replay import ReplayForest
from revibranch.network.policy import ReviBranchPolicy

CONFIG = PolicyConfig(embedding_size=8, n_heads=2, n_layers=1, feedforward_size=16, dropout=0.0, memory_length=3)
TREE_ONLY = TrainConfig(eta=0.0)


def setting(trajectory="tree", revival=True, parents=PARENTS):
    torch.manual_seed(0)
    policy = ReviBranchPolicy(PolicyConfig(8, 2, 1, 16, 0.0, 3, revival))
    replay = ReplayForest(100, 3 if revival else 0, trajectory)
    replay.add(episode(parents))
    return policy, copy.deepcopy(policy), replay


def decode_as(policy, value):
    """Let a policy say the same value for every candidate of a graph."""
    policy.decode = lambda embeddings, graphs, memory, mask: value(graphs)[graphs.candidate_batch]
    return policy


@pytest.mark.parametrize("trajectory", ["tree", "temporal"])
def test_true_sizes_are_the_fixed_point(trajectory):
    """A table in place of the network: with the logarithms of subtree sizes, the Bellman error is nothing."""
    policy, target, replay = setting(trajectory)
    batch = replay.sample_paths(12, torch.Generator().manual_seed(0))
    tree = replay.trees[0]
    known = {float(tree.batch([i])[0].variables.sum()): int(tree.size[i]) for i in range(len(tree))}

    def sizes(graphs):
        sums = torch.zeros(graphs.n_graphs).index_add(0, graphs.variable_batch, graphs.variables.sum(1))
        return -torch.tensor([math.log(known[min(known, key=lambda k: abs(k - value))]) for value in sums.tolist()])

    found = loss(decode_as(policy, sizes), decode_as(target, sizes), batch, TREE_ONLY)
    assert float(found) == pytest.approx(0, abs=1e-9)
    wrong = loss(decode_as(policy, lambda g: sizes(g) - 1), decode_as(target, sizes), batch, TREE_ONLY)
    assert float(wrong) == pytest.approx(1, abs=1e-5)


def test_double_q_learning_selects_by_the_policy_and_values_by_the_target():
    policy, target, replay = setting(parents=(None, 0))
    batches = (replay.sample_paths(1, torch.Generator().manual_seed(seed)) for seed in range(50))
    batch = next(one for one in batches if len(one.children))
    graphs = batch.all_graphs
    best = 3
    places = torch.arange(len(graphs.candidates)) % 5
    policy.decode = lambda e, g, memory, mask: (torch.arange(len(g.candidates)) % 5 == best).float()
    target.decode = lambda e, g, memory, mask: -2.0 - torch.arange(len(g.candidates)) % 5
    q = float(places[batch.taken[batch.steps]] == best)
    expected = (q + math.log(1 + math.exp(2.0 + best))) ** 2
    assert float(loss(policy, target, batch, TREE_ONLY)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("revival", [True, False])
def test_gradients_reach_the_past_only_with_revival(revival):
    policy, target, replay = setting(revival=revival)
    batch = replay.sample_paths(8, torch.Generator().manual_seed(0))
    loss(policy, target, batch, TREE_ONLY).backward()
    size = sum(float(p.grad.abs().sum()) for p in policy.step_builder.parameters() if p.grad is not None)
    assert (size > 0) is revival
    assert all(p.grad is None for p in target.parameters())
    assert policy.encoder.to_rows.edge.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "importance", ["learned", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gain", "uniform", "sparse"))]
)
def test_paths_are_fitted_under_every_importance(importance):
    policy, target, replay = setting()
    config = TrainConfig(importance=importance, eta=0.5)
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    losses = []
    for step in range(40):
        optimizer.zero_grad()
        value = loss(policy, target, replay.sample_paths(8, torch.Generator().manual_seed(step)), config)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_a_sparse_return_is_the_subtree_size_for_every_step_but_not_an_even_one():
    """Returns to go: the whole of it at each step, or what is left of it."""
    policy, target, replay = setting()
    batch = replay.sample_paths(6, torch.Generator().manual_seed(0))
    decode_as(policy, lambda graphs: torch.zeros(graphs.n_graphs))
    decode_as(target, lambda graphs: torch.zeros(graphs.n_graphs))

    def redistributed(importance):
        with_it = loss(policy, target, batch, TrainConfig(importance=importance, eta=1.0))
        return float(with_it - loss(policy, target, batch, TREE_ONLY))

    whole, even = [], []
    for total, tail, mask in zip(batch.returns.tolist(), batch.tails.tolist(), batch.path_mask):
        n = int(mask.sum())
        whole += [(total + tail) ** 2] * n
        even += [(total * (n - k) / n + tail) ** 2 for k in range(n)]
    assert redistributed("sparse") == pytest.approx(sum(whole) / len(whole), rel=1e-5)
    assert redistributed("uniform") == pytest.approx(sum(even) / len(even), rel=1e-5)


def test_choices_are_imitated():
    policy, _, replay = setting()
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    batch = replay.sample_paths(12, torch.Generator().manual_seed(0))
    first = float(imitation_loss(policy, batch))
    assert first == pytest.approx(math.log(5), abs=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        value = imitation_loss(policy, batch)
        value.backward()
        optimizer.step()
        if value < 0.4 * first:
            break
    assert float(imitation_loss(policy, batch)) < 0.5 * first
