"""What experiments spread over the cores: sweeps of a few settings, all seeds at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .configs import DataConfig, FeatureConfig, FitConfig, NetworkConfig
from .network_sweep import network_sweep
from .samples import Samples, draw, load_source
from .sweep import capacity_sweep

NOT_FINITE = ("nan", "inf", "-inf")


@dataclass(frozen=True)
class LinearTrial:
    """A sweep of linear models on random features."""

    name: str
    fit: FitConfig
    budgets: tuple[str, ...]
    """Numbers of steps, as text: JSON has no infinity."""
    widths: tuple[int, ...]
    data: DataConfig
    dataset: str = "mnist5k"
    features: FeatureConfig = field(default_factory=FeatureConfig)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class NetworkTrial:
    """A sweep of two-layer networks."""

    name: str
    train: NetworkConfig
    epochs: tuple[int, ...]
    widths: tuple[int, ...]
    data: DataConfig
    dataset: str = "digits"
    seeds: tuple[int, ...] = (0,)
    kernel: bool = False


def run_trial(trial: LinearTrial | NetworkTrial, device: str) -> list[dict[str, Any]]:
    """The rows of a sweep; numbers that are not finite are words, since JSON has none. `numbers_of` reads them."""
    samples: Samples = draw(load_source(trial.dataset), trial.data, trial.seeds)
    if isinstance(trial, NetworkTrial):
        named = {trial.name: trial.train}
        result = network_sweep(samples, trial.widths, named, trial.epochs, device, kernel=trial.kernel)
    else:
        budgets = [float(steps) for steps in trial.budgets]
        result = capacity_sweep(samples, trial.widths, {trial.name: trial.fit}, budgets, trial.features, device)
    return [{key: _told(value) for key, value in row.items()} for row in result.rows]


def numbers_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows as the sweep had them."""
    return [{key: float(value) if value in NOT_FINITE else value for key, value in row.items()} for row in rows]


def _told(value: Any) -> Any:  # noqa: ANN401 - a cell
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
