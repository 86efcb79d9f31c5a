"""Batched tridiagonal systems."""

import torch
from jaxtyping import Float
from torch import Tensor


def solve_tridiagonal(
    lower: Float[Tensor, "*#n off"],
    diagonal: Float[Tensor, "*#n m"],
    upper: Float[Tensor, "*#n off"],
    right: Float[Tensor, "*n m"],
) -> Float[Tensor, "*n m"]:
    """Solve one tridiagonal system a sample by elimination without pivoting (Thomas).

    The work is O(m) a sample, in 2 m operations on all samples at once. For diagonally dominant or positive definite
    matrices, which need no pivoting.

    Args:
        lower: Below the diagonal; as all coefficients, for all samples or with one leading entry for each.
        diagonal: On the diagonal.
        upper: Above the diagonal.
        right: The right-hand sides.

    Raises:
        ValueError: if the lengths do not fit one another.
    """
    m = right.shape[-1]
    if diagonal.shape[-1] != m or lower.shape[-1] != m - 1 or upper.shape[-1] != m - 1:
        raise ValueError(
            f"{m} unknowns need as many entries on the diagonal and {m - 1} beside it, "
            f"not {diagonal.shape[-1]}, {lower.shape[-1]} and {upper.shape[-1]}"
        )
    # Rows together: each operation then reads what lies side by side.
    low, main, up, rest = (part.movedim(-1, 0).contiguous().unbind() for part in (lower, diagonal, upper, right))
    pivots, values = [main[0]], [rest[0]]
    for i in range(1, m):
        factor = low[i - 1] / pivots[-1]
        pivots.append(main[i] - factor * up[i - 1])
        values.append(rest[i] - factor * values[-1])
    values[-1] = values[-1] / pivots[-1]
    for i in reversed(range(m - 1)):
        values[i] = (values[i] - up[i] * values[i + 1]) / pivots[i]
    return torch.stack(values).movedim(0, -1).contiguous()
