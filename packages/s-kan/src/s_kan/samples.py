"""Samples with their targets."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

FEWEST = 4
"""Samples that can be divided for training and validation."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples, and a row of numbers or a class for each.

    Args:
        x: The samples: rows of features, or images.
        y: Targets: (n, outputs), or (n) for one output; or classes, (n) whole numbers.

    Raises:
        ValueError: if there are no samples, not one target for each, or a number is not finite.
    """

    x: Float[Tensor, "n *sample"]
    y: Float[Tensor, "n *outputs"] | Int[Tensor, "n"]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or not len(self.x):
            raise ValueError(f"there must be one target for each sample, not {len(self.y)} for {len(self.x)}")
        for name, values in (("samples", self.x), ("targets", self.y)):
            if values.is_floating_point() and not bool(values.isfinite().all()):
                raise ValueError(f"the {name} have a number that is NaN or infinite")
        if self.y.is_floating_point() and self.y.dim() == 1:
            object.__setattr__(self, "y", self.y[:, None])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def is_regression(self) -> bool:
        """Whether targets are numbers, not classes."""
        return self.y.is_floating_point()

    def to(self, device: torch.device | str) -> "Samples":
        """The same on a device."""
        return replace(self, x=self.x.to(device), y=self.y.to(device))

    def subset(self, index: Int[Tensor, "k"]) -> "Samples":
        """Some of the samples."""
        index = index.to(self.x.device)
        return replace(self, x=self.x[index], y=self.y[index])

    def split(self, share: float, seed: int) -> tuple["Samples", "Samples"]:
        """The samples without a random share, and the share.

        Raises:
            ValueError: if there are too few samples.
        """
        if len(self) < FEWEST:
            raise ValueError(f"{len(self)} samples are too few to be divided; at least {FEWEST} are needed")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        n = min(len(self) - 1, max(1, round(share * len(self))))
        return self.subset(order[n:]), self.subset(order[:n])
