"""The same data with one group of features alone, or with all groups learned at one speed."""

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from .exact import exact_dynamics, student
from .order_parameters import Dynamics, checked_times, dynamics_of
from .teacher_student import Batch
from .theory import Only


def learned_alone(batch: Batch, t: ArrayLike, only: Only, *, l2: float = 0.0, eta: float | None = None) -> Dynamics:
    """What the first or the last groups do by themselves (fig. 1).

    Args:
        batch: Draws of training data.
        t: Times in steps.
        only: `fast` trains the first group, and the others stay at zero. `slow` trains the others, with the first one
            always at its least-squares fit to what they leave, as if it were learned infinitely fast.
        l2: Weight decay of what is trained.
        eta: Learning rate; without one, the inverse of the largest eigenvalue of all training data, in each draw.

    Raises:
        ValueError: if there is a single group, or as for `exact.student`.
    """
    if len(batch.groups.sizes) < 2:
        raise ValueError("there is one group of features alone already")
    first = batch.groups.sizes[0]
    sides, modulation = batch.x @ batch.v, batch.f @ batch.v
    rate = 1 / (torch.linalg.matrix_norm(batch.x, 2)[:, None].square() + l2) if eta is None else eta
    fast, slow = sides[..., :first], sides[..., first:]
    if only == "fast":
        weights = student(fast, batch.y, t, l2=l2, eta=rate)
        return dynamics_of(weights @ modulation[..., :first].mT, batch.w, checked_times(t), batch.noise)
    solve = torch.linalg.pinv(fast)
    rest = slow - fast @ (solve @ slow)
    left = batch.y - (fast @ (solve @ batch.y[..., None]))[..., 0]
    weights = student(rest, left, t, l2=l2, eta=rate)
    fitted = (batch.y[..., None, :] - weights @ slow.mT) @ solve.mT
    u = fitted @ modulation[..., :first].mT + weights @ modulation[..., first:].mT
    return dynamics_of(u, batch.w, checked_times(t), batch.noise)


def preconditioned(batch: Batch, t: ArrayLike, steps: Float[Tensor, " groups"], *, l2: float = 0.0) -> Dynamics:
    """Gradient descent with a step size for each group, `eta_i` in proportion to `steps` (Heckel and Yilmaz 2020).

    With steps in proportion to `1 / s_i^2` all groups are learned at one speed, and the second descent is gone. Weight
    decay acts on the weights divided by the root of their step.

    Args:
        batch: Draws of training data.
        t: Times in steps, the largest step size being the largest without overshooting.
        steps: A positive number for each group.
        l2: Weight decay.

    Raises:
        ValueError: if there is not one positive step for each group.
    """
    if len(steps) != len(batch.groups.sizes) or not bool((steps > 0).all()):
        raise ValueError(f"each of the {len(batch.groups.sizes)} groups needs a positive step, not {steps.tolist()}")
    sizes = torch.tensor(batch.groups.sizes)
    root = torch.repeat_interleave(steps.to(batch.x), sizes.to(batch.x.device)).sqrt()
    x, f = batch.x @ batch.v * root, batch.f @ batch.v * root
    return exact_dynamics(x, batch.y, f, batch.w, t, l2=l2, noise=batch.noise)


def balanced_steps(batch: Batch) -> Float[Tensor, " groups"]:
    """The step sizes with which all groups are learned at one speed, `1 / s_i^2`."""
    return torch.tensor(batch.groups.scales, dtype=torch.float64) ** -2
