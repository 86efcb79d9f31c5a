"""Boundary conditions through padding, and transfers between the levels of a multigrid cycle.

A field is (batch, channels, *grid) on a grid of one or two dimensions. Both transfers exist for any size of the fine
grid, so that a network is not bound to a resolution.
"""

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PaddingMode = Literal["zeros", "circular", "reflect"]
"""Dirichlet (u = 0 just outside), periodic, and Neumann (even about the outermost points) conditions."""
Transfer = Literal["cell", "vertex"]
"""How a coarse grid lies on the fine one: on every other point from the first, or on every other from the second."""
CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}
UPWARD = 4
"""Points of a prolongation's kernel along each axis."""


def convolution(
    n_dims: int, in_channels: int, out_channels: int, padding_mode: PaddingMode, *, bias: bool = False
) -> nn.Conv1d | nn.Conv2d:
    """A convolution with a kernel of three points along each axis, which keeps the grid."""
    return CONVOLUTIONS[n_dims](in_channels, out_channels, 3, padding=1, padding_mode=padding_mode, bias=bias)


def pad(field: Float[Tensor, "b c *grid"], padding_mode: PaddingMode, width: int = 1) -> Float[Tensor, "b c *padded"]:
    """The field with points outside, as its boundary condition has them."""
    mode = "constant" if padding_mode == "zeros" else padding_mode
    return functional.pad(field, [width] * (2 * (field.ndim - 2)), mode=mode)


def restriction(
    n_dims: int,
    in_channels: int,
    out_channels: int,
    padding_mode: PaddingMode,
    transfer: Transfer,
) -> nn.Conv1d | nn.Conv2d:
    """A convolution with stride 2: from n points to ceil(n/2) ("cell"), or to those that no padding reaches ("vertex").

    The vertices of a coarse grid for n = 2^k - 1 unknowns with u = 0 just outside are those of every other one from the
    second: 31, 15, 7, 3, 1.
    """
    padding = 1 if transfer == "cell" else 0
    mode = padding_mode if padding else "zeros"
    return CONVOLUTIONS[n_dims](in_channels, out_channels, 3, stride=2, padding=padding, padding_mode=mode, bias=False)


def coarser(n: int, transfer: Transfer) -> int:
    """Points of the next coarser grid along an axis of n points."""
    return (n + 1) // 2 if transfer == "cell" else (n - 1) // 2


def least_size(n_levels: int, padding_mode: PaddingMode, transfer: Transfer) -> int:
    """The fewest points along an axis for so many levels.

    Reflection needs two points on the coarsest grid, other conditions one.
    """
    doublings = 2 ** (n_levels - 1)
    if transfer == "vertex":
        return (3 if padding_mode == "reflect" else 2) * doublings - 1
    return doublings + (padding_mode == "reflect")


class Prolongation(nn.Module):
    """A transposed convolution with stride 2 to a finer grid of a given size.

    Its kernel has four points along each axis, and what it makes is cut to the fine grid: 2n or 2n - 1 points ("cell"),
    2n + 1 or 2n + 2 ("vertex"). `ConvTranspose2d` takes zeros from outside whatever the boundary condition; with `wrap`
    the coarse field is first extended as its condition says, so that with `circular` padding a shift of the coarse grid
    by one point is a shift of the fine one by two, exactly.

    Args:
        n_dims: Dimensions of the grid.
        in_channels: Channels of the coarse field.
        out_channels: Channels of the fine one.
        padding_mode: The boundary condition.
        transfer: How the coarse grid lies on the fine one; that of vertices is never wrapped.
        wrap: Extend the coarse field as its condition says.
    """

    def __init__(
        self,
        n_dims: int,
        in_channels: int,
        out_channels: int,
        padding_mode: PaddingMode = "zeros",
        transfer: Transfer = "cell",
        *,
        wrap: bool = True,
    ) -> None:
        super().__init__()
        self.n_dims, self.padding_mode, self.transfer = n_dims, padding_mode, transfer
        self.is_wrapped = wrap and transfer == "cell" and padding_mode != "zeros"
        kind = nn.ConvTranspose1d if n_dims == 1 else nn.ConvTranspose2d
        # Its initial weights are those of PyTorch's own transposed convolution.
        self.weight = nn.Parameter(kind(in_channels, out_channels, UPWARD, bias=False).weight.detach().clone())

    def forward(
        self, coarse: Float[Tensor, "b c *grid"], size: torch.Size | tuple[int, ...]
    ) -> Float[Tensor, "b d *fine"]:
        """The field on a finer grid of this size."""
        padding, skipped = (1, 0) if self.transfer == "cell" else (0, 0)
        if self.is_wrapped:
            coarse, skipped = pad(coarse, self.padding_mode), 2
        fine = TRANSPOSED[self.n_dims](coarse, self.weight, stride=2, padding=padding)
        for axis, points in enumerate(size, 2):
            fine = fine.narrow(axis, skipped, points)
        return fine


def check_names(**names: tuple[str, Any]) -> None:
    """See that names are among those of their kind.

    Args:
        names: Each name with the `Literal` of its kind.

    Raises:
        ValueError: naming the first that is not, and what it may be.
    """
    for what, (name, kind) in names.items():
        if name not in get_args(kind):
            raise ValueError(f"{what} must be one of {', '.join(get_args(kind))}, not {name}")
