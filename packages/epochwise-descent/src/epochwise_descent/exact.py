"""The exact dynamics of gradient descent on given data, at all times at once (eq. 9)."""

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from .configs import Dynamic
from .order_parameters import Dynamics, checked_times, dynamics_of

NEAREST = 4
"""The largest `eta mu` whose decay is computed with a logarithm lies so many roundings below 1."""


def exact_dynamics(
    x: Float[Tensor, "*draws n d"],
    y: Float[Tensor, "*draws n"],
    f: Float[Tensor, "*draws d d"],
    w: Float[Tensor, "*draws d"],
    t: ArrayLike,
    *,
    l2: float = 0.0,
    eta: float | None = None,
    dynamics: Dynamic = "gd",
    noise: float = 0.0,
) -> Dynamics:
    """Order parameters and error of the student at any times.

    Args:
        x: Training inputs as the student sees them.
        y: Labels.
        f: The modulation.
        w: The teacher.
        t: Times in steps; whole or not.
        l2: Weight decay.
        eta: Learning rate; without one, the inverse of the largest eigenvalue, as for `student`.
        dynamics: `gd`, gradient descent, or `flow`, gradient flow for the time `eta t`.
        noise: Standard deviation of the noise of labels, which the error includes.

    Raises:
        ValueError: as for `student`.
    """
    times = checked_times(t)
    return dynamics_of(student(x, y, times, l2=l2, eta=eta, dynamics=dynamics) @ f.mT, w, times, noise)


def student(
    x: Float[Tensor, "*draws n d"],
    y: Float[Tensor, "*draws n"],
    t: ArrayLike,
    *,
    l2: float = 0.0,
    eta: float | Float[Tensor, "*draws 1"] | None = None,
    dynamics: Dynamic = "gd",
) -> Float[Tensor, "*draws time d"]:
    """The weights that gradient descent from zero has at any times, on half the sum of squares.

    With the singular value decomposition of `x`, the component along a right singular vector of eigenvalue `mu` (the
    weight decay included) is what least squares would give times `1 - (1 - eta mu)^t`, or `1 - exp(-eta mu t)` for
    gradient flow. The singular values are those of `x` and not of its Gram matrix, so that scales which differ by 10^5
    keep their digits.

    Args:
        x: Training inputs.
        y: Labels.
        t: Times in steps.
        l2: Weight decay.
        eta: Learning rate, the same in all draws or one in each; without one, the inverse of the largest eigenvalue
            with the weight decay, in each draw.
        dynamics: `gd` or `flow`.

    Raises:
        ValueError: if a time is negative, gradient descent would diverge, or it overshoots (`eta mu` above 1) and the
            times are not whole, where it is not defined.
    """
    times = torch.as_tensor(checked_times(t), dtype=x.dtype, device=x.device)
    sigma, coefficients, right = components(x, y)
    mu = sigma.square() + l2
    rate = learning_rate(mu, eta, dynamics)
    # Where an eigenvalue is zero nothing is learned, not even after infinite time.
    learned = torch.where((mu > 0)[..., None, :], _learned(rate * mu, times, dynamics), 0.0)
    weights = learned * (coefficients / torch.where(mu > 0, mu, 1.0))[..., None, :]
    return weights @ right


def components(
    x: Float[Tensor, "*draws n d"], y: Float[Tensor, "*draws n"]
) -> tuple[Float[Tensor, "*draws k"], Float[Tensor, "*draws k"], Float[Tensor, "*draws k d"]]:
    """Singular values of the inputs, `x^T y` along their right singular vectors, and these in rows.

    Singular values within the rounding error of the largest one are zero, as for the rank of a matrix; directions in
    which the data does not vary would otherwise be learned in the end.
    """
    left, sigma, right = torch.linalg.svd(x, full_matrices=False)
    least = torch.finfo(x.dtype).eps * max(x.shape[-2:]) * sigma.amax(-1, keepdim=True)
    sigma = torch.where(sigma > least, sigma, 0.0)
    return sigma, sigma * (left.mT @ y[..., None])[..., 0], right


def learning_rate(
    mu: Float[Tensor, "*draws k"], eta: float | Float[Tensor, "*draws 1"] | None, dynamics: Dynamic
) -> Float[Tensor, "*draws 1"]:
    """The learning rate in each draw.

    Args:
        mu: Eigenvalues of the Hessian.
        eta: What it is to be, the same in all draws or one in each; without one, the inverse of the largest eigenvalue.
        dynamics: Gradient flow is stable with any.

    Raises:
        ValueError: if gradient descent would diverge; the sentence names the bound.
    """
    largest = mu.amax(-1, keepdim=True)
    if eta is None:
        return 1 / torch.where(largest > 0, largest, 1.0)
    rate = torch.as_tensor(eta, dtype=mu.dtype, device=mu.device).expand_as(largest)
    if not bool((rate > 0).all()):
        raise ValueError(f"eta must be positive, not {float(rate.min())}")
    if dynamics == "gd" and bool((rate * largest >= 2).any()):
        worst = (rate * largest).argmax()
        bound = 2 / float(largest.flatten()[worst])
        raise ValueError(
            f"gradient descent diverges with eta = {float(rate.flatten()[worst]):g}: "
            f"it must be below 2 / lambda_max = {bound:.4g}"
        )
    return rate


def _learned(
    speed: Float[Tensor, "*draws k"], t: Float[Tensor, " time"], dynamics: Dynamic
) -> Float[Tensor, "*draws time k"]:
    """How much of each component is learned: `1 - (1 - speed)^t`, or `1 - exp(-speed t)`."""
    if dynamics == "flow":
        return -torch.expm1(-t[:, None] * speed[..., None, :])
    over = speed > 1 + 1e-12
    decay = -torch.expm1(
        t[:, None] * torch.log1p(-speed.clamp(max=1 - NEAREST * torch.finfo(t.dtype).eps))[..., None, :]
    )
    if not bool(over.any()):
        return decay
    if not bool((t == t.round()).all()):
        raise ValueError(
            "with eta above 1 / lambda_max, gradient descent overshoots and is defined at whole times only"
        )
    odd = torch.where(t.isfinite(), t % 2, 0.0)
    flipped = 1 - (1 - 2 * odd)[:, None] * ((speed - 1).clamp(min=1e-300)[..., None, :] ** t[:, None])
    return torch.where(over[..., None, :], flipped, decay)
