"""Full-batch gradient descent on natural images: groups, gradients, features, and the edge of stability."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from opposing_signals.configs import DataConfig, ModelConfig, TrainConfig
from opposing_signals.drawing import draw_gallery, draw_trace
from opposing_signals.trials import SpikeTrial, Trial, run_spike, try_trial
from separata import Run, experiment

Found = Mapping[str, Any]


def increases(loss: Sequence[float], n_steps: int | None = None) -> int:
    """Steps in which the loss rises, among the first ones or all."""
    some = loss[: None if n_steps is None else n_steps + 1]
    return sum(after > before for before, after in pairwise(some))


def mean_increases(loss: Sequence[float], n_steps: int = 60) -> float:
    """Loss increases in so many steps, on average over the training."""
    return increases(loss) * n_steps / max(len(loss) - 1, 1)


@dataclass(frozen=True)
class Natural:
    """Full-batch gradient descent on natural images.

    Args:
        trial: At the edge of stability.
        stable_lr: Learning rate of the control, below it.
        entropy_lr: Learning rate with cross-entropy.
    """

    trial: Trial = field(default_factory=Trial)
    stable_lr: float = 0.05
    entropy_lr: float = 1.0

    def stable(self) -> Trial:
        """The control."""
        return replace(self.trial, train=replace(self.trial.train, lr=self.stable_lr))

    def entropy(self) -> Trial:
        """With cross-entropy."""
        train = replace(self.trial.train, lr=self.entropy_lr, loss="cross-entropy", sharpness_every=5)
        return replace(self.trial, train=train)


SMALL = Trial(
    "digits", DataConfig(200), ModelConfig(hidden="16,16"), TrainConfig(n_steps=40, sharpness_every=20), 10, m=10
)
CIFAR = DataConfig(5000)
RESNET = ModelConfig("resnet", norm="group", width=64)
GPU_TRAIN = TrainConfig(n_steps=300, lr=0.05, chunk_size=1000, sharpness_every=50)


CLAIMS = (
    "paired-groups",
    "opposing-gradients",
    "consistent-features",
    "edge-of-stability",
    "cross-entropy",
    "outliers-dominate-natural",
)


@experiment(
    *CLAIMS,
    smoke=Natural(SMALL),
    quick=Natural(),
    gpu=Natural(Trial("cifar10", DataConfig(2000), ModelConfig("vgg", width=32), GPU_TRAIN), 0.005, 0.1),
    paper=Natural(Trial("cifar10", CIFAR, RESNET, replace(GPU_TRAIN, n_steps=2000, lr=0.02)), 0.002, 0.05),
)
def natural(config: Natural, run: Run) -> None:
    """Groups, gradients, features and sharpness on natural images."""
    settings = {"edge": replace(config.trial, with_power=True), "stable": config.stable(), "entropy": config.entropy()}
    found = run.over_seeds(try_trial, settings, "trainings on natural images")
    whole = [i for i in range(len(run.seeds)) if all(found[name][i] for name in settings)]
    edges = {i: found["edge"][i] for i in whole}
    trials = {i: replace(config.trial, seed=run.seeds[i]) for i in whole}
    members = {i: (tuple(one["groups"]["up"]), tuple(one["groups"]["down"])) for i, one in edges.items()}
    spikes = [SpikeTrial(trials[i], edges[i]["groups"]["step"], *members[i]) for i in whole]
    at_spike = dict(zip(whole, run.map(run_spike, spikes, "gradients and features"), strict=True))
    n = len(config.trial.samples())
    removed = [
        replace(trials[i], without=images)
        for i, (up, down) in members.items()
        for images in (up + down, trials[i].random(n, len(up) + len(down)))
    ]
    without = iter(run.map(try_trial, removed, "trainings without some images"))
    for i in range(len(run.seeds)):
        if i not in edges:
            _measure_nothing(run)
            continue
        edge, stable, entropy = (found[name][i] for name in settings)
        _measure_groups(run, edge, stable, at_spike[i])
        _measure_edge(run, config, edge, stable, entropy)
        groups, random = (increases(one["loss"]) if one else math.nan for one in (next(without), next(without)))
        run.measure(
            "outliers-dominate-natural",
            all=increases(edge["loss"]),
            without_groups=groups,
            without_random=random,
            share=edge["share"],
        )
    if len(whole) < len(run.seeds):
        diverged = ", ".join(str(seed) for i, seed in enumerate(run.seeds) if i not in edges)
        run.note("paired-groups", f"Trainings diverged with the seed {diverged}, which has no numbers.")
    if edges:
        _draw_natural(config, run, edges[whole[0]], run.seeds[whole[0]])


def _measure_nothing(run: Run) -> None:
    """No number for any claim: with this seed a training diverged."""
    for claim in CLAIMS:
        run.measure(claim, **dict.fromkeys(run.paper.claim(claim).paper, math.nan))


def _measure_groups(run: Run, edge: Found, stable: Found, at_spike: Found) -> None:
    groups = edge["groups"]
    run.measure(
        "paired-groups", swing=groups["swing"], eos=groups["alternation"], stable=stable["groups"]["alternation"]
    )
    run.measure(
        "opposing-gradients", cosine=at_spike["cosine"], norm=at_spike["norm"], correlation=groups["correlation"]
    )
    keys = [f"{who}_{where}" for who in ("groups", "random") for where in ("input", "last")]
    run.measure("consistent-features", **{key: at_spike[key] for key in keys})


def _measure_edge(run: Run, config: Natural, edge: Found, stable: Found, entropy: Found) -> None:
    lr = config.trial.train.lr
    late, power = (
        [value * lr / 2 for step, value in edge[name] if step >= min(30, config.trial.train.n_steps // 2)]
        for name in ("sharpness", "power")
    )
    run.measure(
        "edge-of-stability",
        lowest=min(late),
        highest=max(late),
        power_lowest=min(power),
        power_highest=max(power),
        rises=mean_increases(edge["loss"]),
        stable_rises=mean_increases(stable["loss"]),
    )
    relative = [(step, value * config.entropy_lr / 2) for step, value in entropy["sharpness"]]
    run.measure(
        "cross-entropy",
        ce_peak=max(value for step, value in relative if step <= 60),
        ce_late=relative[-1][1],
        ce_rises=increases(entropy["loss"], 60),
    )


def _draw_natural(config: Natural, run: Run, edge: Found, seed: int) -> None:
    run.figure(
        "trace",
        draw_trace(
            edge["loss"], edge["up"], edge["down"], edge["sharpness"], config.trial.train.lr, edge["groups"]["step"]
        ),
        ("paired-groups", "edge-of-stability"),
        caption=(
            "Losses of the two groups take turns around the largest spike; the sharpness stays at 2 / learning rate."
        ),
    )
    data = replace(config.trial, seed=seed).samples()
    if data.is_image:
        run.figure(
            "groups",
            draw_gallery(
                data, edge["groups"]["up"], edge["groups"]["down"], edge["up"], edge["down"], edge["groups"]["step"]
            ),
            ("paired-groups", "opposing-gradients"),
            caption="The images of the two groups, and their mean losses around the spike.",
        )
