"""The command line `modular-addition`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import Activation, ModelConfig, RunName, TrainConfig, make_config
from .paper import PAPER


def train(
    *,
    out: Path,
    run: RunName = "standard",
    p: int = 23,
    width: int | None = None,
    activation: Activation | None = None,
    init_scale: float | None = None,
    embedding: int | None = None,
    target: Literal["addition", "subtraction", "random"] | None = None,
    train_fraction: float | None = None,
    optimizer: Literal["adamw", "sgd"] | None = None,
    lr: float | None = None,
    weight_decay: float | None = None,
    steps: int | None = None,
    log_every: int | None = None,
    seed: int = 42,
    plot: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a network as the paper does, and diagnose it.

    What is not given is as in the named run.

    Args:
        out: Output folder, for model.safetensors, the settings and the history.
        run: Training of the paper's: standard, grokking, quad_random, quad_single_freq or relu_single_freq.
        p: Size of the group; odd.
        width: Neurons; by default 512, and for large p as many for each pair as with p = 23.
        activation: Activation function: relu, quad (the square), gelu or identity.
        init_scale: Scale of the initial weights.
        embedding: Dimensions of a learned embedding; 0 for none.
        target: Label of a pair: addition, subtraction or random.
        train_fraction: Share of the pairs that are trained on, in (0, 1].
        optimizer: Optimizer: adamw or sgd.
        lr: Learning rate.
        weight_decay: Weight decay.
        steps: Steps; each takes all training pairs.
        log_every: Steps between two evaluations.
        seed: Seed of the weights and the split.
        plot: Figure of the spectra to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    config = make_config(
        run,
        p=p,
        width=width,
        activation=activation,
        init_scale=init_scale,
        embedding=embedding,
        target=target,
        train_fraction=train_fraction,
        optimizer=optimizer,
        lr=lr,
        weight_decay=weight_decay,
        steps=steps,
        log_every=log_every,
        seed=seed,
    )
    from . import commands

    commands.train(config, out, plot=plot, device=device, resume=resume).show(as_json=json)


def diagnose(
    file: Path,
    /,
    *,
    w_in: str | None = None,
    w_out: str | None = None,
    w_embed: str | None = None,
    neurons: bool = False,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Tell what weights are made of, or a history's stages.

    Args:
        file: Weights .safetensors, .npz or .pt, a folder that train wrote; or a history .csv with the columns step,
            train_accuracy and test_accuracy.
        w_in: Name of the input weights in the file, (M, p) or (M, 2p); found by shape if not given.
        w_out: Name of the output weights in the file, (p, M); found by shape if not given.
        w_embed: Name of an embedding below the input weights, (d, p) or (p, d); a square one is (d, p).
        neurons: Tell of each neuron, too.
        plot: Figure of spectra, or of the stages, to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands
    from .weights import WeightNames

    commands.diagnose(file, WeightNames(w_in, w_out, w_embed), neurons=neurons, plot=plot).show(as_json=json)


def grok(
    *,
    out: Path,
    p: int = 31,
    width: int | None = None,
    train_fraction: float = 0.75,
    lr: float = 1e-4,
    weight_decay: float = 2.0,
    steps: int = 10_000,
    log_every: int = 50,
    seed: int = 42,
    plot: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train on a part of the pairs, and find the stages.

    Args:
        out: Output folder, for model.safetensors, the settings and the history.
        p: Size of the group; odd, and at least 19.
        width: Neurons; by default 512, and for large p as many for each pair as with p = 23.
        train_fraction: Share of the pairs that are trained on, below 1.
        lr: Learning rate.
        weight_decay: Weight decay; without any, the network does not grok.
        steps: Steps; each takes all training pairs.
        log_every: Steps between two evaluations.
        seed: Seed of the weights and the split.
        plot: Figure of the stages to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    config = make_config(
        "grokking",
        p=p,
        width=width,
        train_fraction=train_fraction,
        lr=lr,
        weight_decay=weight_decay,
        steps=steps,
        log_every=log_every,
        seed=seed,
    )
    from . import commands

    commands.grok(config, out, plot=plot, device=device, resume=resume).show(as_json=json)


def lottery(
    *,
    p: int = 11,
    width: int = 128,
    activation: Activation = "quad",
    init_scale: float = 0.1,
    optimizer: Literal["adamw", "sgd"] = "sgd",
    lr: float = 2.0,
    steps: int = 2000,
    seeds: int = 1,
    seed: int = 42,
    initial: Path | None = None,
    trained: Path | None = None,
    w_in: str | None = None,
    w_out: str | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Predict each neuron's frequency before training.

    Trains networks and compares; or, with --initial, reads your own weights and predicts what they will become.

    Args:
        p: Size of the group; odd.
        width: Neurons.
        activation: Activation function; the theory is of quad.
        init_scale: Scale of the initial weights.
        optimizer: Optimizer; the theory is of sgd.
        lr: Learning rate.
        steps: Most steps; training stops when the loss is below 0.3 log p.
        seeds: Networks, which are trained as one.
        seed: Seed of the first.
        initial: Initial weights of your own to predict from, .safetensors, .npz or .pt, instead of a training here.
        trained: The same weights after your training, to compare with.
        w_in: Name of the input weights in these files, (M, p).
        w_out: Name of the output weights in these files, (p, M).
        plot: Figure of magnitudes and phases over time to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    model = ModelConfig(p, width, activation, init_scale=init_scale)
    config = TrainConfig(optimizer, lr=lr, steps=steps, seed=seed)
    if initial is None and trained is not None:
        raise ValueError("--trained compares with a prediction from --initial; give both")
    if initial is not None and plot is not None:
        raise ValueError("--plot shows a training over time, and there is none with --initial")
    from . import commands
    from .weights import WeightNames

    if initial is not None:
        commands.judge_files(initial, trained, WeightNames(w_in, w_out)).show(as_json=json)
        return
    commands.lottery(model, config, seeds, plot=plot, device=device).show(as_json=json)


def logits(
    file: str,
    x: int,
    y: int,
    /,
    *,
    activation: Activation | None = None,
    w_in: str | None = None,
    w_out: str | None = None,
    w_embed: str | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Show the logits of a pair, with the ghosts marked.

    Args:
        file: Weights .safetensors, .npz or .pt, a folder that train wrote, or ideal-23 for the ideal network of p = 23.
        x: First number.
        y: Second number.
        activation: Activation function of the network; by default that of the folder, quad for an ideal network, and
            relu for a file that does not say.
        w_in: Name of the input weights in the file, (M, p).
        w_out: Name of the output weights in the file, (p, M).
        w_embed: Name of an embedding below the input weights, (d, p) or (p, d); a square one is (d, p).
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands
    from .weights import WeightNames

    commands.logits(file, x, y, WeightNames(w_in, w_out, w_embed), activation, plot).show(as_json=json)


def plot(
    file: Path,
    /,
    *,
    out: Path,
    format: Literal["svg", "png", "pdf"] = "svg",  # noqa: A002 - the option's name
    activation: Activation | None = None,
    w_in: str | None = None,
    w_out: str | None = None,
    w_embed: str | None = None,
    json: bool = False,
) -> None:
    """Draw spectra, phases, circles, logits and stages.

    Args:
        file: Weights .safetensors, .npz or .pt, or a folder that train wrote.
        out: Folder to write to.
        format: Format of the figures: svg, png or pdf.
        activation: Activation function of the network, for the logits; by default that of the folder, and relu for a
            file that does not say.
        w_in: Name of the input weights in the file, (M, p) or (M, 2p).
        w_out: Name of the output weights in the file, (p, M).
        w_embed: Name of an embedding below the input weights, (d, p) or (p, d); a square one is (d, p).
        json: Print the names of the files as JSON.
    """
    from . import commands
    from .weights import WeightNames

    commands.plot(file, out, WeightNames(w_in, w_out, w_embed), activation, format).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, diagnose, grok, lottery, logits, plot])
