"""Mutual information between units, as a similarity that need not be linear (section 3 of the paper)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 8192
BLOCK = 64
"""Units of each side whose joint histograms are counted at once."""


def bin_activations(x: Float[Tensor, "n units"], bins: int = 10) -> Int[Tensor, "n units"]:
    """The bin of each activation: 0 for exactly zero, and 1 to `bins` by quantiles of the others.

    Args:
        x: Activations after the ReLU, or any others.
        bins: Number of bins beside that of zero.

    Raises:
        ValueError: if there are fewer than 2 bins or no samples, or an activation is not finite.
    """
    if bins < 2 or not len(x):
        raise ValueError(f"mutual information needs samples and 2 or more bins, not {len(x)} samples in {bins} bins")
    if not bool(x.isfinite().all()):
        raise ValueError("an activation is not finite; mutual information needs finite ones")
    codes = torch.zeros(x.shape, dtype=torch.long, device=x.device)
    inner = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=x.device)[1:-1]
    for unit in range(x.shape[1]):
        column = x[:, unit].double().contiguous()
        others = column[column != 0].sort().values
        if len(others):
            edges = others[(inner * len(others)).long()]
            codes[:, unit] = torch.where(column == 0, 0, 1 + torch.bucketize(column, edges, right=True))
    return codes


def mutual_information(
    x: Float[Tensor, "n p"], y: Float[Tensor, "m q"], bins: int = 10, *, correct: bool = True
) -> Float[Tensor, "p q"]:
    """Mutual information of every pair of units, in nats, from joint histograms.

    I = sum p_ij log(p_ij / (p_i p_j)), less the first-order bias (n_x - 1)(n_y - 1) / (2 N) of a histogram, n_x and n_y
    being the bins in use (Miller 1955). It can therefore be slightly below zero.

    Args:
        x: Activations of the first layer.
        y: Those of the second, for the same samples at the same positions.
        bins: Number of bins by quantiles; zeros have one of their own.
        correct: Whether the bias is subtracted.

    Raises:
        ValueError: if the numbers of samples differ, or as `bin_activations` does.
    """
    if len(x) != len(y):
        raise ValueError(f"the two layers must have the same samples, not {len(x)} and {len(y)}")
    a, b = bin_activations(x, bins), bin_activations(y, bins)
    rows = [torch.cat([_blocks(a[:, i : i + BLOCK], b[:, j : j + BLOCK], bins + 1, correct)
            for j in range(0, b.shape[1], BLOCK)], 1) for i in range(0, a.shape[1], BLOCK)]  # fmt: skip
    return torch.cat(rows)


def _blocks(a: Int[Tensor, "n p"], b: Int[Tensor, "n q"], n_bins: int, correct: bool) -> Float[Tensor, "p q"]:
    n, p, q = len(a), a.shape[1], b.shape[1]
    joint = torch.zeros(p * n_bins, q * n_bins, dtype=torch.float64, device=a.device)
    for start in range(0, n, CHUNK):
        # Counts below 2^24 are exact in single precision.
        left, right = (_one_hot(codes[start : start + CHUNK], n_bins) for codes in (a, b))
        joint += left.T @ right
    cells = joint.view(p, n_bins, q, n_bins).permute(0, 2, 1, 3) / n
    px, py = cells.sum(3), cells.sum(2)
    independent = px[..., :, None] * py[..., None, :]
    information = torch.where(cells > 0, cells * (cells / independent.clamp(min=1e-300)).clamp(min=1e-300).log(), 0)
    bias = ((px > 0).sum(-1) - 1) * ((py > 0).sum(-1) - 1) / (2 * n) if correct else 0
    return information.sum((2, 3)) - bias


def _one_hot(codes: Int[Tensor, "n units"], n_bins: int) -> Float[Tensor, "n cells"]:
    return torch.nn.functional.one_hot(codes, n_bins).flatten(1).float()
