"""The grid of basis functions."""

import torch
from jaxtyping import Float
from torch import Tensor

from af_kan.configs import check_grid


def uniform_grid(grid_size: int, order: int) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """The ends of n = g + k overlapping intervals that cover [0, 1], and k intervals on either side.

    s_i = (i - k) / g and e_i = s_i + (k + 1) / g for i = 0, ..., g + k - 1, as in ReLU-KAN. With ReLU and the
    combination `quad1`, [s_i, e_i] is the support of the basis function i.

    Args:
        grid_size: g, at least 1.
        order: k, at least 0.

    Returns:
        The lower ends s and the upper ends e.

    Raises:
        ValueError: if a number is out of its range.
    """
    check_grid(grid_size, order)
    low = torch.arange(-order, grid_size) / grid_size
    return low, low + (order + 1) / grid_size
