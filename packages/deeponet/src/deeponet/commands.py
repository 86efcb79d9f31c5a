"""What the commands do."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from separata import files
from separata.configs import check_seed
from separata.output import Output, finite, listing
from separata.progress import Reporter

from . import runs
from .configs import DataShape, ProblemConfig, ProblemName, RunConfig
from .evaluation import evaluate
from .export import save_onnx
from .formats import load_numbers, load_triples, save_triples
from .problems.registry import make_problem
from .triples import TripleDataset, predict_all

MOST_SHOWN = 20
"""Rows of predictions that a person is shown."""


def generate(name: ProblemName, config: ProblemConfig, out: Path, *, n: int, n_points: int | None, seed: int) -> Output:
    """Write triples of a problem.

    Raises:
        ValueError: if a setting is wrong, or does not apply to the problem.
        OSError: if the file cannot be written.
    """
    check_seed(seed)
    problem = make_problem(name, config)
    if out.suffix != ".npz":
        raise ValueError(f"triples are written as .npz, not as {out.name}")
    files.check_writable(out)
    generator = torch.Generator().manual_seed(seed)
    data = problem.sample(n, generator, n_points=n_points, track=Reporter().track)
    save_triples(data, out)
    return Output(
        {"problem": name, "out": str(out), **_sizes(data)},
        f"{out}: {_counted(len(data), 'function')} at {data.shape.n_sensors:,} sensors, "
        f"{_counted(data.n_points, 'point')} {'for all' if data.is_grid else 'each'}",
    )


def _sizes(data: TripleDataset) -> dict[str, int]:
    shape = data.shape
    return {
        "n_functions": len(data),
        "n_sensors": shape.n_sensors,
        "n_points": data.n_points,
        "n_coordinates": shape.n_coordinates,
        "n_outputs": shape.n_outputs,
    }


def train(data: Path, out: Path, config: RunConfig, *, test: Path | None, device: str, resume: bool) -> Output:
    """Train a network on the triples of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    report = runs.train(
        load_triples(data),
        out,
        config,
        test=None if test is None else load_triples(test, "test"),
        device=device,
        resume=resume,
        reporter=Reporter(),
    )
    value = {
        "out": str(report.out),
        "train_mse": finite(report.train_mse),
        "steps": report.steps,
        "n_parameters": report.n_parameters,
    }
    return Output(value, report.summary())


def evaluate_run(run: Path, path: Path, *, plot: Path | None, device: str) -> Output:
    """Errors of a trained network on the triples of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    model = runs.load(run, device)
    data = load_triples(path, "test")
    expected = runs.describe(model)[1]
    if data.shape != expected:
        raise ValueError(f"{path} has {_told(data.shape)}, but the network takes {_told(expected)}")
    report = evaluate(model, data, train_mse=runs.train_error(run))
    if plot is not None:
        device_of = next(model.parameters()).device
        shown = data[: min(len(data), 5000)].to(device_of)
        _draw(plot, shown.y, predict_all(model, shown), shown.s)
    return listing(report.to_json())


def predict_functions(
    run: Path, sensors: Path, points: Path, *, out: Path | None, plot: Path | None, device: str
) -> Output:
    """Output functions of a trained network for functions and points of files.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"predictions are written as .csv, not as {out.name}")
        files.check_writable(out)
    model = runs.load(run, device)
    u, y = load_numbers(sensors), load_numbers(points)
    shape = runs.describe(model)[1]
    if u.shape[1] != shape.n_sensors:
        raise ValueError(f"the branch expects m={shape.n_sensors} sensor values, got {u.shape[1]} in {sensors}")
    if y.shape[1] != shape.n_coordinates:
        raise ValueError(f"the trunk expects d={shape.n_coordinates} coordinates, got {y.shape[1]} in {points}")
    empty = torch.zeros(len(u), len(y), shape.n_outputs)
    values = predict_all(model, TripleDataset(u, y, empty).to(next(model.parameters()).device)).cpu()
    if plot is not None:
        _draw(plot, y, values, None)
    rows = _rows(y, values) if out is not None or values.numel() <= MOST_SHOWN else []
    if out is not None:
        files.write_text(out, files.to_csv(rows))
    text = f"{_counted(len(u), 'function')} at {_counted(len(y), 'point')}" + (f", in {out}" if out else "")
    if out is None and rows:
        text = files.to_csv(rows).rstrip()
    elif out is None:
        text += "; write them with --out, or print them with --json"
    return Output({"out": str(out) if out else None, "s": values.tolist()}, text)


def _rows(y: Tensor, values: Tensor) -> list[dict[str, Any]]:
    """A row for each function and point."""
    at = [{f"y{i}": number for i, number in enumerate(point)} for point in y.tolist()]
    return [
        {"function": index, **point, **{f"s{k}": number for k, number in enumerate(numbers)}}
        for index, of_function in enumerate(values.tolist())
        for point, numbers in zip(at, of_function, strict=True)
    ]


def export(run: Path, out: Path, *, grid: bool) -> Output:
    """Write a trained network as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model = runs.load(run, "cpu")
    shape = runs.describe(model)[1]
    save_onnx(model, out, shape, grid=grid)
    inputs = {"u": ("functions", shape.n_sensors), "y": ("points" if grid else "functions", shape.n_coordinates)}
    told = ", ".join(f"{name} ({axis}, {n})" for name, (axis, n) in inputs.items())
    return Output({"out": str(out), "inputs": inputs}, f"{out}: from {told} to s, equal to PyTorch's")


def _draw(path: Path, y: Tensor, predicted: Tensor, true: Tensor | None) -> None:
    """Draw the first output."""
    from separata import plots

    from .drawing import draw_predictions

    plots.save(draw_predictions(y, predicted[..., 0], None if true is None else true[..., 0]), path)


def _told(shape: DataShape) -> str:
    return f"m={shape.n_sensors} sensors, d={shape.n_coordinates} coordinates and {shape.n_outputs} outputs"


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
