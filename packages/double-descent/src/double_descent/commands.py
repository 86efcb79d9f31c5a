"""What the commands do."""

import json
import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from separata import files
from separata.configs import from_plain, plain
from separata.output import Output, finite, table
from separata.progress import Reporter
from separata.run import Compute
from separata.training import fingerprint

from .configs import (
    CLOSED_FORM,
    DataConfig,
    FeatureConfig,
    FitConfig,
    NetworkConfig,
    check_budgets,
    parse_budgets,
    parse_widths,
    told_steps,
)
from .matrices import WHY_FLOAT64
from .minimal import minimal_demo
from .network_sweep import network_widths
from .partial_sweep import PartialSweep
from .report import peak_report
from .samples import Samples, draw, load_source
from .sweep import Row, SweepResult, sweep_widths
from .two_layer import n_parameters

RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Default widths, in units of the threshold."""
NETWORK_RATIOS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.75, 2.5, 5.0)
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Files:
    """Where a sweep goes.

    Args:
        out: Table to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        resume: Go on with a sweep that was interrupted.
    """

    out: Path | None = None
    plot: Path | None = None
    resume: bool = False

    def check(self) -> None:
        """See that all can be written, before the work."""
        files.check_figure(self.plot)
        if self.out is None:
            if self.resume:
                raise ValueError("a sweep is resumed in the table that it was to write; say --out")
            return
        if self.out.suffix != ".csv":
            raise ValueError(f"a sweep is written as .csv, not as {self.out.name}")
        files.check_writable(self.out)


@dataclass(frozen=True)
class Comparison:
    """What a file of settings says."""

    data: str
    settings: dict[str, FitConfig]
    steps: str = ""
    widths: str = ""
    seeds: int = 3
    samples: DataConfig = field(default_factory=DataConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)


def check_dtype(dtype: str) -> None:
    """Refuse all but double precision, and say why.

    Raises:
        ValueError: if it is not float64.
    """
    if dtype != "float64":
        raise ValueError(f"everything is computed in float64, not {dtype}: {WHY_FLOAT64}")


def sweep(
    source: str,
    features: FeatureConfig,
    fit: FitConfig,
    data: DataConfig,
    *,
    steps: str,
    widths: str,
    seeds: int,
    to: Files,
    device: str,
    metric: str,
) -> Output:
    """Sweep the number of features of a linear model.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong.
    """
    config = Comparison(source, {fit.optimizer: fit}, steps, widths, seeds, data, features)
    return _compare(config, to, device, metric)


def compare(path: Path, *, to: Files, device: str, metric: str) -> Output:
    """Sweep several optimizers, as a file of settings says.

    Raises:
        FileNotFoundError: if there is no such file or data.
        ValueError: if a setting or a file is wrong.
    """
    values = _read_settings(path)
    config = from_plain(Comparison, values, path)
    if not config.settings:
        raise ValueError(f"{path} names no settings to compare")
    source = config.data
    if not Path(source).is_absolute() and (path.parent / source).is_file():
        source = str(path.parent / source)
    return _compare(replace(config, data=source), to, device, metric)


def _read_settings(path: Path) -> Any:  # noqa: ANN401 - what the file holds
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix not in {".toml", ".yaml", ".yml", ".json"}:
        raise ValueError(f"settings are read from .toml, .yaml or .json, not from {path.name}")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".toml":
            values = tomllib.loads(text)
        elif path.suffix == ".json":
            values = json.loads(text)
        else:
            import yaml

            try:
                values = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError(" ".join(str(error).split())) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a {path.suffix[1:].upper()} file: {error}".splitlines()[0]) from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} does not hold settings by name")
    return _as_text(values)


def _as_text(values: Any) -> Any:  # noqa: ANN401 - what a file holds
    """Steps and widths may be written as a number or a list, too, and a setting without any is gradient descent."""
    if isinstance(named := values.get("settings"), dict):
        values = values | {"settings": {name: one or {"optimizer": "gd"} for name, one in named.items()}}
    return {
        key: (",".join(map(str, value)) if isinstance(value, list) else str(value))
        if key in {"steps", "widths"}
        else value
        for key, value in values.items()
    }


def _compare(config: Comparison, to: Files, device: str, metric: str) -> Output:
    to.check()
    settings, features, data = config.settings, config.features, config.samples
    has_closed = all(one.optimizer in CLOSED_FORM for one in settings.values())
    budgets = parse_budgets(config.steps or ("1e3,1e5,inf" if has_closed else "100,1000"))
    for name, one in settings.items():
        if one.optimizer not in CLOSED_FORM and math.isinf(budgets[-1]):
            raise ValueError(f"{name} has no closed form, so that its number of steps must be finite, not inf")
    samples = _samples(config.data, data, config.seeds)
    chosen = parse_widths(config.widths) if config.widths else _default_widths(samples, features)
    if features.activation == "none" and chosen[-1] > samples.x.shape[2]:
        raise ValueError(f"{chosen[-1]} columns cannot be taken of the {samples.x.shape[2]} that there are")
    named = {name: _fitting(one, samples) for name, one in settings.items()}
    _check_metric(metric, samples, ("norm",))
    where = str(Compute(device).torch_device)
    told = {
        "features": plain(features),
        "settings": plain(named),
        "steps": [told_steps(one) for one in budgets],
        "widths": list(chosen),
        "seeds": config.seeds,
        "data": plain(data) | {"fingerprint": fingerprint(samples.x, samples.y)},
    }

    def rows(skip: Iterable[int], track: Any) -> Iterator[tuple[int, list[Row]]]:  # noqa: ANN401 - of a reporter
        return sweep_widths(samples, chosen, named, budgets, features, where, track=track, skip=set(skip))

    return _finish(rows, told, float(samples.n_train), "width", to, metric)


def _fitting(fit: FitConfig, samples: Samples) -> FitConfig:
    """The default batch size, where there are fewer samples, is all of them."""
    is_default = fit.batch_size == FitConfig().batch_size
    return replace(fit, batch_size=min(fit.batch_size, samples.n_train)) if is_default else fit


def sweep_networks(
    source: str,
    network: NetworkConfig,
    data: DataConfig,
    *,
    widths: str,
    seeds: int,
    to: Files,
    device: str,
    metric: str,
    kernel: bool,
) -> Output:
    """Sweep the width of two-layer networks.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, or training diverges.
    """
    to.check()
    samples = _samples(source, data, seeds)
    d, n_outputs = samples.x.shape[2], samples.y.shape[2]
    if network.loss == "cross-entropy" and not samples.has_classes:
        raise ValueError(f"{source} has numbers for targets, which cross-entropy cannot learn; use mse")
    if network.batch_size > samples.n_train:
        raise ValueError(f"a batch of {network.batch_size} is larger than the {samples.n_train} samples")
    _check_metric(metric, samples)
    threshold = float(samples.n_train * n_outputs)
    per_unit = n_parameters(d, 1, n_outputs) - n_outputs
    default = sorted({max(1, round(ratio * threshold / per_unit)) for ratio in NETWORK_RATIOS})
    chosen = parse_widths(widths) if widths else tuple(default)
    told = {
        "network": plain(network),
        "widths": list(chosen),
        "seeds": seeds,
        "kernel": kernel,
        "data": plain(data) | {"fingerprint": fingerprint(samples.x, samples.y)},
    }
    where = str(Compute(device).torch_device)

    def rows(skip: Iterable[int], track: Any) -> Iterator[tuple[int, list[Row]]]:  # noqa: ANN401 - of a reporter
        settings: Mapping[str, NetworkConfig] = {network.optimizer: network}
        return network_widths(samples, chosen, settings, None, where, kernel=kernel, track=track, skip=list(skip))

    return _finish(rows, told, threshold, "parameters", to, metric)


def _check_metric(metric: str, samples: Samples, more: tuple[str, ...] = ()) -> None:
    """See that a sweep will have what is to be drawn, before the work."""
    there = ["train_mse", "test_mse", "condition_number", *more]
    there += ["train_error", "test_error"] if samples.has_classes else []
    there += ["validation_mse"] if samples.x_val.shape[1] else []
    if metric not in there:
        raise ValueError(f"there is no {metric} here; there are {', '.join(there)}")


def _samples(source: str, data: DataConfig, seeds: int) -> Samples:
    if not 1 <= seeds <= MOST_SEEDS:
        raise ValueError(f"the number of seeds must be from 1 to {MOST_SEEDS}, not {seeds}")
    return draw(load_source(source), data, range(seeds))


def _default_widths(samples: Samples, features: FeatureConfig) -> tuple[int, ...]:
    widths = sorted({max(1, round(ratio * samples.n_train)) for ratio in RATIOS})
    if features.activation != "none":
        return tuple(widths)
    d = samples.x.shape[2]
    return tuple(sorted({width for width in widths if width < d} | {d}))


Rows = Callable[[Iterable[int], Any], Iterator[tuple[int, list[Row]]]]


def _finish(rows: Rows, told: Mapping[str, Any], threshold: float, x: str, to: Files, metric: str) -> Output:
    """Compute what is left of a sweep, write its files, and sum it up."""
    reporter = Reporter()
    partial = PartialSweep.begin(to.out, told, resume=to.resume)
    with partial.kept(reporter):
        for width, some in rows(partial.widths, reporter.track):
            partial.add(width, some)
    result = SweepResult(partial.rows, threshold, x)
    if to.plot is not None:
        from separata import plots

        plots.save(result.plot(metric), to.plot)
    if to.out is not None:
        result.to_csv(to.out)
    partial.end()
    return _summary(result, metric)


def _summary(result: SweepResult, metric: str) -> Output:
    """The peak of each series, in words and as JSON."""
    peaks = result.peaks(metric)
    near = int(np.argmin([abs(math.log(width / result.threshold)) for width in result.widths]))
    shown, told = [], []
    for series in result.series:
        curve, losses = result.curve(series, metric).mean(0), result.curve(series, "train_mse").mean(0)
        peak = peaks.get(series)
        values = {
            "setting": series[0],
            "steps": finite(series[1]),
            "peak": None if peak is None else peak.to_json(),
            "narrowest": finite(float(curve[0])),
            "widest": finite(float(curve[-1])),
            "train_mse_at_threshold": finite(float(losses[near])),
        }
        told.append(values)
        shown.append(
            {
                "setting": series[0],
                "steps": told_steps(series[1]),
                "peak": "-" if peak is None else f"yes, at {peak.location:.2f}" if peak.is_present else "no",
                "prominence": "-" if peak is None else f"{peak.prominence:.3g}",
                f"{metric} there": "-" if peak is None else f"{peak.error:.4g}",
                "at the widest": f"{curve[-1]:.4g}",
                "training MSE at threshold": f"{losses[near]:.2g}",
            }
        )
    text = table(shown).text
    if not peaks:
        text += "\nno width lies between half and twice the threshold, so that a peak cannot be seen"
    rows = [
        {key: finite(value) if isinstance(value, float) else value for key, value in row.items()} for row in result.rows
    ]
    return Output({"threshold": result.threshold, "series": told, "rows": rows}, text)


def report(source: str, fit: FitConfig, *, steps: str, plot: Path | None) -> Output:
    """What a longer run does to linear weights on a user's own features.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or a setting is wrong.
    """
    files.check_figure(plot)
    budgets = check_budgets(parse_budgets(steps))
    found = load_source(source)
    if found.x_test is not None and found.y_test is not None:
        z, y, z_test, y_test = found.x, found.y, found.x_test, found.y_test
    else:
        n_test = max(1, round(0.2 * len(found.x)))
        order = torch.randperm(len(found.x), generator=torch.Generator().manual_seed(0))
        train, test = order[n_test:], order[:n_test]
        if not len(train):
            raise ValueError(f"{source} has a single sample, which leaves none for testing")
        z, y, z_test, y_test = found.x[train], found.y[train], found.x[test], found.y[test]
    if found.n_classes is not None:
        if bool((y == y[0]).all()):
            raise ValueError(f"{source}: all samples for training are of a single class")
        y, y_test = (torch.nn.functional.one_hot(one, found.n_classes).double() for one in (y, y_test))
    told = peak_report(z, y, z_test, y_test, budgets, fit)
    if plot is not None:
        from separata import plots

        from .drawing import draw_report

        plots.save(draw_report(told), plot)
    return Output(told.to_json(), str(told))


def minimal(n_trials: int, alpha: float, seed: int, *, plot: Path | None) -> Output:
    """The minimal example.

    Raises:
        ValueError: if a setting is wrong.
    """
    files.check_figure(plot)
    if seed < 0:
        raise ValueError(f"the seed must not be negative, but it is {seed}")
    demo = minimal_demo(n_trials=n_trials, alpha=alpha, seed=seed)
    if plot is not None:
        from separata import plots

        from .drawing import draw_minimal

        plots.save(draw_minimal(demo), plot)
    rows = [
        {
            "width": width,
            "test_error": float(demo.test_error[i]),
            "test_mse": float(demo.test_mse[i]),
            "condition_number": float(demo.condition_number[i]),
            "norm": float(demo.norm[i]),
        }
        for i, width in enumerate(demo.widths)
    ]
    shown = [{key: value if isinstance(value, int) else f"{value:.4g}" for key, value in row.items()} for row in rows]
    places = ", ".join(f"{name.replace('_', ' ')} at P = {width}" for name, width in demo.peaks().items())
    value = {"n_train": demo.n_train, "peaks": demo.peaks(), "rows": rows}
    return Output(value, f"{table(shown).text}\nhighest with N = {demo.n_train}: {places}")
