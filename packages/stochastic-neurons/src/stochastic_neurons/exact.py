"""Expectations over binary units by enumerating all of their states: the truth that estimators are measured with."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

Function = Callable[[Tensor], Tensor]
"""A loss of the outputs of n units, from (samples, n) to (samples,), which treats each row alike."""
MOST_UNITS = 16


class Moments(NamedTuple):
    """The exact mean and variance of an estimator of the gradient, for each unit."""

    mean: Float[Tensor, "units"]
    variance: Float[Tensor, "units"]


def states(n: int) -> Float[Tensor, "states units"]:
    """All 2^n states of n binary units, in double precision.

    Raises:
        ValueError: if there are more units than can be enumerated.
    """
    if not 1 <= n <= MOST_UNITS:
        raise ValueError(
            f"the states of {n} units cannot be enumerated: from 1 to {MOST_UNITS} are possible; use "
            "estimator_statistics for more"
        )
    return ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).double()


def log_probabilities(a: Float[Tensor, "units"], h: Float[Tensor, "states units"]) -> Float[Tensor, "states units"]:
    """Log P(h_i) of each unit in each state, for h_i ~ Bernoulli(sigm(a_i))."""
    return torch.where(h > 0.5, logsigmoid(a), logsigmoid(-a))


def check_arguments(a: Tensor) -> Float[Tensor, "units"]:
    """Pre-activations in double precision.

    Raises:
        ValueError: if they are not a vector of finite numbers.
    """
    if a.ndim != 1 or not len(a):
        raise ValueError(f"the pre-activations must be a vector, one for each unit, not of shape {tuple(a.shape)}")
    if not bool(a.isfinite().all()):
        raise ValueError("the pre-activations must be finite numbers")
    return a.detach().double()


def values_of(f: Function, h: Float[Tensor, "samples units"]) -> Float[Tensor, "samples"]:
    """The loss of each row.

    Raises:
        ValueError: if the function fails, does not give one finite number for each row, or gives another number where
            there are fewer rows, so that its expectation would mean nothing.
    """
    loss = _called(f, h)
    if not isinstance(loss, Tensor) or loss.shape != h.shape[:1]:
        found = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"the function must give one number for each row, of shape ({len(h)},), not {found}")
    if not bool(loss.isfinite().all()):
        raise ValueError("the function is not finite everywhere")
    with torch.no_grad():
        again, before = _called(f, h[:2].detach()), loss[:2].detach()
        size = 1e-4 * float(loss.detach().abs().max())
    if again.shape != before.shape or not torch.allclose(again.to(before), before, rtol=1e-4, atol=size):
        raise ValueError(
            "the function must give the same number for the same row, whatever the other rows are: it may neither draw "
            "noise nor average over rows"
        )
    return loss.to(h.dtype)


def _called(f: Function, h: Tensor) -> Tensor:
    try:
        return f(h)
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"the function failed on a tensor of shape {tuple(h.shape)} in double precision (h.float() makes it "
            f"single): {first}"
        ) from error


def exact_expectation(f: Function, a: Float[Tensor, "units"]) -> Float[Tensor, ""]:
    """E[f(h)] for h_i ~ Bernoulli(sigm(a_i)), by enumeration.

    Raises:
        ValueError: if there are more than 16 units, or the function is not one of them.
    """
    a = check_arguments(a)
    h = states(len(a))
    return (log_probabilities(a, h).sum(1).exp() * values_of(f, h)).sum()


def exact_gradient(f: Function, a: Float[Tensor, "units"]) -> Float[Tensor, "units"]:
    """g_i = dE[f(h)]/da_i = p_i (1 − p_i) (E[f | h_i = 1] − E[f | h_i = 0]), by enumeration.

    Args:
        f: The loss, from (samples, units) to (samples,).
        a: Pre-activations; at most 16.

    Raises:
        ValueError: if there are more units, or the function is not one of them.
    """
    a = check_arguments(a)
    h = states(len(a))
    single = log_probabilities(a, h)
    others = (single.sum(1, keepdim=True) - single).exp()
    slope = a.sigmoid() * (-a).sigmoid()
    return slope * ((2 * h - 1) * others * values_of(f, h)[:, None]).sum(0)


def exact_optimal_baseline(f: Function, a: Float[Tensor, "units"]) -> Float[Tensor, "units"]:
    """E[(h_i − p_i)² f] / E[(h_i − p_i)²] of each unit (corollary of theorem 1), by enumeration.

    Raises:
        ValueError: if there are more than 16 units, or the function is not one of them.
    """
    a = check_arguments(a)
    h = states(len(a))
    square = log_probabilities(a, h).sum(1).exp()[:, None] * (h - a.sigmoid()).square()
    return (square * values_of(f, h)[:, None]).sum(0) / square.sum(0)


def exact_moments(
    f: Function,
    a: Float[Tensor, "units"],
    estimator: Literal["sbn", "st", "st-sigmoid", "sts", "sts-rescaled"],
    *,
    baseline: Float[Tensor, "units"] | float = 0.0,
    ratio: float = 0.5,
) -> Moments:
    """The exact mean and variance of an estimator that draws finitely many states.

    Args:
        f: The loss, from (samples, units) to (samples,); differentiable, except for `sbn`.
        a: Pre-activations; at most 16.
        estimator: The unbiased one, straight-through, straight-through times sigm', or smooth times stochastic.
        baseline: Of the unbiased one.
        ratio: Stochastic ratio of smooth times stochastic.

    Raises:
        ValueError: if there is no such estimator, or the function is not one of these units.
    """
    a = check_arguments(a)
    p, bits = a.sigmoid(), states(len(a))
    if estimator in ("sts", "sts-rescaled"):
        on, smooth = (ratio * logsigmoid(a)).exp(), ((1 - ratio) * logsigmoid(a)).exp()
        weights = torch.where(bits > 0.5, on, 1 - on).prod(1)
        scale = 1 / (1 - ratio) if estimator == "sts-rescaled" else 1.0
        samples = _slopes(f, bits * smooth) * bits * (scale * (1 - ratio) * smooth * (1 - p))
    else:
        weights = log_probabilities(a, bits).sum(1).exp()
        if estimator == "sbn":
            samples = (bits - p) * (values_of(f, bits)[:, None] - baseline)
        elif estimator in ("st", "st-sigmoid"):
            samples = _slopes(f, bits) * (p * (1 - p) if estimator == "st-sigmoid" else 1.0)
        else:
            raise ValueError(
                f"the exact moments of {estimator!r} are not known: sbn, st, st-sigmoid, sts, sts-rescaled are"
            )
    mean = (weights[:, None] * samples).sum(0)
    return Moments(mean, (weights[:, None] * (samples - mean).square()).sum(0))


def _slopes(f: Function, h: Tensor) -> Tensor:
    """df/dh_i at each row.

    Raises:
        ValueError: if the function cannot be differentiated.
    """
    h = h.detach().requires_grad_()
    loss = values_of(f, h)
    if not loss.requires_grad:
        raise ValueError("the function has no gradient, which this estimator copies; use the unbiased one (sbn)")
    return torch.autograd.grad(loss.sum(), h)[0]
