"""How the claims of Ta and Tran (2025) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from separata import Run, experiment, plots

from .candidates import RATES, Ablation, Comparison
from .comparison import Axis
from .configs import ModelConfig, TrainConfig
from .drawing import draw_basis, draw_sizes
from .paper import AXES, KANS, LARGER, PAPER, REDUCTIONS, SMOOTH
from .trials import CostTrial, Trial, run_cost, run_trial

Found = Mapping[str, list[dict[str, Any]]]
"""For each name of a network what was found of it, in the order of the seeds."""


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return math.nan if value is None else value


def _validation(found: Mapping[str, Any]) -> float:
    return _number(found["validation"])


def _accuracies(found: Found, number: int) -> dict[str, float]:
    """The test accuracy of each network with the seed of that place."""
    return {name: _number(of_seeds[number]["accuracy"]) for name, of_seeds in found.items()}


# ---- networks side by side


QUICK_COMPARISON = Comparison(Trial("mnist5k", train=TrainConfig(epochs=12)))


@experiment(
    "outperforms-mlp",
    "outperforms-kans",
    "fewer-parameters",
    smoke=Comparison(Trial("digits", ModelConfig(hidden="24"), TrainConfig(epochs=1)), rates=(1e-2,)),
    quick=QUICK_COMPARISON,
    gpu=Comparison(Trial("mnist", train=TrainConfig(epochs=8))),
    paper=Comparison(Trial("mnist", train=TrainConfig(epochs=25))),
)
def comparison(config: Comparison, run: Run) -> None:
    """Every network on the test images, at the learning rate that is best for it on held-out training images."""
    candidates = config.candidates()
    chosen = run.choose(run_trial, candidates, _validation, "choosing learning rates", every_seed=True)
    chosen["shuffled"] = replace(chosen["af_kan"], is_shuffled=True)
    found = run.over_seeds(run_trial, chosen, "networks")
    for number in range(len(run.seeds)):
        accuracy = _accuracies(found, number)
        sizes = {name: of_seeds[number]["n_parameters"] for name, of_seeds in found.items()}
        control = {"shuffled": accuracy["shuffled"]}
        mlps = {name: accuracy[name] for name in ("mlp", "mlp_final")}
        run.measure("outperforms-mlp", af_kan=accuracy["af_kan"], **mlps, **control)
        run.measure(
            "outperforms-kans",
            af_kan=accuracy["af_kan"],
            **{name: accuracy[f"small_{name}"] for name in KANS},
            **control,
        )
        run.measure(
            "fewer-parameters",
            af_kan=accuracy["af_kan"],
            **{name: accuracy[f"large_{name}"] for name in LARGER},
            **{f"ratio_{name}": sizes[f"large_{name}"] / sizes["af_kan"] for name in LARGER},
        )
    _note_comparison(config, chosen, found, run)
    _draw_comparison(found, run)


def _note_comparison(config: Comparison, chosen: Mapping[str, Trial], found: Found, run: Run) -> None:
    """The learning rates, the widths, and how sure the difference to the perceptron is."""
    train = config.trial.train
    rates = ", ".join(f"{rate:g}" for rate in config.rates)
    told = [
        f"{config.label(name)} {one.model.hidden} units at {one.train.lr:g}"
        for name, one in chosen.items()
        if name != "shuffled"
    ]
    run.note(
        "outperforms-mlp",
        f"{train.epochs} epochs in batches of {train.batch_size}, with AdamW and learning rates falling by "
        f"{train.gamma:g} an epoch, best of {rates} on held-out images. {_paired(found, 'af_kan', 'mlp', 'the MLP')}",
    )
    run.note("outperforms-kans", f"Hidden units and learning rates: {'; '.join(told)}.")


def _paired(found: Found, one: str, other: str, name: str) -> str:
    """The mean difference of two networks' accuracies over seeds, with its standard error."""
    pairs = zip(found[one], found[other], strict=True)
    differences = [_number(a["accuracy"]) - _number(b["accuracy"]) for a, b in pairs]
    if len(differences) < 2:
        return ""
    error = stdev(differences) / math.sqrt(len(differences))
    return f"The paired difference to {name} is {fmean(differences):+.4f} with a standard error of {error:.4f}."


def _draw_comparison(found: Found, run: Run) -> None:
    labels = Comparison.label
    shown = {
        labels(name): (of_seeds[0]["n_parameters"], [_number(one["accuracy"]) for one in of_seeds])
        for name, of_seeds in found.items()
        if name != "shuffled"
    }
    run.figure(
        "sizes",
        draw_sizes(shown, "test accuracy"),
        caption=(
            "Test accuracy against the number of parameters: marks are means over seeds, bars one standard deviation."
        ),
    )


# ---- cost


