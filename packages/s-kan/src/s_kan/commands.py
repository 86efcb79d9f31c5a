"""What the commands do."""

from pathlib import Path
from typing import Any

import torch

from separata import files, plots
from separata.extras import require
from separata.formulas import parse
from separata.labeled import load_samples, load_splits
from separata.output import Output, finite, listing
from separata.progress import Reporter
from separata.runs import RunFolder
from separata.tables import Task, load_table, numbers_of, read_cells

from . import comparison, runs
from .configs import Arch, DataConfig, RunConfig
from .contenders import contenders
from .drawing import draw_functions, draw_selection
from .evaluation import EvaluationReport, evaluate, predict
from .export import save_onnx
from .functions import FUNCTIONS
from .images import ImageSpec, samples_of
from .networks import selectable_layers
from .report import selection_report
from .samples import Samples
from .tabular import TEST, TableData, from_formula, from_table, sample_formula

MOST_SHOWN = 20
"""Rows of predictions that a person is shown."""
N_DRAWN = 500
"""Samples over whose values functions are drawn."""
SUITE = "functions"
VALIDATION = 0.1
"""Share of images that is held out."""
FUNCTIONS_SVG, SELECTION_SVG = "functions.svg", "selection.svg"


def load_source(source: str, config: DataConfig, *, target: str | None, task: Task, seed: int) -> TableData:
    """The samples of a formula, or of a table where it ends in .csv.

    Raises:
        FileNotFoundError: if there is no such table.
        ValueError: if it is neither.
    """
    if source.lower().endswith((".csv", ".tsv", ".txt")):
        return from_table(Path(source), config, target=target, task=task, seed=seed)
    if target is not None:
        raise ValueError(f"--target names a column of a table (.csv), but {source} is a formula")
    return from_formula(source, config, seed)


def fit(
    source: str,
    config: RunConfig,
    data_config: DataConfig,
    *,
    target: str | None,
    task: Task,
    out: Path,
    device: str,
    resume: bool,
) -> Output:
    """Train on a formula or a table.

    Raises:
        FileNotFoundError: if there is no such table.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another one.
    """
    reporter = Reporter()
    data = load_source(source, data_config, target=target, task=task, seed=config.train.seed)
    for note in data.notes:
        reporter.say(note)
    found = runs.train_table(data, out, config, data_config, device=device, resume=resume, reporter=reporter)
    figure = draw_functions(found.model.cpu(), data.train.x[:N_DRAWN], data.features)
    plots.save(figure, out / FUNCTIONS_SVG)
    return _trained(found, out)


def train_image(
    data: str,
    arch: Arch,
    config: RunConfig,
    *,
    basis: str,
    dropout: float,
    size: int | None,
    n_train: int | None,
    out: Path,
    device: str,
    resume: bool,
) -> Output:
    """Train on images.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another one.
    """
    splits = load_splits(data, validation=VALIDATION, seed=config.train.seed, size=size, n_train=n_train)
    shape = splits.train.sample_shape
    if len(shape) != 3:
        raise ValueError(f"{data} does not hold images: its samples are of shape {shape}; use s-kan fit")
    spec = ImageSpec(arch, basis, (shape[0], shape[1], shape[2]), splits.train.classes, dropout)
    found = runs.train_image_run(splits, out, spec, config, device=device, resume=resume, reporter=Reporter())
    return _trained(found, out)


def _trained(found: runs.TrainReport, out: Path) -> Output:
    """What came out of a training; draws how families were chosen."""
    history = RunFolder(out).history
    history.resume(lambda _: True)
    drawn = []
    if any(key.startswith("layer") for row in history.rows for key in row):
        plots.save(draw_selection(history.rows), out / SELECTION_SVG)
        drawn.append(SELECTION_SVG)
    if (out / FUNCTIONS_SVG).is_file():
        drawn.append(FUNCTIONS_SVG)
    has_choice = bool(selectable_layers(found.model))
    value: dict[str, Any] = {
        "out": str(out),
        "n_parameters": found.n_parameters,
        "epochs": found.epochs,
        "validation": found.validation.to_json(),
        "test": None if found.test is None else found.test.to_json(),
        "alone": {name: finite(error) for name, error in found.errors.items()},
        "chosen": [layer.chosen() for layer in selectable_layers(found.model)],
    }
    lines = [selection_report(found.model).text()] if has_choice else []
    lines += [f"validation {_told(found.validation)}"]
    lines += [] if found.test is None else [f"test {_told(found.test)}"]
    lines += [f"{found.n_parameters:,} parameters, in {out}" + (f" with {' and '.join(drawn)}" if drawn else "")]
    return Output(value, "\n".join(lines))


def _told(report: EvaluationReport) -> str:
    if report.rmse is not None:
        return f"RMSE {report.rmse:.3e}" + ("" if report.r2 is None else f", R² {report.r2:.5f}")
    return f"accuracy {100 * (report.accuracy or 0):.2f} %"


def evaluate_run(run: Path, data: str | None, *, device: str) -> Output:
    """Errors of a trained network.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if the data is wrong, or for another network.
    """
    saved = runs.open_run(run, device)
    return listing(evaluate(saved.model, _samples(saved, run, data)).to_json())


