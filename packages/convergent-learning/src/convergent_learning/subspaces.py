"""Principal angles between the subspaces that groups of units span (section 5 of the paper)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .statistics import ActivationStats


def whitening(covariance: Float[Tensor, "d d"], tolerance: float = 1e-10) -> Float[Tensor, "d rank"]:
    """A matrix W with W'CW = I over the directions that have variance (more than `tolerance` of the largest)."""
    values, vectors = torch.linalg.eigh(covariance)
    has_variance = values > tolerance * values[-1].clamp(min=1e-300)
    return vectors[:, has_variance] / values[has_variance].sqrt()


def principal_cosines(
    stats: ActivationStats, layer: str, units: tuple[Sequence[int], Sequence[int]], nets: tuple[int, int] = (0, 1)
) -> Float[Tensor, " rank"]:
    """Cosines of the principal angles between the activations of units of two networks, largest first.

    They are the canonical correlations. Dead units span nothing.

    Args:
        stats: Statistics of both networks.
        layer: The layer.
        units: Units of the first network, and of the second.
        nets: The two networks.

    Raises:
        ValueError: if one of the two groups is empty.
    """
    if not len(units[0]) or not len(units[1]):
        raise ValueError("principal angles need at least one unit of each network")
    a, b = (torch.as_tensor(list(group)) for group in units)
    i, j = nets
    first = whitening(stats.within(layer, i)[a][:, a])
    second = whitening(stats.within(layer, j)[b][:, b])
    if not first.shape[1] or not second.shape[1]:
        return torch.zeros(0, dtype=torch.float64)
    return torch.linalg.svdvals(first.T @ stats.cross(layer, i, j)[a][:, b] @ second).clamp(0, 1)


def random_cosines(
    stats: ActivationStats,
    layer: str,
    sizes: tuple[int, int],
    generator: torch.Generator,
    nets: tuple[int, int] = (0, 1),
    n: int = 100,
) -> Float[Tensor, " n"]:
    """Mean cosines between random groups of units of these sizes: the control for a cluster."""
    widths = [stats[layer].sizes[net] for net in nets]
    means = []
    for _ in range(n):
        a, b = (
            torch.randperm(width, generator=generator)[:size].tolist()
            for width, size in zip(widths, sizes, strict=True)
        )
        cosines = principal_cosines(stats, layer, (a, b), nets)
        means.append(cosines.mean() if len(cosines) else torch.zeros((), dtype=torch.float64))
    return torch.stack(means)
