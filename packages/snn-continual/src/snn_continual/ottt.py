"""Online training through time (OTTT): gradients that need no step but the present one.

A neuron's membrane is cut from the graph between steps. What a synapse must remember of earlier steps is a trace of its
input that decays as the membrane does; the weight's gradient is the error now times the trace.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .bptt import check_time_constant, sigmoid_surrogate
from .rates import check_sequence, split_time


class Stateful(nn.Module):
    """What can go on where it stopped: with `carries`, a call begins with the state in which the last one ended."""

    def __init__(self) -> None:
        super().__init__()
        self.carries = False
        self.state: Tensor | None = None

    def initial(self, like: Tensor) -> Tensor:
        """The state to begin with."""
        return torch.zeros_like(like) if self.state is None or not self.carries else self.state


def carry_state(model: nn.Module, carries: bool) -> None:
    """Let the neurons and traces of a model carry their state from call to call, beginning at rest; or no longer."""
    for module in model.modules():
        if isinstance(module, Stateful):
            module.carries, module.state = carries, None


class LeakyTrace(Stateful):
    """The trace `a_t = (1 - 1/tau) a_{t-1} + s_t` of a sequence.

    Args:
        tau: Time constant, in steps.

    Raises:
        ValueError: if `tau` is below 1.
    """

    def __init__(self, tau: float = 2.0) -> None:
        super().__init__()
        check_time_constant(tau)
        self.decay = 1 - 1 / tau

    def forward(self, x: Float[Tensor, "time *features"]) -> Float[Tensor, "time *features"]:
        """The trace at each step."""
        check_sequence(x)
        steps = torch.arange(len(x), device=x.device)
        ages = steps[:, None] - steps
        kernel = torch.where(ages >= 0, self.decay ** ages.clamp_min(0), 0.0).to(x.dtype)
        trace = torch.tensordot(kernel, x, 1)
        if self.carries:
            fading = self.decay ** (steps + 1).to(x.dtype)
            trace = trace + fading.view(-1, *(1,) * (x.dim() - 1)) * self.initial(x[0])
            self.state = trace[-1]
        return trace


class _Online(torch.autograd.Function):
    """Spikes, whose gradient at a step reaches the current of that step only."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, neuron: "OnlineLIF") -> Tensor:  # noqa: ANN401 - PyTorch's
        spikes, charged = neuron.unroll(current)
        ctx.save_for_backward(charged)
        ctx.neuron = neuron
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - PyTorch's
        (charged,) = ctx.saved_tensors
        return grad * sigmoid_surrogate(charged - ctx.neuron.threshold, ctx.neuron.slope), None


class OnlineLIF(Stateful):
    """A layer of leaky integrate-and-fire neurons trained online through time.

    The membrane follows `u ← (1 - 1/tau) u + I`, fires at `threshold` and loses it. Layers fed by such neurons take a
    `LeakyTrace` of the same `tau` for their gradients. Takes (time, batch, ...), or (time · batch, ...) when
    `timesteps` is given; with `carry_state`, a sequence can come step by step, in constant memory.

    Args:
        tau: Membrane time constant, in steps.
        threshold: Threshold.
        slope: Slope of the sigmoid whose derivative is the surrogate.
        timesteps: Steps in inputs that are flattened over time.

    Raises:
        ValueError: if `tau` is below 1.
    """

    def __init__(
        self, tau: float = 2.0, *, threshold: float = 1.0, slope: float = 4.0, timesteps: int | None = None
    ) -> None:
        super().__init__()
        check_time_constant(tau)
        self.tau, self.threshold, self.slope, self.timesteps = tau, threshold, slope, timesteps

    def unroll(self, current: Float[Tensor, "time *neurons"]) -> tuple[Tensor, Tensor]:
        """Spikes, and the membrane as it was charged before them, at each step."""
        charged = torch.empty(current.shape, dtype=current.dtype, device=current.device)
        spikes = torch.empty_like(charged)
        membrane = self.initial(charged[0]).clone()
        for t in range(len(current)):
            torch.add(current[t], membrane, alpha=1 - 1 / self.tau, out=charged[t])
            torch.ge(charged[t], self.threshold, out=spikes[t])
            torch.sub(charged[t], spikes[t], alpha=self.threshold, out=membrane)
        if self.carries:
            self.state = membrane
        return spikes, charged

    def forward(self, current: Tensor) -> Tensor:
        """Spikes for an input current of the same shape."""
        if self.timesteps is not None:
            return self._over_time(split_time(current, self.timesteps)).flatten(0, 1)
        return self._over_time(current)

    def _over_time(self, current: Tensor) -> Tensor:
        check_sequence(current)
        return _Online.apply(current, self) if torch.is_grad_enabled() else self.unroll(current)[0]
