"""Where to split an interval: points found beforehand that leave the least room between planes (GenBaB)."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bab_verify.intervals import Interval
from bab_verify.operators.relaxation import Nonlinear
from separata import files

Consumer = tuple[Nonlinear, int]
"""An operation that takes a node, and as which of its inputs."""

RANGE = 5.0
"""Tables cover intervals within [-RANGE, RANGE]."""
VERSION = 1
"""Changes with the meaning of a table."""
CHUNK = 1 << 17


@dataclass(frozen=True)
class BranchingTable:
    """The best point to split an input of a set of operations, for a grid of its bounds.

    Args:
        step: Spacing of the grid of the bounds of the input that is split.
        other_step: Spacing of the grid of the bounds of the other input; `None` if the operations have but one.
        fractions: Where the best point lies between the bounds, 0 to 1: (pairs of bounds of the other input, lower
            bounds, upper bounds).
    """

    step: float
    other_step: float | None
    fractions: Tensor

    def to(self, device: torch.device | str) -> "BranchingTable":
        """The table on another device."""
        return replace(self, fractions=self.fractions.to(device))

    def lookup(
        self, lower: Tensor, upper: Tensor, other_lower: Tensor | None = None, other_upper: Tensor | None = None
    ) -> Tensor:
        """Points to split at, strictly inside the bounds: the middle for what the table does not cover.

        Args:
            lower: Lower bounds of the input that is split, of any shape.
            upper: Its upper bounds.
            other_lower: Lower bounds of the other input.
            other_upper: Its upper bounds.

        Raises:
            ValueError: if the operations have another input and its bounds are not given.
        """
        last = self.fractions.shape[-1] - 1
        first_index, last_index = self._index(lower).ceil(), self._index(upper).floor()
        valid = (first_index >= 0) & (last_index <= last) & (first_index < last_index)
        pair = torch.zeros_like(first_index)
        if self.other_step is not None:
            if other_lower is None or other_upper is None:
                raise ValueError("a branching table of operations with two inputs needs the bounds of both")
            size = _size(self.other_step)
            i, j = ((x + RANGE) / self.other_step for x in (other_lower, other_upper))
            valid = valid & (i >= 0) & (j <= size - 1)
            i, j = i.round().clamp(0, size - 1), j.round().clamp(0, size - 1)
            # Pairs i <= j in the order of `torch.triu_indices`.
            pair = i * size - i * (i - 1) / 2 + j - i
        first_index, last_index = first_index.clamp(0, last), last_index.clamp(0, last)
        fraction = self.fractions[pair.long(), first_index.long(), last_index.long()].to(lower.dtype)
        return torch.where(valid, torch.lerp(lower, upper, fraction), (lower + upper) / 2)

    def _index(self, x: Tensor) -> Tensor:
        # Bounds on a grid point may be off by a rounding.
        index = (x + RANGE) / self.step
        nearest = index.round()
        return torch.where((index - nearest).abs() < 1e-3, nearest, index)


def make_branching_table(
    consumers: Sequence[Consumer], step: float | None = None, other_step: float | None = None
) -> BranchingTable:
    """Find the best points by enumeration.

    The best point p of [l, u] has the least total volume between the planes over [l, p] and those over [p, u], over all
    consumers, with each operation's initial planes. Candidates are the points of the grid of bounds, so each interval
    of the grid is relaxed only once.

    Args:
        consumers: The operations that take the node to split. Of those with two inputs, the other input has the same
            bounds.
        step: Spacing of the grid; by default 0.02, or 0.1 if an operation has two inputs.
        other_step: Spacing of the grid of the bounds of the other input; by default 1.
    """
    step, other_step = _steps(consumers, step, other_step)
    grid = _grid(step)
    n = len(grid)
    i, j = torch.triu_indices(n, n, 1)
    gaps = grid.new_full((1 if other_step is None else _n_pairs(other_step), n, n), torch.inf)
    gaps[:, i, j] = _gaps(consumers, Interval(grid[i], grid[j]), other_step)
    gaps = torch.where(gaps.isfinite(), gaps, torch.inf)
    fractions = torch.full_like(gaps, 0.5)
    steps = torch.arange(n, dtype=grid.dtype)
    # Among equals the one next to the middle.
    preference = 1e-9 * (steps[1:-1, None] / steps[2:] - 0.5).abs()
    for first in range(n - 2):
        total = gaps[:, first, first + 1 : -1, None] + gaps[:, first + 1 : -1, first + 2 :]
        best = total.add_(preference[: n - 2 - first, : n - 2 - first]).min(1)
        chosen = (best.indices + 1) / steps[2 : n - first]
        fractions[:, first, first + 2 :] = torch.where(best.values.isfinite(), chosen, 0.5)
    return BranchingTable(step, other_step, fractions.float())


def cached_branching_table(
    consumers: Sequence[Consumer], step: float | None = None, other_step: float | None = None
) -> BranchingTable:
    """As `build_table`, but kept on disk, in `$BAB_VERIFY_CACHE` or `~/.cache/bab-verify`.

    Args:
        consumers: The operations that take the node to split.
        step: Spacing of the grid.
        other_step: Spacing of the grid of the bounds of the other input.
    """
    step, other_step = _steps(consumers, step, other_step)
    path = _directory() / f"{_key(consumers, step, other_step)}.npz"
    shape = (1 if other_step is None else _n_pairs(other_step), _size(step), _size(step))
    try:
        fractions = torch.from_numpy(files.load_arrays(path)["fractions"].astype(np.float32))
        if tuple(fractions.shape) == shape and bool(((fractions > 0) & (fractions < 1)).all()):
            return BranchingTable(step, other_step, fractions)
    except (OSError, ValueError, KeyError):
        pass
    table = make_branching_table(consumers, step, other_step)
    _save(path, table.fractions)
    return table


def _gaps(consumers: Sequence[Consumer], x: Interval, other_step: float | None) -> Tensor:
    """Volume between the planes, summed over consumers: (pairs of the other input, intervals of the input)."""
    other = None
    if other_step is not None:
        y = _grid(other_step)
        i, j = torch.triu_indices(len(y), len(y))
        other = Interval(y[i].unsqueeze(1), y[j].unsqueeze(1))
    chunks = []
    width = CHUNK if other is None else max(1, CHUNK // len(other.lower))
    for lower, upper in zip(x.lower.split(width), x.upper.split(width), strict=True):
        chunks.append(sum((_gap(consumer, Interval(lower, upper), other) for consumer in consumers), torch.zeros(1, 1)))
    return torch.cat(chunks, 1)


def _gap(consumer: Consumer, x: Interval, other: Interval | None) -> Tensor:
    """Volume between the planes of one operation: their distance in the middle of the box times its volume."""
    operator, index = consumer
    if operator.arity == 1 or other is None:
        inputs = [Interval(x.lower.unsqueeze(0), x.upper.unsqueeze(0))]
    else:
        # Not `torch.broadcast_shapes`, which imports SymPy.
        bounds = torch.broadcast_tensors(*x, *other)
        inputs = [Interval(*bounds[:2]), Interval(*bounds[2:])]
        inputs = inputs if index == 0 else inputs[::-1]
    planes = operator.relax(tuple(inputs))
    distance = planes.upper_intercept - planes.lower_intercept
    for y, below, above in zip(inputs, planes.lower_slopes, planes.upper_slopes, strict=True):
        distance = distance + (above - below) * (y.lower + y.upper) / 2
    for y in inputs:
        distance = distance * (y.upper - y.lower)
    return distance


def _steps(consumers: Sequence[Consumer], step: float | None, other_step: float | None) -> tuple[float, float | None]:
    """The spacings, with defaults."""
    if max(operator.arity for operator, _ in consumers) == 1:
        return step or 0.02, None
    return step or 0.1, other_step or 1.0


def _size(step: float) -> int:
    return round(2 * RANGE / step) + 1


def _n_pairs(step: float) -> int:
    return _size(step) * (_size(step) + 1) // 2


def _grid(step: float) -> Tensor:
    half = (_size(step) - 1) // 2
    return torch.arange(-half, half + 1, dtype=torch.float64) * step


def _key(consumers: Sequence[Consumer], step: float, other_step: float | None) -> str:
    """A name for a set of consumers: each operation's class and constants, and the index of the input."""
    names = sorted(f"{type(operator).__name__}({operator.extra_repr()}):{index}" for operator, index in consumers)
    text = repr((VERSION, names, RANGE, step, other_step))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _directory() -> Path:
    given = os.environ.get("BAB_VERIFY_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "bab-verify"


def _save(path: Path, fractions: Tensor) -> None:
    """Write a table, whole or not at all; one that cannot be kept is built again next time."""
    try:
        with files.replacing(path) as part:
            np.savez_compressed(part, fractions=fractions.numpy())
    except OSError:
        return
