"""How the claims of Vargas et al. (2024) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from separata import Run, Unmeasured, experiment, plots

from .configs import SECOND_RATE, ModelConfig, TwoStageConfig
from .paper import METHODS, NETWORKS
from .trials import SCALES, ErrorTrial, GradientTrial, Trial, run_errors, run_gradients, run_trial

RATES = (0.03, 0.12, 0.5, 2.0)
"""Learning rates that every method is tried with, on held-out images."""
FULL_OMEGA = 20.0


def _omega(width: float) -> float:
    """The frequency at which narrower layers, whose weights begin larger, begin with the phases of full-width ones."""
    return FULL_OMEGA * math.sqrt(width)


def _trial(model: str, width: float, dataset: str, epochs: tuple[int, int], **settings: Any) -> Trial:  # noqa: ANN401 - fields
    train = TwoStageConfig(
        epochs=epochs[0],
        stage2_epochs=epochs[1],
        weight_decay=settings.pop("weight_decay", 1e-4),
        stage2_weight_decay=settings.pop("stage2_weight_decay", 1e-5),
        warmup=settings.pop("warmup", 1),
        batch_size=settings.pop("batch_size", 64),
        augment=settings.pop("augment", False),
    )
    return Trial(dataset, ModelConfig(model, omega=_omega(width), width=width), train, **settings)  # type: ignore[arg-type] # checked by it


@dataclass(frozen=True)
class AccuracyConfig:
    """Two networks, each trained by every method for as many epochs in all."""

    vgg: Trial
    resnet: Trial
    rates: tuple[float, ...] = RATES
    tuning: tuple[int, int] = (4, 2)
    """Epochs of both stages after which rates are compared; all in one where there is one stage."""


def _accuracy(dataset: str, vgg: float, resnet: tuple[str, float], epochs: tuple[int, int], **settings: Any) -> Any:  # noqa: ANN401 - fields
    choice = {name: settings.pop(name) for name in ("rates", "tuning") if name in settings}
    return AccuracyConfig(
        _trial("vgg-small", vgg, dataset, epochs, **settings), _trial(*resnet, dataset, epochs, **settings), **choice
    )


SMOKE_ACCURACY = _accuracy("digits", 1 / 64, ("resnet8", 0.25), (1, 1), n_train=100, rates=(0.06,), tuning=(1, 1))
QUICK_ACCURACY = _accuracy("mnist5k", 1 / 8, ("resnet8", 1.0), (10, 5), size=14)
PAPER_SETTINGS = {
    "weight_decay": 1.6e-3, "stage2_weight_decay": 1.6e-4, "warmup": 5, "batch_size": 256, "augment": True
}  # fmt: skip


@experiment(
    "cifar10",
    "two-stages",
    smoke=SMOKE_ACCURACY,
    quick=QUICK_ACCURACY,
    gpu=_accuracy("cifar10", 1 / 4, ("resnet8", 1.0), (6, 3), batch_size=256, augment=True, tuning=(2, 1)),
    paper=_accuracy("cifar10", 1.0, ("resnet18", 1.0), (600, 300), rates=(0.021,), tuning=(1, 1), **PAPER_SETTINGS),
)
def accuracy(config: AccuracyConfig, run: Run) -> None:
    trials = {"vgg": config.vgg, "resnet": config.resnet}
    candidates = {
        (one, name): [for_choice(trial, name, lr, config.tuning) for lr in config.rates]
        for one, trial in trials.items()
        for name in (*METHODS, "one_stage")
    }
    chosen = run.choose(run_trial, candidates, lambda found: _number(found["accuracy"]), "learning rates")
    settings = {(one, name): of_method(trials[one], name, _rate(best)) for (one, name), best in chosen.items()}
    found = run.over_seeds(run_trial, settings, "trainings")
    for number in range(len(run.seeds)):
        of_seed = {key: _number(one[number]["accuracy"]) for key, one in found.items()}
        run.measure("cifar10", **{f"{one}_{name}": of_seed[one, name] for one in NETWORKS for name in METHODS})
        run.measure(
            "two-stages",
            two_stages=_mean([of_seed[one, "biper"] for one in NETWORKS]),
            one_stage=_mean([of_seed[one, "one_stage"] for one in NETWORKS]),
            sine_only=_mean([_number(found[one, "biper"][number]["first"]) for one in NETWORKS]),
        )
    _tell(config, run, settings, found)


def of_method(trial: Trial, name: str, lr: float) -> Trial:
    """The trial by a method, or by BiPer in one stage, with as many epochs in all."""
    train = trial.train
    total = train.epochs + train.stage2_epochs
    if name == "biper":
        return replace(trial, train=replace(train, lr=lr, stage2_lr=SECOND_RATE * lr))
    if name == "one_stage":
        settings = replace(train, epochs=0, stage2_epochs=total, stage2_lr=lr, stage2_weight_decay=train.weight_decay)
        return replace(trial, train=settings)
    method: Any = name
    return replace(
        trial,
        model=replace(trial.model, method=method),
        train=replace(train, epochs=total, stage2_epochs=0, lr=lr),
    )


def for_choice(trial: Trial, name: str, lr: float, epochs: tuple[int, int]) -> Trial:
    """The same by fewer epochs, and on held-out images, by which a learning rate is chosen."""
    shorter = replace(trial.train, epochs=epochs[0], stage2_epochs=epochs[1])
    return replace(of_method(replace(trial, train=shorter), name, lr), is_held_out=True)


def _tell(
    config: AccuracyConfig,
    run: Run,
    settings: Mapping[tuple[str, str], Trial],
    found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> None:
    trial = config.vgg
    rates = ", ".join(f"{rate:g}" for rate in config.rates)
    for claim in ("cifar10", "two-stages"):
        told = "; ".join(
            f"{NETWORKS[one]}: "
            + ", ".join(
                f"{METHODS.get(name, 'one stage')} {_rate(settings[one, name]):g}"
                for name in ((*METHODS,) if claim == "cifar10" else ("biper", "one_stage"))
            )
            for one in NETWORKS
        )
        run.note(
            claim,
            f"{trial.dataset}; {config.vgg.model.model} of width {config.vgg.model.width:g} and "
            f"{config.resnet.model.model} of width {config.resnet.model.width:g}; {trial.train.epochs} and "
            f"{trial.train.stage2_epochs} epochs, {trial.train.epochs + trial.train.stage2_epochs} in one stage. "
            f"Learning rates, the best of {rates} on held-out images after "
            f"{sum(config.tuning)} epochs: {told}.",
        )
    values = {
        NETWORKS[one]: {
            label: [_number(seed["accuracy"]) for seed in found[one, name]]
            for name, label in {**METHODS, "one_stage": "BiPer, one stage"}.items()
        }
        for one in NETWORKS
    }
    if all(math.isfinite(value) for of_network in values.values() for one in of_network.values() for value in one):
        figure = plots.bars(values, ylabel="test accuracy", fmt=None)
        low = min(value for of_network in values.values() for one in of_network.values() for value in one)
        figure.axes[0].set_ylim(max(0.0, low - 0.1 * (1 - low) - 0.02), 1.0)
        run.figure("accuracy", figure, caption="Test accuracy of both networks by each method.")


def _rate(trial: Trial) -> float:
    return trial.train.lr if trial.train.epochs else trial.train.stage2_lr


NO_IMAGENET = Unmeasured(
    "300 epochs on the 1.3 million images of ImageNet take days on several GPUs. The networks are here "
    "(imagenet-resnet18, imagenet-resnet34)."
)


@dataclass(frozen=True)
class ImagenetConfig:
    """Both networks of the claim, trained in two stages."""

    trial: Trial
    """Its model is replaced by each of them."""


@experiment(
    "imagenet",
    smoke=ImagenetConfig(of_method(_trial("imagenet-resnet18", 1 / 32, "digits", (1, 1), n_train=50), "biper", 0.1)),
    quick=NO_IMAGENET,
    gpu=NO_IMAGENET,
    paper=NO_IMAGENET,
)
def imagenet(config: ImagenetConfig, run: Run) -> None:
    model = config.trial.model
    settings = {
        "resnet18": replace(config.trial, model=replace(model, model="imagenet-resnet18")),
        "resnet34": replace(config.trial, model=replace(model, model="imagenet-resnet34")),
    }
    found = run.over_seeds(run_trial, settings, "trainings")
    for number in range(len(run.seeds)):
        run.measure("imagenet", **{name: _number(one[number]["accuracy"]) for name, one in found.items()})


@dataclass(frozen=True)
class ErrorsConfig:
    """A network whose quantization errors are measured after training."""

    trial: Trial
    omegas: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0, 40.0)


def _with_rate(trial: Trial, lr: float) -> Trial:
    return of_method(trial, "biper", lr)


@experiment(
    "quantization-error",
    "bounded",
    smoke=ErrorsConfig(_with_rate(SMOKE_ACCURACY.vgg, 0.06)),
    quick=ErrorsConfig(_with_rate(QUICK_ACCURACY.vgg, 0.2)),
    gpu=ErrorsConfig(_with_rate(_trial("resnet18", 1.0, "cifar10", (6, 3), batch_size=256, augment=True), 0.021)),
    paper=ErrorsConfig(_with_rate(_trial("resnet18", 1.0, "cifar10", (600, 300), **PAPER_SETTINGS), 0.021)),
)
def errors(config: ErrorsConfig, run: Run) -> None:
    found = run.over_seeds(run_errors, {"all": ErrorTrial(config.trial, config.omegas)}, "trainings")["all"]
    for seed, one in zip(run.seeds, found, strict=True):
        run.measure(
            "quantization-error",
            spread=max(one["measured"]) / min(one["measured"]),
            rank=rank_correlation(one["measured"], one["closed"]),
            gap=one["gap"],
            gap_laplace=one["gap_laplace"],
        )
        run.measure(
            "bounded",
            biper=max(one["periodic"]),
            laplace=max(one["bound"]),
            sign=max(one["sign"]),
            growth=math.log10(one["sign"][-1] / one["sign"][-2]),
        )
        kinds = {"measured": "trained weights", "laplace": "Laplace weights", "closed": "closed form"}
        for key, label in kinds.items():
            for omega, error in zip(config.omegas, one[key], strict=True):
                run.log(seed, omega=omega, error=error, weights=label)
        for key, label in {"periodic": "square wave", "sign": "sign"}.items():
            for scale, error in zip(SCALES, one[key], strict=True):
                run.log(seed, log_scale=math.log10(scale), log_error=math.log10(error), binarization=label)
    run.note("quantization-error", f"{config.trial.model.model} on {config.trial.dataset}; means over its layers.")
    run.figure(
        "errors",
        plots.curves(run.history, "error", x="omega", by="weights", xlabel="frequency ω", ylabel="quantization error"),
        ["quantization-error"],
        caption="Quantization error over the frequency: trained weights, Laplace weights, closed form.",
    )
    run.figure(
        "scales",
        plots.curves(
            run.history,
            "log_error",
            x="log_scale",
            by="binarization",
            xlabel="log10 of the factor on all weights",
            ylabel="log10 of the quantization error",
        ),
        ["bounded"],
        caption="Largest quantization error over layers when all weights are multiplied by a factor.",
    )


@dataclass(frozen=True)
class MismatchConfig:
    """Small networks whose gradients are compared with those of the smoothed loss."""

    trial: GradientTrial = field(default_factory=GradientTrial)
    at: int = 1
    """The share of turned signs that is measured, by its place."""


@experiment(
    "mismatch",
    smoke=MismatchConfig(
        GradientTrial(n_steps=10, rates=(0.1, 0.5), n_points=2, n_images=32, n_samples=256, shares=(0.03, 0.1))
    ),
    quick=MismatchConfig(),
    gpu=MismatchConfig(GradientTrial(n_samples=100_000)),
)
def mismatch(config: MismatchConfig, run: Run) -> None:
    trial = config.trial
    settings = {name: replace(trial, method=name) for name in ("sine", "biper", "ste")}
    found = run.over_seeds(run_gradients, settings, "gradients")
    for number, seed in enumerate(run.seeds):
        sine, biper, ste = (found[name][number] for name in ("sine", "biper", "ste"))
        run.measure(
            "mismatch",
            sine=sine["sine"],
            biper=biper["cosines"][config.at],
            ste=ste["cosines"][config.at],
            random=_mean([biper["random"][config.at], ste["random"][config.at]]),
            zero_biper=biper["zero"],
            zero_ste=ste["zero"],
        )
        for name, one in (("square wave", biper), ("straight-through", ste)):
            for place, cosines in enumerate(one["at_points"]):
                for share, cosine in zip(trial.shares, cosines, strict=True):
                    done = place / (trial.n_points - 1)
                    run.log(seed, done=done, cosine=cosine, curve=f"{name}, {100 * share:g} % of signs turned")
    labels = {"sine": "sine", "biper": "square wave", "ste": "straight-through"}
    chosen = {name: ", ".join(f"{one['rate']:g}" for one in some) for name, some in found.items()}
    rates = "; ".join(f"{label} {chosen[name]}" for name, label in labels.items())
    run.note(
        "mismatch",
        f"{trial.hidden} binary units on digits; means over {trial.n_points} points of {trial.n_steps} steps, the "
        f"first and the last among them; noise that turns {100 * trial.shares[config.at]:g} % of the signs; "
        f"{trial.n_samples:,} pairs of losses. Learning rates, the best of {len(trial.rates)} on held-out images, by "
        f"seed: {rates}. Weights without a gradient are counted where latent weights have unit variance.",
    )
    figure = plots.curves(
        run.history,
        "cosine",
        x="done",
        by="curve",
        xlabel="share of the training",
        ylabel="cosine with the smoothed loss's gradient",
    )
    run.figure("cosines", figure, caption="Cosine of the gradient in training with that of the smoothed loss.")


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's correlation of two sequences without equal values."""
    ranks = [[sum(other < value for other in values) for value in values] for values in (a, b)]
    squares = sum((x - y) ** 2 for x, y in zip(*ranks, strict=True))
    n = len(a)
    return 1 - 6 * squares / (n * (n * n - 1))


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return math.nan if value is None else value


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
