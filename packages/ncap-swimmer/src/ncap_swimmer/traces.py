"""What every neuron, muscle and joint does in an episode, and whether bending travels down the body as a wave."""

from dataclasses import dataclass, fields
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from separata import files, plots

from .controllers import make_controller
from .environments import SwimmerEnv
from .policies import CircuitPolicy
from .rollouts import episode
from .tasks import STEP_SECONDS

TRANSIENT = 100
"""Steps until the wave has settled; left out of its analysis."""

FOLLOWS = 0.7
"""Correlation from which one thing follows another: half of the variance is explained."""

_CELLS = ("oscillator", "dorsal_neurons", "ventral_neurons", "dorsal_muscles", "ventral_muscles")


@dataclass(frozen=True)
class Trace:
    """One episode of T steps of a body with J joints; what only circuits have is None for other policies."""

    joints: NDArray[np.float32]
    """(T, J) angles in radians."""
    torques: NDArray[np.float32]
    """(T, J) in [-1, 1]."""
    rewards: NDArray[np.float32]
    """(T,)."""
    oscillator: NDArray[np.float32] | None = None
    """(T,): 1 in the dorsal half of the period, else 0."""
    dorsal_neurons: NDArray[np.float32] | None = None
    """(T, J), as the three below, in [0, 1]."""
    ventral_neurons: NDArray[np.float32] | None = None
    dorsal_muscles: NDArray[np.float32] | None = None
    ventral_muscles: NDArray[np.float32] | None = None

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What there is, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in found.items() if array is not None}

    def save(self, path: Path) -> None:
        """Write the arrays as .npz, whole or not at all.

        Raises:
            ValueError: if the file is not to be called .npz.
            OSError: if it is a folder, or its folder cannot be written to.
        """
        check(path)
        with files.replacing(path) as part:
            np.savez_compressed(part, **self.arrays())  # type: ignore[arg-type] # its flag has a name of its own


def check(path: Path) -> None:
    """See that a trace can be written there.

    Raises:
        ValueError: if the file is not to be called .npz.
        OSError: if it is a folder, or its folder cannot be written to.
    """
    if path.suffix != ".npz":
        raise ValueError(f"a trace is written as .npz, not as {path.name}")
    files.check_writable(path)


def record(policy: nn.Module, env: SwimmerEnv, seed: int = 0) -> Trace:
    """Trace one episode.

    Args:
        policy: Any policy; a `CircuitPolicy` also shows its cells.
        env: One of the swimmer's tasks.
        seed: Seed of the initial state.
    """
    act, acted = make_controller(policy), []

    def acting(observation: NDArray[np.floating]) -> NDArray[np.floating]:
        acted.append(act(observation))
        return acted[-1]

    steps = list(episode(acting, env, seed))
    torques = np.clip(np.stack(acted), -1, 1).astype(np.float32)
    observations = np.stack([observation for observation, _ in steps])
    rewards = np.array([reward for _, reward in steps], np.float32)
    joints = observations[:, : env.n_joints]
    if not isinstance(policy, CircuitPolicy):
        return Trace(joints, torques, rewards)
    seen = torch.from_numpy(observations).to(policy.circuit.weight["ipsi"].device)
    with torch.no_grad():
        activity = policy.activity(seen, None if policy.time_feature else torch.arange(len(seen)))
    shown = {name: getattr(activity, name).cpu().numpy() for name in _CELLS}
    return Trace(joints, torques, rewards, **shown)


@dataclass(frozen=True)
class Wave:
    """How bending travels down a body."""

    lags: tuple[int, ...]
    """For each joint but the last, the steps until the next joint follows it best; positive: towards the tail."""
    correlations: tuple[float, ...]
    """Of the bends of the two joints at that lag."""
    head_lag: int
    """Steps until the bend of the first joint follows the oscillator best."""
    head_correlation: float
    """Of the oscillator (as ±1) and the bend of the first joint at that lag."""
    period: int
    """Steps of one oscillation."""

    @property
    def is_passed_on(self) -> bool:
        """Whether every joint but the first follows the one before it, as of `is_travelling`."""
        return all(0 < lag < self.period / 2 for lag in self.lags) and min(self.correlations) >= FOLLOWS

    @property
    def is_travelling(self) -> bool:
        """Whether the head bends with the oscillator, and every other joint follows the one before it.

        To follow is to correlate by at least 0.7, so that half of the variance is explained, at a lag of less than half
        a period. The head's lag must be less than a quarter of a period: nearer in phase than out of phase.
        """
        return self.is_passed_on and 0 <= self.head_lag < self.period / 4 and self.head_correlation >= FOLLOWS


