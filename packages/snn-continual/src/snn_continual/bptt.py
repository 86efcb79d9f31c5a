"""Back-propagation through time with a surrogate for the derivative of the spike."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .rates import check_sequence, split_time


def sigmoid_surrogate(distance: Float[Tensor, "*neurons"], slope: float) -> Float[Tensor, "*neurons"]:
    """`slope · σ(1 - σ)` at `slope · distance`, in place of the derivative of a spike by its distance to threshold."""
    sigmoid = torch.sigmoid(slope * distance)
    return slope * sigmoid * (1 - sigmoid)


def check_time_constant(tau: float) -> None:
    """See that a time constant is one in steps.

    Raises:
        ValueError: if it is below 1.
    """
    if not 1 <= tau < math.inf:
        raise ValueError(f"tau is counted in steps and must be at least 1, not {tau}")


class _Unrolled(torch.autograd.Function):
    """The neurons over all steps, and back through all of them, in one node of the graph."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, neuron: "SurrogateLIF") -> Tensor:  # noqa: ANN401 - PyTorch's
        spikes, charged = neuron.unroll(current)
        ctx.save_for_backward(spikes, charged)
        ctx.neuron = neuron
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - PyTorch's
        spikes, charged = ctx.saved_tensors
        neuron: SurrogateLIF = ctx.neuron
        surrogate = sigmoid_surrogate(charged - neuron.threshold, neuron.slope)
        # How the membrane after the reset depends on the charged one: directly, and through the spike that resets it.
        carried = 1 - spikes * (not neuron.soft_reset)
        if not neuron.detach_reset:
            carried = carried - surrogate * (neuron.threshold if neuron.soft_reset else charged)
        grad_current = torch.empty_like(charged)
        grad_membrane = torch.zeros_like(charged[0])
        for t in range(len(charged) - 1, -1, -1):
            grad_charged = grad_membrane.mul_(carried[t]).addcmul_(grad[t], surrogate[t])
            torch.mul(grad_charged, neuron.gain, out=grad_current[t])
            grad_membrane = grad_charged.mul_(1 - 1 / neuron.tau)
        return grad_current, None


class SurrogateLIF(nn.Module):
    """A layer of leaky integrate-and-fire neurons trained by back-propagation through time.

    The membrane follows `u ← (1 - 1/tau) u + I`, fires at `threshold`, and then loses it. Takes (time, batch, ...), or
    (time · batch, ...) when `timesteps` is given. The defaults are those of the paper's experiments.

    Args:
        tau: Membrane time constant, in steps.
        threshold: Threshold.
        slope: Slope of the sigmoid whose derivative is the surrogate.
        soft_reset: Reset by subtraction; otherwise to zero.
        detach_reset: Keep gradients from flowing through the reset.
        decay_input: Charge with `I / tau` instead of `I`.
        timesteps: Steps in inputs that are flattened over time.

    Raises:
        ValueError: if `tau` is below 1.
    """

    def __init__(
        self,
        tau: float = 2.0,
        *,
        threshold: float = 1.0,
        slope: float = 4.0,
        soft_reset: bool = True,
        detach_reset: bool = True,
        decay_input: bool = False,
        timesteps: int | None = None,
    ) -> None:
        super().__init__()
        check_time_constant(tau)
        self.tau, self.threshold, self.slope, self.timesteps = tau, threshold, slope, timesteps
        self.soft_reset, self.detach_reset = soft_reset, detach_reset
        self.gain = 1 / tau if decay_input else 1.0

    def unroll(self, current: Float[Tensor, "time *neurons"]) -> tuple[Tensor, Tensor]:
        """Spikes, and the membrane as it was charged before them, at each step."""
        charged = torch.empty(current.shape, dtype=current.dtype, device=current.device)
        spikes = torch.empty_like(charged)
        membrane = torch.zeros_like(charged[0])
        for t in range(len(current)):
            torch.add(membrane.mul_(1 - 1 / self.tau), current[t], alpha=self.gain, out=charged[t])
            torch.ge(charged[t], self.threshold, out=spikes[t])
            if self.soft_reset:
                torch.sub(charged[t], spikes[t], alpha=self.threshold, out=membrane)
            else:
                torch.addcmul(charged[t], charged[t], spikes[t], value=-1, out=membrane)
        return spikes, charged

    def forward(self, current: Tensor) -> Tensor:
        """Spikes for an input current of the same shape."""
        if self.timesteps is not None:
            return self._over_time(split_time(current, self.timesteps)).flatten(0, 1)
        return self._over_time(current)

    def _over_time(self, current: Tensor) -> Tensor:
        check_sequence(current)
        return _Unrolled.apply(current, self) if torch.is_grad_enabled() else self.unroll(current)[0]
