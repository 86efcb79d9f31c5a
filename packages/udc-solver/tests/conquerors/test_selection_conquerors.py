"""Networks for windows of prizes, groups of items and subgraphs: enumeration, and probabilities that add up."""

import itertools
import math

import pytest
import torch

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.independent_set import SubgraphConqueror, Subgraphs
from udc_solver.conquerors.knapsack import GroupConqueror, Groups
from udc_solver.conquerors.prizes import (
    LEFT_OUT,
    CollectingEpisode,
    LimitedEpisode,
    PrizeConqueror,
    PrizePaths,
    is_listed,
)

N = 6
SMALL = ConquerorConfig(16, 1, 32, 2)
EPISODES = [LimitedEpisode, CollectingEpisode]


def windows(subs=3, seed=0, via=None, budget=None):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(subs, N, 2, generator=generator)
    prizes, penalties = torch.rand(2, subs, N, generator=generator)
    current = torch.tensor([0, 2, 3, N - 1, LEFT_OUT, LEFT_OUT]).expand(subs, -1)
    via = torch.full((subs,), 2 if via is None else via)
    budget = torch.full((subs,), 1.9 if budget is None else budget)
    return PrizePaths(current, torch.zeros(subs), points, prizes, 0.3 * penalties, budget, via)


def every_path(sub, row, episode_type):
    """Costs of all paths by plain loops, by the tuple of their points."""
    p = sub.points[row].tolist()
    prizes, penalties, budget = sub.prizes[row].tolist(), sub.penalties[row].tolist(), float(sub.budget[row])
    found = {}
    for n in range(N - 1):
        for middle in itertools.permutations(range(1, N - 1), n):
            path = (0, *middle, N - 1)
            if int(sub.via[row]) not in path:
                continue
            length = sum(math.dist(p[a], p[b]) for a, b in itertools.pairwise(path))
            prize = sum(prizes[i] for i in path)
            if episode_type is LimitedEpisode and length <= budget:
                found[path] = -prize
            if episode_type is CollectingEpisode and prize >= budget:
                found[path] = length + sum(penalties[i] for i in range(N) if i not in path)
    return found


def path_of(answer):
    return tuple(answer[answer != LEFT_OUT].tolist())


@pytest.mark.parametrize("episode_type", EPISODES)
@pytest.mark.parametrize("via", [2, N - 1])
def test_answers_are_paths_with_their_costs_and_the_best_is_among_many(episode_type, via):
    torch.manual_seed(0)
    conqueror = PrizeConqueror(episode_type, ConquerorConfig(16, 1, 32, 2, clip=0.5))
    sub = windows(via=via)
    rollout = conqueror.rollout(sub, 800, torch.Generator().manual_seed(1))
    for row in range(len(sub)):
        paths = every_path(sub, row, episode_type)
        for answer, cost in zip(rollout.answers[row], rollout.costs[row].tolist()):
            # An answer that is not worse than nothing is feasible, and costs what the loops say.
            assert paths[path_of(answer)] == pytest.approx(cost, abs=1e-5)
        assert float(rollout.costs[row].min()) == pytest.approx(min(paths.values()), abs=1e-5)
        seen = {path_of(answer) for answer in rollout.answers[row]}
        if episode_type is CollectingEpisode:
            assert seen == set(paths)


def test_limited_paths_stop_only_when_nothing_fits():
    torch.manual_seed(0)
    sub = windows(subs=5, seed=2)
    rollout = PrizeConqueror(LimitedEpisode, SMALL).rollout(sub, 20, torch.Generator().manual_seed(1))
    for row in range(5):
        paths = every_path(sub, row, LimitedEpisode)
        for answer in rollout.answers[row]:
            path = path_of(answer)
            for other in set(range(1, N - 1)) - set(path):
                # It could not have gone on from either end.
                assert (*path[:-1], other, N - 1) not in paths or (0, other, *path[1:]) not in paths


def test_a_budget_that_allows_no_path_gives_none():
    conqueror = PrizeConqueror(LimitedEpisode, SMALL)
    rollout = conqueror.rollout(windows(budget=0.0), 4, torch.Generator().manual_seed(1))
    assert rollout.costs.isinf().all()
    rollout = PrizeConqueror(CollectingEpisode, SMALL).rollout(windows(budget=99.0), 4)
    assert rollout.costs.isinf().all()
    assert is_listed(rollout.answers).all()


def groups(subs=3, n=6):
    weights, values = torch.rand(2, subs, n, generator=torch.Generator().manual_seed(0))
    current = torch.zeros(subs, n, dtype=torch.bool)
    return Groups(current, torch.zeros(subs), weights, values, torch.tensor([1.2, 0.0, 99.0])[:subs])


