"""Paths that need not visit every point of a window: sub-problems of the problems that collect prizes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes
from udc_solver.graphs import gather_nodes

from .attention import AttentionDecoder, AttentionLayer
from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs
from .path import distance_matrix

LEFT_OUT = -1
"""In an answer, behind the end of the path: nothing."""
MARGIN = 1e-6
"""By how much limits are kept within, against rounding; windows are of unit size."""


@dataclass(frozen=True)
class PrizePaths(SubProblems):
    """Windows whose path begins at the first point and ends at the last one, with the others to choose from.

    An answer lists the points of the path in order, and `LEFT_OUT` behind them.

    Args:
        points: Normalized by `normalize_windows`.
        prizes: Of the points; of a mean of one half in each window.
        penalties: For leaving a point out, in the units of the points.
        budget: How long the path may be at most, in the units of the points, or how much it must collect at least.
        via: A point that must be on the path; the last one where there is no other.
    """

    points: Float[Tensor, "subs nodes 2"]
    prizes: Float[Tensor, "subs nodes"]
    penalties: Float[Tensor, "subs nodes"]
    budget: Float[Tensor, " subs"]
    via: Int[Tensor, " subs"]


def is_listed(answers: Int[Tensor, "*rows nodes"]) -> Bool[Tensor, "*rows nodes"]:
    """Which points are on the paths of answers."""
    n_nodes = answers.shape[-1]
    # Nothing is written to the place behind the last point.
    held = torch.zeros(*answers.shape[:-1], n_nodes + 1, dtype=torch.bool, device=answers.device)
    held.scatter_(-1, answers.where(answers != LEFT_OUT, n_nodes), value=True)
    return held[..., :-1]


def listed_length(
    points: Float[Tensor, "subs nodes 2"], answers: Int[Tensor, "subs *starts nodes"]
) -> Float[Tensor, "subs *starts"]:
    """Length of the paths of answers."""
    ordered = gather_nodes(points, answers.clamp(min=0))
    legs = (ordered[..., 1:, :] - ordered[..., :-1, :]).norm(dim=-1)
    return legs.masked_fill(answers[..., 1:] == LEFT_OUT, 0).sum(-1)


class PrizeEpisode:
    """Paths that grow from either end: the first half of the starts from the first point, the others from the last.

    A subclass says what may be chosen, what answers cost, and how far each path is with its budget.
    """

    def __init__(self, sub: PrizePaths, n_starts: int) -> None:
        self.sub = sub
        self.distances = distance_matrix(sub.points)
        n_subs, n_nodes, _ = sub.points.shape
        device = sub.points.device
        self.is_reversed = torch.arange(n_starts, device=device) >= (n_starts + 1) // 2
        last = n_nodes - 1
        self.end = torch.where(self.is_reversed, 0, last).expand(n_subs, n_starts)
        self.current = last - self.end
        self.via = sub.via[:, None].expand(-1, n_starts)
        self.is_via_left = self.via != last
        # How far it is from each point to the end, straight and over the point that must be visited.
        self.to_end = self._row(self.end)
        self.over_via = self._row(self.via) + self.to_end.gather(-1, self.via[..., None])
        self.order = torch.full((n_subs, n_starts, n_nodes), LEFT_OUT, device=device)
        self.order[..., 0] = self.current
        self.open = torch.ones(n_subs, n_starts, n_nodes, dtype=torch.bool, device=device)
        self.open[..., 0] = self.open[..., last] = False
        self.length = sub.points.new_zeros(n_subs, n_starts)
        self.collected = (sub.prizes[:, :1] + sub.prizes[:, -1:]).expand(-1, n_starts)
        self.done = torch.zeros(n_subs, n_starts, dtype=torch.bool, device=device)
        self.step = 1

    def is_over(self) -> bool:
        """Whether all paths have ended."""
        return bool(self.done.all())

    def inputs(self) -> Inputs:
        """Where each path is, where it must end, and how far it is with its budget."""
        return {"current": self.current, "end": self.end, "progress": self.progress()}

    def progress(self) -> Float[Tensor, "subs starts 2"]:
        """Two numbers of about one."""
        raise NotImplementedError

    def within(self, ahead: Float[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts nodes"]:
        """Which points the budget allows; `ahead` is how long the paths are at least if they go there next."""
        raise NotImplementedError

    def may_end(self, allowed: Bool[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """Which paths may go to their end, apart from the point that they must visit; `allowed` are other choices."""
        raise NotImplementedError

    @staticmethod
    def value(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Float[Tensor, "subs starts"]:
        """What answers cost."""
        raise NotImplementedError

    @staticmethod
    def is_kept(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """Whether answers keep the budget."""
        raise NotImplementedError

    def allowed(self) -> Bool[Tensor, "subs starts nodes"]:
        """Points that the budget allows, the end where the path may end, and always something."""
        onward = torch.where(self.is_via_left[..., None], self.over_via, self.to_end)
        ahead = self.length[..., None] + self._row(self.current) + onward
        allowed = self.open & self.within(ahead) & ~self.done[..., None]
        ends = (self.may_end(allowed) & ~self.is_via_left) | self.done
        # Rounding can forbid even the way that is known: then the path goes straight to what it must visit, and ends.
        stuck = ~ends & ~allowed.any(-1)
        last = torch.where(stuck & self.is_via_left, self.via, self.end)[..., None]
        return allowed.scatter(-1, last, (ends | stuck)[..., None] | allowed.gather(-1, last))

    def _row(self, node: Int[Tensor, "subs starts"]) -> Float[Tensor, "subs starts nodes"]:
        return gather_nodes(self.distances, node)

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Go to the chosen points; paths that have ended stay."""
        going = ~self.done
        self.length = self.length + self._row(self.current).gather(-1, chosen[..., None])[..., 0] * going
        ends = chosen == self.end
        gained = self.sub.prizes.gather(1, chosen)
        self.collected = self.collected + gained * (going & ~ends)
        self.order[..., self.step] = chosen.masked_fill(~going, LEFT_OUT)
        self.open = self.open.scatter(-1, chosen[..., None], value=False)
        self.is_via_left = self.is_via_left & (chosen != self.via)
        self.current = chosen.where(going, self.current)
        self.done = self.done | ends
        self.step += 1

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """The paths from the first point to the last, and their costs: infinite where they break the budget."""
        counts = (self.order != LEFT_OUT).sum(-1, keepdim=True)
        backward = counts - 1 - torch.arange(self.order.shape[-1], device=self.order.device)
        flipped = self.order.gather(-1, backward.clamp(min=0)).masked_fill(backward < 0, LEFT_OUT)
        answers = torch.where(self.is_reversed[:, None], flipped, self.order)
        return answers, self.value(self.sub, answers).masked_fill(~self.is_kept(self.sub, answers), torch.inf)


