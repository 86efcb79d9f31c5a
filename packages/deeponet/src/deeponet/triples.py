"""Data of operator learning: functions u at sensors, points y, and values G(u)(y)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import DataShape

CHUNK = 1 << 20
"""Values that are predicted at once."""


@dataclass(frozen=True, eq=False)
class TripleDataset:
    """Triples (u, y, G(u)(y)), each function stored once with all of its points.

    Args:
        u: Each function at the sensors.
        y: Points: the same for all functions, (points, d), or each its own, (functions, points, d).
        s: Values of each output function at its points; (functions, points) if there is one output.
        sensors: Where the sensors are, if they are points of a line.

    Raises:
        ValueError: if the shapes do not fit each other, there is nothing, or a number is not finite; the sentence names
            the row.
    """

    u: Float[Tensor, "functions *sensors"]
    y: Float[Tensor, "*points coordinates"]
    s: Float[Tensor, "n *values"]
    sensors: Float[Tensor, "m"] | None = None

    def __post_init__(self) -> None:
        if self.s.ndim == 2:
            object.__setattr__(self, "s", self.s[..., None])
        if self.u.ndim < 2 or self.y.ndim not in {2, 3} or self.s.ndim != 3:
            raise ValueError(
                "u is (functions, sensors), y (points, d) or (functions, points, d), s (functions, points, outputs): "
                f"{_shapes(self)}"
            )
        n_points = self.y.shape[-2]
        fits = self.s.shape[:2] == (len(self.u), n_points) and (self.y.ndim == 2 or len(self.y) == len(self.u))
        if not fits or not self.s.numel() or not self.u.numel():
            raise ValueError(f"u, y and s do not belong together, or are empty: {_shapes(self)}")
        for name in ("u", "y", "s"):
            _check_finite(name, getattr(self, name))

    def __len__(self) -> int:
        return len(self.u)

    @property
    def is_grid(self) -> bool:
        """Whether all functions share their points."""
        return self.y.ndim == 2

    @property
    def n_points(self) -> int:
        """Points of each function."""
        return self.y.shape[-2]

    @property
    def n_rows(self) -> int:
        """Functions times points: rows of the data as published."""
        return len(self.u) * self.n_points

    @cached_property
    def shape(self) -> DataShape:
        """What a network must know of it."""
        return DataShape(self.u[0].numel(), self.y.shape[-1], self.s.shape[-1])

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "TripleDataset":
        """Some of the functions, with their points."""
        return replace(self, u=self.u[index], y=self.y if self.is_grid else self.y[index], s=self.s[index])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "TripleDataset":
        """The same on a device, as numbers of a type."""
        moved = {name: getattr(self, name).to(device=device, dtype=dtype) for name in ("u", "y", "s")}
        return replace(self, **moved)

    def split(self, n: int, generator: torch.Generator) -> tuple["TripleDataset", "TripleDataset"]:
        """All but n functions, and these n, drawn at random: to train, and to choose settings by.

        Raises:
            ValueError: if it would leave one part empty.
        """
        if not 0 < n < len(self):
            raise ValueError(f"of {len(self)} functions, 1 to {len(self) - 1} can be held out, not {n}")
        order = torch.randperm(len(self), generator=generator).to(self.u.device)
        return self[order[n:]], self[order[:n]]

    def shuffled(self, generator: torch.Generator) -> "TripleDataset":
        """A control from which nothing can be learned: every function with the values of another."""
        order = torch.randperm(len(self), generator=generator).to(self.u.device)
        return replace(self, s=self.s[order])

    def rows(self) -> tuple[Float[Tensor, "rows *sensors"], Float[Tensor, "rows d"], Float[Tensor, "rows outputs"]]:
        """The triples as other programs take them: a row for each point, with the function repeated."""
        y = self.y.expand(len(self), -1, -1) if self.is_grid else self.y
        return self.u.repeat_interleave(self.n_points, 0), y.flatten(0, 1), self.s.flatten(0, 1)


def predict(model: nn.Module, u: Tensor, y: Tensor) -> Float[Tensor, "functions points outputs"]:
    """What a model gives for functions at points that they share, (points, d), or their own, (functions, points, d).

    It is called as `model.grid(u, y)` where they share them and it has that method, and else as `model(u, y)`, with y
    of shape (functions, d) where there is one point each: functions are never repeated.
    """
    n_points, has_grid = y.shape[-2], hasattr(model, "grid")
    if y.ndim == 2 and has_grid:
        values = model.grid(u, y)  # type: ignore[operator] # a method
    else:
        own = y.expand(len(u), -1, -1)
        values = model(u, own[:, 0] if n_points == 1 else own)
    return values.reshape(len(u), n_points, -1)


@torch.no_grad()
def predict_all(model: nn.Module, data: TripleDataset) -> Float[Tensor, "functions points outputs"]:
    """The same for all functions of a data set, in parts that fit in memory."""
    size = max(1, CHUNK // data.n_points)
    starts = range(0, len(data), size)
    y = [data.y if data.is_grid else data.y[start : start + size] for start in starts]
    return torch.cat([predict(model, data.u[start : start + size], at) for start, at in zip(starts, y, strict=True)])


def group_rows(
    u: Float[Tensor, "rows *sensors"],
    y: Float[Tensor, "rows_y coordinates"],
    s: Float[Tensor, "rows_s outputs"],
    sensors: Float[Tensor, "m"] | None = None,
) -> TripleDataset:
    """Triples from rows of which each repeats its function: functions that follow one another are stored once.

    They are grouped where every function has equally many rows; otherwise each row is a function with one point.

    Raises:
        ValueError: if the numbers of rows differ, or there are none.
    """
    if not len(u) == len(y) == len(s):
        raise ValueError(f"u, y and s need equally many rows, not {len(u)}, {len(y)} and {len(s)}")
    if not len(u):
        raise ValueError("u, y and s have no rows")
    is_new = torch.ones(len(u), dtype=torch.bool)
    is_new[1:] = (u[1:] != u[:-1]).flatten(1).any(1)
    starts = is_new.nonzero()[:, 0]
    counts = torch.diff(starts, append=torch.tensor([len(u)]))
    n_points = int(counts[0]) if len(counts) and bool((counts == counts[0]).all()) else 1
    first = u[::n_points]
    return TripleDataset(first, y.reshape(len(first), n_points, -1), s.reshape(len(first), n_points, -1), sensors)


def _check_finite(name: str, values: Tensor) -> None:
    is_bad = ~values.isfinite()
    if bool(is_bad.any()):
        row = int(is_bad.flatten(1).any(1).nonzero()[0])
        raise ValueError(f"{name} has a number that is not finite in row {row} (from 0)")


def _shapes(data: TripleDataset) -> str:
    return ", ".join(f"{name} {tuple(getattr(data, name).shape)}" for name in ("u", "y", "s"))