def _samples(saved: runs.Saved, run: Path, data: str | None) -> Samples:
    """Labeled samples for a network."""
    if isinstance(saved.spec, ImageSpec):
        if data is None:
            raise ValueError(f"{run} holds an image network: name the images to evaluate it on")
        found = load_splits(data, validation=VALIDATION, size=saved.spec.shape[2]).test
        if found.sample_shape != saved.spec.shape or found.n_classes != len(saved.spec.classes):
            raise ValueError(
                f"{data} has images of shape {found.sample_shape} in {found.n_classes} classes, but the network takes "
                f"{saved.spec.shape} in {len(saved.spec.classes)}"
            )
        return samples_of(found)
    if saved.schema is None:
        if data is not None or saved.spec.formula is None:
            raise ValueError(f"{run} learned a formula, so there is no table to evaluate it on; give none")
        return sample_formula(parse(saved.spec.formula), saved.data.n_test, saved.data, 4 * saved.seed + TEST + 1)
    if data is None:
        raise ValueError(f"{run} learned a table: name another one, .csv, to evaluate it on")
    schema = saved.schema
    table = load_table(Path(data), schema.target, "regression" if schema.is_regression else "classification")
    x = schema.encode(Path(data))
    if schema.classes is None:
        return Samples(x, table.y)
    return Samples(x, _in_classes(Path(data), table.y, table.schema.classes or (), schema.classes))


def _in_classes(path: Path, y: torch.Tensor, own: tuple[str, ...], classes: tuple[str, ...]) -> torch.Tensor:
    """Classes of a table by the numbers that the network has for them."""
    if unknown := [name for name in own if name not in classes]:
        raise ValueError(f"{path} has the class {unknown[0]}; the network knows {', '.join(classes)}")
    return torch.tensor([classes.index(name) for name in own])[y]


def predict_run(run: Path, data: Path, *, out: Path | None, device: str) -> Output:
    """Predictions of a trained network.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if the data is for another network.
    """
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"predictions are written as .csv, not as {out.name}")
        files.check_writable(out)
    saved = runs.open_run(run, device)
    outputs = predict(saved.model, _features(saved, run, data))
    rows = _rows(outputs, saved.classes)
    if out is not None:
        files.write_text(out, files.to_csv(rows))
    text = files.to_csv(rows[:MOST_SHOWN]).rstrip()
    if out is not None:
        text = f"{len(rows):,} predictions, in {out}"
    elif len(rows) > MOST_SHOWN:
        text += f"\n... {len(rows) - MOST_SHOWN:,} more; write all with --out"
    return Output({"out": str(out) if out else None, "predictions": rows}, text)


def _features(saved: runs.Saved, run: Path, data: Path) -> torch.Tensor:
    """Samples without targets for a network."""
    if isinstance(saved.spec, ImageSpec):
        return load_samples(data, saved.spec.shape)
    if saved.schema is not None:
        return saved.schema.encode(data)
    header, cells = read_cells(data)
    if missing := [name for name in saved.spec.features if name not in header]:
        raise ValueError(f"{data} has no column {missing[0]}, which {run} needs")
    columns = [header.index(name) for name in saved.spec.features]
    return numbers_of(data, saved.spec.features, [[row[i] for i in columns] for row in cells])


def _rows(outputs: torch.Tensor, classes: tuple[str, ...] | None) -> list[dict[str, Any]]:
    if classes is None:
        return [{"prediction": value} for value in outputs[:, 0].tolist()]
    best, shares = outputs.argmax(1).tolist(), outputs.softmax(1).amax(1).tolist()
    return [{"prediction": classes[i], "probability": share} for i, share in zip(best, shares, strict=True)]


def report_run(run: Path, *, plot: Path | None, onnx: Path | None) -> Output:
    """What a trained network has chosen; draws and exports it.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if it has nothing to choose or to draw, or a file cannot be written.
        MissingExtraError: if it is to be exported and the extra `onnx` is not installed.
    """
    files.check_figure(plot)
    if onnx is not None:
        if onnx.suffix != ".onnx":
            raise ValueError(f"a network is exported as .onnx, not as {onnx.name}")
        require("onnx", "onnxruntime", "onnxscript", extra="s-kan[onnx]")
    saved = runs.open_run(run, "cpu")
    found = selection_report(saved.model)
    if plot is not None:
        generator = torch.Generator().manual_seed(0)
        if not isinstance(saved.spec, runs.TableSpec):
            raise ValueError(f"{run} holds an image network, whose functions are not drawn")
        x = 2 * torch.rand(N_DRAWN, *saved.sample_shape, generator=generator) - 1
        # Over the ranges that the features had in training.
        x = saved.model.get_buffer("center") + saved.model.get_buffer("radius") * x
        plots.save(draw_functions(saved.model, x, saved.spec.features), plot)
    if onnx is not None:
        save_onnx(saved.model, onnx, saved.sample_shape)
    return Output(found.to_json(), found.text())


def compare(
    source: str,
    config: RunConfig,
    data_config: DataConfig,
    *,
    target: str | None,
    task: Task,
    rates: str,
    plot: Path | None,
    device: str,
) -> Output:
    """Compare S-KAN with KANs of one family and perceptrons.

    Raises:
        FileNotFoundError: if there is no such table.
        ValueError: if a setting or the data is wrong.
    """
    files.check_figure(plot)
    lrs = comparison.rates_of(rates)
    seed = config.train.seed
    if source == SUITE:
        tasks = {name: comparison.of_function(one, data_config, seed) for name, one in FUNCTIONS.items()}
    else:
        tasks = {
            source: comparison.with_test(load_source(source, data_config, target=target, task=task, seed=seed), seed)
        }
    found = comparison.compare(
        tasks, contenders(config.model.layer.pool), config, lrs, device=device, track=Reporter().track
    )
    if plot is not None:
        plots.save(comparison.draw(found), plot)
    return comparison.output(found)
