"""Darcy flow, heat conduction and the Poisson equation: `-div(a grad u) = f`."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from . import checks
from .finite_volumes import Face

Method = Literal["auto", "direct", "cg"]


def solve_darcy(
    a: Float[Tensor, "n h w"],
    f: float | Float[Tensor, "h w"] | Float[Tensor, "n h w"] = 1.0,
    *,
    method: Method = "auto",
) -> Float[Tensor, "n h w"]:
    """Solve `-div(a grad u) = f` on the unit square, u = 0 on its boundary.

    Five-point finite volumes with the harmonic mean of a between neighboring nodes: second order for smooth a, and
    right fluxes across jumps.

    Args:
        a: Positive coefficients at the nodes `(i/(h - 1), j/(w - 1))`, those on the boundary among them.
        f: The source; a number, or values at the nodes for all samples or for each.
        method: "direct", a factorization with SciPy on the CPU; "cg", preconditioned conjugate gradients in torch on
            the tensor's device, to a relative residual of 1e-12; or "auto", the faster of the two for the device.

    Returns:
        u at the nodes, zero on the boundary.

    Raises:
        ValueError: if a is not positive, a value is not finite, shapes do not fit or there is no inner node.
    """
    checks.shape("a", a, (None, None, None))
    mask = torch.ones(a.shape[1:], dtype=torch.bool, device=a.device)
    for points in a.shape[1:]:
        checks.count("the number of nodes along each side", points, 3)
    return solve_masked(a, mask, f, [1 / (points - 1) for points in a.shape[1:]], method=method)


def solve_masked(
    a: Float[Tensor, "n *grid"],
    mask: Bool[Tensor, "*grid"] | Bool[Tensor, "n *grid"],
    f: float | Float[Tensor, "*grid"] | Float[Tensor, "n *grid"],
    spacing: float | Sequence[float],
    *,
    faces: Sequence[tuple[Face, Face]] | None = None,
    outside: Literal["zero", "insulated"] = "zero",
    method: Method = "auto",
) -> Float[Tensor, "n *grid"]:
    """Solve `-div(a grad u) = f` on the nodes of a mask, in two or three dimensions.

    Finite volumes with five or seven points. A curved boundary is a staircase of nodes, which makes the error first
    order in the spacing; along the grid's own lines it is second order.

    Args:
        a: Positive coefficients at the nodes; outside the mask they are not looked at.
        mask: Where the domain is, for all samples or for each.
        f: The source; a number, or values at the nodes for all samples or for each.
        spacing: Distance of neighboring nodes; one, or one for each axis.
        faces: For each axis what holds on the first and on the last layer of nodes: a value that u has there, or `None`
            where nothing flows through. By default u is zero on all of them. Where two meet, the later axis counts, and
            a value before `None`.
        outside: What is beyond the mask's edge within the box: "zero", u = 0 at the nodes there, or "insulated",
            nothing flows to them.
        method: As for `solve_darcy`.

    Returns:
        u at the nodes; zero outside the mask.

    Raises:
        ValueError: if a is not positive inside, a value is not finite, shapes do not fit, a mask has no inner node, or
            a part of it is insulated on all sides, so that there is no unique solution.
    """
    raise NotImplementedError