def test_groups_against_enumeration():
    torch.manual_seed(0)
    sub = groups()
    rollout = GroupConqueror(ConquerorConfig(16, 1, 32, clip=0.5)).rollout(sub, 300, torch.Generator().manual_seed(1))
    masks = torch.tensor(list(itertools.product([False, True], repeat=6)))
    for row in range(3):
        fits = (masks * sub.weights[row]).sum(1) <= sub.capacity[row]
        best = (masks * sub.values[row]).sum(1)[fits].max()
        assert float(-rollout.costs[row].min()) == pytest.approx(float(best))
        assert ((rollout.answers[row] * sub.weights[row]).sum(1) <= sub.capacity[row] + 1e-6).all()
        torch.testing.assert_close(-rollout.costs[row], (rollout.answers[row] * sub.values[row]).sum(1))


def subgraphs():
    adjacency = torch.zeros(2, 6, 6, dtype=torch.bool)
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)):
        adjacency[0, a, b] = adjacency[0, b, a] = True
    free = torch.tensor([[True, True, True, True, False, True], [True, False, True, True, True, True]])
    current = torch.zeros(2, 6, dtype=torch.bool)
    return Subgraphs(current, torch.zeros(2), adjacency, free)


def test_subgraphs_against_enumeration():
    torch.manual_seed(0)
    sub = subgraphs()
    rollout = SubgraphConqueror(ConquerorConfig(16, 2)).rollout(sub, 200, torch.Generator().manual_seed(1))
    masks = torch.tensor(list(itertools.product([False, True], repeat=6)))
    for row in range(2):
        free = (masks & ~sub.free[row]).sum(1) == 0
        alone = ((masks[:, :, None] & masks[:, None] & sub.adjacency[row]).sum((1, 2))) == 0
        allowed = {tuple(mask) for mask in masks[free & alone].tolist()}
        answers = {tuple(answer) for answer in rollout.answers[row].tolist()}
        assert answers <= allowed
        assert -float(rollout.costs[row].min()) == max(map(sum, allowed))
        # Maximal ones only, and all of those are found.
        maximal = {a for a in allowed if not any(sum(b) == sum(a) + 1 and all(map(bool.__le__, a, b)) for b in allowed)}
        assert answers == maximal


@pytest.mark.parametrize(
    ("make", "sub", "n_starts"),
    [
        (lambda: PrizeConqueror(LimitedEpisode, SMALL), windows(), 4),
        (lambda: PrizeConqueror(CollectingEpisode, SMALL), windows(), 4),
        (lambda: GroupConqueror(ConquerorConfig(16, 1, 32)), groups(), 4),
        (lambda: SubgraphConqueror(ConquerorConfig(16, 2)), subgraphs(), 4),
    ],
)
def test_probabilities(make, sub, n_starts):
    """Those of recorded answers are the products of their steps, each computed alone."""
    torch.manual_seed(0)
    conqueror = make().eval()
    rollout = conqueror.rollout(sub, n_starts, torch.Generator().manual_seed(1), record=True)
    expected = torch.zeros(len(sub), n_starts)
    encoded = conqueror.encode(sub)
    for step in range(rollout.chosen.shape[1]):
        inputs = {name: value[:, step] for name, value in rollout.inputs.items()}
        logits = conqueror.logits(encoded, inputs, rollout.allowed[:, step])
        for row in range(len(sub)):
            for start in range(n_starts):
                allowed = rollout.allowed[row, step, start].nonzero()[:, 0].tolist()
                chosen = int(rollout.chosen[row, step, start])
                assert chosen in allowed
                weights = {node: math.exp(float(logits[row, start, node])) for node in allowed}
                expected[row, start] += math.log(weights[chosen] / sum(weights.values()))
    log_probs = conqueror.log_probs(sub, rollout)
    torch.testing.assert_close(log_probs.detach(), expected, rtol=1e-4, atol=1e-4)
    log_probs.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in conqueror.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in conqueror.parameters())


def test_probabilities_of_all_answers_add_up_to_one():
    """With two free items, all orders of choices can be listed."""
    torch.manual_seed(0)
    conqueror = PrizeConqueror(CollectingEpisode, SMALL)
    sub = windows(subs=1, budget=0.0, via=N - 1)
    rollout = conqueror.rollout(sub, 4000, torch.Generator().manual_seed(1), record=True)
    # Forward answers only: the first half.
    log_probs = conqueror.log_probs(sub, rollout)[0, :2000].detach()
    share = {}
    for answer, log_prob in zip(rollout.answers[0, :2000], log_probs.tolist()):
        share.setdefault(path_of(answer), []).append(log_prob)
    assert sum(math.exp(values[0]) for values in share.values()) == pytest.approx(1, abs=0.03)
    for values in share.values():
        probability = math.exp(values[0])
        assert len(values) / 2000 == pytest.approx(probability, abs=5 * math.sqrt(probability / 2000))
