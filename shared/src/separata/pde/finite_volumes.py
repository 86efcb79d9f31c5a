"""The equations of `-div(a grad u) = f` on a regular grid of nodes in two or three dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Face = float | None
"""What holds on a face of the box: a value that the solution has there, or `None` where nothing flows through."""


@dataclass(frozen=True, eq=False)
class FiniteVolumes:
    """A symmetric system for each sample, with one equation a node of the grid: `diagonal u - Σ couplings u = right`.

    Nodes whose value is known have the equation `u = value`; their influence on others is in the right-hand side.

    Attributes:
        couplings: For each axis, the conductances between neighbors along it, zero unless both are unknown.
        diagonal: Sums of the conductances to all neighbors, known ones too; one at known nodes.
        leak: The part of the diagonal that goes to known neighbors; zero at known nodes.
        right: The right-hand side; the value at known nodes.
        unknown: The nodes to be solved for.
    """

    couplings: tuple[Float[Tensor, "n ..."], ...]
    diagonal: Float[Tensor, "n *grid"]
    leak: Float[Tensor, "n *grid"]
    right: Float[Tensor, "n *grid"]
    unknown: Bool[Tensor, "#n *grid"]

    def apply(self, u: Float[Tensor, "n *grid"]) -> Float[Tensor, "n *grid"]:
        """The matrix times u."""
        out = self.diagonal * u
        for axis, coupling in enumerate(self.couplings, 1):
            low, high = neighbors(u, axis)
            out.narrow(axis, 0, low.shape[axis]).sub_(coupling * high)
            out.narrow(axis, 1, low.shape[axis]).sub_(coupling * low)
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
    """Balance what flows out of the volume around each node with what arises in it, per volume of a whole cell.

    Between two nodes of the mask flows `a_h (u_i - u_j)/spacing` per unit of area, a_h being the harmonic mean; to a
    node outside it, where u is zero, the same with the inner node's a, or nothing. Volumes at an insulated face of the
    box are cut in half. Outside the mask a must be positive, but does not matter.
    """
    known, values = _known_nodes(a, mask, faces, zero_outside=zero_outside)
    unknown = mask & ~known
    weights = _weights(a, faces)
    couplings = []
    diagonal, leak = torch.zeros_like(a), torch.zeros_like(a)
    right = (f * _product(weights)).expand_as(a).clone()
    resistance = torch.where(mask, 1 / a, 0.0)
    for axis, distance in enumerate(spacing, 1):
        area = _product([torch.ones_like(w[:1]) if i == axis else w for i, w in enumerate(weights, 1)])
        inside = sum(part.to(a.dtype) for part in neighbors(mask, axis))
        open_ = torch.logical_and(*neighbors(unknown | known, axis)) & (inside > 0)
        mean = inside / sum(neighbors(resistance, axis))
        conductance = torch.where(open_, area / distance**2 * mean, 0.0)
        size = conductance.shape[axis]
        for start, beyond in ((0, 1), (1, 0)):
            to_known = torch.where(known.narrow(axis, beyond, size), conductance, 0.0)
            diagonal.narrow(axis, start, size).add_(conductance)
            leak.narrow(axis, start, size).add_(to_known)
            right.narrow(axis, start, size).add_(to_known * values.narrow(axis, beyond, size))
        couplings.append(torch.where(torch.logical_and(*neighbors(unknown, axis)), conductance, 0.0))
    return FiniteVolumes(
        tuple(couplings),
        torch.where(unknown, diagonal, 1.0),
        torch.where(unknown, leak, 0.0),
        torch.where(unknown, right, values),
        unknown,
    )


def neighbors(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """All but the last, and all but the first layer along an axis."""
    return x.narrow(axis, 0, x.shape[axis] - 1), x.narrow(axis, 1, x.shape[axis] - 1)


def _known_nodes(
    a: Tensor, mask: Tensor, faces: Sequence[tuple[Face, Face]], *, zero_outside: bool
) -> tuple[Tensor, Tensor]:
    """Which nodes have a given value, and the values, zero elsewhere."""
    known = ~mask if zero_outside else torch.zeros_like(mask)
    values = torch.zeros_like(mask, dtype=a.dtype)
    for axis, sides in enumerate(faces, 1):
        for position, value in zip((0, a.shape[axis] - 1), sides, strict=True):
            if value is not None:
                face = mask.narrow(axis, position, 1)
                known.narrow(axis, position, 1).logical_or_(face)
                values.narrow(axis, position, 1).masked_fill_(face, value)
    return known, values


def _weights(a: Tensor, faces: Sequence[tuple[Face, Face]]) -> list[Tensor]:
    """For each axis, the lengths of the volumes along it in units of the spacing."""
    weights = [a.new_ones(size) for size in a.shape[1:]]
    for weight, sides in zip(weights, faces, strict=True):
        for position, value in zip((0, -1), sides, strict=True):
            if value is None:
                weight[position] = 0.5
    return weights


def _product(weights: Sequence[Tensor]) -> Tensor:
    """The outer product."""
    product = torch.ones((), dtype=weights[0].dtype, device=weights[0].device)
    for weight in weights:
        product = product[..., None] * weight
    return product
