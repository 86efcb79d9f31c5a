"""Planted opposing signals: a strong common feature in a few examples of two classes, whose labels are at odds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PlantedData:
    """Samples, some of which have a planted signal.

    Attributes:
        x: The samples, with the signal.
        y: Their classes, unchanged.
        groups: Planted examples of each class.
    """

    x: Float[Tensor, "n *sample"]
    y: Int[Tensor, "n"]
    groups: dict[int, Int[Tensor, "k"]]

    @property
    def planted(self) -> Int[Tensor, "both"]:
        """All planted examples."""
        return torch.cat(list(self.groups.values()))


def plant_signal(
    x: Float[Tensor, "n *sample"],
    y: Int[Tensor, "n"],
    amplitude: float,
    *,
    classes: Sequence[int] = (1, 7),
    n_per_class: int = 20,
    direction: Float[Tensor, "*sample"] | None = None,
    generator: torch.Generator | None = None,
) -> PlantedData:
    """Add the same signal to a few samples of each of two or more classes.

    To tell the classes apart the network must balance the signal: whatever it does for one group harms the other.

    Args:
        x: Samples.
        y: Classes.
        amplitude: Factor of the signal, in units of the samples.
        classes: Classes that get it.
        n_per_class: Samples of each.
        direction: The signal; one everywhere by default.
        generator: Chooses the samples; from the seed 0 by default.

    Raises:
        ValueError: if a class has too few samples.
    """
    generator = generator or torch.Generator().manual_seed(0)
    groups = {}
    for label in classes:
        of_class = (y == label).nonzero().flatten()
        if not 1 <= n_per_class <= len(of_class):
            raise ValueError(f"class {label} has {len(of_class)} samples; a signal cannot be planted in {n_per_class}")
        order = torch.randperm(len(of_class), generator=generator).to(of_class.device)
        groups[int(label)] = of_class[order[:n_per_class]]
    signal = torch.ones_like(x[0]) if direction is None else direction.to(x)
    planted = x.clone()
    for some in groups.values():
        planted[some] += amplitude * signal
    return PlantedData(planted, y, groups)
