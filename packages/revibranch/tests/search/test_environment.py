import numpy as np
import pytest
from small_problems import Cover, Failing, LinearPolicy

from revibranch.configs import ScipConfig
from revibranch.scip.rules import RandomRule
from revibranch.search.branching import PolicyRule
from revibranch.search.environment import SCIPEnv

DEEP = Cover(4, 28, 56, presolved=False)
"""A few dozen nodes."""


def test_the_optimum_is_that_of_brute_force():
    problems = [Cover(seed, 12, 14) for seed in range(5)]
    env = SCIPEnv(problems)
    chosen = np.array(np.meshgrid(*[[0, 1]] * 14)).reshape(14, -1)
    for number, problem in enumerate(problems):
        matrix, costs = problem.data()
        best = (costs @ chosen)[(matrix.astype(int) @ chosen >= 1).all(0)].min()
        assert env.rollout(RandomRule(), number).objective == pytest.approx(best)
        assert env.rollout("pscost", number).objective == pytest.approx(best)


def test_episodes_are_the_same_again_and_differ_by_seed():
    env = SCIPEnv([Cover(4, 22, 44)], ScipConfig(depth_first=True))
    rule = PolicyRule(LinearPolicy())
    first, again, other = (env.rollout(rule, 0, seed) for seed in (3, 3, 4))
    counts = [(one.n_nodes, one.n_lp_iterations, [d.action for d in one.decisions]) for one in (first, again, other)]
    assert counts[0] == counts[1] != counts[2]


def test_recording_changes_nothing_but_what_is_kept():
    env = SCIPEnv([DEEP])
    whole, bare = (env.rollout(RandomRule(), 0, record=record) for record in (True, False))
    assert (whole.n_nodes, whole.n_lp_iterations) == (bare.n_nodes, bare.n_lp_iterations)
    assert whole.decisions
    assert not bare.decisions


def test_files_limits_and_errors(tmp_path):
    path = tmp_path / "cover.mps"
    Cover(4, 22, 44).to_scip().writeProblem(str(path), verbose=False)
    episode = SCIPEnv([path], ScipConfig(node_limit=4)).rollout(RandomRule(), 0)
    assert (episode.status, episode.solved, episode.n_nodes) == ("nodelimit", False, 4)
    env = SCIPEnv([DEEP])
    with pytest.raises(KeyboardInterrupt):
        env.rollout(Failing(KeyboardInterrupt()), 0)
    with pytest.raises(FileNotFoundError):
        env.rollout("scip", tmp_path / "absent.lp")
    with pytest.raises(ValueError, match="choose from"):
        env.rollout("best", 0)
    with pytest.raises(ValueError, match="at least one"):
        SCIPEnv([])
