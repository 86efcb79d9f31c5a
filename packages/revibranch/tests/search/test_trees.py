import math

import numpy as np
import pytest
from small_problems import Cover, Search

from revibranch.configs import ScipConfig
from revibranch.scip.models import make_scip_model
from revibranch.scip.rules import RandomRule
from revibranch.search.trees import Decision, Episode, install_recorder


@pytest.fixture(scope="module", params=[False, True], ids=["default", "depth first"])
def recorded(request):
    model = make_scip_model(Cover(4, 22, 44), ScipConfig(depth_first=request.param))
    search = Search.install(model)
    recorder = install_recorder(model, RandomRule())
    model.optimize()
    recorder.check()
    return model, search, recorder


def test_the_tree_is_that_of_scip(recorded):
    _, search, recorder = recorded
    episode = recorder.episode()
    numbers = [decision.number for decision in episode.decisions]
    assert numbers == [number for number, _ in recorder.branchings]
    assert len(numbers) == len(set(numbers)) > 5
    for decision in episode.decisions:
        above = None if decision.parent is None else numbers[decision.parent]
        assert search.parents.get(decision.number) == above
        assert decision.depth == (0 if above is None else episode.decisions[decision.parent].depth + 1)
        assert decision.parent is None or decision.parent < decision.index
    assert all(len(below) <= 2 for below in episode.children)
    assert sum(decision.parent is None for decision in episode.decisions) == 1


def test_counts_are_those_of_scip(recorded):
    model, _, recorder = recorded
    episode = recorder.episode()
    assert (episode.n_nodes, episode.n_lp_iterations) == (model.getNTotalNodes(), model.getNLPIterations())
    assert len(episode.decisions) < episode.n_nodes <= 2 * len(episode.decisions) + 1
    assert (episode.status, episode.solved) == ("optimal", True)
    assert episode.objective == pytest.approx(episode.dual_bound)


def test_bounds_of_children_are_those_with_which_scip_left_them(recorded):
    model, search, recorder = recorded
    episode = recorder.episode()
    cutoff = model.getUpperbound()
    for decision, below in zip(episode.decisions, episode.children):
        assert decision.bound == search.bounds[decision.number]
        known = [bound for bound in decision.child_bounds if bound is not None]
        assert all(min(decision.bound, cutoff) - 1e-6 <= bound <= cutoff for bound in known)
        # A child that was branched on has its own decision, with its own bound.
        assert {min(episode.decisions[child].bound, cutoff) for child in below} <= set(known)


def test_sizes_and_paths_agree_with_a_walk_through_the_tree(recorded):
    episode = recorded[2].episode()

    def size(number):
        return 1 + sum(size(one.number) for one in episode.decisions if numbers.get(one.parent) == number)

    numbers = {decision.index: decision.number for decision in episode.decisions}
    assert episode.subtree_sizes().tolist() == [size(decision.number) for decision in episode.decisions]
    paths = episode.paths()
    assert {index for path in paths for index in path} == set(numbers)
    assert all(episode.decisions[below].parent == above for path in paths for above, below in zip(path, path[1:]))
    assert len({path[-1] for path in paths}) == len(paths)
    assert len(paths) == sum(not below for below in episode.children)


def make_episode(*decisions):
    """Decisions given as parent, bound, bounds of the children; what they saw does not matter here."""
    seen = next(iter(_seen()))
    made = [Decision(i, 10 + i, parent, 0, seen, 0, bound, pair) for i, (parent, bound, pair) in enumerate(decisions)]
    return Episode(tuple(made), 9, 9, "optimal", 0.0, 0.0, 0.0)


def _seen():
    import torch

    from revibranch.scip.observation import Observation

    index = torch.zeros(2, 0, dtype=torch.int64)
    yield Observation(torch.zeros(1, 19), torch.zeros(1, 14), index, torch.zeros(0, 1), index[0])


def test_gains_by_hand():
    episode = make_episode(
        (None, -20.0, (-18.0, -15.0)),
        (0, -18.0, (None, -10.0)),
        (0, -15.0, (None, None)),
        (1, -10.0, (math.inf, math.inf)),
        (1, -10.0, (-10.5, -3.0)),
    )
    np.testing.assert_allclose(episode.gains(), [2 / 20, 8 / 20, 0, 0, 0], rtol=1e-6)
    assert episode.children == ((1, 2), (3, 4), (), (), ())
    assert episode.subtree_sizes().tolist() == [5, 3, 1, 1, 1]
    assert episode.paths() == [[0, 2], [0, 1, 3], [0, 1, 4]]
    assert make_episode().gains().shape == (0,)
