"""One training and what its policy does on problems that it has not seen: what experiments repeat over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from separata.training import seeded

from .comparison.evaluation import evaluate
from .comparison.outcomes import Outcome
from .configs import PolicyConfig, ScipConfig, TrainConfig
from .instances import family_config, make_instances
from .instances.configs import Kind
from .instances.milp import MILP
from .learning.trainer import N_TO_NORMALIZE, Trainer
from .network.graphs import collate
from .network.policy import ReviBranchPolicy
from .scip.observation import Observation
from .scip.rules import RandomRule
from .search.branching import PolicyRule
from .search.environment import solve_episode
from .search.policies import make_rule

TRAINING, VALIDATION, TEST = 1, 2, 3
"""Streams of random problems; a problem of one is in no other."""
Sizes = tuple[tuple[str, int], ...]
"""Settings of a family that differ from its published size of training."""


@dataclass(frozen=True)
class Problems:
    """Random problems of a family: those that are trained on, held out to choose weights, and tested on.

    Args:
        kind: The family.
        train: Their size.
        test: The size of those that are tested on.
        n_train: Problems that are trained on, each as often as there are episodes for.
        n_validation: Held-out problems of the size of training.
        n_test: Problems that are tested on.
        number: Of the draw; all problems of another number are others.
    """

    kind: Kind = "setcover"
    train: Sizes = ()
    test: Sizes = ()
    n_train: int = 1000
    n_validation: int = 10
    n_test: int = 20
    number: int = 0

    def draw(self, stream: int) -> list[MILP]:
        """The problems of a stream, the same for every seed of training."""
        sizes = self.test if stream == TEST else self.train
        n = {TRAINING: self.n_train, VALIDATION: self.n_validation, TEST: self.n_test}[stream]
        return list(make_instances(family_config(self.kind, "train", **dict(sizes)), n, 4 * self.number + stream))


@dataclass(frozen=True)
class Trial:
    """A training, or with no episodes a network as it is made.

    Args:
        problems: What on.
        policy: The network.
        train: How.
        scip: How SCIP solves.
        seed: Of the training, and SCIP's in the test; those of `train` and `scip` do not count.
    """

    problems: Problems = field(default_factory=Problems)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    scip: ScipConfig = field(default_factory=ScipConfig)
    seed: int = 0


@dataclass(frozen=True)
class RuleTrial:
    """What a rule that is not trained does on the same problems.

    Args:
        problems: What on.
        rule: Its name.
        stream: Which of the problems.
        scip: How SCIP solves.
        seed: The rule's, and in the test SCIP's; on held-out problems that is 0, as in trainings.
    """

    problems: Problems = field(default_factory=Problems)
    rule: str = "random"
    stream: int = TEST
    scip: ScipConfig = field(default_factory=ScipConfig)
    seed: int = 0


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and test.

    Returns:
        `curve`, nodes on held-out problems by episode; `rows`, the results on each problem of the test; `updates`, how
        many batches were learned from.
    """
    policy, trainer, curve = train_trial(trial, device)
    rows = _solved({"policy": PolicyRule(policy)}, trial.problems.draw(TEST), trial.scip, trial.seed)
    return {"curve": curve, "rows": rows, "updates": trainer.n_updates}


def train_trial(trial: Trial, device: str) -> tuple[ReviBranchPolicy, Trainer, list[dict[str, float]]]:
    """The policy that a trial trains, its trainer, and the nodes on held-out problems over training."""
    curve: list[dict[str, float]] = []
    config = replace(trial.train, seed=trial.seed)
    with seeded(trial.seed):
        policy = ReviBranchPolicy(trial.policy).to(torch.device(device))
    problems = trial.problems
    trainer = Trainer(
        policy,
        problems.draw(TRAINING),
        config,
        scip=trial.scip,
        validation=problems.draw(VALIDATION) if trial.train.n_episodes else (),
        log=curve.append,
    )
    if trial.train.n_episodes:
        trainer.fit()
    else:
        _normalize(policy, trial)
    kept = [
        {"episode": row["episode"], "nodes": row["validation_nodes"]}
        for row in curve
        if not math.isnan(row["validation_nodes"])
    ]
    return policy, trainer, kept


def _normalize(policy: ReviBranchPolicy, trial: Trial) -> None:
    """Fit the normalization of features as a training begins: to decisions at random."""
    seen: list[Observation] = []
    for problem in trial.problems.draw(TRAINING):
        searching = replace(trial.scip, depth_first=True, seed=trial.seed)
        episode = solve_episode(RandomRule(trial.seed), problem, searching)
        seen += [decision.observation for decision in episode.decisions]
        if len(seen) >= N_TO_NORMALIZE:
            break
    if seen:
        policy.encoder.fit_normalization(collate([one.to(policy.device) for one in seen[:N_TO_NORMALIZE]]))
    policy.eval()


def run_rule(trial: RuleTrial, device: str) -> dict[str, Any]:
    """The results of a rule on each problem of the test, or on those that trainings hold out: `rows`."""
    del device
    rule = make_rule(trial.rule, trial.seed) or trial.rule
    seed = trial.seed if trial.stream == TEST else 0
    return {"rows": _solved({trial.rule: rule}, trial.problems.draw(trial.stream), trial.scip, seed)}


def _solved(rules: Mapping[str, Any], problems: Sequence[MILP], scip: ScipConfig, seed: int) -> list[dict[str, Any]]:
    return [_plain(row) for row in evaluate(rules, problems, scip, seeds=(seed,)).rows]


def _plain(row: Outcome) -> dict[str, Any]:
    return {
        "instance": row.instance,
        "solved": row.solved,
        "objective": row.objective,
        "nodes": row.nodes,
        "lp_iterations": row.lp_iterations,
        "seconds": row.seconds,
    }
