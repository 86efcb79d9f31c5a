"""What the commands do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from separata import files
from separata.labeled import load_samples
from separata.output import Output, finite, table
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder
from separata.training import accuracy

from . import runs
from .configs import ComparisonConfig, RunConfig
from .export import save_onnx
from .spirals import load
from .trials import Trial, run_trial
from .variants import VARIANTS
from .wrapping import count_parameters, dendritic_modules, num_dendrites

MOST_SHOWN = 20
"""Predictions that a person is shown."""


def train(
    data: str, out: Path, config: RunConfig, *, validation: float, size: int | None, device: str, resume: bool
) -> Output:
    """Train a network on a data set or a file.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    splits = load(data, validation=validation, seed=config.train.seed, size=size)
    report, test = runs.train(splits, out, config, device=device, resume=resume, reporter=Reporter())
    value = {
        "out": str(out),
        "test_accuracy": test,
        "validation_accuracy": report.score,
        "validation_accuracy_without_dendrites": finite(report.initial_score),
        "dendrites": report.n_dendrites,
        "parameters": report.n_parameters,
        "epochs": report.n_epochs,
    }
    text = (
        f"{out}: test accuracy {100 * test:.2f} %; on validation {100 * report.score:.2f} %, before dendrites "
        f"{100 * report.initial_score:.2f} %; {report.n_dendrites} dendrites a neuron, {report.n_parameters:,} "
        f"parameters, {report.n_epochs:,} epochs"
    )
    return Output(value, text)


def compare(
    data: str,
    config: ComparisonConfig,
    *,
    only: Sequence[str],
    seeds: int,
    validation: float,
    size: int | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Train variants with several seeds, and give their errors on the test part.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, or there is no such variant.
    """
    files.check_figure(plot)
    if unknown := [name for name in only if name not in VARIANTS]:
        raise ValueError(f"the variants are {', '.join(VARIANTS)}, not '{unknown[0]}'")
    if seeds < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {seeds}")
    load(data, validation=validation, size=size)
    place = str(Compute(device).torch_device)
    base = Trial(data, config.network, "dendrites", config.dendrites, config.cycle, config.train, validation, size)
    names = [name for name in VARIANTS if not only or name in only]
    trials = [
        replace(base, variant=name, seed=config.train.seed + seed)  # type: ignore[arg-type] # one of them
        for name in names
        for seed in range(seeds)
    ]
    results = iter([run_trial(trial, place) for trial in Reporter().track(trials, "trainings")])
    found = {name: [next(results) for _ in range(seeds)] for name in names}
    if diverged := [name for name, rows in found.items() if any(row["error"] is None for row in rows)]:
        raise ValueError(f"training diverged in {', '.join(diverged)}; lower the learning rate")
    if plot is not None:
        from separata import plots

        errors = {VARIANTS[name]: [row["error"] for row in rows] for name, rows in found.items()}
        plots.save(plots.bars(errors, ylabel="test error"), plot)
    return table([_compared(name, rows) for name, rows in found.items()], {"seeds": seeds, "epochs": _epochs(found)})


def _compared(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    errors = [row["error"] for row in rows]
    return {
        "variant": name,
        "test_error": fmean(errors),
        "deviation": stdev(errors) if len(errors) > 1 else 0.0,
        "validation_accuracy": fmean(row["validation"] for row in rows),
        "parameters": round(fmean(row["parameters"] for row in rows)),
    }


def _epochs(found: dict[str, list[dict[str, Any]]]) -> int:
    return max(row["epochs"] for rows in found.values() for row in rows)


def inspect_run(run: Path, *, data: str | None, plot: Path | None) -> Output:
    """Dendrites, gains and correlations of each layer of a trained network.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong, or for another network.
    """
    files.check_figure(plot)
    model = runs.load(run, "cpu")
    report = runs.load_report(run)
    rows = []
    for name, module in dendritic_modules(model).items():
        correlations = [one[name] for one in report.get("correlations", []) if name in one]
        rows.append(
            {
                "layer": name,
                "kind": type(module.module).__name__,
                "neurons": module.gain.shape[1],
                "dendrites": module.num_dendrites,
                "parameters": count_parameters(module),
                "mean_|gain|": " ".join(f"{row.abs().mean():.3f}" for row in module.gain.detach()) or "-",
                "mean_|correlation|_by_phase": " ".join(f"{one:.3f}" for one in correlations) or "-",
            }
        )
    totals: dict[str, float] = {"parameters": count_parameters(model), "dendrites": num_dendrites(model)}
    totals |= {f"{key}_accuracy": report[key] for key in ("initial", "validation", "test") if key in report}
    if data is not None:
        totals["accuracy"] = _accuracy(model, run, data)
    if plot is not None:
        from separata import plots

        from .drawing import draw_training

        history = RunFolder.open(run).history
        history.resume(lambda _: True)
        plots.save(draw_training(history.rows), plot)
    return table(rows, totals)


def _accuracy(model: torch.nn.Module, run: Path, data: str) -> float:
    shape = runs.load_shape(run)
    size = shape.sample[-1] if len(shape.sample) == 3 and shape.sample[-1] == shape.sample[-2] else None
    test = load(data, size=size).test
    if test.sample_shape != shape.sample or test.classes != shape.classes:
        raise ValueError(
            f"{data} has {test.n_classes} classes and samples of shape {test.sample_shape}, but the network was "
            f"trained with {len(shape.classes)} and {shape.sample}"
        )
    return accuracy(model, test.x, test.y)


def predict(run: Path, samples: Path, *, out: Path | None, device: str) -> Output:
    """Classify the samples of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another network.
    """
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"predictions are written as .csv, not as {out.name}")
        files.check_writable(out)
    model = runs.load(run, device)
    shape = runs.load_shape(run)
    x = load_samples(samples, shape.sample)
    with torch.no_grad():
        parts = [model(part).softmax(1).cpu() for part in x.to(next(model.parameters()).device).split(1024)]
    probabilities, labels = torch.cat(parts).max(1)
    rows = [
        {"sample": number, "class": shape.classes[label], "probability": probability}
        for number, (label, probability) in enumerate(zip(labels.tolist(), probabilities.tolist(), strict=True))
    ]
    if out is not None:
        files.write_text(out, files.to_csv(rows))
        return Output({"out": str(out), "n_samples": len(rows)}, f"{out}: {len(rows):,} samples")
    if len(rows) <= MOST_SHOWN:
        return table(rows)
    text = f"{len(rows):,} samples; write them with --out, or print them with --json"
    return Output(table(rows).value, text)


def export(run: Path, out: Path) -> Output:
    """Write a trained network as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model = runs.load(run, "cpu")
    shape = runs.load_shape(run)
    save_onnx(model, out, shape.sample)
    value = {"out": str(out), "input": ["batch", *shape.sample], "classes": list(shape.classes)}
    told = ", ".join(map(str, shape.sample))
    return Output(value, f"{out}: from x (batch, {told}) to logits (batch, {len(shape.classes)}), equal to PyTorch's")
