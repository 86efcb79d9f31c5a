"""What the commands do."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from separata import files, plots
from separata.extras import require
from separata.labeled import LabeledDataset, Splits, load_splits
from separata.output import Output
from separata.progress import Reporter

from . import runs
from .configs import Arch, DataShape, ModelConfig, TwoStageConfig
from .drawing import draw_errors
from .evaluation import evaluate
from .export import save_onnx
from .float_weights import network_from_float, read_weights
from .frozen import check_finished
from .layers import PeriodicLayer, binary_layers
from .networks import float_bytes
from .packed_file import is_packed, load_packed, save_packed
from .packing import pack
from .quantization import Metric, fit_laplace, laplace_error, quantization_error

VALIDATION = 0.1
"""Share of the images that is held out."""
Format = Literal["packed", "onnx"]
Part = Literal["train", "validation", "test"]


def load_source(source: runs.Source) -> Splits:
    """The three parts of a source of images.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if it is damaged, or not images.
    """
    data = load_splits(source.name, validation=VALIDATION, seed=source.seed, size=source.size, n_train=source.n_train)
    runs.shape_of(data, source.name)
    return data


def train(
    source: runs.Source,
    out: Path,
    model: ModelConfig,
    config: TwoStageConfig,
    *,
    stages: int,
    start: Path | None,
    device: str,
    resume: bool,
) -> Output:
    """Train both stages, or the first one alone.

    Raises:
        FileNotFoundError: if there is no such data or folder.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another one.
    """
    if stages not in (1, 2):
        raise ValueError(f"--stages must be 1 or 2, not {stages}")
    if stages == 1:
        if model.method != "biper":
            raise ValueError(f"only biper has a first stage; {model.method} trains in one, with all epochs")
        config = replace(config, stage2_epochs=0)
    begun = None
    if start is not None:
        begun = runs.load(start, "cpu")
        model = runs.described(start)[0]
    data = load_source(source)
    report = runs.train(
        data, source, out, model, config, start=begun, device=device, resume=resume, reporter=Reporter()
    )
    return _trained(report, model)


def stage2(
    run: Path,
    out: Path,
    source: str | None,
    *,
    epochs: int,
    lr: float,
    weight_decay: float,
    tau: float,
    device: str,
    resume: bool,
) -> Output:
    """Train the second stage of a network that has been through the first.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if the training has been through both stages, or a setting is wrong.
    """
    if epochs < 1:
        raise ValueError(f"a second stage needs at least 1 epoch, not {epochs}")
    model = runs.described(run)[0]
    begun = runs.load(run, "cpu")
    if model.method != "biper":
        raise ValueError(f"{run} was trained by {model.method}, which has no second stage")
    if all(layer.has_binary_weights for _, layer in binary_layers(begun)):
        raise ValueError(f"{run} has been through the second stage already")
    config = runs.second_stage(runs.RunFolder.open(run).config(TwoStageConfig, "train"), epochs, lr, weight_decay, tau)
    known = _source(run, source)
    report = runs.train(
        load_source(known), known, out, model, config, start=begun, device=device, resume=resume, reporter=Reporter()
    )
    return _trained(report, model)


def _source(run: Path, source: str | None) -> runs.Source:
    """What a network was trained on, or other data of the same size."""
    known, _ = runs.source_of(run)
    if source is not None:
        return runs.Source(source, runs.described(run)[1].size) if known is None else replace(known, name=source)
    if known is None:
        raise ValueError(f"{run} does not say what it was trained on; give --data")
    return known


def _trained(report: runs.TrainReport, model: ModelConfig) -> Output:
    value = {
        "out": str(report.out),
        "model": asdict(model),
        "test": report.test.to_json(),
        "validation": report.validation.to_json(),
        "n_parameters": report.n_parameters,
        "n_binary_weights": report.n_bits,
    }
    text = f"{report.out}: test accuracy {100 * report.test.accuracy:.2f} %, {report.n_bits:,} binary weights"
    return Output(value, text)


def evaluate_run(run: Path, source: str | None, *, part: Part, size: int | None, device: str) -> Output:
    """Accuracy of a trained network, or of a packed one.

    Raises:
        FileNotFoundError: if there is no such training, file or data.
        ValueError: if a file is damaged, or the data is for another network.
    """
    model: nn.Module
    if run.is_file() and run.name != "model.safetensors" and is_packed(run):
        model, shape, classes = load_packed(run)
        if shape is None:
            raise ValueError(f"{run} does not say what images it takes; evaluate it in Python with load_packed")
        if source is None:
            raise ValueError(f"{run} does not say what it was trained on; name the data")
        known = runs.Source(source, size or shape.size)
    else:
        model, shape = runs.load(run, device), runs.described(run)[1]
        classes = runs.source_of(run)[1]
        known = _source(run, source)
        known = known if size is None else replace(known, size=size)
    data = _matched(load_source(known)._asdict()[part], known.name, shape, classes)
    report = evaluate(model, data)
    return Output(
        {"part": part, **report.to_json()},
        f"accuracy {100 * report.accuracy:.2f} % on {report.n_samples:,} {part} images, loss {report.loss:.4f}",
    )


def _matched(data: LabeledDataset, source: str, shape: DataShape, classes: tuple[str, ...]) -> LabeledDataset:
    """Data under the classes of a network, by their names where it has some."""
    expected = (shape.channels, shape.size, shape.size)
    if data.sample_shape != expected:
        raise ValueError(f"{source} has images of {data.sample_shape}, but the network takes {expected}; see --size")
    if not classes:
        if data.n_classes > shape.n_classes:
            raise ValueError(f"{source} has {data.n_classes} classes, but the network has {shape.n_classes}")
        return data
    if unknown := [name for name in data.classes if name not in classes]:
        raise ValueError(f"{source} has the class {unknown[0]}, which the network does not know")
    numbers = torch.tensor([classes.index(name) for name in data.classes])
    return replace(data, y=numbers[data.y], classes=classes)


def quantization(
    run: Path, sweep: str, *, omega: float | None, metric: Metric, out: Path | None, plot: Path | None
) -> Output:
    """Quantization errors of latent weights over frequencies, beside the closed form.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if it has no weights of convolutions or linear maps, or a frequency is not positive.
    """
    files.check_figure(plot)
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"errors are written as .csv, not as {out.name}")
        files.check_writable(out)
    omegas = _omegas(sweep)
    weights, own = _weights(run)
    rows: list[dict[str, Any]] = []
    for one in sorted({*omegas, *(value for value in (omega, own) if value is not None)}):
        for name, weight in weights.items():
            b = fit_laplace(weight)
            rows.append(
                {
                    "omega": one,
                    "layer": name,
                    "b": b,
                    "measured": quantization_error(weight, one, metric),
                    "laplace": laplace_error(one, b, metric),
                }
            )
    if out is not None:
        files.write_text(out, files.to_csv(rows))
    if plot is not None:
        plots.save(draw_errors(rows, metric), plot)
    signs = {name: quantization_error(weight, None, metric) for name, weight in weights.items()}
    lines = [f"{'omega':>8}  {'measured':>9}  {'Laplace':>9}   means over {len(weights)} layers, metric {metric}"]
    for one in dict.fromkeys(row["omega"] for row in rows):
        some = [row for row in rows if row["omega"] == one]
        means = [sum(row[key] for row in some) / len(some) for key in ("measured", "laplace")]
        lines.append(f"{one:>8g}  {means[0]:>9.5f}  {means[1]:>9.5f}" + ("   trained with" if one == own else ""))
    lines.append(f"{'sign(w)':>8}  {sum(signs.values()) / len(signs):>9.5f}")
    return Output({"metric": metric, "omega": own, "rows": rows, "sign": signs}, "\n".join(lines))


def _omegas(sweep: str) -> list[float]:
    try:
        omegas = [float(word) for word in sweep.split(",")]
    except ValueError:
        omegas = [0.0]
    if not all(0 < omega < float("inf") for omega in omegas):
        raise ValueError(f"frequencies are positive numbers with commas between them, such as 1,5,20, not '{sweep}'")
    return omegas


def _weights(run: Path) -> tuple[dict[str, torch.Tensor], float | None]:
    """Latent weights by layer and their frequency; of a file of weights, all matrices and kernels."""
    if run.is_dir() or run.name == "model.safetensors":
        layers = dict(binary_layers(runs.load(run, "cpu")))
        if not layers:
            raise ValueError(f"{run} is a network in full precision, without binary layers")
        frequencies = {layer.omega for layer in layers.values() if isinstance(layer, PeriodicLayer)}
        return {name: layer.weight for name, layer in layers.items()}, next(iter(frequencies), None)
    if run.suffix == ".safetensors" and is_packed(run):
        raise ValueError(f"{run} is a packed network, which has no latent weights; name the folder of its training")
    tensors = read_weights(run)
    found = {name: value for name, value in tensors.items() if value.ndim in (2, 4) and value.is_floating_point()}
    found = {name: value for name, value in found.items() if value.numel() and bool((value != 0).any())}
    if not found:
        raise ValueError(f"{run} holds no weights of convolutions or linear maps")
    if wrong := [name for name, value in found.items() if not bool(value.isfinite().all())]:
        raise ValueError(f"{run} holds weights that are not finite: {wrong[0]}")
    return found, None


def convert(weights: Path, out: Path, arch: Arch, *, omega: float, real_activations: bool, size: int) -> Output:
    """Latent weights of a binary network from the weights of a float one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it does not hold the weights of such a network, or the folder holds a training.
    """
    network, config, shape, fresh = network_from_float(
        weights, arch, omega, real_activations=real_activations, size=size
    )
    runs.save(network, out, config, shape, stage=1)
    phases = {name: omega * fit_laplace(layer.weight) for name, layer in binary_layers(network)}
    value = {
        "out": str(out), "model": asdict(config), "shape": asdict(shape), "fresh": fresh, "mean_phase": phases
    }  # fmt: skip
    low, high = min(phases.values()), max(phases.values())
    text = (
        f"{out}: {arch} of width {config.width:g} in its first stage, mean |ωw| from {low:.2f} to {high:.2f}; "
        f"{len(fresh)} tensors begin anew. Train it with biper train --start {out}"
    )
    return Output(value, text)


def export(run: Path, out: Path, kind: Format, *, fold: bool) -> Output:
    """A trained network as a packed file, or as ONNX; with the bytes of each.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if it has no binary weights, or the name ends otherwise.
        MissingExtraError: if the extra `onnx` is needed and not installed.
    """
    suffix = {"packed": ".safetensors", "onnx": ".onnx"}[kind]
    if out.suffix != suffix:
        raise ValueError(f"the format {kind} is written as {suffix}, not as {out.name}")
    if kind == "onnx":
        require("onnx", "onnxruntime", "onnxscript", extra="biper[onnx]")
    files.check_writable(out)
    model = runs.load(run, "cpu")
    config, shape = runs.described(run)
    check_finished(model)
    if kind == "packed":
        save_packed(pack(model, fold=fold), out, (config, shape), runs.source_of(run)[1])
    else:
        save_onnx(model, out, (shape.channels, shape.size, shape.size))
    size, before = out.stat().st_size, float_bytes(model)
    n_bits = sum(layer.weight.numel() for _, layer in binary_layers(model))
    value = {"out": str(out), "format": kind, "bytes": size, "float_bytes": before, "n_binary_weights": n_bits}
    text = (
        f"{out}: {size:,} bytes, where the float network has {before:,} ({before / size:.1f} times as many); "
        f"{n_bits:,} binary weights"
    )
    return Output(value, text)
