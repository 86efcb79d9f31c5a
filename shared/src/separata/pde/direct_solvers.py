"""Direct solvers for the equations of finite volumes: on the CPU with SciPy, elsewhere in batches with torch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from .finite_volumes import FiniteVolumes

if TYPE_CHECKING:
    import numpy as np

WIDEST_BAND = 256
"""Of a matrix that is factorized as a band: beyond it a sparse factorization is faster, and smaller."""

LARGEST_FACTOR = 2**28
"""Entries of the factors that block elimination keeps at a time: 2 GiB of float64."""


def solve_definite(system: FiniteVolumes) -> Float[Tensor, "n *grid"]:
    """Solve positive definite systems.

    Nodes are numbered with the longest axis first, which makes the band as narrow as can be. On the CPU each matrix is
    factorized by LAPACK's Cholesky factorization of a band or, where that is wide, by SuperLU. On other devices all
    samples are eliminated together, a layer of nodes at a time.
    """
    axes = sorted(range(1, system.diagonal.ndim), key=lambda axis: -system.diagonal.shape[axis])
    ordered = FiniteVolumes(
        tuple(system.couplings[axis - 1].permute(0, *axes) for axis in axes),
        *(part.permute(0, *axes) for part in (system.diagonal, system.leak, system.right, system.unknown)),
    )
    if system.diagonal.device.type != "cpu":
        solution = solve_blocks(ordered)
    elif ordered.diagonal[0, 0].numel() <= WIDEST_BAND:
        solution = solve_banded(ordered)
    else:
        solution = solve_sparse(ordered)
    return solution.permute(0, *(1 + axes.index(axis) for axis in range(1, system.diagonal.ndim)))


def solve_banded(system: FiniteVolumes) -> Float[Tensor, "n *grid"]:
    """Solve positive definite systems by the Cholesky factorization of a band, one sample after another."""
    import numpy as np
    from scipy.linalg import solveh_banded

    out = np.empty(system.right.shape, dtype=np.float64)
    for i, (diagonal, others, right) in enumerate(_matrices(system)):
        # Columns lie together, as LAPACK wants them.
        band = np.zeros((diagonal.size, max(others, default=0) + 1)).T
        band[0] = diagonal
        for offset, entries in others.items():
            band[offset] = entries
        solution = solveh_banded(band, right, lower=True, overwrite_ab=True, check_finite=False)
        out[i] = solution.reshape(out.shape[1:])
    return torch.from_numpy(out).to(system.right)


def solve_sparse(system: FiniteVolumes) -> Float[Tensor, "n *grid"]:
    """Solve positive definite systems by SuperLU's sparse factorization, one sample after another."""
    import numpy as np
    from scipy.sparse import dia_array
    from scipy.sparse.linalg import splu

    options = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    out = np.empty(system.right.shape, dtype=np.float64)
    for i, (diagonal, others, right) in enumerate(_matrices(system)):
        bands, offsets = [diagonal], [0]
        for offset, entries in others.items():
            bands += [entries, np.roll(entries, offset)]
            offsets += [-offset, offset]
        matrix = dia_array((np.stack(bands), offsets), shape=(diagonal.size,) * 2).tocsc()
        out[i] = splu(matrix, permc_spec="MMD_AT_PLUS_A", **options).solve(right).reshape(out.shape[1:])
    return torch.from_numpy(out).to(system.right)


def solve_blocks(system: FiniteVolumes) -> Float[Tensor, "n *grid"]:
    """Solve positive definite systems by elimination of one layer of nodes after another, all samples together."""
    n, layers, *rest = system.diagonal.shape
    width = torch.Size(rest).numel()
    chunk = max(1, LARGEST_FACTOR // (layers * width**2))
    parts = []
    for start in range(0, n, chunk):
        here = slice(start, start + chunk)
        parts.append(
            _eliminate(
                system.diagonal[here].flatten(2),
                {offset: entries.flatten(2) for offset, entries in _padded(system, here).items() if offset < width},
                system.couplings[0][here].flatten(2),
                system.right[here].flatten(2),
            )
        )
    return torch.cat(parts).reshape(system.right.shape)


def _eliminate(diagonal: Tensor, within: dict[int, Tensor], between: Tensor, right: Tensor) -> Tensor:
    """Block elimination; `within` couples nodes of a layer, by their offset, and `between` a layer with the next."""
    layers = diagonal.shape[1]
    inverses: list[Tensor] = []
    values: list[Tensor] = []
    for i in range(layers):
        block = torch.diag_embed(diagonal[:, i])
        for offset, entries in within.items():
            part = entries[:, i, : entries.shape[2] - offset]
            block -= torch.diag_embed(part, offset) + torch.diag_embed(part, -offset)
        value = right[:, i]
        if i:
            link = between[:, i - 1]
            block -= link[:, :, None] * inverses[-1] * link[:, None, :]
            value = value + link * (inverses[-1] @ values[-1][..., None])[..., 0]
        inverses.append(torch.cholesky_inverse(torch.linalg.cholesky(block)))
        values.append(value)
    found = [(inverses[-1] @ values[-1][..., None])[..., 0]]
    for i in reversed(range(layers - 1)):
        value = values[i] + between[:, i] * found[-1]
        found.append((inverses[i] @ value[..., None])[..., 0])
    return torch.stack(found[::-1], 1)


def _padded(system: FiniteVolumes, here: slice) -> dict[int, Tensor]:
    """The couplings as tensors on the whole grid, zero in the last layer, by the distance of neighbors in memory."""
    found = {}
    for axis, coupling in enumerate(system.couplings, 1):
        pad = [0, 0] * (coupling.ndim - 1 - axis) + [0, 1]
        offset = torch.Size(coupling.shape[axis + 1 :]).numel()
        found[offset] = torch.nn.functional.pad(coupling[here], pad)
    return found


def _matrices(system: FiniteVolumes) -> Iterator[tuple["np.ndarray", dict[int, "np.ndarray"], "np.ndarray"]]:
    """Of each sample the diagonal, the rows below it by their offset, and the right-hand side."""
    for i in range(len(system.diagonal)):
        here = slice(i, i + 1)
        parts = [system.diagonal[here], system.right[here], *(padded := _padded(system, here)).values()]
        diagonal, right, *others = (part.detach().double().cpu().numpy().ravel() for part in parts)
        yield diagonal, {offset: -entries for offset, entries in zip(padded, others, strict=True)}, right
