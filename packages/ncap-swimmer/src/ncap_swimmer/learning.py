"""What all learning algorithms share: a learner that advances piece by piece, its learning curve, its checkpoints."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import nn

from .configs import TrainConfig
from .rollouts import EnvFactory, evaluate


@runtime_checkable
class Projectable(Protocol):
    """A policy whose weights are to be brought back to an allowed set after every step."""

    def project_(self) -> object:
        """Do so, in place."""


class Learner(ABC):
    """A policy and an algorithm that improves it by acting in environments."""

    policy: nn.Module
    """What is learned, always as it is now; deterministic."""

    steps = 0
    """Environment steps taken for learning so far."""

    @abstractmethod
    def advance(self) -> float:
        """Learn for the algorithm's smallest piece; returns the mean return of the episodes that ended meanwhile.

        That is not a number when none ended.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything that decides the future, as tensors and plain values that can be saved as data."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Return to a state: learning goes on as if it had never stopped."""

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """End processes and free what is held."""


@dataclass(frozen=True)
class Point:
    """One point of a learning curve."""

    steps: int
    """Environment steps of learning."""
    seconds: float
    train_return: float
    """Mean return of the exploring policy in the episodes that ended since the last point; may be not a number."""
    test_return: float
    """Mean return of the deterministic policy in test episodes."""
    test_std: float


@dataclass
class TrainResult:
    """A trained policy and its learning curve."""

    policy: nn.Module
    history: list[Point] = field(default_factory=list)

    def steps_to(self, level: float) -> float:
        """Environment steps until the test return first reached `level`; infinite if it never did."""
        return next((float(point.steps) for point in self.history if point.test_return >= level), math.inf)

    def rows(self) -> list[dict[str, float]]:
        """The learning curve as plain values."""
        return [asdict(point) for point in self.history]


def learn(
    learner: Learner,
    env: EnvFactory,
    config: TrainConfig,
    *,
    history: Sequence[Point] = (),
    on_point: Callable[[Point], None] | None = None,
    on_advance: Callable[[int], None] | None = None,
) -> TrainResult:
    """Let a learner learn, testing its policy before it begins, at regular steps, and at the end.

    Args:
        learner: Fresh, or restored from a checkpoint.
        env: Makes the environment of the tests.
        config: How long, how often.
        history: The curve so far, of a learner that was restored.
        on_point: Called at each new point of the curve: to show, to save.
        on_advance: Called with the steps so far after each piece.
    """
    curve = list(history)
    start = time.monotonic() - (curve[-1].seconds if curve else 0.0)
    test_env = env()
    returns: list[float] = []

    def test() -> None:
        report = evaluate(learner.policy, test_env, config.test_episodes, config.test_seed)
        finite = [value for value in returns if not math.isnan(value)]
        train_return = float(np.mean(finite)) if finite else math.nan
        returns.clear()
        curve.append(Point(learner.steps, time.monotonic() - start, train_return, report.mean, report.std))
        if on_point:
            on_point(curve[-1])

    if not curve:
        test()
    while learner.steps < config.steps and not _is_over(curve, config):
        before = learner.steps
        returns.append(learner.advance())
        if on_advance:
            on_advance(learner.steps)
        if learner.steps // config.test_every > before // config.test_every or learner.steps >= config.steps:
            test()
    test_env.close()
    return TrainResult(learner.policy, curve)


def _is_over(curve: Sequence[Point], config: TrainConfig) -> bool:
    """Whether learning ends before all steps are taken."""
    is_reached = config.until is not None and curve[-1].test_return >= config.until
    return is_reached or _is_plateau(curve, config.patience)


def _is_plateau(curve: Sequence[Point], patience: int | None) -> bool:
    """Whether the last test that exceeded the best before it by 1 % is as long ago as patience lasts."""
    if patience is None:
        return False
    best, since = curve[0].test_return, curve[0].steps
    for point in curve[1:]:
        if point.test_return > best + 0.01 * abs(best):
            best, since = point.test_return, point.steps
    return curve[-1].steps - since >= patience
