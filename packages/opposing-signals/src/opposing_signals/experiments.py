"""How the claims of Rosenfeld and Risteski (2023) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

from separata import Run, Unmeasured, experiment

from .configs import DataConfig, ModelConfig, OptimizerName, TrainConfig
from .drawing import draw_depth, draw_doses, draw_gallery, draw_linear, draw_optimizers, draw_trace, draw_valley
from .paper import DOSES
from .trials import (
    LinearTrial,
    OptimizerTrial,
    PlantedTrial,
    SpikeTrial,
    Trial,
    rise,
    run_linear,
    run_optimizer,
    run_planted,
    run_spike,
    run_trial,
)

Found = Mapping[str, Any]


def increases(loss: Sequence[float], n_steps: int | None = None) -> int:
    """Steps in which the loss rises, among the first ones or all."""
    some = loss[: None if n_steps is None else n_steps + 1]
    return sum(after > before for before, after in zip(some, some[1:], strict=False))


def mean_increases(loss: Sequence[float], n_steps: int = 60) -> float:
    """Loss increases in so many steps, on average over the training."""
    return increases(loss) * n_steps / max(len(loss) - 1, 1)


# ---- natural images


@dataclass(frozen=True)
class Natural:
    """Full-batch gradient descent on natural images.

    Args:
        trial: At the edge of stability.
        stable_lr: Learning rate of the control, below it.
        entropy_lr: Learning rate with cross-entropy.
        device_note: What is said about the scale.
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


