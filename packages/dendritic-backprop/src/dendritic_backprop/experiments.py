"""How the claims of Brenner and Itti (2025) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from separata import Run, experiment, plots
from separata.configs import replaced

from .configs import NetworkConfig, TrainConfig
from .paper import MODERN, NETWORKS, PAPER
from .trials import CYCLE, Trial, compare_features, run_trial, switch_change
from .variants import VARIANTS, Variant

TUNING_SEED = 1000
"""Settings are chosen with another seed than those that are measured."""
COMPARED: tuple[Variant, ...] = ("continued", "dendrites")

Result = dict[str, Any]

BRIEF = replace(CYCLE, max_dendrites=3, first_epochs=2, neuron_epochs=1, dendrite_epochs=1)
LONG = replace(CYCLE, max_dendrites=3, first_epochs=60, neuron_epochs=30, dendrite_epochs=20)
MEDIUM = replace(CYCLE, max_dendrites=1, first_epochs=40, neuron_epochs=40, dendrite_epochs=20)
FULL_LENGTH = replace(CYCLE, max_dendrites=5, first_epochs=200, neuron_epochs=100, dendrite_epochs=50)


def of_arch(arch: str, hidden: int, dataset: str, **settings: Any) -> Trial:  # noqa: ANN401 - fields of a trial
    """A trial of a network on a data set."""
    return Trial(dataset, NetworkConfig(arch, hidden=hidden), **settings)  # type: ignore[arg-type] # one of them


@dataclass(frozen=True)
class Accuracy:
    """Networks to which dendrites are added, and the learning rates from which each variant chooses.

    Args:
        mlp: The network whose cycles and compression are shown, too.
        cnn: The other one.
        full: Width of the MLP that the small one with dendrites is to match.
        lrs: Candidate learning rates of the neurons, of every variant alike.
    """

    mlp: Trial
    cnn: Trial
    full: int = 32
    lrs: tuple[float, ...] = (1e-3, 3e-3)

    @property
    def networks(self) -> dict[str, Trial]:
        """The networks by the names that the claims have for them."""
        return {"mlp": self.mlp, "cnn": self.cnn}

    @property
    def wide(self) -> Trial:
        """The MLP of full width, without dendrites."""
        return replace(self.mlp, network=replace(self.mlp.network, hidden=self.full), variant="continued")


def measured(run: Run, trials: Mapping[str, Trial], lrs: Sequence[float]) -> dict[str, list[Result]]:
    """Trainings by name with every seed, each at the learning rate that is best for it on validation samples."""
    candidates = {
        name: [replaced(replace(trial, held_out=True, seed=TUNING_SEED), lr=lr) for lr in lrs]
        for name, trial in trials.items()
    }
    chosen = {name: some[0] for name, some in candidates.items()}
    if len(lrs) > 1:
        chosen = run.choose(run_trial, candidates, _validation, "choosing learning rates")
    final = {name: [replace(trial, held_out=False, seed=seed) for seed in run.seeds] for name, trial in chosen.items()}
    flat = [trial for of_name in final.values() for trial in of_name]
    results = iter(run.map(run_trial, flat, "trainings"))
    found = {name: [next(results) for _ in run.seeds] for name in final}
    if diverged := [name for name, rows in found.items() if any(row["error"] is None for row in rows)]:
        raise ValueError(f"training diverged in {', '.join(diverged)}")
    told = ", ".join(f"{name.replace('_', ' ')} {trial.train.lr:g}" for name, trial in chosen.items())
    for claim in run.claims if len(lrs) > 1 else ():
        run.note(claim, f"Learning rates chosen on validation samples: {told}.")
    return found


def _validation(result: Result) -> float:
    """The validation accuracy of a candidate; none where training diverged."""
    return math.nan if result["error"] is None else float(result["validation"])


def after(result: Result, cycle: int) -> float:
    """The error after a cycle, or after the last one."""
    curve = result["curve"]
    return float(curve[min(cycle, len(curve) - 1)])


SMOKE_ACCURACY = Accuracy(
    of_arch("mlp", 4, "digits", cycle=BRIEF), of_arch("cnn", 1, "digits", cycle=BRIEF), full=8, lrs=(3e-3,)
)
LARGER_BATCHES = TrainConfig(lr=3e-3, dendrite_lr=3e-2, batch_size=128)
QUICK_ACCURACY = Accuracy(
    of_arch("mlp", 8, "mnist5k", cycle=LONG, train=LARGER_BATCHES), of_arch("cnn", 4, "digits", cycle=LONG)
)
GPU_ACCURACY = Accuracy(
    of_arch("mlp", 8, "mnist", cycle=MEDIUM, train=TrainConfig(lr=3e-3, dendrite_lr=3e-2, batch_size=512)),
    of_arch("cnn", 8, "cifar10", cycle=MEDIUM, train=TrainConfig(lr=3e-3, dendrite_lr=3e-2, batch_size=512)),
)
PAPER_ACCURACY = Accuracy(
    of_arch("mlp", 8, "mnist", cycle=FULL_LENGTH),
    of_arch("cnn", 16, "cifar10", cycle=FULL_LENGTH),
    lrs=(3e-4, 1e-3, 3e-3),
)


@experiment(
    "improves-accuracy",
    "compression",
    "repeated-cycles",
    "correlation-objective",
    smoke=SMOKE_ACCURACY,
    quick=QUICK_ACCURACY,
    gpu=GPU_ACCURACY,
    paper=PAPER_ACCURACY,
)
def accuracy_of_variants(config: Accuracy, run: Run) -> None:
    trials = {
        f"{name}_{variant}": replace(trial, variant=variant)  # type: ignore[arg-type] # one of them
        for name, trial in config.networks.items()
        for variant in VARIANTS
    }
    found = measured(run, {**trials, "full": config.wide}, config.lrs)
    for i in range(len(run.seeds)):
        row = {key: rows[i] for key, rows in found.items()}
        errors = {key: row[key]["error"] for key in trials}
        originals = {f"{name}_original": after(row[f"{name}_dendrites"], 0) for name in NETWORKS}
        run.measure("improves-accuracy", **errors, **originals)
        _measure_cycles(run, row["mlp_dendrites"], row["mlp_continued"])
        _measure_compression(run, row)
        run.measure(
            "correlation-objective",
            trained=row["mlp_dendrites"]["correlation"],
            untrained=row["mlp_dendrites"]["initial_correlation"],
            trained_error=row["mlp_dendrites"]["error"],
            random_error=row["mlp_random"]["error"],
        )
    _draw_variants(run)
    _draw_cycles(run, found)


def _measure_cycles(run: Run, grown: Result, continued: Result) -> None:
    errors = {f"dendrites_{n}": after(grown, n) for n in (1, 2, 3)}
    errors |= {f"continued_{n}": after(continued, n) for n in (1, 2, 3)}
    run.measure("repeated-cycles", original=after(grown, 0), **errors)


def _measure_compression(run: Run, row: Mapping[str, Result]) -> None:
    run.measure(
        "compression",
        full=row["full"]["error"],
        small=row["mlp_continued"]["error"],
        grown=row["mlp_dendrites"]["error"],
        equal=row["mlp_wider"]["error"],
        full_parameters=row["full"]["parameters"],
        grown_parameters=row["mlp_dendrites"]["parameters"],
    )


def _draw_variants(run: Run) -> None:
    order = ("original", "continued", "dendrites", "random", "gradient", "unperforated", "wider")
    claim = PAPER.claim("improves-accuracy")
    groups = {
        title: {claim.label(f"{name}_{key}").removeprefix(f"{title}: "): f"{name}_{key}" for key in order}
        for name, title in NETWORKS.items()
    }
    run.figure(
        "improves-accuracy",
        plots.claim(run, "improves-accuracy", groups, ylabel="test error"),
        ["improves-accuracy", "correlation-objective"],
        caption=(
            "Test error with dendrites, and with what they are compared to; bars are means over seeds, error bars one "
            "standard deviation, dots the seeds."
        ),
    )
    sizes = ["full", "small", "grown", "equal"]
    run.figure(
        "compression",
        plots.claim(run, "compression", sizes, ylabel="test error"),
        ["compression"],
        caption=(
            "Test error of the full network, of a narrow one without and with dendrites, and of one with as many "
            "parameters as the grown one; bars are means over seeds, error bars one standard deviation, dots the seeds."
        ),
    )


def _draw_cycles(run: Run, found: Mapping[str, list[Result]]) -> None:
    for variant in COMPARED:
        for result in found[f"mlp_{variant}"]:
            for n, error in enumerate(result["curve"]):
                run.log(n, variant=VARIANTS[variant], error=error)
    run.figure(
        "repeated-cycles",
        plots.curves(run.history, "error", by="variant", xlabel="cycles", ylabel="test error"),
        ["repeated-cycles"],
        caption=(
            "Test error after each cycle, with dendrites and without them after as many epochs; lines are means over "
            "seeds, bands one standard deviation."
        ),
    )


SMOKE_FEATURES = of_arch("mlp", 4, "digits", cycle=replace(BRIEF, max_dendrites=1))
QUICK_FEATURES = of_arch("mlp", 8, "mnist5k", cycle=replace(LONG, max_dendrites=2), train=LARGER_BATCHES)


@experiment(
    "same-features",
    smoke=SMOKE_FEATURES,
    quick=QUICK_FEATURES,
    gpu=replace(GPU_ACCURACY.mlp),
    paper=replace(PAPER_ACCURACY.mlp),
)
def same_features(config: Trial, run: Run) -> None:
    variants = {name: replace(config, variant=name) for name in ("dendrites", "unperforated")}
    found = run.over_seeds(compare_features, variants, "networks")
    for hidden, seen in zip(found["dendrites"], found["unperforated"], strict=True):
        run.measure(
            "same-features",
            similarity=hidden["similarity"],
            other=hidden["similarity_other"],
            perforated=hidden["gap"],
            ordinary=seen["gap"],
        )
    run.figure(
        "same-features",
        plots.claim(run, "same-features", ["similarity", "other"], ylabel="correlation of activity"),
        caption=(
            "Correlation of hidden neurons' activity before dendrites with that of the same neurons after, and with "
            "the best-fitting neurons of another training; bars are means over seeds, error bars one standard "
            "deviation, dots the seeds."
        ),
    )


@dataclass(frozen=True)
class Modern:
    """Networks of several domains by the names that the claim has for them, and candidate learning rates."""

    trials: Mapping[str, Trial] = field(default_factory=dict)
    lrs: tuple[float, ...] = (1e-3, 3e-3)


def modern(sizes: Mapping[str, int], image: str, **settings: Any) -> dict[str, Trial]:  # noqa: ANN401
    """The networks of the claim, of these sizes."""
    return {
        "resnet": of_arch("resnet", sizes["resnet"], image, **settings),
        "gru": of_arch("gru", sizes["gru"], image, **settings),
        "tabular": of_arch("mlp", sizes["tabular"], "breast_cancer", **settings),
    }


QUICK_MODERN = Modern(modern({"resnet": 3, "gru": 8, "tabular": 4}, "digits", cycle=MEDIUM))


@experiment(
    "modern-networks",
    smoke=Modern(
        modern({"resnet": 1, "gru": 2, "tabular": 2}, "digits", cycle=replace(BRIEF, max_dendrites=1)), (3e-3,)
    ),
    quick=QUICK_MODERN,
    gpu=Modern(
        modern(
            {"resnet": 8, "gru": 32, "tabular": 4},
            "mnist",
            cycle=replace(MEDIUM, first_epochs=10, neuron_epochs=8, dendrite_epochs=4),
            train=TrainConfig(lr=3e-3, dendrite_lr=3e-2, batch_size=512),
        )
    ),
    paper=Modern(modern({"resnet": 16, "gru": 64, "tabular": 4}, "mnist", cycle=FULL_LENGTH), (3e-4, 1e-3, 3e-3)),
)
def modern_networks(config: Modern, run: Run) -> None:
    trials = {
        f"{name}_{variant}": replace(trial, variant=variant)
        for name, trial in config.trials.items()
        for variant in COMPARED
    }
    found = measured(run, trials, config.lrs)
    changes = run.over_seeds(switch_change, config.trials, "networks")
    for i in range(len(run.seeds)):
        errors = {key: rows[i]["error"] for key, rows in found.items()}
        run.measure("modern-networks", **errors, switch=max(of_one[i] for of_one in changes.values()))
    claim = PAPER.claim("modern-networks")
    groups = {
        title: {claim.label(f"{name}_{key}").removeprefix(f"{title}: "): f"{name}_{key}" for key in COMPARED}
        for name, title in MODERN.items()
    }
    run.figure(
        "modern-networks",
        plots.claim(run, "modern-networks", groups, ylabel="test error"),
        caption=(
            "Test error of three networks with dendrites, and without them after as many epochs; bars are means over "
            "seeds, error bars one standard deviation, dots the seeds."
        ),
    )
