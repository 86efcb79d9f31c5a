"""The B-spline Kolmogorov-Arnold network of Liu et al. (2024), with pykan's parameters and the efficient product."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from separata import bsplines

from . import formulas
from .formulas import Sharing
from .splines import DEFAULT, Form, check_grid, spline_basis

NOISE = 0.1
"""Scale of the splines before training, as pykan's."""
BASES: dict[str, Callable[[Tensor], Tensor] | None] = {"silu": silu, "identity": lambda x: x, "zero": None}


class BSplineKANLinear(nn.Module):
    """A layer of edges with learnable functions: y_o = bias_o + sum_i phi_oi(x_i).

    phi(x) = s_b b(x) + s_p sum_j c_j B_j(x), with the G + K B-splines of degree K on G intervals, extended by K knots
    on each side; beyond these all splines are zero, and b alone is left. The basis is one tensor (batch, D, G + K),
    multiplied once with (D (G + K), O).

    Args:
        in_features: D.
        out_features: O.
        grid: Intervals G.
        order: Degree K.
        base: The function b: silu, identity, or zero for none.
        grid_range: Ends of the grid; a number r stands for (-r, r).
        adaptive: Whether `update_grid` can move the knots to where the inputs are; each input has knots of its own
            then, and its basis is computed by the recursion.
        form: How the basis on uniform knots is evaluated.

    Raises:
        ValueError: if a size, the grid, its range or the base is wrong.
    """

    knots: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        grid: int = 5,
        order: int = 3,
        base: str = "silu",
        grid_range: float | tuple[float, float] = 1.0,
        adaptive: bool = False,
        form: Form = DEFAULT,
    ) -> None:
        super().__init__()
        low, high = (-grid_range, grid_range) if isinstance(grid_range, (int, float)) else grid_range
        check_grid(grid, order, (low, high))
        if base not in BASES:
            raise ValueError(f"the base must be one of {', '.join(BASES)}, not '{base}'")
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a layer needs at least one input and output, not {in_features} and {out_features}")
        self.in_features, self.out_features = in_features, out_features
        self.grid, self.order, self.base, self.form = grid, order, base, form
        self.low, self.high = float(low), float(high)
        knots = bsplines.uniform_knots(grid, order, self.low, self.high).float()
        self.register_buffer("knots", knots.repeat(in_features, 1) if adaptive else None)
        self.coefficients = nn.Parameter(self._initial_coefficients(knots))
        shape, bound = (out_features, in_features), 1 / math.sqrt(in_features)
        self.scale_base = None if BASES[base] is None else nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.scale_spline = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(out_features))
        # As in pykan: an edge with 0 here is pruned.
        self.mask = nn.Parameter(torch.ones(shape), requires_grad=False)

    def _initial_coefficients(self, knots: Tensor) -> Float[Tensor, "outputs inputs functions"]:
        """Splines nearest to noise at the grid's points."""
        points = torch.linspace(self.low, self.high, self.grid + 1)
        noise = (torch.rand(self.out_features, self.in_features, self.grid + 1) - 0.5) * NOISE / self.grid
        # All inputs share the uniform knots, and so one pseudo-inverse.
        values = bsplines.basis(points.double(), knots.double(), self.order)
        return (noise.double() @ torch.linalg.pinv(values, rtol=1e-10).T).float()

    def basis(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch inputs functions"]:
        """The splines at each input."""
        if self.knots is not None:
            return bsplines.basis(x, self.knots, self.order)
        return spline_basis(x, self.grid, self.order, self.low, self.high, self.form)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """The sums over the edges."""
        scale = self.scale_spline * self.mask
        weight = (self.coefficients * scale[..., None]).flatten(1)
        y = linear(self.basis(x).flatten(-2), weight, self.bias)
        function = BASES[self.base]
        if function is not None and self.scale_base is not None:
            y = y + linear(function(x), self.scale_base * self.mask)
        return y

    @torch.no_grad()
    def update_grid(self, x: Float[Tensor, "batch inputs"], eps: float = 0.02) -> None:
        """Move the knots to where the inputs are, and keep the functions as they are there, by least squares.

        Args:
            x: Inputs of this layer, at least grid + 1 of them.
            eps: Share of a uniform grid in the mixture with the inputs' quantiles; 1 is uniform.

        Raises:
            ValueError: if the layer is not adaptive, or there are too few inputs.
        """
        if self.knots is None:
            raise ValueError("only a layer that was made with adaptive=True moves its grid")
        if len(x) <= self.grid:
            raise ValueError(f"a grid of {self.grid} intervals needs at least {self.grid + 1} inputs, not {len(x)}")
        before = self.basis(x)
        levels = torch.linspace(0, 1, self.grid + 1, dtype=x.dtype, device=x.device)
        quantiles = torch.quantile(x, levels, dim=0)
        low, high = quantiles[:1], quantiles[-1:]
        spread = (high - low).clamp(min=1e-6)
        uniform = low - 0.01 * spread + 1.02 * spread * levels[:, None]
        inner = eps * uniform + (1 - eps) * quantiles
        step = spread / self.grid
        # Equal quantiles would be knots without an interval between them.
        inner = torch.cummax(inner, 0).values + 1e-4 * step * torch.arange(self.grid + 1, device=x.device)[:, None]
        beyond = torch.arange(1, self.order + 1, device=x.device)[:, None] * step
        knots = torch.cat([inner[:1] - beyond.flip(0), inner, inner[-1:] + beyond]).T
        values = torch.einsum("bif,oif->bio", before, self.coefficients)
        self.knots.copy_(knots)
        self.coefficients.copy_(bsplines.least_squares(x, values, knots, self.order).permute(2, 0, 1))

    def outside(self, x: Float[Tensor, "batch inputs"]) -> float:
        """Share of inputs outside the grid as extended, where all splines are zero."""
        low, high = self.low, self.high
        if self.knots is None:
            beyond = self.order * (high - low) / self.grid
            return float(((x < low - beyond) | (x >= high + beyond)).float().mean())
        return float(((x < self.knots[:, 0]) | (x >= self.knots[:, -1])).float().mean())


class PerEdgeKANLinear(BSplineKANLinear):
    """The same layer with every spline evaluated on its own, as the first implementations did.

    The recursion runs on a tensor (batch, O, D, G + K), O times as large as needed. It is what "KANs are slow" was
    measured with, and here for that alone.
    """

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """The sums over the edges."""
        each = x[:, None, :].expand(-1, self.out_features, -1).contiguous()
        knots = self.knots
        if knots is None:
            knots = bsplines.uniform_knots(self.grid, self.order, self.low, self.high).to(x)
        splines = (bsplines.basis(each, knots, self.order) * self.coefficients).sum(-1)
        edges = self.scale_spline * splines
        function = BASES[self.base]
        if function is not None and self.scale_base is not None:
            edges = edges + self.scale_base * function(each)
        return (self.mask * edges).sum(-1) + self.bias


class BSplineKAN(nn.Sequential):
    """Layers of `BSplineKANLinear` one after another.

    Args:
        widths: Inputs, hidden layers and outputs, two or more.
        grid: Intervals G of each spline.
        order: Degree K.
        base: Function beside the splines: silu, identity or zero.
        grid_range: Ends of the grid; a number r stands for (-r, r).
        adaptive: Whether `update_grid` can move the knots.
        form: How the basis on uniform knots is evaluated.

    Raises:
        ValueError: if there are fewer than two widths, or a layer cannot be.
    """

    layer = BSplineKANLinear

    def __init__(
        self,
        widths: Sequence[int],
        *,
        grid: int = 5,
        order: int = 3,
        base: str = "silu",
        grid_range: float | tuple[float, float] = 1.0,
        adaptive: bool = False,
        form: Form = DEFAULT,
    ) -> None:
        if len(widths) < 2:
            raise ValueError(f"a network needs two or more widths, inputs first and outputs last, not {list(widths)}")
        super().__init__(
            *(
                self.layer(
                    n_in, n_out, grid=grid, order=order, base=base, grid_range=grid_range, adaptive=adaptive, form=form
                )
                for n_in, n_out in pairwise(widths)
            )
        )
        self.widths, self.grid, self.order, self.base = tuple(widths), grid, order, base

    def flops(self, sharing: Sharing = "naive") -> float:
        """FLOPs for one sample by the published formula, or with each basis evaluated once per input."""
        return formulas.kan_flops(self.widths, self.grid, self.order, self.base, sharing)

    def update_grid(self, x: Float[Tensor, "batch inputs"], eps: float = 0.02) -> None:
        """Move the grids of all layers, from the first on, to where their inputs are.

        Raises:
            ValueError: as `BSplineKANLinear.update_grid`.
        """
        for layer in self.layers:
            layer.update_grid(x, eps)
            x = layer(x).detach()

    @torch.no_grad()
    def outside(self, x: Float[Tensor, "batch inputs"]) -> list[float]:
        """For each layer, the share of its inputs outside the grid, where its splines are zero."""
        shares = []
        for layer in self.layers:
            shares.append(layer.outside(x))
            x = layer(x)
        return shares

    @property
    def layers(self) -> list[BSplineKANLinear]:
        """Its layers."""
        return [cast("BSplineKANLinear", layer) for layer in self]


class PerEdgeKAN(BSplineKAN):
    """A `BSplineKAN` of `PerEdgeKANLinear` layers: the same function and parameters, slowly."""

    layer = PerEdgeKANLinear
