"""What the commands do."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deeponet import load_numbers
from separata import files
from separata.arrays import load_npy
from separata.configs import check_seed
from separata.output import Output, finite, listing
from separata.progress import Reporter

from . import runs
from .configs import (
    FAMILIES,
    TRANSFER,
    DataShape,
    ProblemConfig,
    ProblemName,
    RunConfig,
    TrainConfig,
    names,
)
from .data import MultiTaskData, make_task
from .evaluation import evaluate
from .export import save_onnx
from .formats import load_all, load_data, save_data
from .geometry import grid_sizes, mask_at
from .problems.darcy import sample_darcy
from .problems.fisher import sample_fisher
from .problems.plate import sample_plates
from .sources import DEGREE, PolynomialSource

N_SAMPLES = 200
"""Of each law or shape, if nothing else is asked for."""


def generate(name: ProblemName, config: ProblemConfig, out: Path, *, n: int | None, seed: int) -> Output:
    """Write data of a problem.

    Raises:
        ValueError: if a setting is wrong, or a file is no mask.
        OSError: if the file cannot be written.
    """
    check_seed(seed)
    if out.suffix != ".npz":
        raise ValueError(f"data is written as .npz, not as {out.name}")
    files.check_writable(out)
    generator = torch.Generator().manual_seed(seed)
    if name == "plate":
        data = sample_plates(n, generator, config)
    else:
        sample = sample_fisher if name == "fisher" else sample_darcy
        data = sample(N_SAMPLES if n is None else n, generator, config)
    save_data(data, out)
    tasks = runs.count_tasks(data)
    value = {"problem": name, "out": str(out), "tasks": tasks, "n_points": len(data.points)}
    told = ", ".join(f"{task} ({count:,})" for task, count in tasks.items())
    return Output(value, f"{out}: {told} at {len(data.points):,} points")


def train(data: list[Path], out: Path, config: RunConfig, *, test: Path | None, device: str, resume: bool) -> Output:
    """Train a network on the pooled tasks of files.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    report = runs.train(
        load_all(data),
        out,
        config,
        test=None if test is None else load_data(test),
        device=device,
        resume=resume,
        reporter=Reporter(),
    )
    return _trained(report)


def transfer(
    source: Path,
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    samples: int | None,
    parts: str,
    test: Path | None,
    device: str,
    resume: bool,
) -> Output:
    """Fine-tune a trained network on some samples of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a setting or a file is wrong, or there is no such part.
    """
    target = load_data(data)
    if samples is not None:
        if not 2 <= samples <= len(target):
            raise ValueError(f"{data} has {len(target)} samples: take 2 to {len(target)}, not {samples}")
        target = target[:samples]
    report = runs.transfer_run(
        source,
        target,
        out,
        config,
        parts=None if parts == TRANSFER else names(parts),
        test=None if test is None else load_data(test),
        device=device,
        resume=resume,
        reporter=Reporter(),
    )
    return _trained(report)


def _trained(report: runs.TrainReport) -> Output:
    value = {
        "out": str(report.out),
        "loss": finite(report.loss),
        "steps": report.steps,
        "n_parameters": report.n_parameters,
        "tasks": dict(report.tasks),
    }
    return Output(value, report.summary())