class LimitedEpisode(PrizeEpisode):
    """Paths that are not longer than a limit and collect as much as they can: sub-problems of orienteering."""

    def progress(self) -> Float[Tensor, "subs starts 2"]:
        """The length that is left, and the limit."""
        budget = self.sub.budget[:, None].expand_as(self.length)
        return torch.stack([budget - self.length, budget], -1)

    def within(self, ahead: Float[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts nodes"]:
        """Points from which the end is reached within the limit."""
        return ahead <= self.sub.budget[:, None, None] - MARGIN

    def may_end(self, allowed: Bool[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """Where there is no other choice: another prize never hurts."""
        return ~allowed.any(-1)

    @staticmethod
    def value(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Float[Tensor, "subs starts"]:
        """The negative prize."""
        return -(sub.prizes[:, None] * is_listed(answers)).sum(-1)

    @staticmethod
    def is_kept(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """Whether paths are not too long."""
        return listed_length(sub.points, answers) <= sub.budget[:, None]


class CollectingEpisode(PrizeEpisode):
    """Paths that must collect a minimum, and are short but for penalties: sub-problems of the prize-collecting TSP."""

    def progress(self) -> Float[Tensor, "subs starts 2"]:
        """What is still to be collected, and the minimum, as shares of all that there is."""
        budget = self.sub.budget[:, None]
        left = (budget - self.collected).clamp(min=0)
        total = self.sub.prizes.sum(1)[:, None, None] + MARGIN
        return torch.stack([left, budget.expand_as(left)], -1) / total

    def within(self, ahead: Float[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts nodes"]:
        """All points."""
        return torch.ones_like(ahead, dtype=torch.bool)

    def may_end(self, allowed: Bool[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """With enough collected, or with nothing left."""
        return (self.collected >= self.sub.budget[:, None]) | ~allowed.any(-1)

    @staticmethod
    def value(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Float[Tensor, "subs starts"]:
        """The length of the path, and the penalties of what it leaves out."""
        missed = (sub.penalties[:, None] * ~is_listed(answers)).sum(-1)
        return listed_length(sub.points, answers) + missed

    @staticmethod
    def is_kept(sub: PrizePaths, answers: Int[Tensor, "subs starts nodes"]) -> Bool[Tensor, "subs starts"]:
        """Whether enough is collected."""
        prize = (sub.prizes[:, None] * is_listed(answers)).sum(-1)
        return prize >= sub.budget[:, None] * (1 - MARGIN)


class _Encoded(NamedTuple):
    h: Float[Tensor, "subs nodes dim"]
    prepared: Float[Tensor, "subs nodes 2*dim"]
    places: Float[Tensor, "subs nodes dim"]
    ends: Float[Tensor, "subs nodes dim"]


class PrizeConqueror(DecodingConqueror):
    """POMO's attention network for paths that collect prizes.

    Args:
        episode_type: What the budget of a path is.
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=128, layers=6, hidden=512, heads=8, clip=10.0)

    def __init__(self, episode_type: type[PrizeEpisode], config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.episode_type = episode_type
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        dim = sizes.dim
        # Coordinates, prize, penalty, and whether the path must go there.
        self.embed = nn.Linear(5, dim)
        self.embed_ends = nn.Linear(dim, dim)
        self.encoder = nn.Sequential(*(AttentionLayer(dim, sizes.hidden, sizes.heads) for _ in range(sizes.layers)))
        self.query_current = nn.Linear(dim, dim, bias=False)
        self.query_end = nn.Linear(dim, dim, bias=False)
        self.query_progress = nn.Linear(2, dim)
        self.decoder = AttentionDecoder(dim, sizes.heads, sizes.clip)

    def encode(self, sub: PrizePaths) -> _Encoded:
        """Embeddings of the points."""
        forced = nn.functional.one_hot(sub.via, sub.points.shape[1]).to(sub.points.dtype)
        features = torch.cat([sub.points, torch.stack([sub.prizes, sub.penalties, forced], -1)], -1)
        h = self.embed(features)
        h = torch.cat([self.embed_ends(h[:, :1]), h[:, 1:-1], self.embed_ends(h[:, -1:])], 1)
        h = self.encoder(h)
        return _Encoded(h, self.decoder.prepare(h), self.query_current(h), self.query_end(h))

    def episode(self, sub: PrizePaths, n_starts: int) -> PrizeEpisode:
        """Paths of one point, from both ends."""
        return self.episode_type(sub, n_starts)

    def logits(
        self, encoded: _Encoded, inputs: Inputs, allowed: Bool[Tensor, "subs some nodes"]
    ) -> Float[Tensor, "subs some nodes"]:
        """Logits of the next point, given the current one, the end and the budget."""
        query = gather_nodes(encoded.places, inputs["current"]) + gather_nodes(encoded.ends, inputs["end"])
        query = query + self.query_progress(inputs["progress"])
        return self.decoder(query, encoded.h, encoded.prepared, allowed)
