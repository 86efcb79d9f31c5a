"""Closed forms of training linear weights: what each optimizer has learned of each direction after any number of steps.

With Z = U S Vᵀ and h_i = s_i² / N, gradient descent on L(W) = ||ZW − Y||² / 2N from W(0) has, after t steps,

    W(t) = V f(t) S⁻¹ Uᵀ Y + V (1 − f(t)) Vᵀ W(0) + (I − V Vᵀ) W(0),    f_i(t) = 1 − (1 − η h_i)ᵗ.

A direction is learned after about 1 / (η h_i) steps, with the largest stable η about κ² of them for the last one.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from .configs import FitConfig, check_budgets


def filter_factors(
    h: Float64[Tensor, "*seeds r"], steps: float, lr: float | Float64[Tensor, "*seeds"]
) -> Float64[Tensor, "*seeds r"]:
    """What gradient descent has learned of each direction, f = 1 − (1 − η h)ᵗ, from 0 to 1.

    Computed as −expm1(t log1p(−η h)), which is exact to rounding for the smallest eigenvalues, too.

    Args:
        h: Eigenvalues of the Hessian ZᵀZ / N.
        steps: t, a whole number or infinite.
        lr: η, one for all or one a seed.

    Raises:
        ValueError: if η is not below 2 / h_max, where it diverges, or the steps are negative.
    """
    (steps,) = check_budgets([steps])
    rate = torch.as_tensor(lr, dtype=torch.float64, device=h.device)
    _check_rate(h, rate, 2.0)
    if math.isinf(steps):
        return (h > 0).double()
    x = rate[..., None] * h
    below = -torch.expm1(steps * torch.log1p(-x.clamp(max=1 - 1e-12)))
    # Above 1 / η the error changes its sign with each step.
    sign = 1.0 if steps % 2 == 0 else -1.0
    above = 1 - sign * torch.exp(steps * torch.log((x - 1).clamp(min=1e-300)))
    return torch.where(x <= 1, below, above) if steps else torch.zeros_like(h)


def momentum_factors(
    h: Float64[Tensor, "*seeds r"],
    steps: float,
    lr: float | Float64[Tensor, "*seeds"],
    momentum: float,
    *,
    nesterov: bool = False,
) -> Float64[Tensor, "*seeds r"]:
    """What gradient descent with momentum has learned of each direction, for any number of steps.

    The velocity v ← β v − η h (f − 1), and f ← f + v, with f + β v in place of f in the gradient of Nesterov's. Both
    are linear in (f, v, 1), so that t steps are the t-th power of a 3 x 3 matrix for each direction, found by repeated
    squaring.

    Args:
        h: Eigenvalues of the Hessian ZᵀZ / N.
        steps: t, a whole number or infinite.
        lr: η, one for all or one a seed.
        momentum: β, from 0 to below 1.
        nesterov: Nesterov's form rather than the heavy ball.

    Raises:
        ValueError: if it diverges, or the steps are negative.
    """
    (steps,) = check_budgets([steps])
    rate = torch.as_tensor(lr, dtype=torch.float64, device=h.device)
    _check_rate(h, rate, 2 * (1 + momentum) / (1 + 2 * momentum) if nesterov else 2 * (1 + momentum))
    if math.isinf(steps):
        return (h > 0).double()
    x = rate[..., None] * h
    matrix = torch.zeros(*h.shape, 3, 3, dtype=torch.float64, device=h.device)
    # Rows of v and f; both follow from the old v and f.
    matrix[..., 1, 0], matrix[..., 1, 1], matrix[..., 1, 2] = -x, momentum - (x * momentum if nesterov else 0.0), x
    matrix[..., 0, :] = matrix[..., 1, :]
    matrix[..., 0, 0] += 1
    matrix[..., 2, 2] = 1
    power = torch.eye(3, dtype=torch.float64, device=h.device).expand_as(matrix)
    left = int(steps)
    while left:
        power = matrix @ power if left % 2 else power
        matrix, left = matrix @ matrix, left // 2
    return torch.where(h > 0, power[..., 0, 2], 0.0)


def ridge_factors(h: Float64[Tensor, "*seeds r"], alpha: float) -> Float64[Tensor, "*seeds r"]:
    """What ridge regression learns of each direction, f = h / (h + α)."""
    return torch.where(h > 0, h / (h + alpha), 0.0)


def factors(h: Float64[Tensor, "*seeds r"], steps: float, config: FitConfig) -> Float64[Tensor, "*seeds r"]:
    """The filter factors of any optimizer that has a closed form, with its learning rate in units of 1 / h_max.

    Raises:
        ValueError: if the optimizer has none, or diverges.
    """
    rate = config.rate / h[..., 0]
    if config.optimizer == "gd":
        return filter_factors(h, steps, rate)
    if config.optimizer in {"momentum", "nesterov"}:
        return momentum_factors(h, steps, rate, config.momentum, nesterov=config.optimizer == "nesterov")
    if config.optimizer == "ridge":
        return ridge_factors(h, config.ridge)
    if config.optimizer == "exact":
        return (h > 0).double()
    raise ValueError(f"{config.optimizer} has no closed form")


def _check_rate(h: Tensor, rate: Tensor, limit: float) -> None:
    stable = limit / h[..., 0]
    if bool((rate <= 0).any()) or not bool(rate.isfinite().all()):
        raise ValueError(f"the learning rate must be positive, not {float(rate.min()):g}")
    if bool((rate >= stable).any()):
        raise ValueError(
            f"a learning rate of {float(rate.max()):g} diverges; max stable lr = {float(stable.min()):.6g}"
        )
