"""Multilayer perceptrons whose activations are learnable splines: is it the spline, or the architecture?"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from separata import bsplines

from . import formulas
from .splines import DEFAULT, Form, check_grid, spline_basis


class BSplineActivation(nn.Module):
    """A learnable spline for each feature: y_i = sum_j c_ij B_j(x_i).

    It begins as the spline nearest to SiLU inside the grid, so that the network learns from the first step; beyond the
    extended grid it is zero.

    Args:
        n_features: Number of features.
        grid: Intervals G.
        order: Degree K.
        grid_range: The grid covers [-grid_range, grid_range].
        form: How the basis is evaluated.

    Raises:
        ValueError: if the grid or its range is wrong.
    """

    def __init__(
        self, n_features: int, *, grid: int = 5, order: int = 3, grid_range: float = 1.0, form: Form = DEFAULT
    ) -> None:
        super().__init__()
        check_grid(grid, order, (-grid_range, grid_range))
        self.grid, self.order, self.grid_range, self.form = grid, order, grid_range, form
        knots = bsplines.uniform_knots(grid, order, -grid_range, grid_range)
        beyond = order * 2 * grid_range / grid
        points = torch.linspace(-grid_range - beyond, grid_range + beyond, 8 * (grid + 2 * order) + 1)[:-1].double()
        # Beyond the grid's ends the splines cannot follow; inside it they should.
        weight = torch.where(points.abs() <= grid_range, 1.0, 0.1)[:, None]
        values = bsplines.basis(points, knots, order)
        found = torch.linalg.lstsq(weight * values, weight * silu(points)[:, None]).solution[:, 0]
        self.coefficients = nn.Parameter(found.float().repeat(n_features, 1))

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """The splines' values."""
        values = spline_basis(x, self.grid, self.order, -self.grid_range, self.grid_range, self.form)
        return (values * self.coefficients).sum(-1)


class BSplineMLP(nn.Sequential):
    """An MLP with a learnable spline for each unit.

    Args:
        widths: Inputs, hidden layers and outputs, two or more.
        grid: Intervals G of each spline.
        order: Degree K.
        grid_range: The grid covers [-grid_range, grid_range].
        first: Put splines before every linear map, on the inputs too, rather than after every one but the last.
        form: How the basis is evaluated.

    Raises:
        ValueError: if there are fewer than two widths, or the grid is wrong.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        grid: int = 5,
        order: int = 3,
        grid_range: float = 1.0,
        first: bool = False,
        form: Form = DEFAULT,
    ) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"a network needs two or more positive widths, not {list(widths)}")

        def spline(n: int) -> BSplineActivation:
            return BSplineActivation(n, grid=grid, order=order, grid_range=grid_range, form=form)

        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [spline(n_in), nn.Linear(n_in, n_out)] if first else [nn.Linear(n_in, n_out), spline(n_out)]
        super().__init__(*(layers if first else layers[:-1]))
        self.widths, self.grid, self.order, self.first = tuple(widths), grid, order, first

    def flops(self) -> float:
        """FLOPs for one sample by the published formula."""
        return formulas.bspline_mlp_flops(self.widths, self.grid, self.order, first=self.first)
