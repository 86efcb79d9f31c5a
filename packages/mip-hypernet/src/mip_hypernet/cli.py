"""The command line `mip-hypernet`."""

from pathlib import Path

from separata import cli

from .configs import HyperConfig, RunConfig, TaskConfig, TaskName, TrainConfig
from .paper import PAPER


def diagnose(
    hyper: HyperConfig,
    *,
    dim: int = 1,
    checkpoint: Path | None = None,
    factory: str | None = None,
    plot: Path | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Say if outputs are proportional to the input.

    Args:
        hyper: The hypernetwork, as it begins, where neither a training nor a factory is named.
        dim: Numbers in the input.
        checkpoint: Folder that train wrote, or the file model.safetensors in it.
        factory: Your own hypernetwork as module:attribute: a PyTorch module, or a function that makes one.
        plot: Figure of the magnitudes to write: .svg, .png or .pdf.
        seed: Draws the initial weights.
        json: Print as JSON.
    """
    from . import commands

    commands.diagnose(hyper, dim=dim, checkpoint=checkpoint, factory=factory, plot=plot, seed=seed).show(as_json=json)


def train(
    task_config: TaskConfig,
    hyper: HyperConfig,
    config: TrainConfig,
    *,
    out: Path,
    task: TaskName = "bayes",
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a network for every value of its input.

    Args:
        task_config: Its data and network.
        hyper: The hypernetwork.
        config: Optimizer and schedule.
        out: Output folder: model.safetensors, settings, history and checkpoint.
        task: Classification; regularization path; registration of two images; segmentation at any resolution.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands

    settings = RunConfig(task, task_config, hyper, config)
    commands.train(settings, out, device=device, resume=resume).show(as_json=json)


def compare(
    task_config: TaskConfig,
    hyper: HyperConfig,
    config: TrainConfig,
    *,
    task: TaskName = "bayes",
    seeds: int = 5,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare MIP, its two halves and the default.

    Args:
        task_config: Data and network of the task.
        hyper: The hypernetwork; its parametrization does not count.
        config: Optimizer and schedule; its seed is the first one.
        task: As for train.
        seeds: Trainings of each.
        plot: Figure of the training losses to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    settings = RunConfig(task, task_config, hyper, config)
    commands.compare(settings, seeds=seeds, plot=plot, device=device).show(as_json=json)


def instantiate(run: Path, /, *, gamma: str, out: Path, json: bool = False) -> None:
    """Write the plain network for one value of its input.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        gamma: The value, from 0 to 1; of several numbers, with commas.
        out: File to write: .safetensors (weights) or .onnx.
        json: Print as JSON.
    """
    from . import commands

    commands.instantiate(run, gamma, out).show(as_json=json)


def evaluate(
    run: Path,
    /,
    *,
    gammas: str = "0:1:11",
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure a trained network at several inputs.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        gammas: The inputs: 11 from 0 to 1 as 0:1:11, or with commas.
        plot: Figure over the inputs to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, gammas, plot=plot, device=device).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [diagnose, train, compare, instantiate, evaluate])
