"""Darcy flow, heat conduction and the Poisson equation: `-div(a grad u) = f`."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from . import checks
from .direct_solvers import solve_definite
from .finite_volumes import Face, FiniteVolumes, assemble


def solve_darcy(
    a: Float[Tensor, "n h w"],
    f: float | Float[Tensor, "h w"] | Float[Tensor, "n h w"] = 1.0,
) -> Float[Tensor, "n h w"]:
    """Solve `-div(a grad u) = f` on the unit square, u = 0 on its boundary.

    Five-point finite volumes with the harmonic mean of a between neighboring nodes: second order for smooth a, and
    right fluxes across jumps. The systems are solved directly, whatever the contrast of a: on the CPU one after another
    with SciPy, on a GPU all together. Gradients do not pass.

    Args:
        a: Positive coefficients at the nodes `(i/(h - 1), j/(w - 1))`, those on the boundary among them.
        f: The source; a number, or values at the nodes for all samples or for each.

    Returns:
        u at the nodes, zero on the boundary.

    Raises:
        ValueError: if a is not positive, a value is not finite, shapes do not fit or there is no inner node.
    """
    checks.shape("a", a, (None, None, None))
    mask = torch.ones(a.shape[1:], dtype=torch.bool, device=a.device)
    for points in a.shape[1:]:
        checks.count("the number of nodes along each side", points, 3)
    return solve_masked(a, mask, f, [1 / (points - 1) for points in a.shape[1:]])


def solve_masked(
    a: Float[Tensor, "n *grid"],
    mask: Bool[Tensor, "*grid"] | Bool[Tensor, "n *grid"],
    f: float | Float[Tensor, "*grid"] | Float[Tensor, "n *grid"],
    spacing: float | Sequence[float],
    *,
    faces: Sequence[tuple[Face, Face]] | None = None,
    outside: Literal["zero", "insulated"] = "zero",
) -> Float[Tensor, "n *grid"]:
    """Solve `-div(a grad u) = f` on the nodes of a mask, in two or three dimensions.

    Finite volumes with five or seven points. A curved boundary is a staircase of nodes, which makes the error first
    order in the spacing; along the grid's own lines it is second order.

    Args:
        a: Positive coefficients at the nodes; outside the mask they are not looked at.
        mask: Where the domain is, for all samples or for each.
        f: The source; a number, or values at the nodes for all samples or for each; not looked at outside the mask.
        spacing: Distance of neighboring nodes; one, or one for each axis.
        faces: For each axis what holds on the first and on the last layer of nodes: a value that u has there, or `None`
            where nothing flows through. By default u is zero on all of them. Where two meet, the later axis counts, and
            a value before `None`. A flow q into an insulated face is a source of 2 q/spacing at its nodes.
        outside: What is beyond the mask's edge within the box: "zero", u = 0 at the nodes there, or "insulated",
            nothing flows to them.

    Returns:
        u at the nodes; zero outside the mask.

    Raises:
        ValueError: if a is not positive inside, a value is not finite, shapes do not fit, a mask has no inner node, or
            a part of it is insulated on all sides, so that there is no unique solution.
    """
    distances, sides = _box(tuple(a.shape[1:]), spacing, faces)
    if outside not in {"zero", "insulated"}:
        raise ValueError(f'outside must be "zero" or "insulated", not "{outside}"')
    inside = _batched("mask", mask, a).bool()
    source = torch.where(inside, _batched("f", torch.as_tensor(f, dtype=a.dtype, device=a.device), a), 0.0)
    checks.finite("f", source)
    conductivity = torch.where(inside, a, 1.0)
    checks.positive("a", conductivity)
    system = assemble(conductivity, inside, source, distances, sides, zero_outside=outside == "zero")
    _check_domain(system, sides, outside)
    return torch.where(inside, solve_definite(system), 0.0)


def _box(
    grid: tuple[int, ...], spacing: float | Sequence[float], faces: Sequence[tuple[Face, Face]] | None
) -> tuple[list[float], list[tuple[Face, Face]]]:
    """The spacing along each axis, and what holds on its two faces."""
    if len(grid) not in {2, 3} or min(grid) < 2:
        raise ValueError(f"a must be given on a grid of two or three dimensions, at least 2 nodes each, not {grid}")
    distances = [float(spacing)] * len(grid) if isinstance(spacing, float | int) else list(spacing)
    sides: list[tuple[Face, Face]] = [(0.0, 0.0)] * len(grid) if faces is None else list(faces)
    for name, given in (("spacing", distances), ("faces", sides)):
        if len(given) != len(grid):
            raise ValueError(f"{name} must have an entry for each of {len(grid)} axes, not {len(given)}")
    for distance in distances:
        checks.positive("spacing", distance)
    return distances, sides


def _batched(name: str, values: Tensor, a: Tensor) -> Tensor:
    if values.ndim == 0:
        return values.expand(1, *a.shape[1:])
    if values.shape == a.shape[1:]:
        return values[None]
    if values.shape != a.shape:
        raise ValueError(
            f"{name} must have the shape {tuple(a.shape[1:])}, or {tuple(a.shape)}, not {tuple(values.shape)}"
        )
    return values


def _check_domain(system: FiniteVolumes, sides: Sequence[tuple[Face, Face]], outside: str) -> None:
    """Refuse a sample without an unknown node, and one without a unique solution."""
    found = system.unknown.flatten(1).any(1)
    if not bool(found.all()):
        raise ValueError(f"mask {int((~found).nonzero()[0])} has no inner node: there is nothing to solve for")
    if outside == "insulated" or any(None in pair for pair in sides):
        _check_insulated(system)


def _check_insulated(system: FiniteVolumes) -> None:
    """Refuse parts of a domain that border on no given value."""
    import numpy as np
    from scipy import ndimage

    for i, unknown in enumerate(system.unknown.cpu().numpy()):
        labels, n_parts = ndimage.label(unknown)
        leaks = ndimage.maximum(system.leak[i].detach().cpu().numpy(), labels, np.arange(1, n_parts + 1))
        if not np.all(leaks > 0):
            raise ValueError(f"a part of mask {i} is insulated on all sides: what flows in it has no unique solution")