@experiment(
    "paired-groups",
    "opposing-gradients",
    "consistent-features",
    "edge-of-stability",
    "cross-entropy",
    "outliers-dominate-natural",
    smoke=Natural(SMALL),
    quick=Natural(),
    gpu=Natural(Trial("cifar10", DataConfig(2000), ModelConfig("vgg", width=32), GPU_TRAIN), 0.005, 0.1),
    paper=Natural(Trial("cifar10", CIFAR, RESNET, replace(GPU_TRAIN, n_steps=2000, lr=0.02)), 0.002, 0.05),
)
def natural(config: Natural, run: Run) -> None:
    """Groups, gradients, features and sharpness on natural images."""
    settings = {"edge": config.trial, "stable": config.stable(), "entropy": config.entropy()}
    found = run.over_seeds(run_trial, settings, "trainings on natural images")
    trials = [replace(config.trial, seed=seed) for seed in run.seeds]
    members = [(tuple(one["groups"]["up"]), tuple(one["groups"]["down"])) for one in found["edge"]]
    at_spike = run.map(
        run_spike,
        [
            SpikeTrial(trial, one["groups"]["step"], *groups)
            for trial, one, groups in zip(trials, found["edge"], members, strict=True)
        ],
        "gradients and features",
    )
    n = len(config.trial.samples())
    removed = [
        [replace(trial, without=up + down), replace(trial, without=trial.random(n, len(up) + len(down)))]
        for trial, (up, down) in zip(trials, members, strict=True)
    ]
    without = run.map(run_trial, [one for pair in removed for one in pair], "trainings without some images")
    for i in range(len(run.seeds)):
        edge, stable, entropy = (found[name][i] for name in settings)
        _measure_groups(run, edge, stable, at_spike[i])
        _measure_edge(run, config, edge, stable, entropy)
        run.measure(
            "outliers-dominate-natural",
            all=increases(edge["loss"]),
            without_groups=increases(without[2 * i]["loss"]),
            without_random=increases(without[2 * i + 1]["loss"]),
            share=edge["share"],
        )
    _draw_natural(config, run, found["edge"][0])


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
    late = [value * lr / 2 for step, value in edge["sharpness"] if step >= min(30, config.trial.train.n_steps // 2)]
    run.measure(
        "edge-of-stability",
        lowest=min(late),
        highest=max(late),
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


def _draw_natural(config: Natural, run: Run, edge: Found) -> None:
    run.figure(
        "trace",
        draw_trace(edge["loss"], edge["up"], edge["down"], edge["sharpness"], config.trial.train.lr, edge["groups"]["step"]),
        ("paired-groups", "edge-of-stability"),
        caption=(
            "Losses of the two groups take turns around the largest spike, while the sharpness stays at 2 / learning rate."
        ),
    )
    data = replace(config.trial, seed=run.seeds[0]).samples()
    if data.is_image:
        run.figure(
            "groups",
            draw_gallery(data, edge["groups"]["up"], edge["groups"]["down"], edge["up"], edge["down"], edge["groups"]["step"]),
            ("paired-groups", "opposing-gradients"),
            caption="The images of the two groups, and their mean losses around the spike.",
        )


# ---- planted signals


@dataclass(frozen=True)
class Planted:
    """A signal planted in a few images of two classes.

    Args:
        trial: At the edge of stability.
        slow: At a small learning rate.
        doses: Amplitudes of the signal.
    """

    trial: Trial = field(
        default_factory=lambda: Trial(
            model=ModelConfig(activation="relu"), train=TrainConfig(lr=0.5, sharpness_every=10), spike_after=120
        )
    )
    slow: Trial = field(
        default_factory=lambda: Trial(
            model=ModelConfig(activation="relu"), train=TrainConfig(400, lr=0.05, sharpness_every=25), spike_after=120
        )
    )
    doses: tuple[float, ...] = tuple(DOSES.values())


_TINY = replace(SMALL, model=ModelConfig(hidden="16,16", activation="relu"), data=DataConfig(400))


@experiment(
    "narrow-valley",
    "outliers-dominate",
    "predictions",
    smoke=Planted(_TINY, replace(_TINY, train=replace(_TINY.train, lr=0.05))),
    quick=Planted(),
)
def planted(config: Planted, run: Run) -> None:
    """Who takes part in the spikes, by the magnitude of the signal; and the sharpness without those who have it."""
    settings = {
        key: PlantedTrial(config.trial, dose, with_valley=dose == 5.0) for key, dose in zip(DOSES, config.doses, strict=True)
    }
    settings |= {name: PlantedTrial(config.slow, leave_out=name) for name in ("none", "planted", "random")}
    found = run.over_seeds(run_planted, settings, "trainings with planted signals")
    for i in range(len(run.seeds)):
        last = {name: found[name][i]["sharpness"][-1][1] for name in ("none", "planted", "random")}
        run.measure("outliers-dominate", **{name: last[name] / last["none"] - 1 for name in ("planted", "random")})
        strongest = found["dose_5"][i]
        run.measure(
            "predictions",
            **{key: found[key][i]["share"] for key in DOSES},
            svd_5=strongest["svd_share"],
            probe=strongest["probe_correlation"],
        )
        run.measure("narrow-valley", **_valley(strongest))
    run.figure(
        "doses",
        draw_doses(
            list(DOSES.values()),
            {
                "by change": [[one["share"] for one in found[key]] for key in DOSES],
                "by singular vectors": [[one["svd_share"] for one in found[key]] for key in DOSES],
            },
            {name: [one["sharpness"] for one in found[name]] for name in ("none", "planted", "random")},
        ),
        ("outliers-dominate", "predictions"),
        caption=(
            "Left: the stronger the planted signal, the more of the images in the groups have it. Right: without these "
            "images the network is less sharp, without random ones it is not."
        ),
    )
    one = found["dose_5"][0]
    run.figure(
        "valley",
        draw_valley(one["classes"], one["rest"], one["probe"], one["sharpness"], config.trial.train.lr),
        ("narrow-valley", "predictions"),
        caption=(
            "Losses of the planted images of both classes, the network's output for a plain image, and the sharpness."
        ),
    )


def _valley(found: Found) -> dict[str, float]:
    """How well the groups balance early, and how much their loss rises to the spike."""
    balance = [abs(a + b) / (abs(a) + abs(b)) for _, a, b in found["balance"] if a or b]
    peak = found["step"] + 1
    before = max(0, peak - 10)
    worse = max(found["classes"].values(), key=lambda series: series[peak])
    return {
        "balance": median(balance) if balance else math.nan,
        "groups_rise": worse[peak] / worse[before],
        "rest_rise": found["rest"][peak] / found["rest"][before],
    }


# ---- the linear analysis, and depth


@dataclass(frozen=True)
class Depth:
    """The linear network, and perceptrons of several depths at a small learning rate.

    Args:
        linear: The linear network.
        trial: The perceptrons' training.
        width: Units of a hidden layer.
    """

    linear: LinearTrial = field(default_factory=LinearTrial)
    trial: Trial = field(default_factory=lambda: Trial(train=TrainConfig(1000, lr=0.05, sharpness_every=25)))
    width: int = 64

    def perceptrons(self) -> dict[str, Trial]:
        """The trainings by key."""
        return {
            f"mlp_{n}": replace(self.trial, model=replace(self.trial.model, hidden=",".join([str(self.width)] * n)))
            for n in (0, 1, 3)
        }


@experiment(
    "linear-analysis",
    "depth",
    smoke=Depth(LinearTrial(steps=400, n=5000), replace(SMALL, train=TrainConfig(30, lr=0.02, sharpness_every=10)), 16),
    quick=Depth(),
    paper=Depth(LinearTrial(d1=50, d2=20, n=200_000)),
)
def depth(config: Depth, run: Run) -> None:
    """The two-layer linear network, and what becomes of sharpness without depth."""
    linear = run.over_seeds(run_linear, {"linear": config.linear}, "linear networks")["linear"]
    mlps = run.over_seeds(run_trial, config.perceptrons(), "perceptrons")
    for i in range(len(run.seeds)):
        keys = run.paper.claim("linear-analysis").paper
        run.measure("linear-analysis", **{key: linear[i][key] for key in keys})
        rises = {key: rise([value for _, value in mlps[key][i]["sharpness"]]) for key in mlps}
        run.measure("depth", one_layer=linear[i]["one_layer"], two_layers=linear[i]["two_layers"], **rises)
    curves = linear[0]["curves"]
    run.figure(
        "linear",
        draw_linear({config.linear.eta_stable: curves["stable"], config.linear.eta: curves["edge"]}, config.linear.alpha),
        ("linear-analysis",),
        caption=(
            "The two-layer linear network: below the edge of stability its curvature rises to alpha |beta|; above it the "
            "outliers' weight oscillates and grows until the loss spikes, which brings the curvature below 2 / step size."
        ),
    )
    named = {"no hidden layer": "mlp_0", "1 hidden layer": "mlp_1", "3 hidden layers": "mlp_3"}
    run.figure(
        "depth",
        draw_depth({label: [one["sharpness"] for one in mlps[key]] for label, key in named.items()}),
        ("depth",),
        caption="Sharpness of perceptrons relative to its first value: without a hidden layer it does not change.",
    )


# ---- optimizers


@dataclass(frozen=True)
class Optimizers:
    """Optimizers with tuned rates on text and images.

    Args:
        text: The training on text.
        images: The training on images.
        rates: Candidate learning rates of SGD.
        small_rates: Candidate learning rates of Adam, and of the steps of fixed size.
    """

    text: OptimizerTrial = field(
        default_factory=lambda: OptimizerTrial(
            "text",
            DataConfig(5000),
            ModelConfig(hidden="64"),
            TrainConfig(400, "cross-entropy", batch_size=250, record_every=5, sharpness_every=0, momentum=0.9),
        )
    )
    images: OptimizerTrial = field(
        default_factory=lambda: OptimizerTrial(
            "mnist5k",
            DataConfig(2000, pool=2),
            ModelConfig(activation="relu"),
            TrainConfig(300, "cross-entropy", batch_size=200, record_every=5, sharpness_every=0, momentum=0.9),
        )
    )
    rates: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    small_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


KINDS: dict[str, tuple[OptimizerName, float]] = {
    "sgd": ("sgd", 0.9),
    "adam": ("adam", 0.9),
    "sgd_plain": ("sgd", 0.0),
    "adam_plain": ("adam", 0.0),
    "signum": ("signum", 0.9),
}
"""Optimizer and momentum by key; SplitSGD, with and without momentum, is tuned after SGD."""
LABELS = {
    "sgd": "SGD, momentum",
    "adam": "Adam",
    "split": "SplitSGD",
    "sgd_plain": "SGD, no momentum",
    "adam_plain": "Adam, beta1 = 0",
    "split_plain": "SplitSGD, no momentum",
    "signum": "sign of the momentum",
}


@experiment(
    "adam-and-sgd",
    smoke=Optimizers(
        replace(Optimizers().text, data=DataConfig(500), train=replace(Optimizers().text.train, n_steps=20)),
        replace(
            Optimizers().images, dataset="digits", data=DataConfig(300), train=replace(Optimizers().images.train, n_steps=20)
        ),
        (1.0,),
        (1e-2,),
    ),
    quick=Optimizers(),
    paper=Unmeasured("GPT-2 on OpenWebText is not among the experiments; see the evidence at gpu"),
)
def optimizers(config: Optimizers, run: Run) -> None:
    """Steps to the training loss that SGD ends with, with tuned rates."""
    trials = {"text": config.text, "images": config.images}
    base = {(data, key): (trial, *kind) for data, trial in trials.items() for key, kind in KINDS.items()}
    candidates = {name: _candidates(config, *one) for name, one in base.items()}
    chosen = run.choose(run_optimizer, candidates, _score, "choosing learning rates")
    split = {
        (data, key): [
            replace(trial, train=replace(trial.train, optimizer="split-sgd", lr=chosen[data, sgd].train.lr, lr_large=rate, momentum=momentum), is_tuning=True)
            for rate in config.small_rates
        ]
        for data, trial in trials.items()
        for key, sgd, momentum in (("split", "sgd", 0.9), ("split_plain", "sgd_plain", 0.0))
    }
    chosen |= run.choose(run_optimizer, split, _score, "choosing step sizes")
    final = {name: replace(one, is_tuning=False) for name, one in chosen.items()}
    found = run.over_seeds(run_optimizer, final, "optimizers")
    for i in range(len(run.seeds)):
        shares = {
            f"{data}_{key}": _steps_to(found[data, key][i], found[data, "sgd"][i])
            for data in trials
            for key in ("adam", "split")
        }
        run.measure("adam-and-sgd", **shares)
    _note_optimizers(config, run, chosen, found)
    run.figure(
        "optimizers",
        draw_optimizers(
            {
                title: {LABELS[key]: [(one["steps"], one["loss"]) for one in found[data, key]] for key in ("sgd", "split", "adam")}
                for data, title in (("text", "Generated text"), ("images", "MNIST"))
            }
        ),
        caption="Training loss of SGD with momentum, SplitSGD and Adam with tuned rates.",
    )


def _candidates(config: Optimizers, trial: OptimizerTrial, kind: OptimizerName, momentum: float) -> list[OptimizerTrial]:
    rates = config.rates if kind == "sgd" else config.small_rates
    return [
        replace(
            trial, train=replace(trial.train, optimizer=kind, lr=rate, lr_large=rate, momentum=momentum), is_tuning=True
        )
        for rate in rates
    ]


def _score(found: Found) -> float:
    return math.nan if found["final"] is None else -found["final"]


def _steps_to(found: Found, sgd: Found) -> float:
    """Share of the steps after which the loss is down where SGD's ends; 1 if it never is."""
    if sgd["final"] is None or found["final"] is None:
        return math.nan
    reached = [step for step, loss in zip(found["steps"], found["loss"], strict=True) if loss <= sgd["final"]]
    return reached[0] / found["steps"][-1] if reached else 1.0


def _note_optimizers(
    config: Optimizers,
    run: Run,
    chosen: Mapping[tuple[str, str], OptimizerTrial],
    found: Mapping[tuple[str, str], list[dict[str, Any]]],
) -> None:
    """The rates that were chosen, the final losses, and the ablations."""
    told = []
    for data in ("text", "images"):
        some = []
        for key, label in LABELS.items():
            train = chosen[data, key].train
            rate = f"{train.lr_large:g}" if train.optimizer == "signum" else f"{train.lr:g}"
            rate += f" and {train.lr_large:g}" if train.optimizer == "split-sgd" else ""
            finals = [math.nan if one["final"] is None else one["final"] for one in found[data, key]]
            some.append(f"{label} {fmean(finals):.3g} (at {rate})")
        told.append(f"{'Text' if data == 'text' else 'Images'}: {', '.join(some)}.")
    run.note(
        "adam-and-sgd",
        f"Rates are the best of {len(config.rates)} each on other samples with other weights; SplitSGD keeps SGD's rate and "
        f"chooses its fixed step among {len(config.small_rates)}. Final training losses. {' '.join(told)}",
    )
