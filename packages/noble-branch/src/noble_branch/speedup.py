"""Steps to the baseline's best loss, from two curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Curve = Sequence[tuple[float, float]]
"""Points (step, evaluation loss), by ascending step."""


@dataclass(frozen=True)
class SpeedupResult:
    """How much sooner a training reaches the best loss of its baseline."""

    target: float
    """Best loss of the baseline."""
    baseline_step: float
    """Step at which the baseline has it."""
    step: float | None
    """Step at which the other training first reaches it, or nothing if it never does."""
    step_time_ratio: float = 1.0
    """Time of a step over that of the baseline."""

    @property
    def speedup(self) -> float | None:
        """Steps of the baseline over steps of the other training; nothing if it never reaches the loss."""
        if self.step is None:
            return None
        return self.baseline_step / self.step if self.step else math.inf

    @property
    def fewer_percent(self) -> float | None:
        """Steps that are saved, in percent of the baseline's."""
        return None if self.step is None else 100 * (1 - self.step / self.baseline_step)

    @property
    def net_speedup(self) -> float | None:
        """Speedup in time: that in steps over the ratio of step times."""
        return None if self.speedup is None else self.speedup / self.step_time_ratio

    def __str__(self) -> str:
        goal = f"the baseline's best loss, {self.target:.4g} at step {self.baseline_step:,.0f},"
        if self.speedup is None or self.fewer_percent is None:
            return f"{goal} is not reached"
        told = f"{abs(self.fewer_percent):.1f} % {'fewer' if self.fewer_percent >= 0 else 'more'} steps"
        return f"{goal} is reached at step {self.step:,.0f}: {self.speedup:.2f} times as fast, {told}"


def step_speedup(baseline: Curve, curve: Curve, *, step_time_ratio: float = 1.0) -> SpeedupResult:
    """Compare the steps to a loss of two trainings with the same schedule, batches and learning rate.

    The loss to reach is the lowest of the baseline, at the first step that has it. Between two points the other curve
    is linear. The paper's speedup is the baseline's step over the first step of the other curve at or below that loss.

    Args:
        baseline: Points (step, loss) of the baseline.
        curve: Points (step, loss) of the other training.
        step_time_ratio: Time of a step of the other training over that of the baseline.

    Raises:
        ValueError: if a curve is empty, its steps do not ascend, or it has numbers that are not finite; if the best
            loss of the baseline is at step 0; if the ratio is not positive.
    """
    _check(baseline, "the baseline's curve")
    _check(curve, "the other curve")
    if not (math.isfinite(step_time_ratio) and step_time_ratio > 0):
        raise ValueError(f"the ratio of step times must be positive, not {step_time_ratio}")
    target = min(loss for _, loss in baseline)
    baseline_step = next(step for step, loss in baseline if loss == target)
    if baseline_step <= 0:
        raise ValueError(f"the baseline never gets below its loss at step {baseline_step:g}, so it has no speed")
    return SpeedupResult(target, baseline_step, _first_at(curve, target), step_time_ratio)


def _first_at(curve: Curve, target: float) -> float | None:
    before: tuple[float, float] | None = None
    for step, loss in curve:
        if loss <= target:
            if before is None:
                return step
            share = (before[1] - target) / (before[1] - loss)
            return before[0] + share * (step - before[0])
        before = (step, loss)
    return None


def _check(curve: Curve, name: str) -> None:
    if not curve:
        raise ValueError(f"{name} is empty")
    for step, loss in curve:
        if not (math.isfinite(step) and math.isfinite(loss)):
            raise ValueError(f"{name} must have finite numbers, not the loss {loss} at step {step}")
    steps = [step for step, _ in curve]
    for one, following in pairwise(steps):
        if not one < following:
            raise ValueError(f"the steps of {name} must ascend, but {following:g} follows {one:g}")
