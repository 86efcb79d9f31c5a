"""Functions that make numbers binary, and the gradients that stand in for theirs.

Phases are computed in single precision at least: ωw is tens of radians, of which half precision keeps too little.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5
"""Added to the variance of a sample's activations."""


def check_omega(omega: float) -> float:
    """The angular frequency, if it can be one.

    Raises:
        ValueError: if it is not positive and finite.
    """
    if not (omega > 0 and math.isfinite(omega)):
        raise ValueError(f"omega must be positive and finite, not {omega}")
    return float(omega)


def sgn(x: Float[Tensor, "*shape"], *, zero_is_one: bool = True) -> Float[Tensor, "*shape"]:
    """Signs, without a gradient; that of 0 is +1, or 0 if `zero_is_one` is false."""
    if not zero_is_one:
        return torch.sign(x)
    if torch.compiler.is_compiling():
        # Compilers fuse this, and exporters know it.
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)
    # Ten times as fast on CPUs; adding 0 makes -0 positive.
    return torch.copysign(x.new_ones(()), x + 0.0)


def exact(w: Tensor) -> Tensor:
    """The same numbers in a precision in which phases and variances can be computed: single at least."""
    return w if w.dtype == torch.float64 else w.float()


def sine(w: Float[Tensor, "*shape"], omega: float) -> Float[Tensor, "*shape"]:
    """sin(ωw), the real-valued weights of the first stage, with their exact gradient.

    Raises:
        ValueError: if omega is not positive and finite.
    """
    return torch.sin(check_omega(omega) * exact(w)).to(w.dtype)


class _SquareWave(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(w: Tensor, omega: float, zero_is_one: bool) -> Tensor:
        return sgn(torch.sin(omega * exact(w)), zero_is_one=zero_is_one).to(w.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401, ARG004 - PyTorch's
        w, ctx.omega, _ = inputs
        ctx.save_for_backward(w)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - PyTorch's context
        (w,) = ctx.saved_tensors
        slope = ctx.omega * torch.cos(ctx.omega * exact(w))
        return (gradient * slope).to(w.dtype), None, None


def square_wave(w: Float[Tensor, "*shape"], omega: float, *, zero_is_one: bool = True) -> Float[Tensor, "*shape"]:
    """sgn(sin(ωw)), the binary weights of the second stage.

    Its gradient is that of the sine of the same period, ω cos(ωw), which vanishes at single points only: no latent
    weight is cut off from training, however large.

    Args:
        w: Latent weights.
        omega: Angular frequency ω.
        zero_is_one: Let sgn(0) be +1, so that the result has two values; the official code has 0.

    Raises:
        ValueError: if omega is not positive and finite.
    """
    omega = check_omega(omega)
    if not torch.is_grad_enabled():
        return sgn(torch.sin(omega * exact(w)), zero_is_one=zero_is_one).to(w.dtype)
    return _SquareWave.apply(w, omega, zero_is_one)


class _Windowed(torch.autograd.Function):
    """The sign, whose gradient is let through a window around zero."""

    generate_vmap_rule = True

    @staticmethod
    def forward(a: Tensor, is_triangle: bool, zero_is_one: bool) -> Tensor:  # noqa: ARG004 - PyTorch's
        return sgn(a, zero_is_one=zero_is_one)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401, ARG004 - PyTorch's
        a, ctx.is_triangle, _ = inputs
        ctx.save_for_backward(a)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - PyTorch's context
        (a,) = ctx.saved_tensors
        inside = 1 - a.abs()
        window = inside.clamp(min=0).mul(2) if ctx.is_triangle else (0.5 + 0.5 * sgn(inside))
        return window.mul(gradient), None, None


def _windowed(a: Tensor, *, is_triangle: bool, zero_is_one: bool) -> Tensor:
    if not torch.is_grad_enabled():
        return sgn(a, zero_is_one=zero_is_one)
    return _Windowed.apply(a, is_triangle, zero_is_one)


def sign_activation(a: Float[Tensor, "*shape"], *, zero_is_one: bool = True) -> Float[Tensor, "*shape"]:
    """sgn(a) with the gradient of Bi-Real's piecewise quadratic, max(0, 2 - 2|a|)."""
    return _windowed(a, is_triangle=True, zero_is_one=zero_is_one)


def sign_ste(x: Float[Tensor, "*shape"], *, zero_is_one: bool = True) -> Float[Tensor, "*shape"]:
    """sgn(x) with the straight-through gradient of BNN: 1 where |x| <= 1, and 0 beyond."""
    return _windowed(x, is_triangle=False, zero_is_one=zero_is_one)


def scale_by_deviation(a: Float[Tensor, "*shape"], n_axes: int) -> Float[Tensor, "*shape"]:
    """Activations by the standard deviation of their sample, sqrt(var + 1e-5); the mean stays.

    The sign is the same with and without it; the window of its gradient is not.

    Args:
        a: Activations.
        n_axes: How many of the last axes are one sample: 3 for images, 1 for features.

    Raises:
        ValueError: if a sample is a single number, which has no variance.
    """
    if math.prod(a.shape[-n_axes:]) < 2:
        raise ValueError(
            "a sample of a single number has no variance to scale by in training; leave this layer real (skip=), or "
            "give it at least 2 channels or pixels"
        )
    precise, axes = exact(a), tuple(range(-n_axes, 0))
    # Its own sums: PyTorch's `var` takes twenty times as long on CPUs.
    centered = precise - precise.mean(axes, keepdim=True)
    variance = centered.square().sum(axes, keepdim=True) / (math.prod(a.shape[-n_axes:]) - 1)
    return (precise * torch.rsqrt(variance + EPSILON)).to(a.dtype)
