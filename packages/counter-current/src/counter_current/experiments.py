"""How the claims of Kao and Hariharan (2024) are measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch

from separata import Run, experiment, plots
from separata.configs import replaced

from .candidates import (
    RULES,
    Autoencoders,
    Convolutions,
    Rules,
    by_rule,
    make_autoencoders,
    make_convolutions,
    mlp_trial,
)
from .configs import DataShape, NetworkConfig, RuleName, RunConfig
from .diagnostics.drawing import draw_alignment, draw_reconstructions
from .diagnostics.flops import count_training_flops
from .networks.architectures import make_network
from .paper import PAPER
from .trials import AlignmentTrial, Trial, run_alignment, run_locality, run_trial


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return math.nan if value is None else value


def _accuracy(found: Mapping[str, Any]) -> float:
    return _number(found["accuracy"])


def _error(found: Mapping[str, Any]) -> float:
    return -_number(found["loss"])


def _test(trial: Trial) -> Trial:
    return replace(trial, is_held_out=False)


FIVE = "256,256,256,256,256"
SMOKE_MLP = mlp_trial("digits", "24,24", 1, 64)
QUICK_MLP = mlp_trial("mnist5k", FIVE, 15, 64)
GPU_MLP = mlp_trial("mnist", FIVE, 10, 256)
PAPER_MLP = mlp_trial("mnist", FIVE, 100, 256)


# ---- locality


@experiment("local-updates", smoke=SMOKE_MLP, quick=QUICK_MLP, gpu=GPU_MLP, paper=PAPER_MLP)
def local_updates(config: Trial, run: Run) -> None:
    """Gradients of one batch, with the weights above drawn anew."""
    found = run.over_seeds(run_locality, {"ccl": config, "bp": by_rule("bp", config)}, "gradients")
    for ccl, bp in zip(*found.values(), strict=True):
        run.measure("local-updates", ccl=ccl["change"], bp=bp["change"])


# ---- perceptrons


QUICK_RULES = Rules(QUICK_MLP)


@experiment(
    "comparable-mlp",
    smoke=Rules(SMOKE_MLP, rates=(0.3,), activations=("elu",)),
    quick=QUICK_RULES,
    gpu=Rules(GPU_MLP),
    paper=Rules(PAPER_MLP, rates=(0.03, 0.1, 0.3, 1.0)),
)
def perceptrons(config: Rules, run: Run) -> None:
    """All rules on the test images, with the settings that are best for each on held-out training images."""
    candidates = {key: config.candidates(rule) for key, rule in RULES.items()}
    chosen = run.choose(run_trial, candidates, _accuracy, "choosing settings")
    found = run.over_seeds(run_trial, {key: _test(one) for key, one in chosen.items()}, "perceptrons")
    for number in range(len(run.seeds)):
        run.measure("comparable-mlp", **{key: _accuracy(of_seeds[number]) for key, of_seeds in found.items()})
    claim = PAPER.claim("comparable-mlp")
    told = [
        f"{claim.label(key)} {one.config.train.lr:g}, {one.config.network.activation}" for key, one in chosen.items()
    ]
    run.note(
        "comparable-mlp",
        f"{config.trial.config.train.epochs} epochs in batches of {config.trial.config.train.batch_size}. Of "
        f"{len(candidates['ccl'])} settings for each rule, the best on held-out images, with learning rate and "
        f"activation function: {'; '.join(told)}.",
    )
    shown = {
        "BP": "bp",
        "CCL": "ccl",
        "FA": "fa",
        "DFA": "dfa",
        "FW-DTP": "fw_dtp",
        "DRTP": "drtp",
        "control": "output_only",
    }
    measured = run.measurements["comparable-mlp"]
    run.figure(
        "perceptrons",
        plots.bars(
            {name: [seed[key] for seed in measured] for name, key in shown.items()},
            paper={name: claim.paper[key] for name, key in shown.items()},
            ylabel="test accuracy",
        ),
        caption=(
            "Test accuracy of a perceptron with five hidden layers, by learning rule; the control trains its output "
            "layer alone."
        ),
    )


# ---- convolutional networks


FULL = "128,128,256,256,512"
SMOKE_CNN = replace(make_convolutions("digits", "4,8", 1, None, batch_size=64), rates=(0.3,), bp_rates=(0.1,))
GPU_CNN = make_convolutions("cifar10", FULL, 10, None)
QUICK_CNN = make_convolutions("mnist5k", "16,32,64", 5, 32, batch_size=64)


@experiment(
    "cnn",
    smoke=SMOKE_CNN,
    quick=QUICK_CNN,
    gpu=GPU_CNN,
    paper=make_convolutions("cifar10", FULL, 100, None),
)
def convolutions(config: Convolutions, run: Run) -> None:
    """Both on the test images, each with its own network, schedule and rate."""
    candidates = config.candidates()
    chosen = run.choose(run_trial, candidates, _accuracy, "choosing rates")
    found = run.over_seeds(run_trial, {key: _test(one) for key, one in chosen.items()}, "convolutional networks")
    for number in range(len(run.seeds)):
        run.measure("cnn", **{key: _accuracy(of_seeds[number]) for key, of_seeds in found.items()})
    rates = ", ".join(f"{PAPER.claim('cnn').label(key)} {one.config.train.lr:g}" for key, one in chosen.items())
    network, train = config.trial.config.network, config.trial.config.train
    run.note(
        "cnn",
        f"{config.trial.dataset}, channels {network.widths}, {train.epochs} epochs in batches of {train.batch_size}. "
        f"Learning rates, of {len(candidates['ccl'])} each, best on held-out images: {rates}.",
    )
    run.figure(
        "convolutions",
        plots.claim(run, "cnn", ylabel="test accuracy"),
        caption="Test accuracy of a convolutional network, by learning rule.",
    )


# ---- cost


@dataclass(frozen=True)
class Cost:
    """The published network, on which operations are counted."""

    widths: str = FIVE
    n_features: int = 784
    n_classes: int = 10
    batch_size: int = 32


QUICK_COST = Cost()


@experiment("training-cost", smoke=Cost(), quick=QUICK_COST, gpu=Cost())
def training_cost(config: Cost, run: Run) -> None:
    """Operations of a step, counted; they depend on no seed."""
    with torch.device("meta"):
        network = make_network(NetworkConfig(widths=config.widths), DataShape((config.n_features,), config.n_classes))
    rules: dict[str, RuleName] = {"ccl": "ccl", "bp": "bp", "fw_dtp": "fw-dtp", "dtp": "dtp"}
    counts = {
        key: count_training_flops(network, config.batch_size, RunConfig(rule=rule)) / 1e6 for key, rule in rules.items()
    }
    for _ in run.seeds:
        run.measure("training-cost", **counts)
    run.figure(
        "cost",
        plots.claim(run, "training-cost", ylabel="MFLOP for each sample", log=True),
        caption="Floating-point operations of a training step, counted here and as published.",
    )


# ---- autoencoder


QUICK_AUTOENCODER = make_autoencoders("mnist5k", "16,32,64", 4, 16)


@experiment(
    "autoencoder",
    smoke=replace(make_autoencoders("digits", "4,8", 1, None), rates=(0.03,)),
    quick=QUICK_AUTOENCODER,
    gpu=make_autoencoders("cifar10", "64,128,256", 10, None),
    paper=make_autoencoders("stl10", "128,256,1024,2048", 50, 96),
)
def autoencoders(config: Autoencoders, run: Run) -> None:
    """Reconstruction of test images, each rule with its own schedule and rate."""
    chosen = run.choose(run_trial, config.candidates(), _error, "choosing rates")
    found = run.over_seeds(run_trial, {key: _test(one) for key, one in chosen.items()}, "autoencoders")
    for number in range(len(run.seeds)):
        errors = {key: -_error(of_seeds[number]) for key, of_seeds in found.items()}
        run.measure("autoencoder", **errors, mean=found["bp"][number]["mean"])
    rates = ", ".join(f"{PAPER.claim('autoencoder').label(key)} {one.config.train.lr:g}" for key, one in chosen.items())
    trial = config.trial
    run.note(
        "autoencoder",
        f"{trial.dataset}, channels {trial.config.network.widths}, {trial.config.train.epochs} epochs. Learning "
        f"rates, of {len(config.rates)} each, best on held-out images: {rates}.",
    )
    run.figure(
        "autoencoder",
        plots.claim(run, "autoencoder", ylabel="mean squared error"),
        caption="Mean squared error of reconstructed test images.",
    )
    _draw_pictures(run, {key: of_seeds[0] for key, of_seeds in found.items()})


def _draw_pictures(run: Run, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Reconstructions by each rule, with the first seed; those that diverged have none."""
    kept = {key: one["pictures"] for key, one in found.items() if "pictures" in one}
    if not kept:
        return
    names = {"ccl": "counter-current", "bp": "back-propagation", "output_only": "output layer alone"}
    rows = {"sample": next(iter(kept.values()))["sample"]}
    rows |= {names[key]: pictures["reconstruction"] for key, pictures in kept.items()}
    figure = draw_reconstructions({name: torch.tensor(images) / 255 for name, images in rows.items()})
    run.figure("reconstructions", figure, caption="Test images and their reconstructions, with the first seed.")


