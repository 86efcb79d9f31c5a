"""How the claims of ReviBranch are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from separata import Run, experiment, plots

from .configs import PolicyConfig, TrainConfig
from .instances.configs import Kind
from .learning.trainer import geometric_mean
from .trials import VALIDATION, Problems, RuleTrial, Trial, run_rule, run_trial

OURS, DQN, NO_REVIVAL, SHUFFLED, SPARSE = "revibranch", "dqn", "no_revival", "shuffled", "sparse"
UNTRAINED, RANDOM = "untrained", "random"
DENSE = (("n_nodes", 60), ("affinity", 8))
"""Graphs whose independent sets are found in a few nodes."""
COVERS = (("n_rows", 60), ("n_cols", 100), ("max_cost", 3))
BIDS = (("n_items", 20), ("n_bids", 80))
AUCTIONS = Problems("auction", (("n_items", 40), ("n_bids", 200)), (("n_items", 45), ("n_bids", 225)), 200, 6, 20)
"""Trees of about 40 nodes under random branching, and larger problems to be tested on."""
SET_COVERS = (("n_rows", 200), ("n_cols", 400))
GRAPHS = (("n_nodes", 250),)
RULES = (RANDOM, "scip")
NAMES = {"setcover": "set_cover", "auction": "combinatorial_auction", "indset": "independent_set"}
KINDS: tuple[Kind, ...] = ("setcover", "auction", "indset")
NETWORK = PolicyConfig(embedding_size=32, n_layers=1, feedforward_size=64, dropout=0.0)
"""A quarter of the paper's: what can be trained in a minute."""
BUDGET = TrainConfig(
    n_episodes=16,
    batch_size=16,
    lr=1e-3,
    n_before=100,
    updates_per_decision=0.6,
    target_update=15,
    eta=0.3,
    evaluate_every=8,
)
TINY = PolicyConfig(embedding_size=8, n_layers=1, feedforward_size=16)
BRIEF = TrainConfig(n_episodes=1, batch_size=4, n_before=1, updates_per_decision=0.1, evaluate_every=1)


@dataclass(frozen=True)
class Ablation:
    """The method, the tree DQN that it is compared with, and one half of the method at a time.

    Args:
        problems: What is trained and tested on.
        policy: The network.
        train: How all of them are trained: with the same episodes, updates and learning rate.
    """

    problems: Problems = field(default_factory=Problems)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def trials(self) -> dict[str, Trial]:
        """By name: the method; without both halves; without each; with paths out of order; and untrained."""
        without = replace(self.policy, revival=False)
        return {
            OURS: Trial(self.problems, self.policy, self.train),
            DQN: Trial(self.problems, without, replace(self.train, eta=0.0)),
            NO_REVIVAL: Trial(self.problems, without, self.train),
            SHUFFLED: Trial(self.problems, replace(self.policy, trajectory="shuffled"), self.train),
            SPARSE: Trial(self.problems, self.policy, replace(self.train, importance="sparse")),
            UNTRAINED: Trial(self.problems, self.policy, replace(self.train, n_episodes=0)),
        }


@dataclass(frozen=True)
class Classes:
    """One training for each class of problems.

    Args:
        problems: The classes.
        policy: The network.
        train: How it is trained.
    """

    problems: tuple[Problems, ...] = ()
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


SHORT = Ablation(AUCTIONS, NETWORK, BUDGET)
"""What takes less than a minute for each training on one core."""


def _mean(rows: Sequence[Mapping[str, Any]], measure: str) -> float:
    return geometric_mean([row[measure] for row in rows])


