"""How the claims of Xiao et al. (2024) are measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from separata import Run, data, experiment, plots
from separata.configs import replaced

from .accuracy import AccuracyMatrix
from .configs import NetworkConfig
from .paper import FEEDBACKS, METHODS, NEARLY_ZERO, PAPER, RULES
from .schedule import RehearsalConfig, TrainConfig
from .subspace import HebbianSubspace
from .trials import Trial, explained_energy, train_and_test

TUNING_SEED = 1000
"""Settings are chosen with another seed than those that are measured."""

ONCE = TrainConfig(epochs=1)
SMOKE = Trial("digits", 2, (64, 50, 50, 10), ((10, 10, 10), (5, 5, 5)), network=NetworkConfig(timesteps=4), train=ONCE)
QUICK = Trial(network=NetworkConfig(timesteps=10))
GPU = Trial("mnist", 5, (784, 800, 800, 10), (), train=ONCE)
FULL = Trial("mnist", 10, (784, 800, 800, 10), (), train=ONCE)


Results = Mapping[str, list[AccuracyMatrix]]
"""For each name of a network the accuracy matrices, in the order of the seeds."""


def measure(run: Run, trials: Mapping[str, Trial]) -> Results:
    """The accuracy matrices of networks by name."""
    found = run.over_seeds(train_and_test, trials, "networks")
    diverged = [name for name, rows in found.items() if None in rows]
    if diverged:
        raise ValueError(f"training diverged in {', '.join(diverged)}")
    return {name: [AccuracyMatrix.from_json(row) for row in rows if row is not None] for name, rows in found.items()}


def learning_curves(run: Run, figure: str, results: Results) -> None:
    """Draw the mean accuracy on the tasks learned so far, for networks by what figures call them."""
    for name, matrices in results.items():
        for one in matrices:
            for index, row in enumerate(one.matrix):
                run.log(index + 1, network=name, accuracy=row[: index + 1].mean())
    run.figure(
        figure,
        plots.curves(
            run.history, "accuracy", by="network", xlabel="tasks learned", ylabel="mean accuracy on the tasks learned"
        ),
        caption=(
            "Mean accuracy on the tasks learned so far, by number of tasks; lines are means over seeds, bands one "
            "standard deviation."
        ),
    )


@dataclass(frozen=True)
class Principal:
    """Activity with a few strong directions, in random orientation; and a network for the activity of real neurons."""

    trial: Trial
    n_features: int = 50
    n_strong: int = 5
    strong: float = 2.0
    """Standard deviation in the strong directions."""
    weak: float = 0.1
    """Standard deviation in all others."""
    n_samples: int = 4000
    passes: int = 5

    def activity(self, generator: torch.Generator) -> Float[Tensor, "samples features"]:
        """Synthetic activity."""
        scale = torch.full((self.n_features,), self.weak)
        scale[: self.n_strong] = self.strong
        orientation = torch.linalg.qr(torch.randn(self.n_features, self.n_features, generator=generator)).Q
        return torch.randn(self.n_samples, self.n_features, generator=generator) * scale @ orientation.T


@experiment(
    "principal-subspace",
    smoke=Principal(SMOKE),
    quick=Principal(QUICK),
    gpu=Principal(GPU),
    paper=Principal(FULL),
)
def principal_subspace(config: Principal, run: Run) -> None:
    """Learn the principal subspace online, beside an exact decomposition; on synthetic activity and in a network."""
    networks = [replace(config.trial, n_tasks=1, seed=seed) for seed in run.seeds]
    explained = run.map(explained_energy, networks, "networks")
    for seed, shares in zip(run.seeds, explained, strict=True):
        x = config.activity(run.generator(seed))
        exact = torch.linalg.svd(x, full_matrices=False).Vh[: config.n_strong]
        subspace = HebbianSubspace(config.n_features)
        subspace.grow(config.n_strong, run.generator(seed, "lateral weights"))
        distance = untrained = _distance(subspace, exact)
        run.log(0, distance=distance, orthonormality=subspace.orthonormality_error())
        for step in run.track(range(config.passes), "passes"):
            for i, batch in enumerate(data.batches(x, 64, run.generator(seed, step)), 1):
                subspace.learn(batch)
                distance = _distance(subspace, exact)
                run.log(
                    step * len(x) + min(64 * i, len(x)),
                    distance=distance,
                    orthonormality=subspace.orthonormality_error(),
                )
        run.measure(
            "principal-subspace",
            distance=distance,
            untrained_distance=untrained,
            orthonormality=subspace.orthonormality_error(),
            **shares,
        )
    run.figure(
        "principal-subspace",
        plots.curves(
            run.history, "distance", xlabel="samples seen", ylabel="relative distance to the exact projection"
        ),
        caption=(
            "Distance of the learned projection to that of exact PCA on synthetic activity, from before learning on; "
            "the line is the mean over seeds, the band one standard deviation."
        ),
    )


def _distance(subspace: HebbianSubspace, exact: Float[Tensor, "k features"]) -> float:
    """Relative Frobenius distance of the subspace's projection to an exact one."""
    projection = exact.T @ exact
    return (torch.dist(subspace.weight.T @ subspace.weight, projection) / torch.linalg.norm(projection)).item()


