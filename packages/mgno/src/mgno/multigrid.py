"""Linear operators between multi-channel functions on a grid, parameterized by a multigrid V-cycle."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .transfers import PaddingMode, Prolongation, Transfer, check_names, coarser, convolution, least_size, restriction

Cycles = Sequence[tuple[int, int]]
"""Smoothing steps on the way down and on the way up for each level, the finest first."""
CYCLES = ((1, 0),) * 5 + ((2, 0),)
"""As published for Darcy's equation: six levels."""


def cycles_for(size: int, most: int = len(CYCLES)) -> tuple[tuple[int, int], ...]:
    """One step on each level and two on the coarsest, which has two or three points along the shorter side.

    Args:
        size: Points along the shorter side.
        most: Levels at most.
    """
    n_levels = max(1, min(most, size.bit_length() - 1))
    return ((1, 0),) * (n_levels - 1) + ((2, 0),)


class Smoothing(nn.Module):
    """One step `u + S(f - A u)`, or `S f` where u is zero; each step has weights of its own.

    Args:
        n_dims: Dimensions of the grid.
        f_channels: Channels of f.
        u_channels: Channels of u.
        padding_mode: The boundary condition.
        bias: Add a trainable number to each channel of A and S.
        is_first: u is zero, and there is no A.
    """

    def __init__(
        self,
        n_dims: int,
        f_channels: int,
        u_channels: int,
        padding_mode: PaddingMode,
        *,
        bias: bool = False,
        is_first: bool = False,
    ) -> None:
        super().__init__()
        self.A = None if is_first else convolution(n_dims, u_channels, f_channels, padding_mode, bias=bias)
        self.S = convolution(n_dims, f_channels, u_channels, padding_mode, bias=bias)

    def forward(self, f: Float[Tensor, "b cf *grid"], u: Float[Tensor, "b cu *grid"] | None) -> Tensor:
        """The next u."""
        if self.A is None or u is None:
            return self.S(f)
        return u + self.S(f - self.A(u))