def wave(trace: Trace, period: int = 60) -> Wave:
    """Cross-correlate each joint's angle with the next one's, at lags up to half a period, once the wave has settled.

    The first joint's angle is correlated with the oscillator in the same way.

    Raises:
        ValueError: if the trace has no oscillator or is too short.
    """
    if trace.oscillator is None:
        raise ValueError("only the trace of a circuit has an oscillator to compare the head with")
    if len(trace.joints) < TRANSIENT + 2 * period:
        raise ValueError(f"a trace of {len(trace.joints)} steps is too short for a wave of period {period}")
    settled = trace.joints[TRANSIENT:].astype(float)
    found = [_lag(settled[:, joint], settled[:, joint + 1], period // 2) for joint in range(settled.shape[1] - 1)]
    head = _lag(2 * trace.oscillator[TRANSIENT:].astype(float) - 1, settled[:, 0], period // 2)
    return Wave(tuple(lag for lag, _ in found), tuple(correlation for _, correlation in found), *head, period)


def describe(trace: Trace, period: int) -> str:
    """What there is of a travelling wave, in a sentence."""
    if len(trace.joints) < TRANSIENT + 2 * period:
        return f"the episode is too short to look for a wave of period {period}"
    found = wave(trace, period)
    if found.is_passed_on:
        return f"each joint follows the one before it by {', '.join(map(str, found.lags))} steps of 30 ms"
    return (
        "no wave travels down the body: not every joint follows the one before it "
        f"(weakest correlation {min(found.correlations):.2f})"
    )


def _lag(first: NDArray[np.float64], second: NDArray[np.float64], longest: int) -> tuple[int, float]:
    n = len(first)
    by_lag = {
        lag: _correlation(first[max(0, -lag) : n - max(0, lag)], second[max(0, lag) : n - max(0, -lag)])
        for lag in range(1 - longest, longest + 1)
    }
    best = max(by_lag, key=by_lag.__getitem__)
    return best, by_lag[best]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's; 0 if one of them does not move."""
    if a.std() < 1e-12 or b.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def plot(trace: Trace, *, first: int = TRANSIENT, steps: int = 180, title: str | None = None) -> Figure:
    """Draw an excerpt, head above tail: neurons and muscles (dorsal minus ventral) and the joint angles.

    Args:
        trace: One episode.
        first: First step to draw.
        steps: How many, 180 being 5.4 s.
        title: Title of the figure.
    """
    panels = [("torques", trace.torques), ("joint angles", trace.joints)]
    if trace.dorsal_neurons is not None and trace.ventral_neurons is not None:
        panels.insert(0, ("B-neurons", trace.dorsal_neurons - trace.ventral_neurons))
    excerpt = slice(first, first + steps)
    seconds = np.arange(len(trace.joints))[excerpt] * STEP_SECONDS
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(8, 0.9 + 1.5 * len(panels)))
        rows = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
        for axes, (name, values) in zip(rows, panels, strict=True):
            _ridges(axes, seconds, values[excerpt], name)
            if trace.oscillator is not None:
                _shade(axes, seconds, trace.oscillator[excerpt])
        rows[-1].set_xlabel("seconds; shaded while the head oscillator drives the dorsal side")
        if trace.oscillator is None:
            rows[-1].set_xlabel("seconds")
        if title:
            rows[0].set_title(title)
    return figure


def _ridges(axes: Axes, seconds: NDArray[np.floating], values: NDArray[np.float32], name: str) -> None:
    """One line a joint, each around its own level."""
    n = values.shape[1]
    scale = max(float(np.abs(values).max()), 1e-6)
    for joint in range(n):
        axes.plot(seconds, 0.42 * values[:, joint] / scale - joint, color=plots.PALETTE[joint % len(plots.PALETTE)])
    axes.set_yticks([-joint for joint in range(n)], [str(joint) for joint in range(n)])
    axes.set_ylim(0.4 - n, 0.6)
    axes.set_ylabel(f"{name}\nby joint")
    axes.margins(x=0)


def _shade(axes: Axes, seconds: NDArray[np.floating], dorsal: NDArray[np.float32]) -> None:
    axes.fill_between(
        seconds, 0, 1, where=dorsal > 0, step="post", transform=axes.get_xaxis_transform(), color="#0072B2", alpha=0.08
    )
