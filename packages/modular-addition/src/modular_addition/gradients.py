"""Loss and gradients over all pairs, of several networks at once, in pieces that stay in the cache."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .configs import Activation
from .groups import PairData
from .network import ACTIVATIONS

CACHED = 2**18
"""Hidden activations that are computed at a time."""


def _gelu_slope(z: Tensor) -> Tensor:
    return torch.special.ndtr(z) + z * torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


SLOPES: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": lambda z: (z > 0).to(z.dtype),
    "quad": lambda z: 2 * z,
    "gelu": _gelu_slope,
    "identity": torch.ones_like,
}
"""Derivatives of the activation functions."""


@dataclass(frozen=True)
class Batch:
    """The pairs of several networks of the same p: the same pairs, but each with its own labels and weights."""

    x: Int[Tensor, "pairs"]
    y: Int[Tensor, "pairs"]
    labels: Int[Tensor, "members pairs 2"]
    train: Float[Tensor, "members pairs 2"]
    test: Float[Tensor, "members pairs 2"]

    @classmethod
    def stack(cls, data: list[PairData], device: torch.device | str = "cpu") -> "Batch":
        """Put the data of several networks together.

        Raises:
            ValueError: if there is none, or they are of different groups.
        """
        if not data or len({one.p for one in data}) > 1:
            raise ValueError("networks that train together need data of the same group, one for each")
        labels, train, test = (
            torch.stack([getattr(one, name) for one in data]).to(device) for name in ("labels", "train", "test")
        )
        return cls(data[0].x.to(device), data[0].y.to(device), labels, train, test)

    @property
    def share(self) -> Float[Tensor, "members pairs 2"]:
        """Training weights that sum to 1 for each member."""
        return self.train.double() / self.train.double().sum((1, 2), keepdim=True)


def _pieces(n_members: int, n_pairs: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Members and pairs that are computed together."""
    pairs = max(1, min(n_pairs, CACHED // width))
    members = max(1, CACHED // (width * pairs))
    for first in range(0, n_members, members):
        for start in range(0, n_pairs, pairs):
            yield slice(first, first + members), slice(start, start + pairs)


@torch.no_grad()
def all_logits(
    theta: Float[Tensor, "members width p"],
    w_out: Float[Tensor, "members p width"],
    batch: Batch,
    activation: Activation,
) -> Float[Tensor, "members pairs p"]:
    """The logits of every pair."""
    rows = theta.mT.contiguous()
    found = torch.empty(len(theta), len(batch.x), theta.shape[2], dtype=theta.dtype, device=theta.device)
    for some, here in _pieces(len(theta), len(batch.x), theta.shape[1]):
        hidden = rows[some].index_select(1, batch.x[here])
        hidden += rows[some].index_select(1, batch.y[here])
        found[some, here] = ACTIVATIONS[activation](hidden) @ w_out[some].mT
    return found


@torch.no_grad()
def loss_and_gradients(
    theta: Float[Tensor, "members width p"],
    w_out: Float[Tensor, "members p width"],
    batch: Batch,
    activation: Activation,
    *,
    share: Float[Tensor, "members pairs 2"] | None = None,
    precise: bool = True,
) -> tuple[Float[Tensor, "members"], Float[Tensor, "members width p"], Float[Tensor, "members p width"]]:
    """The mean cross-entropy over the training pairs of each member, and its gradients.

    What autograd computes, without keeping the hidden activations of all pairs.

    Args:
        theta: Weights of the numbers, a row for each neuron.
        w_out: Weights of the classes.
        batch: The pairs.
        activation: σ.
        share: `batch.share`, where it is known already.
        precise: Compute the loss in double precision; late in training, single precision has steps of 1e-7.

    Returns:
        Losses, and the gradients of theta and w_out.
    """
    share = batch.share if share is None else share
    rows = theta.mT.contiguous()
    of_rows, of_out = torch.zeros_like(rows), torch.zeros_like(w_out)
    losses = torch.zeros(len(theta), dtype=torch.double, device=theta.device)
    for some, here in _pieces(len(theta), len(batch.x), theta.shape[1]):
        x, y, labels, weights = batch.x[here], batch.y[here], batch.labels[some, here], share[some, here]
        hidden = rows[some].index_select(1, x)
        hidden += rows[some].index_select(1, y)
        active = ACTIVATIONS[activation](hidden)
        logits = active @ w_out[some].mT
        logs = torch.log_softmax(logits.double() if precise else logits, -1)
        losses[some] -= (logs.gather(-1, labels).double() * weights).sum((1, 2))
        error = logs.exp_().mul_(weights.sum(-1, keepdim=True).to(logs.dtype))
        error.scatter_add_(-1, labels, -weights.to(logs.dtype))
        error = error.to(theta.dtype)
        of_out[some] += error.mT @ active
        of_hidden = (error @ w_out[some]).mul_(SLOPES[activation](hidden))
        of_rows[some] = of_rows[some].index_add(1, x, of_hidden).index_add_(1, y, of_hidden)
    return losses, of_rows.mT, of_out
