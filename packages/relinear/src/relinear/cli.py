"""The command line `relinear`."""

from pathlib import Path

from separata import cli

from .configs import Form, ModelConfig, RunConfig, StrategyConfig, TrainConfig
from .paper import PAPER


def train(
    model: ModelConfig,
    strategy: StrategyConfig,
    config: TrainConfig,
    *,
    data: str,
    out: Path,
    size: int | None = None,
    n_train: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a quadratic or conventional classifier.

    Args:
        model: The network.
        strategy: How quadratic parameters begin and move.
        config: Optimizer and schedule.
        data: digits, mnist5k, mnist, cifar10, ...; a folder of images, an .npz of x and y, or a .csv with a label.
        out: Output folder: model.safetensors, settings, history and checkpoint.
        size: Pixels to which images are resized.
        n_train: Samples for training; all if not given.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    settings = RunConfig(model, strategy, config)
    commands.train(data, out, settings, size=size, n_train=n_train, device=device, resume=resume).show(as_json=json)


def evaluate(run: Path, data: str, /, *, onnx: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Measure a trained network on the test part of data.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: What train takes; of a source without a test part, the fifth that train has not seen.
        onnx: The network for other programs: file to write, .onnx.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, onnx=onnx, device=device).show(as_json=json)


def sweep(
    model: ModelConfig,
    config: TrainConfig,
    *,
    data: str,
    gamma: str = "0,1e-4,1e-3,1e-2,1e-1,1",
    seeds: int = 3,
    n_train: int | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare gammas, from conventional (0) to plain training (1).

    Args:
        model: The network.
        config: Optimizer (sgd) and schedule; its seed is the first one.
        data: What train takes.
        gamma: Shares of the learning rate that quadratic parameters have, with commas.
        seeds: Trainings with each gamma.
        n_train: Samples for training; all if not given.
        plot: Figure of the accuracies to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.sweep(data, model, config, gamma, seeds=seeds, n_train=n_train, plot=plot, device=device).show(
        as_json=json
    )


def convert(
    source: Path,
    /,
    *,
    out: Path,
    form: Form = "full",
    targets: str = "*",
    skip: str = "",
    bias: bool | None = None,
    json: bool = False,
) -> None:
    """Make the weights of a conventional network quadratic ones.

    Args:
        source: State dict of your network: .safetensors, or .pt of tensors alone.
        out: State dict to write, .safetensors; load it into the network that quadratize gives.
        form: Of the neurons.
        targets: Layers that become quadratic: globs over their names, with commas.
        skip: Layers that stay conventional, embeddings above all: globs, with commas.
        bias: Give biases to all layers, or to none; as in the conventional network if not given.
        json: Print as JSON.
    """
    from . import commands

    commands.convert(source, out, form=form, targets=targets, skip=skip, bias=bias).show(as_json=json)


def expressivity(*, d: int = 2, hidden: int = 2, layers: int = 2, json: bool = False) -> None:
    """Count the dimensions of what small networks can express.

    Args:
        d: Inputs, up to 64.
        hidden: Units of each hidden layer.
        layers: Layers of neurons; 1 is a single neuron.
        json: Print as JSON.
    """
    from . import commands

    commands.expressivity(d, hidden, layers).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, sweep, convert, expressivity])
