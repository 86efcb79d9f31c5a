"""Shortest paths through all points of a window between its ends: sub-problems of the traveling salesman problem."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graphs import gather_nodes

from .aft import AFTDecoder, AFTEncoder
from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs


@dataclass(frozen=True)
class Paths(SubProblems):
    """Windows of tours: the first and the last point stay where they are.

    Args:
        points: Of each window in the present order, normalized by `normalize_windows`.
    """

    points: Float[Tensor, "subs nodes 2"]


def normalize_windows(
    points: Float[Tensor, "subs nodes 2"],
) -> tuple[Float[Tensor, "subs nodes 2"], Float[Tensor, " subs"]]:
    """Points of windows, shifted to the origin, flipped at the diagonal if they are higher than wide, and scaled.

    Returns:
        The points in the unit square, and by what they were divided.
    """
    shifted = points - points.amin(1, keepdim=True)
    width, height = shifted.amax(1).unbind(-1)
    scale = torch.maximum(width, height) + 1e-10
    is_high = (height > width)[:, None, None]
    return torch.where(is_high, shifted.flip(-1), shifted) / scale[:, None, None], scale


def distance_matrix(points: Float[Tensor, "subs nodes 2"]) -> Float[Tensor, "subs nodes nodes"]:
    """Euclidean distances between all points of each window."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def path_length(
    points: Float[Tensor, "subs nodes 2"], order: Int[Tensor, "subs *starts nodes"]
) -> Float[Tensor, "subs *starts"]:
    """Length of the open path through the points in this order."""
    ordered = gather_nodes(points, order)
    return (ordered[..., 1:, :] - ordered[..., :-1, :]).norm(dim=-1).sum(-1)


class _Encoded(NamedTuple):
    h: Float[Tensor, "subs nodes dim"]
    prepared: Float[Tensor, "subs nodes 2*dim"]
    costs: Float[Tensor, "subs nodes nodes"]
    ends: Float[Tensor, "subs nodes dim"]
    """The part of the query that the end of the path makes."""
    places: Float[Tensor, "subs nodes dim"]
    """The part of the query that the current node makes."""


class PathConqueror(DecodingConqueror):
    """ICAM for open paths with fixed ends.

    Answers are built in both directions: the first half of the starts begins at the first point, the second half at
    the last one, and these answers are reversed at the end.

    Args:
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=128, layers=6, hidden=512, clip=50.0)

    def __init__(self, config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        dim = sizes.dim
        self.embed = nn.Linear(2, dim)
        self.embed_ends = nn.Linear(dim, dim)
        self.encoder = AFTEncoder(dim, sizes.hidden, sizes.layers)
        self.query_end = nn.Linear(dim, dim, bias=False)
        self.query_current = nn.Linear(dim, dim, bias=False)
        self.decoder = AFTDecoder(dim, sizes.clip)

    def encode(self, sub: Paths) -> _Encoded:
        """Embeddings of the points, and their distances."""
        h = self.embed(sub.points)
        h = torch.cat([self.embed_ends(h[:, :1]), h[:, 1:-1], self.embed_ends(h[:, -1:])], 1)
        costs = distance_matrix(sub.points)
        h = self.encoder(h, costs)
        return _Encoded(h, self.decoder.prepare(h), costs, self.query_end(h), self.query_current(h))

    def episode(self, sub: Paths, n_starts: int) -> "PathEpisode":
        """Paths of one point, from both ends."""
        return PathEpisode(sub, n_starts, lambda order: path_length(sub.points, order))

    def logits(
        self, encoded: _Encoded, inputs: Inputs, allowed: Bool[Tensor, "subs some nodes"]
    ) -> Float[Tensor, "subs some nodes"]:
        """Logits of the next point, given the current one and the end."""
        current = inputs["current"]
        query = gather_nodes(encoded.places, current) + gather_nodes(encoded.ends, inputs["end"])
        return self.decoder(query, encoded.h, encoded.prepared, gather_nodes(encoded.costs, current), allowed)


class PathEpisode:
    """Paths that are built from their ends.

    Args:
        sub: Windows of tours.
        n_starts: Paths for each.
        length: Of paths from the first node to the last.
        both_ways: Build the second half of the starts from the last node.
    """

    def __init__(
        self,
        sub: SubProblems,
        n_starts: int,
        length: Callable[[Int[Tensor, "subs starts nodes"]], Float[Tensor, "subs starts"]],
        *,
        both_ways: bool = True,
    ) -> None:
        self.length = length
        n_subs, n_nodes = sub.current.shape
        device = sub.current.device
        n_forward = (n_starts + 1) // 2 if both_ways else n_starts
        self.is_reversed = torch.arange(n_starts, device=device) >= n_forward
        last = n_nodes - 1
        self.end = torch.where(self.is_reversed, 0, last).expand(n_subs, n_starts)
        self.current = last - self.end
        self.order = torch.zeros(n_subs, n_starts, n_nodes, dtype=torch.long, device=device)
        self.order[..., 0], self.order[..., -1] = self.current, self.end
        self.open = torch.ones(n_subs, n_starts, n_nodes, dtype=torch.bool, device=device)
        self.open[..., 0] = self.open[..., -1] = False
        self.step = 1

    def is_over(self) -> bool:
        """Whether only the end is left."""
        return self.step >= self.order.shape[-1] - 1

    def inputs(self) -> Inputs:
        """Where each path is, and where it must end."""
        return {"current": self.current, "end": self.end}

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """Points that are not on the path yet, but not the end."""
        return self.open

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Go to the chosen points."""
        self.open = self.open.scatter(-1, chosen[..., None], value=False)
        self.order[..., self.step] = chosen
        self.current = chosen
        self.step += 1

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """The paths from the first point to the last, and their lengths."""
        order = torch.where(self.is_reversed[:, None], self.order.flip(-1), self.order)
        return order, self.length(order)
