"""Nearest neighbors and the chamfer distance of point clouds."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .libraries import pytorch3d_ops

CHUNK = 1 << 22
"""Distances that brute force holds at once."""
TREE_FROM = 1 << 16
"""Pairs from which a k-d tree is faster than brute force on a CPU."""

Method = Literal["auto", "tree", "brute", "pytorch3d"]


def nearest(
    x: Float[Tensor, "b n 3"], y: Float[Tensor, "b m 3"], method: Method = "auto"
) -> tuple[Float[Tensor, "b n"], Int[Tensor, "b n"]]:
    """For each point of `x`, the distance and index of the nearest point of `y`.

    Distances are exact and can be differentiated with respect to both clouds.

    Args:
        x: Points that ask.
        y: Points that are found.
        method: A k-d tree (SciPy), brute force in chunks (memory is bounded), PyTorch3D, or what is fastest (auto).

    Raises:
        ValueError: if there is no point in `y`, or PyTorch3D is asked for and not there.
    """
    if not y.shape[1]:
        raise ValueError("there is no point to find")
    indices = _search(x.detach(), y.detach(), method)
    found = torch.take_along_dim(y, indices[..., None], 1)
    return torch.linalg.vector_norm(x - found, dim=-1), indices


def chamfer_distance(
    x: Float[Tensor, "b n 3"], y: Float[Tensor, "b m 3"], method: Method = "auto"
) -> Float[Tensor, "b"]:
    """Half the sum of the mean distances from each cloud to the other; distances are not squared.

    Raises:
        ValueError: if one of them has no point.
    """
    if not x.shape[1]:
        raise ValueError("there is no point to measure from")
    return (nearest(x, y, method)[0].mean(1) + nearest(y, x, method)[0].mean(1)) / 2


def _search(x: Tensor, y: Tensor, method: Method) -> Tensor:
    """Indices of nearest neighbors by the fastest way there is."""
    if method == "auto":
        method = _fastest(x, y)
    if method == "tree":
        return _by_tree(x, y)
    if method == "brute":
        return _by_brute_force(x, y)
    ops = pytorch3d_ops()
    if ops is None:
        raise ValueError("PyTorch3D is not installed; leave the method to auto")
    return ops.knn_points(x, y, K=1).idx[..., 0]


def _fastest(x: Tensor, y: Tensor) -> Method:
    if x.device.type == "cpu":
        return "tree" if x.shape[1] * y.shape[1] >= TREE_FROM else "brute"
    return "pytorch3d" if x.is_cuda and pytorch3d_ops() is not None else "brute"


def _by_tree(x: Tensor, y: Tensor) -> Tensor:
    from scipy.spatial import cKDTree

    pairs = zip(x.cpu().numpy(), y.cpu().numpy(), strict=True)
    found = [torch.from_numpy(cKDTree(points).query(asking)[1]) for asking, points in pairs]
    return torch.stack(found).to(x.device, torch.long) if found else x.new_zeros(x.shape[:2], dtype=torch.long)


def _by_brute_force(x: Tensor, y: Tensor) -> Tensor:
    """All pairs, in chunks of `CHUNK`; without the expansion of the square, which would cancel digits."""
    rows = max(1, CHUNK // max(1, x.shape[0] * y.shape[1]))
    mode = "donot_use_mm_for_euclid_dist"
    found = [torch.cdist(part, y, compute_mode=mode).argmin(2) for part in x.split(rows, 1) if part.shape[1]]
    return torch.cat(found, 1) if found else x.new_zeros(x.shape[:2], dtype=torch.long)
