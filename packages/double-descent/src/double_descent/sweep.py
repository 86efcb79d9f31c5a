"""Errors over the width of a model, for any optimizers and numbers of steps."""

import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from separata import files

from .configs import FeatureConfig, FitConfig, check_budgets, check_widths, told_steps
from .features import RandomFeatures
from .fitting import path
from .least_squares import LeastSquares
from .peaks import Peak, find_peak
from .samples import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FeatureMap = Callable[[Float64[Tensor, "n d"], int, int], Float64[Tensor, "n p"]]
"""Features of one's own: of inputs (n, D), a width P and a seed, (n, P)."""
Row = dict[str, Any]
Track = Callable[[Iterable[int], str], Iterable[int]]
METRICS = ("train_mse", "test_mse", "train_error", "test_error", "validation_mse", "norm", "condition_number")


@dataclass(frozen=True, eq=False)
class SweepResult:
    """A tidy table of a sweep: a row for each setting, number of steps, width and seed.

    Attributes:
        rows: `setting`, `steps`, `width`, `seed`, mean squared errors per number, shares of samples whose largest
            output is wrong, `norm` of the weights, and `condition_number`, `smallest` singular value and `rank` of the
            features.
        threshold: Width at which the training data can just be interpolated.
    """

    rows: list[Row]
    threshold: float
    x: str = field(default="width")

    @property
    def series(self) -> list[tuple[str, float]]:
        """The settings, with their numbers of steps, in the order in which they were given."""
        return list(dict.fromkeys((row["setting"], row["steps"]) for row in self.rows))

    @property
    def widths(self) -> list[float]:
        """The widths."""
        return sorted({row[self.x] for row in self.rows})

    def label(self, series: tuple[str, float]) -> str:
        """A readable name of a setting and its number of steps, which is left out where there is one only."""
        name, steps = series
        if len({one for key, one in self.series if key == name}) == 1:
            return name
        told = f"{told_steps(steps)} steps"
        return told if len({key for key, _ in self.series}) == 1 else f"{name}, {told}"

    def curve(self, series: tuple[str, float], metric: str = "test_mse") -> Float[np.ndarray, "seeds widths"]:
        """A metric of each seed at each width.

        Raises:
            ValueError: if the sweep has no such series, or no such metric.
        """
        rows = [row for row in self.rows if (row["setting"], row["steps"]) == series]
        if not rows or metric not in rows[0]:
            raise ValueError(f"the sweep has no {metric} of {series[0]} at {told_steps(series[1])} steps")
        seeds = sorted({row["seed"] for row in rows})
        found = {(row["seed"], row[self.x]): row[metric] for row in rows}
        return np.array([[found[seed, width] for width in self.widths] for seed in seeds], dtype=float)

    def peaks(self, metric: str = "test_mse") -> dict[tuple[str, float], Peak]:
        """The peak of every series, if it has one; those without a width near the threshold are left out."""
        inside = [width for width in self.widths if 0.5 <= width / self.threshold <= 2]
        if not inside:
            return {}
        return {one: find_peak(self.widths, self.curve(one, metric), self.threshold) for one in self.series}

    def to_csv(self, file: Path) -> None:
        """Write the table, whole or not at all; numbers are exact.

        Raises:
            OSError: if it cannot be written.
        """
        files.write_text(file, files.to_csv(self.rows))

    def plot(self, metric: str = "test_mse") -> "Figure":
        """Draw a metric over the width, a line for each series."""
        from .drawing import draw_sweep

        return draw_sweep(self, metric)


def capacity_sweep(
    samples: Samples,
    widths: Sequence[int],
    settings: Mapping[str, FitConfig] | FitConfig,
    budgets: Sequence[float] = (1e3, 1e5, math.inf),
    features: FeatureConfig | FeatureMap | None = None,
    device: str = "cpu",
) -> SweepResult:
    """Sweep the number of features of a linear model, batched over the seeds.

    Args:
        samples: What each seed learns from and is tested on.
        widths: Numbers of features, P.
        settings: Optimizers by name, or one. Ridge and least squares count once, whatever the budgets.
        budgets: Numbers of steps.
        features: Random features; ReLU features if not given. Or a function of your own, from inputs (n, D), a width P
            and a seed to features (n, P).
        device: Where to compute.

    Raises:
        ValueError: if a setting or a width is not possible, the features are not finite, or memory will not do.
    """
    named: Mapping[str, FitConfig] = {settings.optimizer: settings} if isinstance(settings, FitConfig) else settings
    rows = [row for _, some in sweep_widths(samples, widths, named, budgets, features, device) for row in some]
    return SweepResult(rows, samples.n_train)


