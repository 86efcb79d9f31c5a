"""The conjugate gradient method on many systems at once."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    right: Float[Tensor, "n *shape"],
    precondition: Callable[[Tensor], Tensor],
    *,
    tolerance: float = 1e-12,
    max_steps: int = 2000,
) -> Float[Tensor, "n *shape"]:
    """Solve a symmetric positive definite system for each sample.

    Every sample has its own step lengths, and one that has converged is left as it is.

    Args:
        apply: The matrices times vectors, on all samples at once.
        right: The right-hand sides.
        precondition: A symmetric positive definite approximation of the inverses.
        tolerance: The residual's norm in relation to that of the right-hand side.
        max_steps: After so many it gives up.

    Raises:
        ValueError: if it does not converge.
    """
    dims = tuple(range(1, right.ndim))

    def dot(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum(dims, keepdim=True)

    x, residual = torch.zeros_like(right), right
    goal = tolerance**2 * dot(right, right)
    z = precondition(residual)
    direction, product = z, dot(residual, z)
    for _ in range(max_steps):
        going = dot(residual, residual) > goal
        if not bool(going.any()):
            return x
        image = apply(direction)
        step = torch.where(going, product / dot(direction, image), 0.0)
        x = x + step * direction
        residual = residual - step * image
        z = precondition(residual)
        previous, product = product, dot(residual, z)
        direction = z + torch.where(going, product / previous, 0.0) * direction
    raise ValueError(f"the conjugate gradient method did not converge to {tolerance:g} in {max_steps} steps")
