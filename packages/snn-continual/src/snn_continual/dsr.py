"""Differentiation on spike representation (DSR): neurons whose gradient is that of the rates they encode.

Over T steps a spiking neuron turns the rate of its input into a rate of spikes, approximately by clipping it between
zero and the largest rate it can fire at. Going back, DSR differentiates that clipping instead of the spikes; the error
is the same at each step, so everything below it costs one step instead of T.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .rates import MeanRate, WeightedRate, check_sequence, repeat, split_time


def integrate(
    current: Float[Tensor, "time *neurons"], threshold: Tensor, leak: float, gain: float, alpha: float
) -> Float[Tensor, "time *neurons"]:
    """Spikes of height `threshold`, of neurons that reset by subtraction.

    The membrane follows `u ← leak · u + gain · I`; it fires when it reaches `alpha · threshold`, and loses `threshold`.
    """
    spikes = torch.empty(current.shape, dtype=current.dtype, device=current.device)
    membrane = torch.zeros_like(spikes[0])
    fires_at = alpha * threshold
    for t in range(len(current)):
        membrane.mul_(leak).add_(current[t], alpha=gain)
        torch.ge(membrane, fires_at, out=spikes[t])
        spikes[t].mul_(threshold)
        membrane.sub_(spikes[t])
    return spikes


class _SpikeRepresentation(torch.autograd.Function):
    """Forward with spikes, back with the derivative of `clip(r(I) / tau, 0, threshold / dt)`."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, threshold: Tensor, neuron: "DSRLIF") -> Tensor:  # noqa: ANN401 - PyTorch's
        ctx.save_for_backward(neuron.rate(current), threshold)
        ctx.neuron, ctx.timesteps = neuron, len(current)
        return neuron.spikes(current, threshold)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401 - PyTorch's
        rate, threshold = ctx.saved_tensors
        neuron: DSRLIF = ctx.neuron
        grad_rate = neuron.rate(grad)
        largest = threshold * neuron.tau / neuron.dt
        grad_current = grad_rate * ((rate > 0) & (rate < largest)) / neuron.tau
        grad_threshold = (grad_rate * (rate > largest)).sum() * ctx.timesteps * neuron.dt
        return repeat(grad_current, ctx.timesteps), grad_threshold.reshape(threshold.shape), None


class DSRLIF(nn.Module):
    """A layer of leaky integrate-and-fire neurons trained by differentiation on spike representation.

    Each output is 0 or `threshold / dt`, so that its weighted rate approximates `clip(r(I) / tau, 0, threshold / dt)`
    of the input's. Takes (time, batch, ...), or (time · batch, ...) when `timesteps` is given.

    Args:
        threshold: Initial threshold; it is trained.
        tau: Membrane time constant.
        dt: Duration of a step, in the unit of `tau`.
        alpha: The membrane fires at this share of the threshold.
        min_threshold: The threshold never falls below.
        timesteps: Steps in inputs that are flattened over time.

    Raises:
        ValueError: if a constant is not positive.
    """

    def __init__(
        self,
        threshold: float = 0.3,
        *,
        tau: float = 1.0,
        dt: float = 0.05,
        alpha: float = 0.3,
        min_threshold: float = 0.0005,
        timesteps: int | None = None,
    ) -> None:
        super().__init__()
        if not all(0 < constant < math.inf for constant in (threshold, tau, dt, alpha)):
            raise ValueError(f"threshold, tau, dt and alpha must be positive, not {threshold}, {tau}, {dt}, {alpha}")
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.tau, self.dt, self.alpha, self.min_threshold, self.timesteps = tau, dt, alpha, min_threshold, timesteps
        self.rate: MeanRate = WeightedRate(tau, dt)
        self._leak = math.exp(-dt / tau)
        self._gain = 1 - self._leak

    def spikes(self, current: Float[Tensor, "time *neurons"], threshold: Tensor) -> Float[Tensor, "time *neurons"]:
        """The output for an input current."""
        return integrate(current, threshold, self._leak, self._gain, self.alpha).div_(self.dt)

    def forward(self, current: Tensor) -> Tensor:
        """Spikes for an input current of the same shape."""
        if self.timesteps is not None:
            return self._over_time(split_time(current, self.timesteps)).flatten(0, 1)
        return self._over_time(current)

    def _over_time(self, current: Tensor) -> Tensor:
        check_sequence(current)
        if self.training:
            with torch.no_grad():
                self.threshold.clamp_(min=self.min_threshold)
        if torch.is_grad_enabled():
            return _SpikeRepresentation.apply(current, self.threshold, self)
        return self.spikes(current, self.threshold)


class DSRIF(DSRLIF):
    """The same without leak: plain rates, spikes of height `threshold`, `dt = tau = 1`.

    Args:
        threshold: Initial threshold; it is trained.
        alpha: The membrane fires at this share of the threshold.
        min_threshold: The threshold never falls below.
        timesteps: Steps in inputs that are flattened over time.
    """

    def __init__(
        self, threshold: float = 1.0, *, alpha: float = 0.5, min_threshold: float = 0.0005, timesteps: int | None = None
    ) -> None:
        super().__init__(threshold, tau=1.0, dt=1.0, alpha=alpha, min_threshold=min_threshold, timesteps=timesteps)
        self.rate = MeanRate()
        self._leak = self._gain = 1.0