@experiment(
    "cost",
    smoke=CostTrial((ModelConfig(), ModelConfig("mlp"))),
    quick=CostTrial((ModelConfig(), ModelConfig("mlp"))),
    gpu=CostTrial((ModelConfig(), ModelConfig("mlp"))),
)
def cost(config: CostTrial, run: Run) -> None:
    """A training step of both networks, timed in turn, and the operations of a forward pass."""
    found = run.over_seeds(run_cost, {"steps": config}, "training steps")["steps"]
    for one in found:
        ours, mlp = one["milliseconds"]
        flops, of_mlp = one["flops"]
        run.measure("cost", time=ours / mlp, flops=flops / of_mlp)
    times = [fmean(one["milliseconds"][i] for one in found) for i in range(2)]
    flops, of_mlp = found[0]["flops"]
    run.note(
        "cost",
        f"A step takes {times[0]:.2f} ms, the MLP's {times[1]:.2f} ms; a forward pass {flops / 1e3:,.0f} kFLOP for "
        f"each sample, the MLP's {of_mlp / 1e3:,.0f}.",
    )


# ---- ablations


QUICK_ABLATION = Ablation(Trial("digits", train=TrainConfig(epochs=15)))


@experiment(
    "best-configuration",
    "negative-values",
    "reduction",
    smoke=Ablation(Trial("digits", ModelConfig(hidden="12"), TrainConfig(epochs=1, batch_size=256)), rates=(1e-2,)),
    quick=QUICK_ABLATION,
    gpu=Ablation(Trial("mnist", train=TrainConfig(epochs=5)), rates=RATES),
    paper=Ablation(Trial("mnist", train=TrainConfig(epochs=25)), rates=RATES),
)
def ablation(config: Ablation, run: Run) -> None:
    """Networks that differ from the paper's best in one setting, each at the learning rate that is best for it."""
    chosen = run.choose(run_trial, config.candidates(), _validation, "choosing learning rates", every_seed=True)
    found = run.over_seeds(run_trial, chosen, "ablations")
    best: dict[Axis, str] = {axis: _best(found, config.names(axis)) for axis in AXES}
    for number in range(len(run.seeds)):
        accuracy = _accuracies(found, number)
        run.measure(
            "best-configuration",
            default=accuracy["default"],
            **{f"best_{axis}": accuracy[best[axis]] for axis in AXES},
            no_norm=accuracy["norm none"],
        )
        run.measure(
            "negative-values", **{name: accuracy[config.name("activation", name)] for name in (*SMOOTH, "relu")}
        )
        sizes = {name: found[name][number]["n_parameters"] for name in ("default", "unreduced")}
        run.measure(
            "reduction",
            **{name: accuracy[config.name("reduction", name)] for name in REDUCTIONS},
            unreduced=accuracy["unreduced"],
            ratio=sizes["default"] / sizes["unreduced"],
        )
    _note_ablation(config, best, found, run)
    _draw_ablation(config, found, run)


def _best(found: Found, names: Sequence[str]) -> str:
    """The network that is best on the validation data, on the mean over seeds."""
    means = {name: fmean(_validation(one) for one in found[name]) for name in names}
    return max(means, key=lambda name: -math.inf if math.isnan(means[name]) else means[name])


def _note_ablation(config: Ablation, best: Mapping[Axis, str], found: Found, run: Run) -> None:
    train = config.trial.train
    told = ", ".join(
        f"{axis} {'the default' if name == 'default' else config.value(axis, name)}" for axis, name in best.items()
    )
    run.note(
        "best-configuration",
        f"{config.trial.dataset}, one hidden layer of {config.trial.model.hidden} units, {train.epochs} epochs; each "
        f"network at the best of {len(config.rates)} learning rates. Best on validation data: {told}.",
    )
    others = [name for name in config.names("reduction") if name.removeprefix("reduction ") not in REDUCTIONS]
    means = {name: fmean(_number(one["accuracy"]) for one in found[name]) for name in others if name != "default"}
    shown = ", ".join(f"{name.removeprefix('reduction ')} {mean:.3f}" for name, mean in means.items())
    run.note("reduction", f"The other reductions: {shown}.")


def _draw_ablation(config: Ablation, found: Found, run: Run) -> None:
    for axis, claims in config.drawn.items():
        bars = {
            config.value(axis, name): [_number(one["accuracy"]) for one in found[name]] for name in config.names(axis)
        }
        figure = plots.bars(bars, ylabel=PAPER.claim(claims[0]).metric.split(",")[0], xlabel=axis)
        drawn = [mean for values in bars.values() for mean in values if not math.isnan(mean)]
        figure.axes[0].set_ylim(max(0.0, min(drawn) - 0.1), 1.0)
        run.figure(
            axis,
            figure,
            claims,
            caption=(
                f"Test accuracy by {axis.replace('-', ' ')}: bars are means over seeds, error bars one standard "
                "deviation, dots the seeds. The axis does not begin at zero."
            ),
        )
    pairs = [("relu", "quad1"), ("silu", "quad1"), ("silu", "quad2"), ("gelu", "quad1")]
    run.figure(
        "basis",
        draw_basis(pairs, n_columns=4),  # type: ignore[arg-type] # names of activations and combinations
        ["best-configuration"],
        caption="Basis functions of a layer with g = k = 3 by activation and combination; the grid is shaded.",
    )