@experiment("nearly-zero-forgetting", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def forgetting(config: Trial, run: Run) -> None:
    """HLOP and fine-tuning, with equal networks, steps and learning rates."""
    results = measure(run, {method: replaced(config, method=method) for method in ("hlop", "finetune")})
    for i in range(len(run.seeds)):
        run.measure("nearly-zero-forgetting", **_summaries(results, i))
    matrices = {method: np.stack([one.matrix for one in found]) for method, found in results.items()}
    means = {method: stack.mean(0) for method, stack in matrices.items()}
    limits = (min(np.nanmin(mean) for mean in means.values()), max(np.nanmax(mean) for mean in means.values()))
    for method, stack in matrices.items():
        spread = np.nanmax(np.std(stack, axis=0, ddof=min(1, len(stack) - 1)))
        run.figure(
            f"accuracy-matrix-{method}",
            plots.heatmap(
                means[method],
                rows=range(1, config.n_tasks + 1),
                columns=range(1, config.n_tasks + 1),
                xlabel="accuracy on task",
                ylabel="after learning task",
                title=METHODS[method],
                limits=limits,
            ),
            caption=(
                f"Accuracy of {METHODS[method]} on each task after learning each task, mean over seeds; "
                f"the standard deviation over seeds is at most {spread:.3f} in any cell."
            ),
        )


def _summaries(results: Results, i: int) -> dict[str, float]:
    """Accuracy and backward transfer of each network, for the seed of that place."""
    return {f"{name}_{key}": getattr(found[i], key) for name, found in results.items() for key in ("acc", "bwt")}


def _compare(config: Trial, run: Run, setting: str, names: Mapping[str, str]) -> None:
    """Accuracy and backward transfer of HLOP and fine-tuning under each value of a setting."""
    (claim,) = run.claims
    trials = {
        f"{value}_{method}": replaced(_under(config, setting, value), method=method)
        for value in names
        for method in ("hlop", "finetune")
    }
    results = measure(run, trials)
    for i in range(len(run.seeds)):
        run.measure(claim, **_summaries(results, i))
    groups = {
        name: {METHODS[method]: f"{value}_{method}_bwt" for method in ("hlop", "finetune")}
        for value, name in names.items()
    }
    run.figure(
        claim,
        plots.claim(run, claim, groups, ylabel="backward transfer BWT", reference={"nearly zero": NEARLY_ZERO}),
        caption=(
            f"Backward transfer of HLOP and of fine-tuning under {', '.join(names.values())}; bars are means over "
            "seeds, error bars one standard deviation, dots the seeds."
        ),
    )


def _under(config: Trial, setting: str, value: str) -> Trial:
    """The trial with another training rule, with as many time steps as the paper gives it; or with other feedback."""
    if setting == "rule" and value != config.network.rule:
        return replaced(config, rule=value, timesteps=None)
    return replaced(config, **{setting: value})


@experiment("training-rules", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def training_rules(config: Trial, run: Run) -> None:
    """The three ways to train a spiking network."""
    _compare(config, run, "rule", RULES)


@experiment("error-propagation", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def error_propagation(config: Trial, run: Run) -> None:
    """The three ways for errors to reach lower layers, under DSR."""
    _compare(config, run, "feedback", FEEDBACKS)


@experiment("spiking-lateral", smoke=SMOKE, quick=QUICK, gpu=GPU, paper=FULL)
def spiking_lateral(config: Trial, run: Run) -> None:
    """Real-valued and spiking lateral neurons, and none."""
    variants = {
        "real": config,
        "spiking": replaced(config, spiking_lateral=True),
        "finetune": replaced(config, method="finetune"),
    }
    results = measure(run, variants)
    for i in range(len(run.seeds)):
        run.measure("spiking-lateral", **{key: found[i].acc for key, found in results.items()})
    claim = PAPER.claim("spiking-lateral")
    learning_curves(run, "spiking-lateral", {claim.label(key): found for key, found in results.items()})


SMALL_DIMS = ((60, 54, 34), (40, 20, 14)), ((60, 60, 60), (40, 30, 30))
SETTINGS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "ewc": ({"strength": 10.0}, {"strength": 30.0}),
    "gpm": ({"threshold": 0.9}, {"threshold": 0.95}),
    "replay": ({"rehearsal": RehearsalConfig(epochs=5, lr=0.05)}, {"rehearsal": RehearsalConfig(epochs=20, lr=0.01)}),
}
"""Two settings of each baseline, in the range that a wider scan on the held-out images found best for it."""


@dataclass(frozen=True)
class Comparison:
    """Methods of continual learning, each with six settings to choose from."""

    trial: Trial
    settings: Mapping[str, tuple[Mapping[str, Any], ...]]
    """The settings of each method that has some of its own, to combine with each of the `lrs`."""
    lrs: tuple[float, ...] = (0.1, 0.2, 0.3)
    plain_lrs: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.4, 0.8)
    """Learning rates of the methods that have no setting of their own."""

    def candidates(self, method: str) -> list[Trial]:
        """The trials from which the settings of a method are chosen."""
        base = replaced(self.trial, method=method, seed=TUNING_SEED, held_out=True)
        lrs = self.lrs if method in self.settings else self.plain_lrs
        return [
            replaced(base, train=replace(base.train, lr=lr), **settings)
            for lr in lrs
            for settings in self.settings.get(method, ({},))
        ]


@experiment(
    "outperforms",
    "neural-projection",
    smoke=Comparison(SMOKE, {}, plain_lrs=(0.1,)),
    quick=Comparison(QUICK, {"hlop": tuple({"dims": dims} for dims in SMALL_DIMS), **SETTINGS}),
    gpu=Comparison(GPU, {"hlop": ({"hebbian_lr": 0.01}, {"hebbian_lr": 0.03}), **SETTINGS}),
    paper=Comparison(FULL, {"hlop": ({"hebbian_lr": 0.01}, {"hebbian_lr": 0.03}), **SETTINGS}),
)
def comparison(config: Comparison, run: Run) -> None:
    """Every method on the test set, with the settings that are best for it on held-out training images."""
    candidates = {method: config.candidates(method) for method in METHODS}
    chosen = run.choose(train_and_test, candidates, _held_out_accuracy, "choosing settings")
    results = measure(run, {method: replaced(trial, held_out=False) for method, trial in chosen.items()})
    for claim in run.claims:
        compared = PAPER.claim(claim).paper
        for i in range(len(run.seeds)):
            run.measure(claim, **{method: results[method][i].acc for method in compared})
        told = [f"{METHODS[method]} {_settings(chosen[method])}" for method in compared]
        run.note(claim, f"Chosen on held-out images: {'; '.join(told)}.")
    learning_curves(run, "comparison", {METHODS[key]: found for key, found in results.items() if key != "joint"})


def _held_out_accuracy(rows: list[list[float | None]] | None) -> float:
    """The accuracy of a candidate; none where training diverged."""
    return math.nan if rows is None else AccuracyMatrix.from_json(rows).acc


def _settings(trial: Trial) -> str:
    """The chosen settings of a method, in words."""
    first, later = ("/".join(map(str, trial.dims_of(index))) for index in (0, 1))
    learns = f"Hebbian lr {trial.network.hebbian_lr:g}"
    own = {
        "hlop": f", {learns}, {first} dimensions for the first task and {later} for later ones",
        "ewc": f", strength {trial.learner.strength:g}",
        "gpm": f", threshold {trial.learner.threshold:g}",
        "replay": f", {trial.rehearsal.epochs} passes over the memory at lr {trial.rehearsal.lr:g}",
    }
    return f"lr {trial.train.lr:g}{own.get(trial.learner.method, '')}"
