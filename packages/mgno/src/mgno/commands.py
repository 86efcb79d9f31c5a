"""What the commands do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from separata import files
from separata.configs import check_seed
from separata.output import Output, finite, listing
from separata.progress import Reporter

from . import runs
from .configs import ProblemConfig, ProblemName, RunConfig
from .evaluation import evaluate
from .export import save_onnx
from .formats import load_data, load_functions, save_data
from .grids import TrajectoryDataset, as_pairs, predict
from .operators import Operator
from .problems.registry import make_problem
from .rollout import rollout


@dataclass(frozen=True)
class Part:
    """What of a file's data is taken.

    Args:
        stride: Every stride-th point of the grid.
        n: The first n samples; all if not given.
    """

    stride: int = 1
    n: int | None = None


def generate(name: ProblemName, config: ProblemConfig, out: Path, *, n: int, seed: int) -> Output:
    """Write samples of a problem.

    Raises:
        ValueError: if a setting is wrong, or does not apply to the problem.
        OSError: if the file cannot be written.
    """
    check_seed(seed)
    problem = make_problem(name, config=config)
    if out.suffix != ".npz":
        raise ValueError(f"data is written as .npz, not as {out.name}")
    files.check_writable(out)
    data = problem.sample(n, torch.Generator().manual_seed(seed), Reporter().track)
    save_data(data, out)
    shape = as_pairs(data).shape
    value = {"problem": name, "out": str(out), "n_samples": len(data), "height": shape.height, "width": shape.width}
    kind = "sample"
    if isinstance(data, TrajectoryDataset):
        kind, value["n_frames"] = "trajectory", data.frames.shape[1]
    counted = _counted(len(data), kind)
    return Output(value, f"{out}: {counted} on {shape.height} x {shape.width} points")


def train(
    path: Path, out: Path, config: RunConfig, *, part: Part, validation: Path | None, device: str, resume: bool
) -> Output:
    """Train a network on the functions of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    report = runs.train(
        load_data(path, stride=part.stride, n=part.n),
        out,
        config,
        validation=None if validation is None else load_data(validation, stride=part.stride),
        device=device,
        resume=resume,
        reporter=Reporter(),
    )
    value = {
        "out": str(report.out),
        "validation_l2": finite(report.validation_l2),
        "best_epoch": report.best_epoch,
        "epochs": report.epochs,
        "n_parameters": report.n_parameters,
    }
    return Output(value, report.summary())


def evaluate_run(run: Path, path: Path, *, part: Part, plot: Path | None, device: str) -> Output:
    """Errors of a trained network on the functions of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    model = runs.load(run, device)
    data = load_data(path, stride=part.stride, n=part.n)
    pairs = as_pairs(data)
    _check_channels(model, pairs.x, path)
    report = evaluate(model, data)
    if plot is not None:
        _draw(plot, model, pairs.x[:1], pairs.y[:1])
    return listing(report.to_json())


def predict_functions(
    run: Path, inputs: Path, out: Path, *, steps: int | None, plot: Path | None, device: str
) -> Output:
    """Output functions of a trained network for the functions of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    if out.suffix != ".npy":
        raise ValueError(f"predictions are written as .npy, not as {out.name}")
    files.check_figure(plot)
    model = runs.load(run, device)
    x = load_functions(inputs)
    _check_channels(model, x, inputs)
    files.check_writable(out)
    moved = x.to(next(model.parameters()).device)
    values = (predict(model, moved) if steps is None else rollout(model, moved, steps)).cpu()
    if plot is not None:
        _draw(plot, model, x[:1], None)
    with files.replacing(out) as part, part.open("wb") as file:
        np.save(file, values.numpy())
    shape = list(values.shape)
    after = "" if steps is None else f", {steps} steps each"
    return Output(
        {"out": str(out), "shape": shape}, f"{out}: {_counted(len(values), 'function')}{after}, {tuple(shape)}"
    )


def export(run: Path, out: Path) -> Output:
    """Write a trained network as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model = runs.load(run, "cpu")
    shape = runs.describe(model)[1]
    save_onnx(model, out, shape)
    given, wanted = ([n, shape.height, shape.width] for n in (shape.in_channels, shape.out_channels))
    value = {"out": str(out), "x": ["samples", *given], "y": ["samples", *wanted]}
    told = " to ".join(f"{name} (samples, {', '.join(map(str, value[name][1:]))})" for name in "xy")
    return Output(value, f"{out}: from {told}, equal to PyTorch's")


def _check_channels(model: Operator, x: Tensor, path: Path) -> None:
    expected = runs.describe(model)[1].in_channels
    if x.shape[1] != expected:
        raise ValueError(f"{path} has functions of {x.shape[1]} channels, but the network takes {expected}")


def _draw(path: Path, model: Operator, x: Tensor, true: Tensor | None) -> None:
    """Draw the first channels of the first sample."""
    from separata import plots

    from .drawing import draw_prediction

    predicted = predict(model, x.to(next(model.parameters()).device)).cpu()
    plots.save(draw_prediction(x[0, 0], predicted[0, 0], None if true is None else true[0, 0]), path)


def _counted(n: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{n:,} {what if n == 1 else plural}"
