"""Data of operator learning on grids: pairs of functions, and trajectories of a function in time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import DataShape

CHUNK = 1 << 22
"""Values of input functions that are predicted at once."""


@dataclass(frozen=True, eq=False)
class GridDataset:
    """Pairs of functions on a grid.

    Args:
        x: Given functions; (n, height, width) where there is one.
        y: Wanted functions on the same grid; (n, height, width) where there is one.

    Raises:
        ValueError: if shapes do not fit, there is nothing, or a number is not finite; the sentence names the sample.
    """

    x: Float[Tensor, "n *in_shape"]
    y: Float[Tensor, "n_y *out_shape"]

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            values = getattr(self, name)
            if values.ndim == 3:
                object.__setattr__(self, name, values[:, None])
            elif values.ndim != 4:
                raise ValueError(
                    f"{name} must be functions on a plane, (n, height, width) or (n, channels, height, width), not "
                    f"{tuple(values.shape)}"
                )
        if len(self.x) != len(self.y) or self.x.shape[2:] != self.y.shape[2:] or not self.x.numel() * self.y.numel():
            raise ValueError(
                f"x and y need as many samples on one grid, not {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        for name in ("x", "y"):
            check_finite(name, getattr(self, name))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> DataShape:
        """What a network must know of it."""
        return DataShape(self.x.shape[1], self.y.shape[1], *self.x.shape[2:])

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "GridDataset":
        """Some of the samples."""
        return GridDataset(self.x[index], self.y[index])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "GridDataset":
        """The same on a device, as numbers of a type."""
        return replace(self, x=self.x.to(device=device, dtype=dtype), y=self.y.to(device=device, dtype=dtype))

    def split(self, n: int, generator: torch.Generator) -> tuple["GridDataset", "GridDataset"]:
        """All but n samples, and these n, drawn at random: to train, and to choose weights and settings by.

        Raises:
            ValueError: if it would leave one part empty.
        """
        rest, held = _drawn(len(self), n, generator)
        return self[rest.to(self.x.device)], self[held.to(self.x.device)]

    def coarsened(self, stride: int) -> "GridDataset":
        """Every stride-th point of the grid, from the first.

        Raises:
            ValueError: if the stride is less than 1.
        """
        if stride < 1:
            raise ValueError(f"the stride must be at least 1, not {stride}")
        return GridDataset(self.x[..., ::stride, ::stride], self.y[..., ::stride, ::stride])

    def shuffled(self, generator: torch.Generator) -> "GridDataset":
        """A control from which nothing can be learned: every function with the one that belongs to another."""
        order = torch.randperm(len(self), generator=generator).to(self.x.device)
        return replace(self, y=self.y[order])

    def check_nonzero(self) -> None:
        """See that each sample has a relative error.

        Raises:
            ValueError: if one of the wanted functions is zero everywhere; the sentence names the sample.
        """
        is_zero = (self.y == 0).flatten(1).all(1)
        if bool(is_zero.any()):
            raise ValueError(
                f"y is zero everywhere in sample {int(is_zero.nonzero()[0])} (from 0): it has no relative error"
            )


@dataclass(frozen=True, eq=False)
class TrajectoryDataset:
    """A function at equally spaced times, for several starts.

    Args:
        frames: (n, times, height, width).

    Raises:
        ValueError: if there are no two times, or a number is not finite; the sentence names the sample.
    """

    frames: Float[Tensor, "n times height width"]

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or not self.frames.numel() or self.frames.shape[1] < 2:
            raise ValueError(
                f"trajectories are (n, times, height, width) with at least two times, not {tuple(self.frames.shape)}"
            )
        check_finite("the trajectories", self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "TrajectoryDataset":
        """Some of the trajectories."""
        return TrajectoryDataset(self.frames[index])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "TrajectoryDataset":
        """The same on a device, as numbers of a type."""
        return TrajectoryDataset(self.frames.to(device=device, dtype=dtype))

    def split(self, n: int, generator: torch.Generator) -> tuple["TrajectoryDataset", "TrajectoryDataset"]:
        """All but n trajectories, and these n, drawn at random.

        Raises:
            ValueError: if it would leave one part empty.
        """
        rest, held = _drawn(len(self), n, generator)
        return self[rest.to(self.frames.device)], self[held.to(self.frames.device)]

    def pairs(self) -> GridDataset:
        """Each frame with the next one, all trajectories and times together, as published."""
        return GridDataset(self.frames[:, :-1].flatten(0, 1)[:, None], self.frames[:, 1:].flatten(0, 1)[:, None])


def as_pairs(data: GridDataset | TrajectoryDataset) -> GridDataset:
    """Pairs as they are, and trajectories as pairs."""
    return data.pairs() if isinstance(data, TrajectoryDataset) else data


def _drawn(n_samples: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The numbers of all but n samples, and of these n."""
    if not 0 < n < n_samples:
        raise ValueError(f"of {n_samples} samples, 1 to {n_samples - 1} can be held out, not {n}")
    order = torch.randperm(n_samples, generator=generator)
    return order[n:], order[:n]


@torch.no_grad()
def predict(model: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
    """What a model gives for all functions, in parts that fit in memory; the model is in the mode that it is in."""
    size = max(1, CHUNK // max(1, x[0].numel()))
    return torch.cat([model(part) for part in x.split(size)])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Let a model be in evaluation mode, and then in the mode that it was in, whatever happens."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def type_and_device(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where a model takes its functions, and in what type: that of its real weights, if some are complex.

    A model without weights takes single precision on the CPU.
    """
    weights = list(model.parameters())
    dtype = next((p.dtype for p in weights if p.is_floating_point()), torch.float32)
    return weights[0].device if weights else torch.device("cpu"), dtype


def check_finite(name: str, values: Tensor) -> None:
    """See that all numbers of samples are finite.

    Raises:
        ValueError: naming the first sample in which one is not.
    """
    is_bad = ~values.isfinite()
    if bool(is_bad.any()):
        sample = int(is_bad.flatten(1).any(1).nonzero()[0])
        raise ValueError(f"{name} has a number that is not finite in sample {sample} (from 0)")
