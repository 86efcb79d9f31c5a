"""What experiments spread over the cores: sweeps of a few settings, all seeds at once."""

from dataclasses import dataclass, field
from typing import Any

from .configs import DataConfig, FeatureConfig, FitConfig, NetworkConfig
from .network_sweep import network_sweep
from .samples import Samples, draw, load_source
from .sweep import capacity_sweep


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
    """The rows of a sweep, with infinite numbers of steps as null."""
    samples: Samples = draw(load_source(trial.dataset), trial.data, trial.seeds)
    if isinstance(trial, NetworkTrial):
        named = {trial.name: trial.train}
        result = network_sweep(samples, trial.widths, named, trial.epochs, device, kernel=trial.kernel)
    else:
        budgets = [float(steps) for steps in trial.budgets]
        result = capacity_sweep(samples, trial.widths, {trial.name: trial.fit}, budgets, trial.features, device)
    return [row | {"steps": row["steps"] if row["steps"] < float("inf") else None} for row in result.rows]
