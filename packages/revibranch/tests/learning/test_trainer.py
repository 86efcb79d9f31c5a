import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from pyscipopt import Model
from small_problems import Cover

from revibranch.configs import PolicyConfig, ScipConfig, TrainConfig
from revibranch.learning.runs import RunConfig, train
from revibranch.learning.trainer import Trainer, geometric_mean
from revibranch.network.policy import ReviBranchPolicy, load
from revibranch.scip.rules import RandomRule
from revibranch.search.branching import PolicyRule
from revibranch.search.rollouts import Job, RolloutPool
from separata.runs import RunFolder, read_csv
from separata.training import seeded

NETWORK = PolicyConfig(embedding_size=8, n_heads=2, n_layers=1, feedforward_size=16, memory_length=4)
SHORT = TrainConfig(
    n_episodes=5, batch_size=4, lr=3e-3, updates_per_decision=0.2, target_update=2, n_before=10, evaluate_every=2
)
PROBLEMS = [Cover(seed, 16, 32, presolved=False) for seed in (1, 2, 3)]
"""Solved in about ten nodes."""


def make_policy(seed=0):
    with seeded(seed):
        return ReviBranchPolicy(NETWORK)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a training that nothing interrupted, its settings and its report."""
    folder, config = tmp_path_factory.mktemp("finished"), RunConfig(NETWORK, SHORT, instances=("covers",))
    return folder, config, train(PROBLEMS, folder, config, validation=PROBLEMS[:1])


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_numbers_of_nodes_are_averaged_by_their_shifted_geometric_mean():
    assert geometric_mean([0, 3]) == pytest.approx(1.0)
    assert geometric_mean([1, 1]) == pytest.approx(1.0)


def test_exploration_falls_over_the_first_half():
    trainer = Trainer(make_policy(), PROBLEMS, TrainConfig(n_episodes=10, epsilon=0.9, final_epsilon=0.1))
    assert [trainer.epsilon(n) for n in range(0, 10, 2)] == pytest.approx([0.9, 0.58, 0.26, 0.1, 0.1])


def test_a_policy_learns_to_need_fewer_nodes_than_chance():
    problem = Cover(1, presolved=False)
    with RolloutPool() as pool:
        jobs = [Job(problem, RandomRule(seed)) for seed in range(8)]
        chance = geometric_mean([one.n_nodes for one in pool.run(jobs, record=False)])
        policy = make_policy(2)
        (untrained,) = pool.run([Job(problem, PolicyRule(policy.eval()))], record=False)
    config = TrainConfig(
        n_episodes=8,
        batch_size=8,
        lr=5e-3,
        updates_per_decision=0.2,
        target_update=10,
        n_before=20,
        final_epsilon=0.05,
        evaluate_every=4,
        eta=0.3,
    )
    rows = []
    trainer = Trainer(policy, [problem], config, validation=[problem], log=rows.append)
    trainer.fit()
    with RolloutPool() as pool:
        nodes = trainer.evaluate(pool)
    assert nodes == trainer.best_nodes == min(r["validation_nodes"] for r in rows if r["validation_nodes"] > 0)
    assert nodes < chance < untrained.n_nodes
    learned = [row["loss"] for row in rows if math.isfinite(row["loss"])]
    assert learned[-1] < learned[0]


class Stopped(Exception):
    pass


def test_a_training_that_was_interrupted_goes_on_as_if_nothing_had_happened(finished, tmp_path):
    def stop(row):
        if row["episode"] == 2:
            raise Stopped

    options = {"validation": PROBLEMS[:1]}
    undisturbed, rows, rest = load(finished[2].model, "cpu"), read_csv(finished[0] / "history.csv"), []
    with pytest.raises(Stopped):
        Trainer(make_policy(), PROBLEMS, SHORT, folder=tmp_path, log=stop, **options).fit()
    resumed = make_policy(seed=1)
    trainer = Trainer(resumed, PROBLEMS, SHORT, folder=tmp_path, log=rest.append, **options)
    assert trainer.done == 2
    trainer.fit()
    assert same(resumed, undisturbed)
    assert trainer.n_updates == finished[2].n_updates > 3
    compared = ("episode", "nodes", "lp_iterations", "epsilon", "loss")
    numbers = [[[row[name] for name in compared] for row in of] for of in (rest, rows[2:])]
    np.testing.assert_array_equal(*numbers)  # for which a loss of no updates, NaN, is itself
    with pytest.raises(ValueError, match="not the progress of this training"):
        Trainer(ReviBranchPolicy(PolicyConfig(16)), PROBLEMS, SHORT, folder=tmp_path)


@pytest.mark.slow
def test_episodes_that_are_explored_together_are_explored_together_again(tmp_path):
    """An evaluation falls into the second pair of episodes, and the interruption right behind it."""

    def stop(row):
        if row["episode"] == 4:
            raise Stopped

    config = replace(SHORT, n_episodes=6, n_workers=2, evaluate_every=3)
    options = {"validation": PROBLEMS[:1]}
    undisturbed, resumed = make_policy(), make_policy()
    Trainer(undisturbed, PROBLEMS, config, **options).fit()
    with pytest.raises(Stopped):
        Trainer(make_policy(), PROBLEMS, config, folder=tmp_path, log=stop, **options).fit()
    trainer = Trainer(resumed, PROBLEMS, config, folder=tmp_path, **options)
    assert trainer.done == 4
    trainer.fit()
    assert same(resumed, undisturbed)


def test_trees_that_left_the_replay_leave_the_disk(tmp_path):
    config = TrainConfig(n_episodes=4, n_before=10**6, capacity=1, evaluate_every=1)
    trainer = Trainer(make_policy(), PROBLEMS, config, folder=tmp_path)
    trainer.fit()
    assert len(list((tmp_path / "replay").iterdir())) == len(trainer.replay.trees) == 1


def test_strong_branching_is_imitated_first():
    config = TrainConfig(n_episodes=1, batch_size=8, lr=3e-3, n_demonstrations=2, n_before=10**6, evaluate_every=0)
    policy = make_policy()
    trainer = Trainer(policy, PROBLEMS, config)
    trainer.fit()
    assert trainer.n_updates > 0
    assert not same(policy, make_policy())
    assert trainer.is_normalized


def test_searches_that_were_cut_short_are_not_learned_from():
    problems = [Cover(seed, presolved=False) for seed in range(3)]
    trainer = Trainer(make_policy(), problems, SHORT, scip=ScipConfig(node_limit=3))
    trainer.fit()
    assert len(trainer.replay) == trainer.n_updates == 0


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    config = TrainConfig(n_episodes=3, batch_size=4, lr=1e30, updates_per_decision=1.0, n_before=1, evaluate_every=0)
    with pytest.raises(ValueError, match="training diverged after .* lower the learning rate"):
        train(PROBLEMS[:1], tmp_path / "run", RunConfig(NETWORK, config))
    assert not RunFolder(tmp_path / "run").has_begun


def test_a_training_on_disk_leaves_a_policy_and_its_history(finished):
    place, config, report = finished
    policy = load(report.model, "cpu")
    assert policy.config == NETWORK
    assert report.n_episodes == 5
    folder = RunFolder.open(place)
    folder.history.resume(lambda _: True)
    assert [row["episode"] for row in folder.history.rows] == list(range(5))
    assert folder.config(RunConfig) == config
    with RolloutPool() as pool:
        trainer = Trainer(policy, PROBLEMS, SHORT, validation=PROBLEMS[:1])
        assert trainer.evaluate(pool) == report.nodes
    with pytest.raises(ValueError, match="already holds a training"):
        train(PROBLEMS, place, config)
    again = train(PROBLEMS, place, config, validation=PROBLEMS[:1], resume=True)
    assert again == report
    assert same(load(again.model, "cpu"), policy)


@dataclass(frozen=True)
class Easy:
    """Solved without branching, whatever the seed."""

    n_columns: int = 3

    def to_scip(self):
        model = Model()
        model.hideOutput()
        for j in range(self.n_columns):
            model.addVar(f"x{j}", vtype="B", obj=1.0)
        return model


def watched(trainer):
    """The instances that a training solves, in order."""
    chosen = []
    job = trainer._job

    def note(position, rule):
        chosen.append(trainer._instance(position))
        return job(position, rule)

    trainer._job = note
    return chosen


def test_what_is_solved_at_the_root_is_solved_once():
    instances = [Easy(3), PROBLEMS[0], Easy(4), PROBLEMS[1]]
    config = TrainConfig(n_episodes=10, n_before=10**6, evaluate_every=0)
    trainer = Trainer(make_policy(), instances, config)
    chosen = watched(trainer)
    trainer.fit()
    assert sorted(trainer.at_root) == [0, 2]
    assert sorted(chosen[:4]) == [0, 1, 2, 3]
    assert [sorted(chosen[place : place + 2]) for place in (4, 6, 8)] == [[1, 3]] * 3
    orders = {tuple(chosen[place : place + 2]) for place in range(4, 10, 2)}
    assert orders <= {(1, 3), (3, 1)}


def test_what_is_solved_at_the_root_is_remembered_by_a_training_that_goes_on(tmp_path):
    instances = [Easy(3), PROBLEMS[0], Easy(4), PROBLEMS[1]]
    config = TrainConfig(n_episodes=7, n_before=10**6, evaluate_every=1)

    def stop(row):
        if row["episode"] == 5:
            raise Stopped

    undisturbed = Trainer(make_policy(), instances, config)
    expected = watched(undisturbed)
    undisturbed.fit()
    with pytest.raises(Stopped):
        Trainer(make_policy(), instances, config, folder=tmp_path, log=stop).fit()
    trainer = Trainer(make_policy(), instances, config, folder=tmp_path)
    assert trainer.done == 5
    chosen = watched(trainer)
    trainer.fit()
    assert chosen == expected[5:]


def test_demonstrations_show_what_is_solved_at_the_root():
    config = TrainConfig(n_episodes=2, batch_size=8, n_demonstrations=3, n_before=10**6, evaluate_every=0)
    trainer = Trainer(make_policy(), [Easy(3), PROBLEMS[0]], config)
    chosen = watched(trainer)
    trainer.fit()
    assert sorted(chosen[:2]) == [0, 1]
    assert chosen[2:] == [1, 1, 1]


def test_a_training_in_which_nothing_branches_ends():
    trainer = Trainer(make_policy(), [Easy(3), Easy(4)], TrainConfig(n_episodes=5))
    with pytest.raises(ValueError, match="nothing to learn"):
        trainer.fit()
    assert trainer.done == 2


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="nothing to train on"):
        Trainer(make_policy(), [])
