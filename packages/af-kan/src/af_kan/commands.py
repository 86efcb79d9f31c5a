"""What the commands do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from separata import files
from separata.output import Output, finite, listing
from separata.progress import Reporter
from separata.run import Compute

from . import outputs, runs
from .comparison import Axis, ComparisonRow, Match, networks_along, networks_of_kinds
from .comparison import compare as compare_networks
from .configs import DataShape, ModelConfig, ModelKind, RunConfig, TrainConfig, names
from .evaluation import evaluate, predict
from .export import save_onnx
from .functions import parse_function, sample_function
from .measurement import measure
from .samples import Samples, check_samples, load_data, load_inputs, load_part

MOST_SHOWN = 20
"""Predictions that a person is shown."""


def train(source: str, out: Path, config: RunConfig, *, device: str, resume: bool) -> Output:
    """Train a network on a data set of the user's own, or by name.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    data = load_data(source, config.data, seed=config.train.seed)
    report = runs.train(data, out, config, device=device, resume=resume, reporter=Reporter())
    return outputs.of_training(report)


def evaluate_run(run: Path, source: str, *, part: str, plot: Path | None, device: str) -> Output:
    """How well a trained network does on a part of a data set, and a picture.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong, or of another shape.
    """
    files.check_figure(plot)
    network, described = runs.load(run, device), runs.describe(run)
    data = load_part(source, part, described.config, seed=described.seed, schema=described.schema)
    _check_alike(source, data.shape, described.shape)
    data = replace(data, shape=described.shape).to(next(network.parameters()).device)
    report = evaluate(network, data)
    if plot is not None:
        _draw(predict(network, data.x).cpu(), data, plot)
    return listing(report.to_json())


def _check_alike(source: str, found: DataShape, expected: DataShape) -> None:
    if found.sample != expected.sample:
        raise ValueError(f"{source} has samples of {_by(found.sample)}, but the network takes {_by(expected.sample)}")
    if found.is_regression != expected.is_regression:
        kinds = {True: "numbers", False: "classes"}
        raise ValueError(
            f"{source} has {kinds[found.is_regression]}, but the network predicts {kinds[expected.is_regression]}"
        )
    if found.classes != expected.classes[: len(found.classes)]:
        raise ValueError(
            f"{source} has the classes {', '.join(found.classes[:5])}, but the network was trained on "
            f"{', '.join(expected.classes[:5])}"
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _draw(output: Tensor, data: Samples, path: Path) -> None:
    from separata import plots

    from .drawing import draw_confusion, draw_predictions

    if data.shape.is_regression:
        figure = draw_predictions(data.y.cpu(), output[:, 0], data.shape.target)
    else:
        figure = draw_confusion(data.y.cpu(), output.argmax(1), data.shape.classes)
    plots.save(figure, path)


def predict_samples(run: Path, path: Path, *, out: Path | None, device: str) -> Output:
    """Classes or numbers of samples without labels.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or of another shape.
    """
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"predictions are written as .csv, not as {out.name}")
        files.check_writable(out)
    network, described = runs.load(run, device), runs.describe(run)
    shape = described.shape
    x = load_inputs(path, shape, described.schema, described.config.size)
    check_samples(x, torch.zeros(len(x), dtype=torch.long), shape)
    rows = _predictions(predict(network, x.to(next(network.parameters()).device)).cpu(), shape)
    if out is not None:
        files.write_text(out, files.to_csv(rows))
        return Output({"out": str(out), "n_samples": len(rows)}, f"{out}: {len(rows):,} predictions")
    text = files.to_csv(rows[:MOST_SHOWN]).rstrip()
    more = len(rows) - MOST_SHOWN
    return Output({"rows": rows}, text + (f"\n{more:,} more; write all with --out" if more > 0 else ""))


def _predictions(output: Tensor, shape: DataShape) -> list[dict[str, Any]]:
    if not bool(output.isfinite().all()):
        raise ValueError(
            "the network gives numbers that are not finite; the samples are far from those it was trained on"
        )
    if shape.is_regression:
        return [{"sample": i, shape.target: value} for i, value in enumerate(output[:, 0].tolist())]
    probabilities, numbers = output.softmax(1).max(1)
    pairs = zip(numbers.tolist(), probabilities.tolist(), strict=True)
    return [
        {"sample": i, "class": shape.classes[number], "probability": probability}
        for i, (number, probability) in enumerate(pairs)
    ]


@dataclass(frozen=True)
class Points:
    """Points at which a formula is fitted.

    Args:
        n_train: Random points for training and validation.
        n_test: Random points for testing.
        low: Lower end of the range of each variable.
        high: Upper end of the range of each variable.
    """

    n_train: int
    n_test: int
    low: float
    high: float