def evaluate_run(run: Path, path: Path, *, plot: Path | None, device: str) -> Output:
    """Errors of a trained network on the samples of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    model, data = runs.load(run, device), load_data(path)
    if data.shape != model.shape:
        raise ValueError(f"{path} has {_told(data.shape)}, but the network takes {_told(model.shape)}")
    report = evaluate(model, data)
    if plot is not None:
        _draw(plot, model.predict(data), data)
    rows = {"relative L2": report.relative_l2, "of all together": report.frobenius, "largest error": report.max_error}
    rows |= report.tasks if len(report.tasks) > 1 else {}
    return Output(report.to_json(), listing({**rows, "n_samples": report.n_samples}).text)


def predict_samples(
    run: Path,
    *,
    mask: Path | None,
    inputs: str | None,
    source: str | None,
    out: Path | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Solutions of a trained network on a domain of one's own.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    if out is not None:
        if out.suffix != ".npy":
            raise ValueError(f"solutions are written as .npy, not as {out.name}")
        files.check_writable(out)
    model = runs.load(run, device)
    functions = _functions(inputs, model.shape)
    points = model.grid.cpu()
    sizes = grid_sizes(points)
    domain = None if mask is None else mask_at(mask, points)
    if domain is not None and len(model.shape.functions) == 2:
        # As in the data of `generate` and of the paper: the coefficient is not known outside.
        functions = torch.where(domain.reshape(model.shape.functions), functions, 0.0)
    codes = None if source is None else encode_source(source)
    n_codes = 0 if codes is None else len(codes)
    if n_codes != model.shape.n_codes:
        raise ValueError(
            f"the network takes {model.shape.n_codes} codes, not {n_codes}: give --source such as F4,a=0.5,b=1"
            if model.shape.n_codes
            else "the network takes no --source"
        )
    empty = torch.zeros(len(functions), len(points))
    data = make_task("prediction" if mask is None else mask.stem, functions, points, empty, domain, codes)
    found = model.predict(data).cpu()
    shaped = found.reshape(-1, *sizes)
    if out is not None:
        with files.replacing(out) as part, part.open("wb") as file:
            np.save(file, shaped.numpy())
    if plot is not None:
        _draw(plot, found, data, with_truth=False)
    inside = found[data.domain]
    value = {
        "out": None if out is None else str(out),
        "shape": list(shaped.shape),
        "inside": int(data.domain[0].sum()),
        "min": float(inside.min()),
        "max": float(inside.max()),
        "mean": float(inside.mean()),
    }
    told = f", in {out}" if out else ""
    text = f"{' x '.join(map(str, shaped.shape))} values from {value['min']:.4g} to {value['max']:.4g}{told}"
    return Output(value, text)


def encode_source(text: str) -> Tensor:
    """The codes of a law such as `F4,a=0.5,b=1`, or of coefficients such as `0.5,-0.5,0,0`.

    Raises:
        ValueError: if it is neither.
    """
    words = names(text) if text.strip()[:1].isalpha() else tuple(text.split(","))
    try:
        if words[0] in FAMILIES:
            params = {key.strip(): float(number) for key, _, number in (word.partition("=") for word in words[1:])}
            return PolynomialSource.encode(words[0], DEGREE, **params).coefficients
        codes = torch.tensor([float(word) for word in words])
    except ValueError as error:
        told = str(error)
        if "could not convert" not in told:
            raise
        raise ValueError(f"a source is a law such as F4,a=0.5,b=1, or its coefficients, not '{text}'") from None
    if not bool(codes.isfinite().all()):
        raise ValueError(f"coefficients must be finite, not '{text}'")
    return codes


def _functions(inputs: str | None, shape: DataShape) -> Tensor:
    """Input functions from a file or numbers; zero, as is the logarithm of the coefficient 1, if there are none."""
    if inputs is None:
        if len(shape.functions) != 2:
            raise ValueError(f"the network takes functions of {shape.functions[0]} numbers: give them with --inputs")
        return torch.zeros(1, *shape.functions)
    path = Path(inputs)
    if path.suffix not in {".npy", ".csv"}:
        try:
            values = torch.tensor([float(word) for word in inputs.split(",")])
        except ValueError:
            raise ValueError(f"inputs are a file (.npy or .csv) or numbers with commas, not '{inputs}'") from None
    elif len(shape.functions) == 2 and path.suffix == ".npy":
        values = _array(path)
    else:
        values = load_numbers(path)
    count = torch.Size(shape.functions).numel()
    if len(shape.functions) == 2 and values.numel() == 1:
        values = values.expand(count)
    if values.numel() % count or not values.numel() or tuple(values.shape[-1:]) not in {(count,), shape.functions[-1:]}:
        raise ValueError(f"the network takes functions of shape {shape.functions}, not {tuple(values.shape)}")
    if not bool(values.isfinite().all()):
        raise ValueError("the inputs have a number that is not finite")
    return values.reshape(-1, *shape.functions)


def _array(path: Path) -> Tensor:
    array = load_npy(path)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path} is not an .npy file of numbers")
    with np.errstate(over="ignore"):
        return torch.from_numpy(array.astype(np.float32))


def export(run: Path, out: Path) -> Output:
    """Write a trained network as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model = runs.load(run, "cpu")
    save_onnx(model, out)
    shape = model.shape
    second = {"codes": ("n", shape.n_codes)} if shape.n_codes else {"mask": ("n", shape.n_points)}
    inputs = {"functions": ("n", *shape.functions), **second, "points": (shape.n_points, shape.n_coordinates)}
    told = ", ".join(f"{name} ({', '.join(map(str, sizes))})" for name, sizes in inputs.items())
    return Output({"out": str(out), "inputs": inputs}, f"{out}: from {told} to s, equal to PyTorch's")


def _draw(path: Path, predicted: Tensor, data: MultiTaskData, *, with_truth: bool = True) -> None:
    from separata import plots

    from .drawing import draw_predictions

    plots.save(draw_predictions(predicted.cpu(), data, with_truth=with_truth), path)


def _told(shape: DataShape) -> str:
    codes = f", {shape.n_codes} codes" if shape.n_codes else ""
    return f"functions of shape {shape.functions}{codes} and {shape.n_points:,} points"