class Level(nn.Module):
    """What one level of the cycle holds: its steps, and the transfers to and from the next coarser level."""

    def __init__(
        self,
        down: Sequence[Smoothing],
        up: Sequence[Smoothing],
        *,
        residual: nn.Module | None = None,
        restrict_f: nn.Module | None = None,
        restrict_u: nn.Module | None = None,
        prolong: Prolongation | None = None,
        norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.A, self.R, self.Pi, self.P, self.norm = residual, restrict_f, restrict_u, prolong, norm


class MultigridConv(nn.Module):
    """A linear map from functions f to functions u: one multigrid V-cycle on all channels together (the paper's W_Mg).

    On the way down from the finest level, each smoothing step does `u <- u + S(f - A u)`, the first one from u = 0;
    then f and u are restricted, `f <- R f` and `u <- Π u`. On the way up, the coarse u is prolonged and added,
    `u <- u + P u_coarse`, and smoothed again. A, S, R, Π and P are convolutions, with other weights in each step and on
    each level. The layer takes the place of any convolution that keeps the grid, and sees all of it: a coarsest grid of
    a few points couples every point with every other.

    Use `MultigridConv1d` or `MultigridConv2d`. Grids may have any size from `least_size` on, also after training on
    another.

    Args:
        in_channels: Of f.
        out_channels: Of u.
        cycles: Smoothing steps (down, up) on each level, the finest first; the last level has no way up.
        padding_mode: The boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
        bias: Add a trainable number to each channel of A and S; the map is then affine.
        residual_restriction: Restrict the residual, `f <- R(f - A u)` with an A of its own, as the textbook does,
            instead of f.
        transfer: How coarse grids lie on finer ones; "vertex" is for sizes 2^k - 1 (classical multigrid), and not for
            periodic functions.
        wrap_prolongation: Let the prolongation follow the boundary condition; a transposed convolution of PyTorch's
            does not, and with it `circular` padding is not exactly equivariant.
        norm: Normalize the sum on the way up over channels and grid; the map is then not linear.
        growth: Level l has l + 1 times as many channels.

    Raises:
        ValueError: if a number of channels or steps is wrong, or the boundary condition or transfer is unknown.
    """

    n_dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        cycles: Cycles = CYCLES,
        padding_mode: PaddingMode = "zeros",
        *,
        bias: bool = False,
        residual_restriction: bool = False,
        transfer: Transfer = "cell",
        wrap_prolongation: bool = True,
        norm: bool = False,
        growth: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.cycles = _pairs(cycles)
        self.padding_mode, self.transfer = padding_mode, transfer
        self.bias, self.norm, self.growth = bias, norm, growth
        self.residual_restriction, self.wrap_prolongation = residual_restriction, wrap_prolongation
        self._check()
        self.levels = nn.ModuleList(self._level(number) for number in range(len(self.cycles)))

    def _width(self, channels: int, level: int) -> int:
        return channels * (level + 1 if self.growth else 1)

    def _level(self, number: int) -> Level:
        n_down, n_up = self.cycles[number]
        of_f, of_u = (self._width(channels, number) for channels in (self.in_channels, self.out_channels))

        def step(*, is_first: bool = False) -> Smoothing:
            return Smoothing(self.n_dims, of_f, of_u, self.padding_mode, bias=self.bias, is_first=is_first)

        down = [step(is_first=number == 0 and i == 0) for i in range(n_down)]
        up = [step() for _ in range(n_up)]
        if number == len(self.cycles) - 1:
            return Level(down, up)
        next_f, next_u = (self._width(channels, number + 1) for channels in (self.in_channels, self.out_channels))
        restrict_f, restrict_u = (
            restriction(self.n_dims, fine, coarse, self.padding_mode, self.transfer)
            for fine, coarse in ((of_f, next_f), (of_u, next_u))
        )
        prolong = Prolongation(
            self.n_dims,
            next_u,
            of_u,
            self.padding_mode,
            self.transfer,
            wrap=self.wrap_prolongation,
        )
        residual = convolution(self.n_dims, of_u, of_f, self.padding_mode, bias=self.bias)
        return Level(
            down,
            up,
            residual=residual if self.residual_restriction else None,
            restrict_f=restrict_f,
            restrict_u=restrict_u,
            prolong=prolong,
            norm=nn.GroupNorm(1, of_u) if self.norm else None,
        )

    def _check(self) -> None:
        if self.in_channels < 1 or self.out_channels < 1:
            raise ValueError(f"channels must be at least 1, not {self.in_channels} and {self.out_channels}")
        check_cycles(self.cycles)
        check_names(padding_mode=(self.padding_mode, PaddingMode), transfer=(self.transfer, Transfer))
        if self.transfer == "vertex" and self.padding_mode == "circular":
            raise ValueError('the transfer "vertex" leaves out the first point, so it is not for periodic functions')

    @property
    def least_size(self) -> int:
        """The fewest points along an axis."""
        return least_size(len(self.cycles), self.padding_mode, self.transfer)

    def grids(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """The sizes of the levels' grids, the finest first."""
        found = [tuple(size)]
        for _ in self.cycles[1:]:
            found.append(tuple(coarser(n, self.transfer) for n in found[-1]))
        return found

    def forward(self, f: Float[Tensor, "b cf *grid"]) -> Float[Tensor, "b cu *grid"]:
        """W f.

        Raises:
            ValueError: if f has other channels or dimensions, or too few points.
        """
        if f.ndim != self.n_dims + 2 or f.shape[1] != self.in_channels:
            axes = ", ".join(("height", "width")[-self.n_dims :])
            raise ValueError(f"expected functions (batch, {self.in_channels}, {axes}), not {tuple(f.shape)}")
        if min(f.shape[2:]) < self.least_size:
            raise ValueError(
                f"{len(self.cycles)} levels need at least {self.least_size} points along each side, not "
                f"{min(f.shape[2:])}; use fewer cycles"
            )
        u: Any = None
        kept = []
        levels: list[Any] = list(self.levels)
        for level in levels:
            for step in level.down:
                u = step(f, u)
            if level.P is not None:
                kept.append((u, f))
                f, u = level.R(f if level.A is None else f - level.A(u)), level.Pi(u)
        for level, (fine, f_fine) in zip(reversed(levels[:-1]), reversed(kept), strict=True):
            u = fine + level.P(u, fine.shape[2:])
            u = u if level.norm is None else level.norm(u)
            for step in level.up:
                u = step(f_fine, u)
        return u

    @classmethod
    @torch.no_grad()
    def from_poisson(cls, n_levels: int, omega: float = 0.8, spacing: float = 1.0) -> "MultigridConv":
        """Classical multigrid for `-Δu = f` with u = 0 just outside: the V(1,1)-cycle with damped Jacobi smoothing.

        Full weighting down, linear interpolation up, and the five-point stencil (three points on a line) on every
        level. For 2^k - 1 points along each side, k levels are exact multigrid: `u + W(f - A u)` converges at a rate
        that does not depend on k, about 0.34 in the plane. Training may start from it.

        Args:
            n_levels: Levels.
            omega: Damping of Jacobi's method.
            spacing: Distance of neighboring points of the finest grid.

        Raises:
            ValueError: if a number is out of range.
        """
        if n_levels < 1 or not omega > 0 or not spacing > 0:
            raise ValueError(f"levels, omega and spacing must be positive, not {n_levels}, {omega} and {spacing}")
        cycles = ((1, 1),) * (n_levels - 1) + ((2, 0),)
        cycle = cls(1, 1, cycles, residual_restriction=True, transfer="vertex")
        levels: list[Any] = list(cycle.levels)
        for number, level in enumerate(levels):
            h2 = (spacing * 2**number) ** 2
            stencil = laplacian(cls.n_dims) / h2
            for step in [*level.down, *level.up]:
                step.S.weight.zero_()
                step.S.weight[(0, 0, *[1] * cls.n_dims)] = omega * h2 / (2 * cls.n_dims)
                if step.A is not None:
                    step.A.weight.copy_(stencil)
            if level.P is not None:
                level.A.weight.copy_(stencil)
                level.R.weight.copy_(_product([0.25, 0.5, 0.25], cls.n_dims))
                level.Pi.weight.zero_()
                level.P.weight.copy_(_product([0.5, 1.0, 0.5, 0.0], cls.n_dims))
        return cycle

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.in_channels}, {self.out_channels}, cycles={self.cycles}, padding_mode={self.padding_mode}"


class MultigridConv1d(MultigridConv):
    """`MultigridConv` of functions on a line: (batch, channels, points)."""

    n_dims = 1


class MultigridConv2d(MultigridConv):
    """`MultigridConv` of functions on a plane: (batch, channels, height, width)."""

    n_dims = 2


def check_cycles(cycles: Cycles) -> None:
    """See that there is a cycle.

    Raises:
        ValueError: if there is no level, a number of steps is negative, nothing is done on the finest or on the
            coarsest level, or the coarsest has a way up.
    """
    if not cycles:
        raise ValueError("cycles must name the smoothing steps of at least one level, such as ((1, 0), (2, 0))")
    if any(down < 0 or up < 0 for down, up in cycles):
        raise ValueError(f"numbers of smoothing steps must not be negative, as in {tuple(cycles)}")
    if cycles[0][0] < 1 or cycles[-1][0] < 1:
        raise ValueError(f"the finest and the coarsest level need a step on the way down, unlike {tuple(cycles)}")
    if cycles[-1][1]:
        raise ValueError(f"the coarsest level has no way up: give its steps as ({sum(cycles[-1])}, 0)")


def _pairs(cycles: Cycles) -> tuple[tuple[int, int], ...]:
    """The cycles as whole numbers.

    Raises:
        ValueError: if they are no pairs of numbers.
    """
    try:
        return tuple((int(down), int(up)) for down, up in cycles)
    except (TypeError, ValueError):
        raise ValueError(f"cycles are pairs of steps (down, up), such as ((1, 0), (2, 0)), not {cycles!r}") from None


def laplacian(n_dims: int) -> Float[Tensor, "*kernel"]:
    """The stencil of `-Δ` with unit spacing: 2 or 4 in the middle, -1 beside it."""
    kernel = torch.zeros([3] * n_dims)
    middle = [1] * n_dims
    kernel[tuple(middle)] = 2 * n_dims
    for axis in range(n_dims):
        for side in (0, 2):
            kernel[tuple(side if i == axis else m for i, m in enumerate(middle))] = -1
    return kernel


def _product(line: Sequence[float], n_dims: int) -> Tensor:
    """A kernel that is the product of one along each axis."""
    one = torch.tensor(line)
    return one if n_dims == 1 else one[:, None] * one
