"""What similarity means nothing: controls for every measure of it."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from .matching import Matching
from .statistics import ActivationStats


def random_rotation(n: int, generator: torch.Generator) -> Float[Tensor, "n n"]:
    """An orthogonal matrix, uniform over all of them (Haar), float64."""
    q, r = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    return q * r.diagonal().sign()


def rotate(stats: ActivationStats, layer: str, net: int, generator: torch.Generator) -> ActivationStats:
    """The statistics as if one network had a random orthogonal map after the layer.

    It spans the same subspace in another basis: what all units predict stays, while one-to-one matching falls. Kept
    samples are rotated, too.
    """
    one = stats[layer]
    turn = torch.eye(sum(one.sizes), dtype=torch.float64)
    at = one.of(net)
    turn[at, at] = random_rotation(one.sizes[net], generator)
    covariance = turn @ one.covariance.cpu() @ turn.T
    turned = replace(
        one,
        mean=turn @ one.mean.cpu(),
        covariance=(covariance + covariance.T) / 2,
        samples=(one.samples.double() @ turn.T).float(),
    )
    return ActivationStats({**stats.layers, layer: turned})


def shuffle(stats: ActivationStats, layer: str, net: int, generator: torch.Generator) -> ActivationStats:
    """The statistics of the kept samples, those of one network in random order: nothing is shared any more.

    Raises:
        ValueError: if no samples were kept.
    """
    one = stats[layer]
    if len(one.samples) < 2:
        raise ValueError(f"no samples of layer {layer} were kept; collect them with keep=10000")
    rows = one.samples.double()
    at = one.of(net)
    rows[:, at] = rows[torch.randperm(len(rows), generator=generator), at]
    shuffled = replace(
        one,
        count=len(rows),
        mean=rows.mean(0),
        covariance=torch.cov(rows.T, correction=0).reshape(rows.shape[1], -1),
        samples=rows.float(),
    )
    return ActivationStats({**stats.layers, layer: shuffled})


def random_matching(similarity: Float[Tensor, "p q"], generator: torch.Generator) -> Matching:
    """Partners at random, one to one."""
    p, q = similarity.shape
    index = torch.full((p,), -1)
    n = min(p, q)
    index[torch.randperm(p, generator=generator)[:n]] = torch.randperm(q, generator=generator)[:n]
    value = similarity.gather(1, index.clamp(min=0)[:, None])[:, 0]
    return Matching(index, torch.where(index >= 0, value, torch.nan), "random")
