"""The command line `stochastic-neurons`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import RunConfig
from .paper import PAPER

Inference = Literal["sample", "mean", "threshold"]


def bench(
    function: str = "quadratic",
    /,
    *,
    n: int = 8,
    estimators: str = "sbn-none,sbn-mean,sbn-optimal,st,st-sigmoid,sts,relaxed",
    at: str = "",
    samples: int = 100_000,
    seed: int = 0,
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Measure bias and variance on a function of yours.

    Args:
        function: linear, quadratic, multilinear or mlp (random); a formula in h1, h2, ..., such as 'h1*h2 - 2*h3'; or
            file.py:function or module:function, yours, from a tensor (samples, units) to one (samples,).
        n: Number of units, at most 16.
        estimators: With commas: sbn-none, sbn-mean, sbn-optimal, sbn-learned, st, st-sigmoid, sts, relaxed; or
            noisy-relu, noisy-relu-logistic, semi-hard, noisy-sigmoid, multiplicative, each against its own expectation.
        at: Pre-activations, with commas; random by default.
        samples: Samples of each estimator.
        seed: Draws the function, the pre-activations and the noise.
        out: Table of every unit to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.bench(function, n=n, estimators=estimators, at=at, n_samples=samples, seed=seed, out=out, plot=plot).show(
        as_json=json
    )


def train(
    data: str,
    /,
    config: RunConfig,
    *,
    out: Path,
    size: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a conditional network, and test it.

    A tenth of the training data is for validation; the weights with the lowest validation error are kept.

    Args:
        data: digits, mnist5k, mnist, cifar10, ...; a folder of images in folders by class; .npz with x and y, or
            x_train, y_train, x_test and y_test; or .csv with a column label.
        config: The network and how it is trained.
        out: Output folder, for model.safetensors, the settings and the history.
        size: Height and width to which images are resized.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, config, size=size, device=device, resume=resume).show(as_json=json)


def evaluate(
    run: Path,
    data: str,
    /,
    *,
    part: Literal["train", "validation", "test", "all"] = "test",
    inference: Inference = "sample",
    draws: int = 1,
    predictions: Path | None = None,
    size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a network with its gates drawn, or without noise.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Data, as train takes it.
        part: Part of the data: train, validation, test, or all of a file that was not trained on.
        inference: sample, as in training; mean, the expected gates; or threshold, on where on is likelier than off.
        draws: Samples of the gates whose class probabilities are averaged.
        predictions: Table of predicted classes to write, .csv.
        size: Height and width to which images are resized, as in training.
        seed: Draws the gates.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(
        run,
        data,
        part=part,
        inference=inference,
        n_draws=draws,
        predictions=predictions,
        size=size,
        seed=seed,
        device=device,
    ).show(as_json=json)


def sparsity(
    run: Path,
    data: str,
    /,
    *,
    inference: Inference = "sample",
    plot: Path | None = None,
    size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Show how often gates are on, and what that saves.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Data, as train takes it; its test part is looked at.
        inference: sample, mean or threshold.
        plot: Histograms to write: .svg, .png or .pdf.
        size: Height and width to which images are resized, as in training.
        seed: Draws the gates.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.sparsity(run, data, inference=inference, plot=plot, size=size, seed=seed, device=device).show(as_json=json)


def speed(
    run: Path | None = None,
    /,
    *,
    experts: int = 4000,
    block_size: int = 50,
    features: int = 784,
    activity: float = 0.1,
    batches: str = "1,4,16,64,256",
    repeats: int = 15,
    plot: Path | None = None,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Time block-sparse inference beside a dense network.

    Args:
        run: Folder that train wrote, whose gates are then drawn for random inputs; without it, an untrained network of
            the options below.
        experts: Number of experts.
        block_size: Experts that share a gate.
        features: Size of an input.
        activity: Share of the gates that are on.
        batches: Examples of a pass, with commas.
        repeats: Passes of each.
        plot: Figure to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.speed(
        run,
        experts=experts,
        block_size=block_size,
        n_features=features,
        activity=activity,
        batches=batches,
        repeats=repeats,
        plot=plot,
        device=device,
    ).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [bench, train, evaluate, sparsity, speed])
