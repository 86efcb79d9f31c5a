"""Networks side by side on one's own data, at equal width or equal parameters, and ablations of AF-KAN."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Literal, get_args

import torch

from separata.configs import replaced

from .configs import Activation, Combination, FeatureNorm, ModelConfig, ModelKind, Norm, ReductionName, TrainConfig
from .measurement import Measurement, measure
from .networks.factory import matched, n_parameters
from .samples import DataSplits

Match = Literal["width", "params"]
Axis = Literal["activation", "combination", "grid", "order", "reduction", "norm", "feature-norm"]
Track = Callable[[Iterable[Any], str], Iterable[Any]]

AXES: Mapping[Axis, tuple[str, tuple[Any, ...]]] = {
    "activation": ("activation", get_args(Activation)),
    "combination": ("combination", get_args(Combination)),
    "grid": ("grid_size", (1, 2, 3, 5, 8)),
    "order": ("order", (1, 2, 3, 4, 5)),
    "reduction": ("reduction", get_args(ReductionName)),
    "norm": ("norm", get_args(Norm)),
    "feature-norm": ("feature_norm", get_args(FeatureNorm)),
}
"""The settings of a layer that an ablation varies, with the values that it tries."""


@dataclass(frozen=True)
class ComparisonRow:
    """What is found of one network; of several seeds the means.

    Attributes:
        name: Its name in the comparison.
        config: Its settings.
        lr: The learning rate that is best on the validation data.
        n_parameters: Trainable numbers.
        flops: Floating-point operations of a forward pass for each sample.
        seconds_per_epoch: Time of a pass over the training data.
        scores: Test accuracy, or share of the variance that is explained, of each seed; NaN where training diverged.
        second: Macro F1, or root of the mean squared error.
    """

    name: str
    config: ModelConfig
    lr: float
    n_parameters: int
    flops: float
    seconds_per_epoch: float
    scores: tuple[float, ...]
    second: float

    @property
    def score(self) -> float:
        """The mean over seeds."""
        return fmean(self.scores)


def networks_of_kinds(
    kinds: Sequence[ModelKind], model: ModelConfig, match: Match, n_inputs: int, n_outputs: int
) -> dict[str, ModelConfig]:
    """A network of each kind: as wide as a given one, or with as many parameters as an AF-KAN of its widths.

    Args:
        kinds: The kinds.
        model: Hidden widths, and the settings of layers.
        match: Equal widths, or equal parameters with one hidden layer.
        n_inputs: Numbers of a sample.
        n_outputs: Outputs.

    Raises:
        ValueError: if a kind cannot be as small.
    """
    made: dict[str, ModelConfig] = {kind: replace(_own(model, kind), kind=kind) for kind in kinds}
    if match == "width":
        return made
    budget = n_parameters(replace(model, kind="af-kan"), n_inputs, n_outputs)
    return {
        kind: config if kind == "af-kan" else matched(config, budget, n_inputs, n_outputs)
        for kind, config in made.items()
    }


def _own(model: ModelConfig, kind: ModelKind) -> ModelConfig:
    return model if kind == "af-kan" else replace(model, methods="")


def networks_along(axis: Axis, model: ModelConfig) -> dict[str, ModelConfig]:
    """AF-KANs that differ in one setting, by its value; the other settings are those of a given one.

    Raises:
        ValueError: if the given network is no AF-KAN.
    """
    if model.kind != "af-kan":
        raise ValueError(f"an ablation is one of the settings of an af-kan, not of {model.kind}")
    name, values = AXES[axis]
    return {str(value): replaced(model, **{name: value}) for value in values}


def compare(
    data: DataSplits,
    networks: Mapping[str, ModelConfig],
    config: TrainConfig = TrainConfig(),  # noqa: B008 - immutable
    *,
    rates: Sequence[float] = (),
    n_seeds: int = 1,
    device: str | torch.device = "cpu",
    track: Track | None = None,
) -> list[ComparisonRow]:
    """Train every network with the same batches, and test it.

    Each has the same candidate learning rates. The best of them on the validation data is chosen with the first seed,
    whose training then counts; the test data decides nothing.

    Args:
        data: Training, validation and test data.
        networks: Settings by name.
        config: How they are trained, and the first seed.
        rates: Candidate learning rates; that of `config` alone if none is given.
        n_seeds: Trainings of each network.
        device: Where to train.
        track: Shows progress over networks.

    Raises:
        ValueError: if a setting does not fit the data, or there is no seed.
    """
    if n_seeds < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {n_seeds}")
    found = []
    for name in track(list(networks), "networks") if track else networks:
        model = networks[name]
        tried = {lr: measure(data, model, replace(config, lr=lr), device) for lr in (rates or (config.lr,))}
        best = max(tried, key=lambda lr: _chosen_by(tried[lr]))
        others = [
            measure(data, model, replace(config, lr=best, seed=config.seed + i), device) for i in range(1, n_seeds)
        ]
        found.append(_row(name, model, best, [tried[best], *others]))
    return found


def _chosen_by(found: Measurement) -> float:
    return -math.inf if found.validation is None else found.validation.score


def _row(name: str, model: ModelConfig, lr: float, found: Sequence[Measurement]) -> ComparisonRow:
    tested = [one.test for one in found]
    seconds = fmean(one.seconds_per_epoch for one in found)
    scores = tuple(math.nan if one is None else one.score for one in tested)
    second = [math.nan if one is None else one.rmse if one.macro_f1 is None else one.macro_f1 for one in tested]
    return ComparisonRow(
        name, model, lr, found[0].n_parameters, found[0].flops, seconds, scores, fmean(map(_number, second))
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
