"""How the claims of ReviBranch are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from separata import Run, experiment, plots

from .comparison.reports import ratio_interval
from .configs import PolicyConfig, TrainConfig
from .instances.configs import Kind
from .learning.trainer import geometric_mean
from .trials import VALIDATION, Problems, RuleTrial, Trial, run_rule, run_trial

OURS, DQN, NO_REVIVAL, SHUFFLED, SPARSE = "revibranch", "dqn", "no_revival", "shuffled", "sparse"
UNTRAINED, RANDOM = "untrained", "random"
TRAINED = {
    OURS: "ReviBranch",
    DQN: "tree DQN",
    NO_REVIVAL: "without revival",
    SHUFFLED: "shuffled paths",
    SPARSE: "terminal reward",
}
MEASURES = {"fewer-nodes": "nodes", "fewer-lp-iterations": "lp_iterations"}
Row = Mapping[str, Any]
"""The result of a rule on a problem."""
DENSE = (("n_nodes", 50), ("affinity", 8))
"""Graphs whose independent sets are found in a few nodes."""
COVERS = (("n_rows", 60), ("n_cols", 100), ("max_cost", 3))
BIDS = (("n_items", 20), ("n_bids", 80))
AUCTIONS = Problems("auction", (("n_items", 40), ("n_bids", 200)), (("n_items", 45), ("n_bids", 225)), 24, 3, 20)
"""Trees of about 40 nodes under random branching, and larger problems to be tested on."""
SET_COVERS = (("n_rows", 180), ("n_cols", 360))
GRAPHS = (("n_nodes", 220),)
RULES = (RANDOM, "scip")
NAMES = {"setcover": "set_cover", "auction": "combinatorial_auction", "indset": "independent_set"}
KINDS: tuple[Kind, ...] = ("setcover", "auction", "indset")
NETWORK = PolicyConfig(embedding_size=32, n_layers=1, feedforward_size=64, dropout=0.0)
"""A quarter of the paper's: what can be trained in a minute."""
BUDGET = TrainConfig(
    n_episodes=12,
    batch_size=8,
    lr=1e-3,
    n_before=100,
    updates_per_decision=0.4,
    target_update=15,
    eta=0.3,
    evaluate_every=4,
)
TINY = PolicyConfig(embedding_size=8, n_layers=1, feedforward_size=16)
BRIEF = TrainConfig(n_episodes=1, batch_size=4, n_before=1, updates_per_decision=0.3, evaluate_every=1)


@dataclass(frozen=True)
class Ablation:
    """The method, the tree DQN that it is compared with, and one half of the method at a time.

    Args:
        problems: What is trained and tested on.
        policy: The network.
        train: How all of them are trained: with the same episodes, learning rate, and updates for each decision met.
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


def _mean(rows: Sequence[Row], measure: str) -> float:
    return geometric_mean([row[measure] for row in rows]) if rows else math.nan


def _compared(results: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Row]]:
    """By who branched, the rows of problems that all solved, and not all of them at the root if that leaves any."""
    rows = {name: result["rows"] for name, result in results.items()}
    solved = [i for i in range(len(next(iter(rows.values())))) if all(of[i]["solved"] for of in rows.values())]
    kept = [i for i in solved if any(of[i]["nodes"] > 1 for of in rows.values())]
    return {name: [of[i] for i in kept or solved] for name, of in rows.items()}


def _other_problems(problems: Problems, run: Run) -> Problems:
    """Those of the run's first seed, so that other seeds are tested on other problems, too."""
    return replace(problems, number=run.seeds[0])


@experiment(
    "fewer-nodes",
    "fewer-lp-iterations",
    "revived-trajectories",
    "dense-feedback",
    smoke=Ablation(Problems("indset", DENSE, DENSE, 1, 1, 2), TINY, BRIEF),
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
    problems = _other_problems(config.problems, run)
    found = run.over_seeds(run_trial, replace(config, problems=problems).trials(), "trainings")
    rules = run.over_seeds(run_rule, {RANDOM: RuleTrial(problems)}, "rules")
    held_out = run.over_seeds(run_rule, {RANDOM: RuleTrial(problems, stream=VALIDATION)}, "held-out problems")
    pooled: dict[str, list[Row]] = {OURS: [], DQN: []}
    for place in range(len(run.seeds)):
        results = {name: results[place] for name, results in {**found, **rules}.items()}
        rows = _compared(results)
        for name, all_rows in pooled.items():
            all_rows.extend(rows[name])
        for claim, measure in MEASURES.items():
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
    _tell(run, found, pooled)
    _draw(run, found)


def _tell(run: Run, found: Mapping[str, Sequence[Mapping[str, Any]]], pooled: Mapping[str, Sequence[Row]]) -> None:
    """What a reader must know: how sure ratios are, what is left out, and how many updates each variant made."""
    ours, base = pooled[OURS], pooled[DQN]
    names = [row["instance"] for row in ours]
    for claim, measure in MEASURES.items():
        mine, theirs = (np.array([row[measure] for row in of], float) for of in (ours, base))
        low, high = ratio_interval(mine, theirs, names)
        if low is not None:
            run.note(claim, f"95 % bootstrap interval of the ratio, over problems: {low:.2f} to {high:.2f}.")
    n_all = sum(len(result["rows"]) for result in found[OURS])
    if n_all > len(ours):
        left = n_all - len(ours)
        run.note("fewer-nodes", f"{left} of {n_all} solves are left out: not all came to the end, or all at the root.")
    updates = {label: round(np.mean([one["updates"] for one in found[name]])) for name, label in TRAINED.items()}
    told = ", ".join(f"{label} {n:,}" for label, n in updates.items())
    run.note("fewer-nodes", f"Updates, as many for each decision met: {told}.")


def _draw(run: Run, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Nodes on held-out problems over training, by variant."""
    for name, label in TRAINED.items():
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
            Problems("indset", DENSE, DENSE, 1, 1, 1),
        ),
        TINY,
        BRIEF,
    ),
    quick=Classes(
        (
            Problems("setcover", SET_COVERS, SET_COVERS, 24, 2, 6),
            AUCTIONS,
            Problems("indset", GRAPHS, GRAPHS, 24, 2, 6),
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
    problems = {one.kind: _other_problems(one, run) for one in config.problems}
    settings = {kind: Trial(one, config.policy, config.train) for kind, one in problems.items()}
    trained = run.over_seeds(run_trial, settings, "trainings")
    rules = {(kind, rule): RuleTrial(one, rule) for kind, one in problems.items() for rule in RULES}
    found = run.over_seeds(run_rule, rules, "rules")
    for place in range(len(run.seeds)):
        ratios, same = {}, []
        for kind, results in trained.items():
            ours, random, scip = (one[place] for one in (results, *(found[kind, rule] for rule in RULES)))
            rows = _compared({OURS: ours, RANDOM: random})
            ratios[NAMES[kind]] = _mean(rows[OURS], "nodes") / _mean(rows[RANDOM], "nodes")
            same += [_agree(a, b) for a, b in zip(ours["rows"], scip["rows"], strict=True)]
        run.measure("heterogeneous", **ratios, same_objective=sum(same) / len(same))


def _agree(one: Row, other: Row) -> bool:
    """Whether both found the optimum, and the same."""
    if not (one["solved"] and other["solved"]):
        return False
    return math.isclose(one["objective"], other["objective"], rel_tol=1e-6, abs_tol=1e-6)
