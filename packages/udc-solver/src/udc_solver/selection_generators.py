"""Random instances of the problems that select, from the paper's distributions, drawn on the CPU."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from .selections import Items, Networks, Orienteering, PrizeCollecting, StochasticPrizes, stack_networks

LARGE = 500
"""Points from which an orienteering route may be as long as `LONG`."""
LONG = 4.0
LENGTHS = ((500, 9.0), (1000, 12.0), (5000, 20.0), (10_000, 38.0))
"""Numbers of points, and the length of route by which penalties are scaled, of the prize-collecting TSP."""
EDGE_PROBABILITY = 0.15
"""Of the Erdos-Renyi graphs for independent sets."""


def _with_depot(values: Float[Tensor, "batch n"]) -> Float[Tensor, "batch n+1"]:
    return torch.cat([values.new_zeros(len(values), 1), values], 1)


def orienteering(n: int, batch: int, generator: torch.Generator) -> Orienteering:
    """Uniform points whose prizes grow with their distance d from the depot: (1 + floor(99 d / max d)) / 100.

    The limit is 4 from 500 points on, and for fewer shrinks as the square root of their number does, as the length of
    a tour does.
    """
    points = torch.rand(batch, n + 1, 2, generator=generator)
    away = (points[:, 1:] - points[:, :1]).norm(dim=-1)
    prizes = (1 + (99 * away / away.amax(1, keepdim=True)).floor()) / 100
    limit = LONG * min(1.0, (n / LARGE) ** 0.5)
    return Orienteering(points, _with_depot(prizes), torch.full((batch,), limit))


def route_length(n: int) -> float:
    """K_n, by which penalties are scaled: the published numbers, between them in proportion to the square root."""
    for (low, short), (high, long) in itertools.pairwise(LENGTHS):
        if low <= n <= high:
            share = (n**0.5 - low**0.5) / (high**0.5 - low**0.5)
            return short + share * (long - short)
    nearest, length = LENGTHS[0] if n < LENGTHS[0][0] else LENGTHS[-1]
    return length * (n / nearest) ** 0.5


def prize_collecting(n: int, batch: int, generator: torch.Generator) -> PrizeCollecting:
    """Uniform points with prizes U(0, 1) * 4 / n, of which 1 must be collected, and penalties U(0, 1) * 3 K_n / n.

    Where all prizes of a draw add up to less than 1, what must be collected is their sum.
    """
    points = torch.rand(batch, n + 1, 2, generator=generator)
    prizes = torch.rand(batch, n, generator=generator) * 4 / n
    penalties = torch.rand(batch, n, generator=generator) * 3 * route_length(n) / n
    minimum = prizes.sum(1).mul(1 - 1e-6).clamp(max=1.0)
    return PrizeCollecting(points, _with_depot(prizes), _with_depot(penalties), minimum)


def stochastic_prizes(n: int, batch: int, generator: torch.Generator) -> StochasticPrizes:
    """As `prize_collecting`; the prize that is found at a point is U(0, 1) * 2 times the one that is expected."""
    plain = prize_collecting(n, batch, generator)
    realized = plain.prizes * 2 * torch.rand(plain.prizes.shape, generator=generator)
    return StochasticPrizes(plain.points, plain.prizes, plain.penalties, plain.minimum, realized)


def items(n: int, batch: int, generator: torch.Generator) -> Items:
    """Weights and values drawn from U(0, 1); the knapsack holds n / 10, 50 for 500 items, and 100 from 1,000 on."""
    weights, values = torch.rand(2, batch, n, generator=generator)
    capacity = max(min(n / 10, 100.0), 1.0)
    return Items(weights, values, torch.full((batch,), capacity))


def random_graphs(n: int, batch: int, generator: torch.Generator, probability: float = EDGE_PROBABILITY) -> Networks:
    """Erdos-Renyi graphs: each pair of nodes is an edge with the same probability."""
    pairs = torch.triu_indices(n, n, 1).T
    edges = [pairs[torch.rand(len(pairs), generator=generator) < probability] for _ in range(batch)]
    return stack_networks(edges, n)
