import itertools
import math

import pytest
import torch

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.path import PathConqueror, Paths, normalize_windows, path_length

# A small bound of the logits, so that no path is improbable.
SMALL = ConquerorConfig(dim=16, layers=1, hidden=16, clip=0.5)


def windows(n_subs=3, n=6, seed=0):
    points = torch.rand(n_subs, n, 2, generator=torch.Generator().manual_seed(seed))
    current = torch.arange(n).expand(n_subs, -1)
    return Paths(current, path_length(points, current), points)


def conqueror(seed=0):
    torch.manual_seed(seed)
    return PathConqueror(SMALL)


def length(points, order):
    return sum(math.dist(points[a].tolist(), points[b].tolist()) for a, b in itertools.pairwise(order))


def orders(n):
    """All paths from the first node to the last."""
    return [[0, *inner, n - 1] for inner in itertools.permutations(range(1, n - 1))]


@pytest.mark.parametrize("n_starts", [1, 2, 5])
def test_answers_are_paths_between_the_ends_with_their_lengths(n_starts):
    sub = windows()
    found = conqueror().rollout(sub, n_starts, torch.Generator().manual_seed(1))
    assert found.answers.shape == (3, n_starts, 6)
    assert (found.answers[..., 0] == 0).all()
    assert (found.answers[..., -1] == 5).all()
    assert (found.answers.sort(-1).values == torch.arange(6)).all()
    for i, j in itertools.product(range(3), range(n_starts)):
        assert found.costs[i, j].item() == pytest.approx(length(sub.points[i], found.answers[i, j].tolist()), rel=1e-5)


def test_no_answer_is_shorter_than_the_optimum_and_many_reach_it():
    sub = windows()
    best, costs = conqueror().rollout(sub, 400, torch.Generator().manual_seed(1)).best()
    for i in range(3):
        optimum = min(length(sub.points[i], order) for order in orders(6))
        assert costs[i].item() == pytest.approx(optimum, rel=1e-5)
        assert length(sub.points[i], best[i].tolist()) == pytest.approx(optimum, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_probabilities_of_all_paths_add_up_to_one_in_both_directions(seed):
    sub, network = windows(1, 5), conqueror(seed)
    found = network.rollout(sub, 400, torch.Generator().manual_seed(1), record=True)
    probabilities = network.log_probs(sub, found).exp()[0].tolist()
    for half in (slice(200), slice(200, 400)):
        seen = dict(zip(map(tuple, found.answers[0, half].tolist()), probabilities[half], strict=True))
        assert len(seen) == 6
        assert sum(seen.values()) == pytest.approx(1, abs=1e-5)


def test_answers_are_drawn_with_their_probabilities():
    sub, network = windows(1, 5), conqueror()
    found = network.rollout(sub, 4000, torch.Generator().manual_seed(1), record=True)
    probabilities = network.log_probs(sub, found).exp()[0, :2000].tolist()
    drawn = list(map(tuple, found.answers[0, :2000].tolist()))
    for path, probability in dict(zip(drawn, probabilities, strict=True)).items():
        assert drawn.count(path) / 2000 == pytest.approx(probability, abs=4 * math.sqrt(0.25 / 2000))


def test_greedy_answers_do_not_change_with_the_other_windows():
    sub, network = windows(3), conqueror()
    together = network.rollout(sub, 2).answers
    alone = torch.cat([network.rollout(sub[i : i + 1], 2).answers for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_a_rollout_that_was_not_recorded_has_no_probabilities():
    sub, network = windows(), conqueror()
    with pytest.raises(ValueError, match="record"):
        network.log_probs(sub, network.rollout(sub, 2))


def test_windows_of_three_points_have_one_path():
    sub = windows(2, 3)
    found = conqueror().rollout(sub, 2, record=True)
    assert found.answers.tolist() == [[[0, 1, 2]] * 2] * 2
    torch.testing.assert_close(conqueror().log_probs(sub, found), torch.zeros(2, 2))


@pytest.mark.parametrize("factor", [(1.0, 3.0), (3.0, 1.0)])
def test_normalized_windows_are_similar_to_the_given_ones_and_wide(factor):
    points = windows(4, 9).points * torch.tensor(factor) * 500 - 77
    inside, scale = normalize_windows(points)
    torch.testing.assert_close(torch.cdist(inside, inside) * scale[:, None, None], torch.cdist(points, points))
    width, height = (inside.amax(1) - inside.amin(1)).unbind(-1)
    assert (inside >= 0).all()
    torch.testing.assert_close(width, torch.ones(4))
    assert (height <= width).all()