def fit(
    text: str,
    model: ModelConfig,
    config: TrainConfig,
    beside: str,
    points: Points,
    *,
    plot: Path | None,
    device: str,
) -> Output:
    """Fit a formula by a network, and by others with as many parameters.

    Raises:
        ValueError: if the formula or a setting is wrong.
    """
    files.check_figure(plot)
    formula = parse_function(text)
    others: Any = names(beside, get_args(ModelKind), "kind")
    data = sample_function(formula, points.n_train, points.n_test, seed=config.seed, low=points.low, high=points.high)
    n_inputs = len(formula.variables)
    networks = {model.kind: model} | {
        kind: one for kind, one in _as_large(others, model, n_inputs).items() if kind != model.kind
    }
    target = Compute(device).torch_device
    found, fitted = {}, {}
    for name in Reporter().track(list(networks), "networks"):
        one = measure(data, networks[name], config, target)
        rmse = math.nan if one.test is None or one.test.rmse is None else one.test.rmse
        r2 = math.nan if one.test is None or one.test.r2 is None else one.test.r2
        found[name] = {
            "hidden": networks[name].hidden,
            "n_parameters": one.n_parameters,
            "rmse": finite(rmse),
            "r2": finite(r2),
        }
        fitted[name] = predict(one.network, data.test.x.to(target)).cpu()[:, 0]
    if plot is not None:
        from separata import plots

        from .drawing import draw_fit

        plots.save(draw_fit(data.test.x, data.test.y, fitted, formula.variables), plot)
    return outputs.of_fit(formula.text, formula.variables, found)


def _as_large(kinds: tuple[ModelKind, ...], model: ModelConfig, n_inputs: int) -> Mapping[str, ModelConfig]:
    """Networks of other kinds, with one hidden layer and as many parameters."""
    from .networks.factory import matched, n_parameters

    budget = n_parameters(model, n_inputs, 1)
    return {kind: matched(replace(model, kind=kind, methods=""), budget, n_inputs, 1) for kind in kinds}


@dataclass(frozen=True)
class Effort:
    """How much is tried of each network.

    Args:
        rates: Candidate learning rates, with commas.
        seeds: Trainings.
        device: Where to train.

    Raises:
        ValueError: if a rate is no positive number.
    """

    rates: str
    seeds: int
    device: str

    def candidates(self) -> tuple[float, ...]:
        """The candidate learning rates."""
        words = [word.strip() for word in self.rates.split(",") if word.strip()]
        try:
            found = tuple(map(float, words))
        except ValueError:
            found = (0.0,)
        if not all(0 < rate < math.inf for rate in found):
            raise ValueError(
                f"rates are positive numbers with commas between them, such as 0.001,0.01, not '{self.rates}'"
            )
        return found


def compare(source: str, config: RunConfig, kinds: str, match: Match, effort: Effort, *, plot: Path | None) -> Output:
    """Networks of several kinds on one data set.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong.
    """
    files.check_figure(plot)
    wanted: Any = names(kinds, get_args(ModelKind), "kind")
    if not wanted:
        raise ValueError("name at least one kind of network to compare, such as af-kan,mlp")
    data = load_data(source, config.data, seed=config.train.seed)
    networks = networks_of_kinds(wanted, config.model, match, data.shape.n_inputs, data.shape.n_outputs)
    rows = _compared(data, networks, config, effort)
    if plot is not None:
        from separata import plots

        from .drawing import draw_comparison

        plots.save(draw_comparison(rows, _heads(data.shape)[0]), plot)
    return outputs.of_comparison(rows, _heads(data.shape), "network")


def ablate(source: str, config: RunConfig, axis: Axis, effort: Effort, *, plot: Path | None) -> Output:
    """AF-KANs that differ in one setting, on one data set.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong.
    """
    files.check_figure(plot)
    networks = networks_along(axis, config.model)
    data = load_data(source, config.data, seed=config.train.seed)
    rows = _compared(data, networks, config, effort)
    score = _heads(data.shape)[0]
    if plot is not None:
        from separata import plots

        plots.save(plots.bars({row.name: list(row.scores) for row in rows}, ylabel=f"test {score}", xlabel=axis), plot)
    return outputs.of_comparison(rows, _heads(data.shape), axis)


def _compared(data: Any, networks: Mapping[str, ModelConfig], config: RunConfig, effort: Effort) -> list[ComparisonRow]:  # noqa: ANN401
    return compare_networks(
        data,
        networks,
        config.train,
        rates=effort.candidates(),
        n_seeds=effort.seeds,
        device=Compute(effort.device).torch_device,
        track=Reporter().track,
    )


def _heads(shape: DataShape) -> tuple[str, str]:
    """Names of the score and of the second number."""
    return ("r2", "rmse") if shape.is_regression else ("accuracy", "macro_f1")


def export(run: Path, out: Path) -> Output:
    """Write a trained network as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    network, shape = runs.load(run, "cpu"), runs.describe(run).shape
    save_onnx(network, out, shape.sample)
    value = {"out": str(out), "input": ["batch", *shape.sample], "output": ["batch", shape.n_outputs]}
    return Output(value, f"{out}: from x (batch, {', '.join(map(str, shape.sample))}) to y (batch, {shape.n_outputs})")
