"""The matrix of `-div(a grad u)` on a regular grid of nodes in two or three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Face = float | None
"""What holds on a face of the box: a value that the solution has there, or `None` where nothing flows through."""


@dataclass(frozen=True, eq=False)
class FiniteVolumes:
    """A symmetric positive definite system for each sample, with one equation a node of the grid.

    Nodes whose value is known have the equation `u = value`, without couplings: their influence is on the right.

    Attributes:
        couplings: For each axis, the (positive) conductances between neighbors, zero unless both are unknown.
        diagonal: Sums of conductances to unknown and known neighbors; one at known nodes.
        right: The right-hand side; the value at known nodes.
        unknown: The nodes to be solved for; of one sample where all are alike.
    """

    couplings: tuple[Float[Tensor, "n ..."], ...]
    diagonal: Float[Tensor, "n *grid"]
    right: Float[Tensor, "n *grid"]
    unknown: Bool[Tensor, "#n *grid"]

    def apply(self, u: Float[Tensor, "n *grid"]) -> Float[Tensor, "n *grid"]:
        """The matrix times u."""
        out = self.diagonal * u
        for dim, coupling in enumerate(self.couplings, 1):
            size = u.shape[dim]
            low, high = slice_of(dim, 0, size - 1), slice_of(dim, 1, size)
            out[low] -= coupling * u[high]
            out[high] -= coupling * u[low]
        return out


def assemble(
    a: Float[Tensor, "n *grid"],
    mask: Bool[Tensor, "#n *grid"],
    f: Float[Tensor, "#n *grid"],
    spacing: Sequence[float],
    faces: Sequence[tuple[Face, Face]],
    *,
    zero_outside: bool,
) -> FiniteVolumes:
    """Balance the flow through the boundary of the volume around each node.

    Between two nodes of the mask flows `a_h (u_i - u_j)/spacing` per unit of area, a_h being the harmonic mean; to a
    node outside it, which has the value zero, the same with the inner node's a, or nothing. Volumes at an insulated
    face of the box are cut in half.
    """
    known, values = _known(a, mask, faces, zero_outside=zero_outside)
    unknown = mask & ~known
    conducts = mask | known
    weights = _half_volumes(a, faces)
    conductances = []
    for dim, h in enumerate(spacing, 1):
        size = a.shape[dim]
        low, high = slice_of(dim, 0, size - 1), slice_of(dim, 1, size)
        inner = mask.to(a.dtype)
        resistance = torch.where(mask, 1 / a, 0.0)
        mean = (resistance[low] + resistance[high]) / (inner[low] + inner[high]).clamp(min=1)
        open_ = conducts[low] & conducts[high] & (mask[low] | mask[high])
        area = _area(weights, dim)
        conductances.append(torch.where(open_, area / h**2 / torch.where(mean > 0, mean, 1.0), 0.0))
    diagonal, right = torch.zeros_like(a), (f * _product(weights)).expand_as(a).clone()
    for dim, conductance in enumerate(conductances, 1):
        size = a.shape[dim]
        low, high = slice_of(dim, 0, size - 1), slice_of(dim, 1, size)
        diagonal[low] += conductance
        diagonal[high] += conductance
        right[low] += conductance * values[high]
        right[high] += conductance * values[low]
    couplings = tuple(
        torch.where(
            unknown[slice_of(dim, 0, a.shape[dim] - 1)] & unknown[slice_of(dim, 1, a.shape[dim])], conductance, 0.0
        )
        for dim, conductance in enumerate(conductances, 1)
    )
    return FiniteVolumes(couplings, torch.where(unknown, diagonal, 1.0), torch.where(unknown, right, values), unknown)


def slice_of(dim: int, start: int, stop: int) -> tuple[slice, ...]:
    """An index that takes a part of one axis."""
    return (*[slice(None)] * dim, slice(start, stop))


def _known(a: Tensor, mask: Tensor, faces: Sequence[tuple[Face, Face]], *, zero_outside: bool) -> tuple[Tensor, Tensor]:
    """Which nodes have a given value, and the values, zero elsewhere."""
    known = ~mask if zero_outside else torch.zeros_like(mask)
    values = torch.zeros_like(mask, dtype=a.dtype)
    for dim, sides in enumerate(faces, 1):
        for position, value in zip((0, a.shape[dim] - 1), sides, strict=True):
            if value is not None:
                face = slice_of(dim, position, position + 1)
                known[face] = known[face] | mask[face]
                values[face] = torch.where(mask[face], value, 0.0)
    return known, values


def _half_volumes(a: Tensor, faces: Sequence[tuple[Face, Face]]) -> list[Tensor]:
    """For each axis, the length of the volumes along it in units of the spacing."""
    weights = []
    for dim, sides in enumerate(faces, 1):
        weight = a.new_ones(a.shape[dim])
        for position, value in zip((0, -1), sides, strict=True):
            if value is None:
                weight[position] = 0.5
        weights.append(weight)
    return weights


def _product(weights: Sequence[Tensor], without: int | None = None) -> Tensor:
    product = torch.ones((), dtype=weights[0].dtype, device=weights[0].device)
    for axis, weight in enumerate(weights, 1):
        product = product[..., None] * (torch.ones_like(weight[:1]) if axis == without else weight)
    return product


def _area(weights: Sequence[Tensor], dim: int) -> Tensor:
    """Areas of the faces across an axis."""
    return _product(weights, without=dim)
