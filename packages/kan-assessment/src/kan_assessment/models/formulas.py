"""Documented formulas for the parameters and FLOPs of models, as Yu et al. (2024), "KAN or MLP", count them.

A layer from D to O features with splines of order K on G intervals. One evaluation of all G + K basis functions by the
recursion costs 9 FLOPs for each function of each level, 9 K (G + 1.5 K - 0.5) together. `naive` counts that once for
every edge, as the published formula does, and `shared` once for every input, as an implementation does that evaluates
the basis in one tensor.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

Sharing = Literal["naive", "shared"]

FUNCTION_FLOPS = {
    "zero": 0,
    "identity": 0,
    "relu": 1,
    "relu2": 2,
    "sigmoid": 4,
    "silu": 5,
    "tanh": 6,
    "gelu": 14,
}
"""FLOPs of one evaluation of a function."""


def basis_flops(grid: int, order: int) -> float:
    """FLOPs of all basis functions at one point."""
    return 9 * order * (grid + 1.5 * order - 0.5)


def kan_parameters(widths: Sequence[int], grid: int, order: int, base: str) -> int:
    """Numbers of a B-spline KAN as published: coefficients, scales, a mask of the edges (not trained), and biases."""
    of_edge = grid + order + 2 + (base != "zero")
    return sum(n_in * n_out * of_edge + n_out for n_in, n_out in pairwise(widths))


def kan_flops(widths: Sequence[int], grid: int, order: int, base: str, sharing: Sharing = "naive") -> float:
    """FLOPs of a B-spline KAN for one sample."""
    total = 0.0
    for n_in, n_out in pairwise(widths):
        edges = n_in * n_out
        # Each edge's sum of G + K products, scaled and added up.
        total += (n_in if sharing == "shared" else edges) * basis_flops(grid, order) + edges * (2 * (grid + order) + 1)
        if base != "zero":
            total += FUNCTION_FLOPS[base] * n_in + 2 * edges
    return total


def mlp_parameters(widths: Sequence[int], *, batch_norm: bool = False) -> int:
    """Weights and biases of an MLP, and two numbers for each hidden unit that is normalized."""
    return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(widths)) + 2 * batch_norm * sum(widths[1:-1])


def mlp_flops(widths: Sequence[int], activation: str, *, batch_norm: bool = False) -> float:
    """FLOPs of an MLP for one sample; as published, with an activation after the last layer, too."""
    linear = sum(2 * n_in * n_out + FUNCTION_FLOPS[activation] * n_out for n_in, n_out in pairwise(widths))
    return linear + 4 * batch_norm * sum(widths[1:-1])


def bspline_mlp_parameters(widths: Sequence[int], grid: int, order: int, *, first: bool = False) -> int:
    """Numbers of an MLP with a spline for each unit; as published, after the last layer, too.

    Args:
        widths: Input, hidden layers and output.
        grid: Intervals of a grid.
        order: Degree of the splines.
        first: Whether splines stand before the linear maps rather than after them.
    """
    pairs = list(pairwise(widths))
    return sum(n_out * (n_in + 1) + (n_in if first else n_out) * (grid + order) for n_in, n_out in pairs)


def bspline_mlp_flops(widths: Sequence[int], grid: int, order: int, *, first: bool = False) -> float:
    """FLOPs of an MLP with a spline for each unit for one sample, counted as `bspline_mlp_parameters` counts."""
    of_spline = basis_flops(grid, order) + 2 * (grid + order) - 1
    return sum(2 * n_in * n_out + (n_in if first else n_out) * of_spline for n_in, n_out in pairwise(widths))
