"""Settings, each written once: commands take them as options, experiments hold them, report folders store them."""

from dataclasses import dataclass
from typing import Literal

from separata.configs import check_positive

By = Literal["params", "flops", "flops-shared", "time"]
"""What is equal among compared models: trainable parameters; FLOPs of a forward pass, with every spline of a KAN
evaluated on its own (naive) or each basis evaluated once per input (shared); or seconds per training step."""
Base = Literal["silu", "identity", "zero"]
Activation = Literal["relu", "gelu", "silu", "tanh"]
Selection = Literal["validation", "best-test"]
Suite = Literal["symbolic", "tabular", "vision", "text", "continual", "all"]


@dataclass(frozen=True)
class LayerConfig:
    """What a model's layers are made of; what is not given is the model's own choice.

    Args:
        grid: Intervals of a spline's grid, or functions of another basis.
        order: Degree of the splines.
        base: Function beside the splines of a KAN: silu, identity or zero.
        grid_range: The grid covers [-grid_range, grid_range].
        activation: Activation of an MLP: relu, gelu, silu or tanh.
        batch_norm: Normalize the hidden layers of an MLP by batches.
    """

    grid: int | None = None
    order: int | None = None
    base: Base | None = None
    grid_range: float | None = None
    activation: Activation | None = None
    batch_norm: bool | None = None


@dataclass(frozen=True)
class TrainConfig:
    """How every model is trained: by Adam with a constant learning rate and no weight decay.

    Args:
        epochs: Passes over the training data; 0 for what the task proposes.
        batch_size: Samples per step.
        checks: How often, evenly spaced, the model is evaluated while it is trained.
    """

    epochs: int = 0
    batch_size: int = 128
    checks: int = 20

    def __post_init__(self) -> None:
        check_positive(batch_size=self.batch_size, checks=self.checks)
        if self.epochs < 0:
            raise ValueError(f"epochs must be at least 0, not {self.epochs}")


@dataclass(frozen=True)
class SearchConfig:
    """How many settings each family may try; the best on validation data counts.

    Args:
        trials: Settings that each family tries, the same number for all: half of them its usual ones at several
            learning rates, the others random ones.
        seeds: Repetitions of each, with other initial weights and other splits.
        lr_low: Lowest learning rate that is tried. Two rates between the ends as given are near 1e-3, the larger one of
            the published protocol, and 1e-2, for trainings that have fewer steps than the published ones.
        lr_high: Highest learning rate that is tried.
        selection: Report the test value at the best epoch by validation data, or the best test value, which is
            optimistic (best-test).
    """

    trials: int = 4
    seeds: int = 3
    lr_low: float = 3e-4
    lr_high: float = 3e-2
    selection: Selection = "validation"

    def __post_init__(self) -> None:
        check_positive(trials=self.trials, seeds=self.seeds, lr_low=self.lr_low, lr_high=self.lr_high)
        if self.lr_low > self.lr_high:
            raise ValueError(f"the lowest learning rate, {self.lr_low}, is above the highest, {self.lr_high}")


@dataclass(frozen=True)
class BudgetConfig:
    """What each model may cost.

    Args:
        params: Trainable parameters; 0 for what the task proposes.
        flops: FLOPs of a forward pass of one sample, where they are equal; 0 for those of the B-spline KAN at equal
            parameters.
        step_ms: Milliseconds of a training step, where it is equal; 0 for that of the B-spline KAN at equal parameters.
    """

    params: int = 0
    flops: float = 0.0
    step_ms: float = 0.0

    def __post_init__(self) -> None:
        if min(self.params, self.flops, self.step_ms) < 0:
            raise ValueError("a budget must be positive, or 0 for the one that is proposed")


@dataclass(frozen=True)
class RunConfig:
    """All that an assessment depends on, besides its tasks and models."""

    budget: BudgetConfig = BudgetConfig()
    train: TrainConfig = TrainConfig()
    search: SearchConfig = SearchConfig()