def _beyond_the_root(results: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of problems that not everybody solved at the root, or all, by who branched."""
    rows = {name: result["rows"] for name, result in results.items()}
    n = len(next(iter(rows.values())))
    kept = [i for i in range(n) if any(of[i]["nodes"] > 1 for of in rows.values())]
    return {name: [of[i] for i in kept or range(n)] for name, of in rows.items()}


@experiment(
    "fewer-nodes",
    "fewer-lp-iterations",
    "revived-trajectories",
    "dense-feedback",
    smoke=Ablation(Problems("indset", DENSE, DENSE, 2, 1, 2), TINY, BRIEF),
    quick=SHORT,
    gpu=Ablation(
        Problems("setcover", (), (("n_rows", 500), ("n_cols", 1000)), 1000, 10, 20),
        train=TrainConfig(n_episodes=300, target_update=200, n_workers=12),
    ),
    paper=Ablation(
        Problems("setcover", (), (("n_rows", 500), ("n_cols", 1000)), 1000, 20, 40),
        train=TrainConfig(n_episodes=1000, n_workers=12),
    ),
)
def ablation(config: Ablation, run: Run) -> None:
    """Train each variant on the same problems and branch with it on larger ones."""
    found = run.over_seeds(run_trial, config.trials(), "trainings")
    rules = run.over_seeds(run_rule, {RANDOM: RuleTrial(config.problems)}, "rules")
    held_out = run.over_seeds(run_rule, {RANDOM: RuleTrial(config.problems, stream=VALIDATION)}, "held-out problems")
    for place in range(len(run.seeds)):
        results = {name: results[place] for name, results in {**found, **rules}.items()}
        rows = _beyond_the_root(results)
        for claim, measure in (("fewer-nodes", "nodes"), ("fewer-lp-iterations", "lp_iterations")):
            means = {name: _mean(of, measure) for name, of in rows.items()}
            run.measure(
                claim,
                **{name: means[name] for name in (OURS, DQN, UNTRAINED, RANDOM)},
                ratio=means[OURS] / means[DQN],
            )
        nodes = {name: _mean(of, "nodes") for name, of in rows.items()}
        run.measure("revived-trajectories", **{name: nodes[name] for name in (OURS, NO_REVIVAL, SHUFFLED, RANDOM)})
        over_training = {
            name: geometric_mean([row["nodes"] for row in results[name]["curve"]]) for name in (OURS, SPARSE)
        }
        random = _mean(held_out[RANDOM][place]["rows"], "nodes")
        run.measure("dense-feedback", **over_training, random=random)
    _draw(run, found)


def _draw(run: Run, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Nodes on held-out problems over training, by variant."""
    names = {
        OURS: "ReviBranch",
        DQN: "tree DQN",
        NO_REVIVAL: "without revival",
        SHUFFLED: "shuffled paths",
        SPARSE: "terminal reward alone",
    }
    for name, label in names.items():
        for seed, result in zip(run.seeds, found[name], strict=True):
            for row in result["curve"]:
                run.log(row["episode"] + 1, variant=label, seed=seed, nodes=row["nodes"])
    run.figure(
        "learning-curves",
        plots.curves(run.history, "nodes", xlabel="episodes", ylabel="nodes on held-out problems", by="variant"),
        caption="Geometric mean of the nodes on held-out problems of the size that is trained on.",
    )


@experiment(
    "heterogeneous",
    smoke=Classes(
        (
            Problems("setcover", COVERS, COVERS, 1, 1, 1),
            Problems("auction", BIDS, BIDS, 1, 1, 1),
            Problems("indset", DENSE, DENSE, 1, 1, 2),
        ),
        TINY,
        BRIEF,
    ),
    quick=Classes(
        (
            Problems("setcover", SET_COVERS, SET_COVERS, 200, 6, 8),
            AUCTIONS,
            Problems("indset", GRAPHS, GRAPHS, 200, 6, 8),
        ),
        NETWORK,
        BUDGET,
    ),
    gpu=Classes(
        tuple(Problems(kind, (), (), 1000, 10, 20) for kind in KINDS),
        train=TrainConfig(n_episodes=300, target_update=200, n_workers=12),
    ),
    paper=Classes(tuple(Problems(kind, (), (), 1000, 20, 40) for kind in KINDS), train=TrainConfig(n_workers=12)),
)
def classes(config: Classes, run: Run) -> None:
    """Train on each class; compare with random branching, and every objective with SCIP's own."""
    settings = {one.kind: Trial(one, config.policy, config.train) for one in config.problems}
    trained = run.over_seeds(run_trial, settings, "trainings")
    rules = {(kind, rule): RuleTrial(trial.problems, rule) for kind, trial in settings.items() for rule in RULES}
    found = run.over_seeds(run_rule, rules, "rules")
    for place in range(len(run.seeds)):
        ratios, same = {}, []
        for kind, results in trained.items():
            ours, random, scip = (one[place] for one in (results, *(found[kind, rule] for rule in RULES)))
            rows = _beyond_the_root({OURS: ours, RANDOM: random})
            ratios[NAMES[kind]] = _mean(rows[OURS], "nodes") / _mean(rows[RANDOM], "nodes")
            pairs = zip(ours["rows"], scip["rows"], strict=True)
            same += [math.isclose(a["objective"], b["objective"], rel_tol=1e-6, abs_tol=1e-6) for a, b in pairs]
        run.measure("heterogeneous", **ratios, same_objective=sum(same) / len(same))
