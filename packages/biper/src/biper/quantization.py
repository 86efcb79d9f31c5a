"""How far binary weights are from the real ones that they stand for."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .binarizers import check_omega
from .layers import PeriodicLayer, binary_layers

Metric = Literal["l2", "l1"]
SMALLEST_PHASE, LARGEST_PHASE = 1e-150, 1e9
LIMIT = 0.5 - 4 / math.pi**2
"""The error of weights that are spread over many periods."""


def quantization_error(weight: Float[Tensor, "..."], omega: float | None, metric: Metric = "l2") -> float:
    """How far sin(ωw) is from its sign, over the weights of a layer.

    With s = sin(ωw), or s = w where omega is None, that is, for the plain sign:

    - l2: E s² - (E|s|)², the mean squared distance of s from γ sgn(s) with the best scale γ = E|s|;
    - l1: E|s - sgn(s)| without a scale, which the official code reports.

    Args:
        weight: Latent weights.
        omega: Angular frequency.
        metric: l2 or l1.

    Raises:
        ValueError: if omega is not positive, there is no weight, one is not finite, or the metric is unknown.
    """
    if not weight.numel():
        raise ValueError("there are no weights to measure")
    w = weight.detach().double()
    s = w if omega is None else torch.sin(check_omega(omega) * w)
    if not bool(s.isfinite().all()):
        raise ValueError("weights, and phases of omega times them, must be finite to measure their error")
    if metric == "l2":
        return float(s.square().mean() - s.abs().mean().square())
    if metric == "l1":
        return float((s.abs() - 1).abs().mean())
    raise ValueError(f"the metric must be l2 or l1, not {metric!r}")


def quantization_errors(model: nn.Module, metric: Metric = "l2", omega: float | None = None) -> dict[str, float]:
    """`quantization_error` of each layer of a network by its name, at its own frequency or another one.

    Raises:
        ValueError: if the network has no layer of BiPer's.
    """
    layers = {name: layer for name, layer in binary_layers(model) if isinstance(layer, PeriodicLayer)}
    if not layers:
        raise ValueError("the network has no layer of BiPer's, whose quantization error could be measured")
    return {
        name: quantization_error(one.weight, one.omega if omega is None else omega, metric)
        for name, one in layers.items()
    }


def fit_laplace(weight: Float[Tensor, "..."]) -> float:
    """Scale b of the Laplace distribution around 0 that makes weights most likely: mean|w|."""
    return float(weight.detach().double().abs().mean())


def laplace_error(omega: float, b: float, metric: Metric = "l2") -> float:
    """`quantization_error` of Laplace-distributed weights in closed form.

    With u = ωb: E s² = 2u²/(1 + 4u²) and E|s| = u/(1 + u²) coth(π/(2u)). The l2 error rises with u to 0.103 near u = 1,
    then falls to 1/2 - 4/π² = 0.0947; the l1 error 1 - E|s| falls from 1 to 1 - 2/π = 0.363.

    Args:
        omega: Angular frequency.
        b: Scale of the distribution, the mean of |w|.
        metric: l2 or l1.

    Raises:
        ValueError: if omega or b is not positive.
    """
    if not (b > 0 and math.isfinite(b)):
        raise ValueError(f"the scale b must be positive and finite, not {b}")
    # Beyond these, double precision knows the limits alone, and squares would overflow.
    u = min(max(check_omega(omega) * b, SMALLEST_PHASE), LARGEST_PHASE)
    mean = u / (1 + u * u) / math.tanh(math.pi / (2 * u))
    if metric == "l1":
        return 1 - mean
    if metric == "l2":
        return 2 * u * u / (1 + 4 * u * u) - mean * mean
    raise ValueError(f"the metric must be l2 or l1, not {metric!r}")
