"""Shapes in the unit square as signed distance functions: negative inside, positive outside, up to a factor."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SignedDistance = Callable[[Tensor], Tensor]
"""From points (..., 2) to a distance each (...), negative inside."""
NUDGE = 1e-9
"""By which points that lie on an edge count as inside."""


def disc(center: Sequence[float] = (0.5, 0.5), radius: float = 0.5) -> SignedDistance:
    """A disc.

    Raises:
        ValueError: if the radius is not positive.
    """
    if not radius > 0:
        raise ValueError(f"the radius must be positive, not {radius}")
    return lambda points: (points - torch.as_tensor(center).to(points)).norm(dim=-1) - radius


def box(low: Sequence[float] = (0.0, 0.0), high: Sequence[float] = (1.0, 1.0)) -> SignedDistance:
    """A rectangle with edges along the axes."""

    def distance(points: Tensor) -> Tensor:
        return torch.maximum(torch.as_tensor(low).to(points) - points, points - torch.as_tensor(high).to(points)).amax(
            -1
        )

    return distance


def union(*shapes: SignedDistance) -> SignedDistance:
    """What is in any of them."""
    return lambda points: torch.stack([shape(points) for shape in shapes]).amin(0)


def difference(shape: SignedDistance, *cut: SignedDistance) -> SignedDistance:
    """What is in the first and in none of the others."""
    return lambda points: torch.stack([shape(points), *(-one(points) for one in cut)]).amax(0)


def polygon(corners: Float[Tensor, "corners 2"] | Sequence[Sequence[float]]) -> SignedDistance:
    """A polygon that may be concave, by the even-odd rule; the distance is that to the nearest edge.

    Raises:
        ValueError: if there are fewer than three corners, or one is not finite.
    """
    ends = torch.as_tensor(corners, dtype=torch.float64)
    if ends.ndim != 2 or ends.shape[1] != 2 or len(ends) < 3 or not bool(ends.isfinite().all()):
        raise ValueError("a polygon needs three or more corners, each with two finite coordinates")
    starts = ends.roll(1, 0)

    def distance(points: Tensor) -> Tensor:
        a, b = starts.to(points.device), ends.to(points.device)
        p = points.double()[..., None, :]
        edge, to = b - a, p - a
        along = ((to * edge).sum(-1) / edge.square().sum(-1).clamp(min=1e-30)).clamp(0, 1)
        nearest = (to - along[..., None] * edge).norm(dim=-1).amin(-1)
        crosses = (a[:, 1] > p[..., 1]) != (b[:, 1] > p[..., 1])
        rise = torch.where(edge[:, 1] == 0, 1.0, edge[:, 1])
        is_left = p[..., 0] < a[:, 0] + (p[..., 1] - a[:, 1]) * edge[:, 0] / rise
        inside = (crosses & is_left).sum(-1) % 2 == 1
        return torch.where(inside, -nearest, nearest).to(points.dtype)

    return distance


def _triangle() -> SignedDistance:
    return polygon([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]])


def _regular(n: int) -> SignedDistance:
    angles = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n + math.pi / 2
    return polygon(0.5 + 0.5 * torch.stack([angles.cos(), angles.sin()], 1))


def _cross(half: float = 0.06) -> SignedDistance:
    low, high = 0.5 - half, 0.5 + half
    return union(box((low, 0.2), (high, 0.8)), box((0.2, low), (0.8, high)))


SHAPES: Mapping[str, Callable[[], SignedDistance]] = {
    "square": box,
    "disc": disc,
    "triangle": _triangle,
    "l-shape": lambda: difference(box(), box((0.5, 0.5), (1.1, 1.1))),
    "cross-cut": lambda: difference(box(), _cross()),
    "square-hole": lambda: difference(box(), disc(radius=0.2)),
    "annulus": lambda: difference(disc(), disc(radius=0.2)),
    "pentagon": lambda: _regular(5),
    "hexagon": lambda: _regular(6),
    "plus": lambda: union(box((0.3, 0.0), (0.7, 1.0)), box((0.0, 0.3), (1.0, 0.7))),
}
"""Shapes by name: cross-cut is the square with a cross cut out of its middle; the triangle is equilateral."""


def make_shape(name: str) -> SignedDistance:
    """The shape of a name.

    Raises:
        ValueError: if there is none.
    """
    if name not in SHAPES:
        raise ValueError(f"the geometry must be one of {', '.join(SHAPES)}, or a file, not '{name}'")
    return SHAPES[name]()
