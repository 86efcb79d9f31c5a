"""The last layer of a hypernetwork, which gives every predicted number and is nearly all of its weights."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Heads = Literal["joint", "per-tensor", "chunked", "low-rank"]
HEADS: tuple[Heads, ...] = ("joint", "per-tensor", "chunked", "low-rank")

Stds = Mapping[str, float]
"""Standard deviation of the weights that lead to each predicted tensor, at initialization."""


class JointHead(nn.Module):
    """θ = W z: one matrix for all predicted numbers.

    Args:
        hidden: Width h of the last hidden layer.
        sizes: Numbers in each predicted tensor, by name.
    """

    def __init__(self, hidden: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.weight = nn.Parameter(torch.zeros(sum(sizes.values()), hidden))

    def forward(self, z: Float[Tensor, "*batch h"], base: Float[Tensor, "n"] | None) -> Float[Tensor, "*batch n"]:
        """All predicted numbers, with the base added."""
        return functional.linear(z, self.weight, base)

    @torch.no_grad()
    def initialize(self, stds: Stds, delta: float = 1.0, generator: torch.Generator | None = None) -> None:
        """Draw the weights: normal, with `delta` times a standard deviation for each tensor."""
        for name, rows in zip(self.sizes, self.weight.split(list(self.sizes.values())), strict=True):
            rows.normal_(0, delta * stds[name], generator=generator)


class PerTensorHead(nn.Module):
    """θ_i = W_i z: a matrix for each predicted tensor.

    The same function as `JointHead`. No single matrix is as large, optimizers that look at whole tensors see each, and
    so do learning rates by name.
    """

    def __init__(self, hidden: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.weights = nn.ParameterList([nn.Parameter(torch.zeros(size, hidden)) for size in sizes.values()])

    def forward(self, z: Float[Tensor, "*batch h"], base: Float[Tensor, "n"] | None) -> Float[Tensor, "*batch n"]:
        """All predicted numbers, with the base added."""
        flat = torch.cat([functional.linear(z, weight) for weight in self.weights], dim=-1)
        return flat if base is None else flat + base

    @torch.no_grad()
    def initialize(self, stds: Stds, delta: float = 1.0, generator: torch.Generator | None = None) -> None:
        """Draw the weights: normal, with `delta` times a standard deviation for each tensor."""
        for name, weight in zip(self.sizes, self.weights, strict=True):
            weight.normal_(0, delta * stds[name], generator=generator)


class LowRankHead(nn.Module):
    """θ = U V z with r columns of U: r / h of the weights of `JointHead`.

    Args:
        hidden: Width h of the last hidden layer.
        sizes: Numbers in each predicted tensor, by name.
        rank: The rank r.
    """

    def __init__(self, hidden: int, sizes: Mapping[str, int], rank: int) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.down = nn.Parameter(torch.zeros(rank, hidden))
        self.up = nn.Parameter(torch.zeros(sum(sizes.values()), rank))

    def forward(self, z: Float[Tensor, "*batch h"], base: Float[Tensor, "n"] | None) -> Float[Tensor, "*batch n"]:
        """All predicted numbers, with the base added."""
        return functional.linear(functional.linear(z, self.down), self.up, base)

    @torch.no_grad()
    def initialize(self, stds: Stds, delta: float = 1.0, generator: torch.Generator | None = None) -> None:
        """Draw V so that it keeps the mean square norm, and U with `delta` times that of each tensor."""
        self.down.normal_(0, 1 / math.sqrt(len(self.down)), generator=generator)
        for name, rows in zip(self.sizes, self.up.split(list(self.sizes.values())), strict=True):
            rows.normal_(0, delta * stds[name], generator=generator)


class ChunkedHead(nn.Module):
    """θ in chunks of c numbers, s ⊙ H (e_k ⊙ z) for the k-th: one matrix H, and an embedding e_k for each chunk.

    c h + h n / c weights instead of n h (chunks after Ha et al. 2017 and von Oswald et al. 2020; here the embedding
    gates the last hidden layer, so that θ is still linear in z). The scales s are fixed at initialization.

    Args:
        hidden: Width h of the last hidden layer.
        sizes: Numbers in each predicted tensor, by name.
        chunk: Numbers c in a chunk.
    """

    scale: Tensor

    def __init__(self, hidden: int, sizes: Mapping[str, int], chunk: int) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.n = sum(sizes.values())
        self.weight = nn.Parameter(torch.zeros(min(chunk, self.n), hidden))
        self.embeddings = nn.Parameter(torch.zeros(math.ceil(self.n / len(self.weight)), hidden))
        self.register_buffer("scale", torch.zeros(self.n))

    def forward(self, z: Float[Tensor, "*batch h"], base: Float[Tensor, "n"] | None) -> Float[Tensor, "*batch n"]:
        """All predicted numbers, with the base added."""
        chunks = functional.linear(z[..., None, :] * self.embeddings, self.weight)
        flat = self.scale * chunks.flatten(-2)[..., : self.n]
        return flat if base is None else flat + base

    @torch.no_grad()
    def initialize(self, stds: Stds, delta: float = 1.0, generator: torch.Generator | None = None) -> None:
        """Draw H with the standard deviation `delta`, and embeddings of ±1, which keep the norm of z.

        Since scales stay as they are, one that would be 0 becomes that of a vector of norm 1.
        """
        self.weight.normal_(0, delta, generator=generator)
        signs = torch.empty_like(self.embeddings).bernoulli_(0.5, generator=generator)
        self.embeddings.copy_(2 * signs - 1)
        for name, part in zip(self.sizes, self.scale.split(list(self.sizes.values())), strict=True):
            part.fill_(stds[name] or 1 / math.sqrt(len(part)))


Head = JointHead | PerTensorHead | LowRankHead | ChunkedHead


def make_head(kind: Heads, hidden: int, sizes: Mapping[str, int], rank: int, chunk: int) -> Head:
    """The head of a kind, with weights that are still 0.

    Raises:
        ValueError: if the kind is unknown, or rank or chunk is not positive.
    """
    if rank < 1 or chunk < 1:
        raise ValueError(f"rank and chunk must be at least 1, not {rank} and {chunk}")
    if kind == "joint":
        return JointHead(hidden, sizes)
    if kind == "per-tensor":
        return PerTensorHead(hidden, sizes)
    if kind == "low-rank":
        return LowRankHead(hidden, sizes, rank)
    if kind == "chunked":
        return ChunkedHead(hidden, sizes, chunk)
    raise ValueError(f"the heads must be {', '.join(HEADS[:-1])} or {HEADS[-1]}, not {kind!r}")


def count_head(kind: Heads, hidden: int, sizes: Sequence[int], rank: int, chunk: int) -> int:
    """Weights of a head, without making it."""
    n = sum(sizes)
    if kind == "low-rank":
        return rank * (hidden + n)
    if kind == "chunked":
        chunk = min(chunk, n)
        return hidden * (chunk + math.ceil(n / chunk))
    return hidden * n
