"""Items for a part of a knapsack: sub-problems of the knapsack problem."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from udc_solver.configs import ConquerorConfig, ConquerorSizes

from .aft import AFTDecoder, AFTEncoder
from .conqueror import SubProblems
from .decoding import DecodingConqueror, Inputs


@dataclass(frozen=True)
class Groups(SubProblems):
    """Groups of items. An answer says which of them are in.

    Args:
        weights: Not negative.
        values: Not negative.
        capacity: Of each group.
    """

    weights: Float[Tensor, "subs items"]
    values: Float[Tensor, "subs items"]
    capacity: Float[Tensor, " subs"]


class _Encoded(NamedTuple):
    h: Float[Tensor, "subs items dim"]
    prepared: Float[Tensor, "subs items 2*dim"]
    mean: Float[Tensor, "subs 1 dim"]
    costs: Float[Tensor, "subs 1 items"]


class GroupConqueror(DecodingConqueror):
    """ICAM for knapsacks: the better a pair of items is, the more they attend to each other.

    Answers to one group differ in the item that they begin with, as of POMO.

    Args:
        config: Sizes.
    """

    DEFAULTS = ConquerorSizes(dim=128, layers=6, hidden=512, clip=10.0)
    default_starts = 8

    def __init__(self, config: ConquerorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ConquerorConfig()
        sizes = self.config.sizes(self.DEFAULTS)
        self.embed = nn.Linear(2, sizes.dim)
        self.encoder = AFTEncoder(sizes.dim, sizes.hidden, sizes.layers)
        self.query = nn.Linear(sizes.dim + 1, sizes.dim, bias=False)
        self.decoder = AFTDecoder(sizes.dim, sizes.clip)

    def encode(self, sub: Groups) -> _Encoded:
        """Embeddings of the items."""
        weights, values = (
            part / (2 * part.mean(1, keepdim=True)).clamp(min=1e-9) for part in (sub.weights, sub.values)
        )
        both = [part[:, :, None] + part[:, None] for part in (weights, values)]
        # From 0 for the best pairs to 1 for worthless ones.
        costs = both[0] / (both[0] + both[1]).clamp(min=1e-9)
        own = (weights / (weights + values).clamp(min=1e-9))[:, None]
        h = self.encoder(self.embed(torch.stack([weights, values], -1)), costs)
        return _Encoded(h, self.decoder.prepare(h), h.mean(1, keepdim=True), own)

    def episode(self, sub: Groups, n_starts: int) -> "GroupEpisode":
        """Empty groups."""
        return GroupEpisode(sub, n_starts)

    def logits(
        self, encoded: _Encoded, inputs: Inputs, allowed: Bool[Tensor, "subs some items"]
    ) -> Float[Tensor, "subs some items"]:
        """Logits of the next item, given what still fits."""
        left = inputs["left"][..., None]
        n_rows = left.shape[1]
        query = self.query(torch.cat([encoded.mean.expand(-1, n_rows, -1), left], -1))
        costs = encoded.costs.expand(-1, n_rows, -1)
        return self.decoder(query, encoded.h, encoded.prepared, costs, allowed)


class GroupEpisode:
    """Groups that are filled until nothing more fits."""

    def __init__(self, sub: Groups, n_starts: int) -> None:
        self.sub = sub
        n_subs, n_items = sub.weights.shape
        device = sub.weights.device
        self.taken = torch.zeros(n_subs, n_starts, n_items, dtype=torch.bool, device=device)
        self.left = sub.capacity[:, None].expand(-1, n_starts)
        self.unit = (sub.weights.sum(1, keepdim=True)).clamp(min=1e-9)
        ranked = (sub.values / sub.weights.clamp(min=1e-9)).argsort(1, descending=True)
        begin = ranked[:, torch.arange(n_starts, device=device) % n_items]
        self.begin: Bool[Tensor, "subs starts items"] | None = nn.functional.one_hot(begin, n_items).bool()
        self.fits = self._fits()
        self.done = ~self.fits.any(-1)

    def _fits(self) -> Bool[Tensor, "subs starts items"]:
        return ~self.taken & (self.sub.weights[:, None] <= self.left[..., None])

    def is_over(self) -> bool:
        """Whether nothing more fits anywhere."""
        return bool(self.done.all())

    def inputs(self) -> Inputs:
        """What still fits, as a share of the weight of all items."""
        return {"left": self.left / self.unit}

    def allowed(self) -> Bool[Tensor, "subs starts items"]:
        """What fits; first, of each start the item that it begins with; and anything in a group that is full."""
        allowed = self.fits | self.done[..., None]
        if self.begin is None:
            # In full groups one choice, so that its probability is one.
            only = torch.zeros_like(allowed)
            only[..., 0] = True
            return torch.where(self.done[..., None], only, allowed)
        forced = self.begin & allowed
        return torch.where(forced.any(-1, keepdim=True), forced, allowed)

    def advance(self, chosen: Int[Tensor, "subs starts"]) -> None:
        """Put the chosen items in."""
        going = ~self.done
        self.begin = None
        self.taken = self.taken.scatter(
            -1, chosen[..., None], self.taken.gather(-1, chosen[..., None]) | going[..., None]
        )
        self.left = self.left - self.sub.weights.gather(1, chosen) * going
        self.fits = self._fits()
        self.done = self.done | ~self.fits.any(-1)

    def finish(self) -> tuple[Tensor, Float[Tensor, "subs starts"]]:
        """What is in, and the negative values."""
        return self.taken, -(self.taken * self.sub.values[:, None]).sum(-1)
