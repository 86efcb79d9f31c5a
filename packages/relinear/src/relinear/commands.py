"""What the commands do."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import nn

from separata import files, plots
from separata.extras import require
from separata.labeled import LabeledDataset, load_splits
from separata.models import count_parameters
from separata.output import Output, table
from separata.progress import Reporter
from separata.run import Compute

from . import runs
from .activation import QuadraticActivation
from .checkpoints import load_state, quadratic_state
from .configs import Form, ModelConfig, RunConfig, TrainConfig, gammas_of
from .evaluation import EvaluationReport, evaluate
from .export import save_onnx
from .expressivity import functional_dimension
from .linear import QuadraticLinear
from .sweep import draw_sweep
from .sweep import sweep as sweep_gammas

VALIDATION = 0.1
"""Share of the training part that is held out."""
MOST = 64
"""Inputs, units and layers whose dimension is computed."""


def train(
    data: str, out: Path, config: RunConfig, *, size: int | None, n_train: int | None, device: str, resume: bool
) -> Output:
    """Train a network on labeled samples.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another one.
    """
    splits = load_splits(data, validation=VALIDATION, seed=config.train.seed, size=size, n_train=n_train)
    model = runs.train(splits, out, config, device=device, resume=resume, reporter=Reporter())
    found = {name: evaluate(model, part) for name, part in (("validation", splits.validation), ("test", splits.test))}
    text = "\n".join(f"{name}: {report}".partition("\n")[0] for name, report in found.items())
    rest = str(found["test"]).partition("\n")[2]
    value = {"out": str(out), **{name: report.to_json() for name, report in found.items()}}
    return Output(value, f"{text}\n{rest}\nin {out}")


def evaluate_run(run: Path, data: str, *, onnx: Path | None, device: str) -> Output:
    """Measure a trained network on labeled samples.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if the data is wrong, or for another network.
        MissingExtraError: if the network is to be exported and the extra `onnx` is not installed.
    """
    if onnx is not None:
        if onnx.suffix != ".onnx":
            raise ValueError(f"a network is exported as .onnx, not as {onnx.name}")
        require("onnx", "onnxruntime", "onnxscript", extra="relinear[onnx]")
    model, shape = runs.load(run, device), runs.load_shape(run)
    size = shape.sample[2] if len(shape.sample) == 3 else None
    test = load_splits(data, validation=VALIDATION, size=size).test
    _check_fits(test, shape, run, data)
    report: EvaluationReport = evaluate(model, test)
    if onnx is not None:
        save_onnx(model, onnx, shape.sample)
    return Output(report.to_json(), str(report) + (f"\nnetwork in {onnx}" if onnx else ""))


def _check_fits(test: LabeledDataset, shape: runs.DataShape, run: Path, data: str) -> None:
    if test.sample_shape != shape.sample or test.classes != shape.classes:
        raise ValueError(
            f"{data} has samples of shape {test.sample_shape} in {test.n_classes} classes, but the network of {run} "
            f"takes {shape.sample} in {len(shape.classes)}"
            + (", named otherwise" if test.n_classes == len(shape.classes) else "")
        )


def sweep(
    data: str,
    model: ModelConfig,
    config: TrainConfig,
    gamma: str,
    *,
    seeds: int,
    n_train: int | None,
    plot: Path | None,
    device: str,
) -> Output:
    """Train with each gamma, and the conventional network.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong.
    """
    files.check_figure(plot)
    gammas, where = gammas_of(gamma), str(Compute(device).torch_device)
    points = sweep_gammas(
        data, model, gammas, config, n_seeds=seeds, n_train=n_train, device=where, track=Reporter().track
    )
    if plot is not None:
        plots.save(draw_sweep(points), plot)
    found = table([point.row() for point in points])
    best = max((point for point in points if point.gamma is not None), key=lambda point: point.mean)
    return Output({**found.value, "best": best.gamma}, f"{found.text}\nbest gamma {best.gamma:g}")


def convert(source: Path, out: Path, *, form: Form, targets: str, skip: str, bias: bool | None) -> Output:
    """Convert the state dict of a conventional network.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a state dict, or there is nothing to convert.
    """
    if out.suffix != ".safetensors":
        raise ValueError(f"the state of the quadratic network is written as .safetensors, not as {out.name}")
    files.check_writable(out)
    state = load_state(source)
    found = quadratic_state(state, form, targets=_globs(targets), skip=_globs(skip), bias=bias)
    tensors = {key: value.contiguous().clone() for key, value in found.state.items()}
    files.save_tensors(out, tensors, {"form": form, "converted": ",".join(found.converted)})
    before, after = (sum(one.numel() for one in some.values()) for some in (state, tensors))
    value = {
        "out": str(out),
        "form": form,
        "converted": list(found.converted),
        "left": found.left,
        "n_before": before,
        "n_after": after,
    }
    lines = [f"converted {len(found.converted)} layers: {_few(found.converted)}"]
    lines += [f"left {name}: {reason}" for name, reason in found.left.items()]
    return Output(value, "\n".join([*lines, f"{before:,} numbers became {after:,}, in {out}"]))


def _globs(text: str) -> tuple[str, ...]:
    return tuple(one for one in text.split(",") if one)


def _few(names: tuple[str, ...], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(name or "the network itself" for name in names[:most]) + more


def expressivity(d: int, hidden: int, layers: int) -> Output:
    """Dimensions of the sets of functions of small networks of each kind.

    Raises:
        ValueError: if a size is out of range.
    """
    for name, value in (("d", d), ("hidden", hidden), ("layers", layers)):
        if not 1 <= value <= MOST:
            raise ValueError(f"{name} must be from 1 to {MOST}, not {value}")
    sizes = [d, *[hidden] * (layers - 1), 1]
    rows: list[dict[str, Any]] = []
    for name, network in _networks(sizes).items():
        n = count_parameters(network)
        # More values than parameters, so that the dimension is seen.
        rows.append({"network": name, "parameters": n, "dimension": functional_dimension(network, d, n + 20)})
    return table(rows)


def _networks(sizes: list[int]) -> dict[str, nn.Module]:
    pairs = list(pairwise(sizes))
    squares = [module for n_in, n_out in pairs for module in (nn.Linear(n_in, n_out), QuadraticActivation())]
    # Without it, several layers would be squares of something; one neuron is compared as it is.
    squares += [nn.Linear(1, 1)] if len(pairs) > 1 else []
    return {
        "quadratic": nn.Sequential(*(QuadraticLinear(*pair) for pair in pairs)),
        "compact": nn.Sequential(*(QuadraticLinear(*pair, form="compact") for pair in pairs)),
        "quadratic activation": nn.Sequential(*squares),
        "linear": nn.Sequential(*(nn.Linear(*pair) for pair in pairs)),
    }