# ---- alignment


@dataclass(frozen=True)
class Alignments:
    """A convolutional network, as in the paper, and a perceptron; each by both rules, for a few steps."""

    cnn: Convolutions
    mlp: Trial
    steps: tuple[int, ...] = (0, 40, 160)
    batch_size: int = 32

    def trials(self) -> dict[str, AlignmentTrial]:
        """The trainings by name."""
        cnn = self.cnn.trial
        trials = {
            "cnn": cnn,
            "cnn_bp": replace(cnn, config=self.cnn.bp),
            "mlp": self.mlp,
            "mlp_bp": by_rule("bp", self.mlp),
        }
        return {
            name: AlignmentTrial(replaced(trial, batch_size=self.batch_size), self.steps)
            for name, trial in trials.items()
        }


# As deep as the published network, of which three hidden layers are only the upper ones.
QUICK_ALIGNMENT = Alignments(make_convolutions("mnist5k", "16,16,32,32,64", 5, 32, batch_size=64), QUICK_MLP)


@experiment(
    "alignment",
    smoke=Alignments(SMOKE_CNN, SMOKE_MLP, (0, 5, 10)),
    quick=QUICK_ALIGNMENT,
    gpu=Alignments(GPU_CNN, GPU_MLP),
)
def alignment(config: Alignments, run: Run) -> None:
    """Linear CKA of the two directions before, during and after a short training."""
    found = run.over_seeds(run_alignment, config.trials(), "alignment")
    for number in range(len(run.seeds)):
        top = {name: of_seeds[number]["top"] for name, of_seeds in found.items()}
        run.measure(
            "alignment",
            before=top["cnn"][0],
            after=top["cnn"][-1],
            bp_after=top["cnn_bp"][-1],
            mlp_before=top["mlp"][0],
            mlp_after=top["mlp"][-1],
            mlp_bp_after=top["mlp_bp"][-1],
        )
    names = {
        "cnn": "a convolutional network under counter-current learning",
        "cnn_bp": "the same under back-propagation",
        "mlp": "a perceptron under counter-current learning",
        "mlp_bp": "the same under back-propagation",
    }
    for key, name in names.items():
        maps = torch.tensor([one["maps"] for one in found[key]], dtype=torch.double).mean(0)
        steps = [f"{step:,} steps" for step in config.steps]
        run.figure(
            f"alignment-{key.replace('_', '-')}",
            draw_alignment(dict(zip(steps, maps, strict=True))),
            caption=(
                f"Linear CKA of every forward activation with every feedback signal in {name}, mean over seeds; 0 is "
                "the sample, the last index the output."
            ),
        )


