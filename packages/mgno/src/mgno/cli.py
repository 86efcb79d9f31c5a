"""The command line `mgno`."""

from pathlib import Path

from separata import cli

from .configs import ModelConfig, ProblemConfig, ProblemName, RunConfig, TrainConfig
from .paper import PAPER


def generate(
    problem: ProblemName,
    /,
    config: ProblemConfig,
    *,
    out: Path,
    n: int = 1000,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Generate functions and solutions of an equation.

    Args:
        problem: darcy, darcy-rough, darcy-multiscale, navier-stokes or helmholtz.
        config: The equation and its grid.
        out: File for the functions, .npz.
        n: Number of samples; of navier-stokes, trajectories.
        seed: Random seed; training and test data need different ones.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.generate(problem, config, out, n=n, seed=seed).show(as_json=json)


def train(
    data: Path,
    /,
    model: ModelConfig,
    config: TrainConfig,
    *,
    out: Path,
    validation: Path | None = None,
    stride: int = 1,
    n: int | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a network, and keep its best epoch.

    Args:
        data: Functions: .npz that generate wrote or with arrays x and y of your own, .mat of FNO's data sets, or .pt of
            neuraloperator's.
        model: The network.
        config: How it is trained.
        out: Output folder, for model.safetensors, the settings and the history.
        validation: Functions by which the best epoch is chosen; a tenth of the data, drawn at random and in whole
            trajectories, if not given.
        stride: Take every stride-th point of the grid.
        n: Take the first n samples of the data; all if not given.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(
        data,
        out,
        RunConfig(model, config),
        part=commands.Part(stride, n),
        validation=validation,
        device=device,
        resume=resume,
    ).show(as_json=json)


def evaluate(
    run: Path,
    data: Path,
    /,
    *,
    stride: int = 1,
    n: int | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a network: relative L2 and H1 errors, and roll-outs.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Functions, as train takes them, on any grid that the network can take.
        stride: Take every stride-th point of the grid.
        n: Take the first n samples; all if not given.
        plot: Picture of the first sample to write, true and predicted: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, part=commands.Part(stride, n), plot=plot, device=device).show(as_json=json)


def predict(
    run: Path,
    inputs: Path,
    /,
    *,
    out: Path,
    steps: int | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Predict the wanted functions of given ones.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        inputs: Given functions: .npy of shape (height, width), (n, height, width) or (n, channels, height, width), or
            a file as train takes it.
        out: File for the predictions, .npy of shape (n, channels, height, width).
        steps: Predict so many steps, each from the one before: (n, steps, channels, height, width).
        plot: Picture of the first function and its prediction to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.predict_functions(run, inputs, out, steps=steps, plot=plot, device=device).show(as_json=json)


def export(run: Path, out: Path, /, *, json: bool = False) -> None:
    """Export a network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        out: File to write, .onnx: from x to y, any number of samples on the grid of the training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, train, evaluate, predict, export])
