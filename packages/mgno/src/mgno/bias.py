"""The functions B that are added to the neurons of a layer."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .transfers import PaddingMode

RESOLUTION = 16
"""Points along each axis on which a function is known."""


class BiasFunction(nn.Module):
    """A trainable function for each channel, known on a coarse grid and interpolated linearly to any other.

    It starts at zero. With `circular` padding it is periodic; otherwise the coarse grid's outermost points are those of
    the fine grid. With a resolution of 1 it is a number.

    A network with functions knows places: an exactly shift-equivariant one, as periodic padding makes it without them,
    cannot learn an operator that depends on where something is, such as a flow under a forcing that is not constant.

    Args:
        channels: Functions.
        n_dims: Dimensions of the grid.
        resolution: Points along each axis; 16 if not given.
        padding_mode: The boundary condition.

    Raises:
        ValueError: if the resolution is less than 1.
    """

    def __init__(
        self, channels: int, n_dims: int = 2, resolution: int | None = None, padding_mode: PaddingMode = "zeros"
    ) -> None:
        super().__init__()
        points = RESOLUTION if resolution is None else resolution
        if points < 1:
            raise ValueError(f"the resolution of a bias must be at least 1, not {points}")
        self.values = nn.Parameter(torch.zeros(1, channels, *[points] * n_dims))
        self.is_periodic = padding_mode == "circular"
        self.mode = "linear" if n_dims == 1 else "bilinear"

    def forward(self, like: Float[Tensor, "b c *grid"]) -> Float[Tensor, "one c *grid_or_one"]:
        """The functions on the grid of others."""
        size = list(like.shape[2:])
        if self.values.shape[-1] == 1:
            return self.values
        if not self.is_periodic:
            return functional.interpolate(self.values, size=size, mode=self.mode, align_corners=True)
        # With the first point again behind the last, a period of n points has n intervals.
        closed = functional.pad(self.values, [0, 1] * len(size), mode="circular")
        fine = functional.interpolate(closed, size=[n + 1 for n in size], mode=self.mode, align_corners=True)
        for axis, n in enumerate(size, 2):
            fine = fine.narrow(axis, 0, n)
        return fine