# ---- frozen and trained feedback


@dataclass(frozen=True)
class Grid:
    """Forward learning rates, with frozen and with trained feedback."""

    trial: Trial
    rates: tuple[float, float, float] = (0.2, 0.4, 0.8)
    feedback_rates: tuple[float, ...] = (0.0, 0.4)
    """The first is that of frozen feedback, the last that of trained feedback; others are drawn only."""


QUICK_GRID = Grid(QUICK_MLP)


@experiment(
    "trained-feedback",
    smoke=Grid(SMOKE_MLP),
    quick=QUICK_GRID,
    gpu=Grid(GPU_MLP),
    paper=Grid(PAPER_MLP, feedback_rates=(0.0, 0.05, 0.1, 0.2, 0.8, 0.4)),
)
def trained_feedback(config: Grid, run: Run) -> None:
    """Test accuracy over a grid of both learning rates."""
    settings = {
        (feedback, rate): replaced(config.trial, lr=rate, lr_feedback=feedback)
        for feedback, rate in product(config.feedback_rates, config.rates)
    }
    found = run.over_seeds(run_trial, settings, "learning rates")
    ends = {"frozen": config.feedback_rates[0], "trained": config.feedback_rates[-1]}
    for number in range(len(run.seeds)):
        values = {
            f"{name}_{which}": _accuracy(found[feedback, rate][number])
            for name, feedback in ends.items()
            for which, rate in zip(("low", "middle", "high"), config.rates, strict=True)
        }
        run.measure("trained-feedback", **values)
    means = [
        [sum(map(_accuracy, found[feedback, rate])) / len(run.seeds) for rate in config.rates]
        for feedback in sorted(config.feedback_rates)
    ]
    run.figure(
        "learning-rates",
        plots.heatmap(
            means,
            rows=[f"{rate:g}" for rate in sorted(config.feedback_rates)],
            columns=[f"{rate:g}" for rate in config.rates],
            xlabel="learning rate of the forward weights",
            ylabel="of the feedback weights",
            label="test accuracy",
            fmt=".3f",
        ),
        caption="Test accuracy by the learning rates of both networks, mean over seeds.",
    )
