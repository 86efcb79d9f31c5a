import pytest
import torch
from small_problems import Cover, Dying, Failing, LinearPolicy

from revibranch.configs import ScipConfig
from revibranch.scip.rules import RandomRule
from revibranch.search.branching import PolicyRule
from revibranch.search.rollouts import Job, RolloutPool


def same(ours, theirs):
    assert (ours.n_nodes, ours.n_lp_iterations) == (theirs.n_nodes, theirs.n_lp_iterations)
    assert ours.objective == theirs.objective
    assert len(ours.decisions) == len(theirs.decisions)
    for one, other in zip(ours.decisions, theirs.decisions):
        assert (one.number, one.parent, one.action) == (other.number, other.parent, other.action)
        assert (one.bound, one.child_bounds) == (other.bound, other.child_bounds)
        for name in ("variables", "rows", "edge_index", "edge_attr", "candidates"):
            assert torch.equal(getattr(one.observation, name), getattr(other.observation, name))
    programs = [[id(d.observation.edge_index) for d in episode.decisions] for episode in (ours, theirs)]
    assert len(set(programs[0])) == len(set(programs[1]))


@pytest.mark.parametrize("n_workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_processes_find_the_same_episodes_and_what_they_raise_comes_out(n_workers):
    policy = LinearPolicy()
    jobs = [Job(Cover(seed, 28, 56, presolved=False), PolicyRule(policy, 0.2, seed), seed) for seed in (0, 4)]
    jobs += [Job(Cover(4, 22, 44), RandomRule(5), 7), Job(Cover(3), "pscost", 1)]
    config = ScipConfig(depth_first=True)
    expected = RolloutPool(0).run(jobs, config)
    with RolloutPool(n_workers) as pool:
        for ours, theirs in zip(pool.run(jobs, config), expected, strict=True):
            same(ours, theirs)
        with torch.no_grad():
            policy.weight.neg_()
        for ours, theirs in zip(pool.run(jobs[:1], config), RolloutPool(0).run(jobs[:1], config), strict=True):
            same(ours, theirs)
            assert [d.action for d in ours.decisions] != [d.action for d in expected[0].decisions]
        with pytest.raises(ValueError, match="mine"):
            pool.run([Job(Cover(1, 28, 56, presolved=False), Failing(ValueError("mine")))])


@pytest.mark.slow
def test_a_process_that_ends_is_one_error():
    with RolloutPool(1) as pool, pytest.raises(RuntimeError, match="exit code 3"):
        pool.run([Job(Cover(1, 35, 70), Dying())])


def test_what_an_instance_raises_comes_out_without_processes(tmp_path):
    with pytest.raises(FileNotFoundError):
        RolloutPool(0).run([Job(tmp_path / "absent.lp", "scip")])


def test_pools_that_cannot_be():
    with pytest.raises(ValueError, match="at least 0"):
        RolloutPool(-1)
    with pytest.raises(RuntimeError, match="context"):
        RolloutPool(2).run([])