def sweep_widths(
    samples: Samples,
    widths: Sequence[int],
    settings: Mapping[str, FitConfig],
    budgets: Sequence[float],
    features: FeatureConfig | FeatureMap | None = None,
    device: str = "cpu",
    *,
    track: Track | None = None,
    skip: Collection[int] = (),
) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each width in turn, as `capacity_sweep` puts them together.

    Args:
        samples: As for `capacity_sweep`.
        widths: As for `capacity_sweep`.
        settings: Optimizers by name.
        budgets: Numbers of steps.
        features: As for `capacity_sweep`.
        device: Where to compute.
        track: Shows progress over the widths.
        skip: Widths that are left out.

    Raises:
        ValueError: as `capacity_sweep`.
    """
    widths, budgets = check_widths(widths), check_budgets(budgets)
    check_memory(samples, max(widths))
    for config in settings.values():
        if config.optimizer == "sgd" and config.batch_size > samples.n_train:
            raise ValueError(f"a batch of {config.batch_size} is larger than the {samples.n_train} samples")
    samples = samples.to(device)
    make = _nested(samples, max(widths), features or FeatureConfig())
    is_centered = isinstance(features, FeatureConfig) and features.normalize != "none"
    left = [width for width in widths if width not in set(skip)]
    for width in track(left, "widths") if track else left:
        yield width, _rows_of(samples, make(width), width, settings, budgets, is_centered=is_centered)


def _nested(samples: Samples, widest: int, features: FeatureConfig | FeatureMap) -> Callable[[int], list[Tensor]]:
    """A function from a width to the features of the training, test and validation samples, (seeds, n, P)."""
    parts = [samples.x, samples.x_test, samples.x_val]
    if not isinstance(features, FeatureConfig):
        return lambda width: [_own(features, part, width, samples.seeds) for part in parts]
    found: list[list[Tensor]] = [[], [], []]
    for i, seed in enumerate(samples.seeds):
        layer = RandomFeatures(widest, features.activation, features.scale, features.normalize, seed)
        layer.fit(samples.x[i].cpu().numpy())
        for part, stack in zip(parts, found, strict=True):
            one = part[i].cpu().numpy()
            stack.append(torch.from_numpy(layer.transform(one) if len(one) else np.zeros((0, widest))))
    stacks = [torch.stack(stack).to(samples.x) for stack in found]
    return lambda width: [stack[:, :, :width] for stack in stacks]


def _own(features: FeatureMap, x: Tensor, width: int, seeds: Sequence[int]) -> Tensor:
    found = [features(one, width, seed).double() for one, seed in zip(x, seeds, strict=True)]
    wrong = next((one for one in found if one.shape != (x.shape[1], width)), None)
    if wrong is not None:
        raise ValueError(f"the features must be ({x.shape[1]}, {width}), not {tuple(wrong.shape)}")
    stack = torch.stack(found)
    if not bool(stack.isfinite().all()):
        raise ValueError(f"the features at width {width} have a number that is NaN or infinite")
    return stack


def _rows_of(
    samples: Samples,
    features: list[Tensor],
    width: int,
    settings: Mapping[str, FitConfig],
    budgets: Sequence[float],
    *,
    is_centered: bool,
) -> list[Row]:
    z, z_test, z_val = features
    # Centered features leave the mean of the targets to an intercept.
    offset = samples.y.mean(1, keepdim=True) if is_centered else torch.zeros_like(samples.y[:, :1])
    problem = LeastSquares(z.contiguous(), samples.y - offset)
    found = problem.spectrum
    rows: list[Row] = []
    for name, config in settings.items():
        ends = budgets if config.optimizer not in {"ridge", "exact"} else (math.inf,)
        for steps, weights in path(problem, config, ends, samples.seeds):
            train = errors_of(z @ weights + offset, samples.y, "train")
            test = errors_of(z_test @ weights + offset, samples.y_test, "test")
            columns = {
                **(train | test if samples.has_classes else {key: train[key] for key in ("train_mse",)} | test),
                "norm": weights.square().sum((1, 2)).sqrt(),
                "condition_number": found.condition_number,
                "smallest": found.smallest,
                "rank": found.rank,
            }
            if z_val.shape[1]:
                columns["validation_mse"] = (z_val @ weights + offset - samples.y_val).square().mean((1, 2))
            if not samples.has_classes:
                columns.pop("test_error", None)
            rows += [
                {
                    "setting": name,
                    "steps": steps,
                    "width": width,
                    "seed": seed,
                    **{key: float(value[i]) for key, value in columns.items()},
                }
                for i, seed in enumerate(samples.seeds)
            ]
    return rows


def errors_of(outputs: Tensor, targets: Tensor, name: str) -> dict[str, Tensor]:
    """Mean squared error per number, and the share of samples whose largest output is not the target's."""
    return {
        f"{name}_mse": (outputs - targets).square().mean((1, 2)),
        f"{name}_error": (outputs.argmax(2) != targets.argmax(2)).double().mean(1),
    }


def check_memory(samples: Samples, widest: int) -> None:
    """See that the features of the widest model fit into memory.

    Raises:
        ValueError: if they will not; the sentence says how many bytes are needed and there.
    """
    rows = samples.x.shape[1] + samples.x_test.shape[1] + samples.x_val.shape[1]
    # Features, a copy, and the parts of their decomposition.
    needed = 8 * len(samples.seeds) * widest * (2 * rows + 2 * samples.n_train)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if needed > 0.8 * there:
        raise ValueError(
            f"{widest:,} features of {rows:,} samples and {len(samples.seeds)} seeds need about {needed / 2**30:.0f} "
            f"GiB, and there are {there / 2**30:.0f}; take narrower models, fewer samples or fewer seeds"
        )
