"""Firing rates: from a sequence of spikes to one number for each neuron.

Tensors over time have the time axis first. A tensor that is the same at each step is kept as an expanded view (stride 0
along time), so that whoever works on it can do the work once instead of at every step.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


def is_constant(x: Tensor) -> bool:
    """Whether `x`, time first, is one step expanded over several."""
    return x.shape[0] > 1 and x.stride(0) == 0


def check_sequence(x: Tensor) -> None:
    """See that a tensor over time has floating-point numbers and at least one step.

    Raises:
        ValueError: if it has not.
    """
    if not x.is_floating_point():
        raise ValueError(f"a sequence over time must have floating-point numbers, not {x.dtype}")
    if not x.dim() or not len(x):
        raise ValueError(f"a sequence over time needs at least 1 step, first in its shape, not {tuple(x.shape)}")


def repeat(x: Float[Tensor, "batch *features"], timesteps: int) -> Float[Tensor, "time batch *features"]:
    """Present the same input at each of `timesteps` steps, without copying it.

    Raises:
        ValueError: if there is no step.
    """
    if timesteps < 1:
        raise ValueError(f"a spiking network needs at least 1 time step, not {timesteps}")
    return x.expand(timesteps, *x.shape)


def split_time(x: Float[Tensor, "time_batch *features"], timesteps: int) -> Float[Tensor, "time batch *features"]:
    """Give a batch flattened over time (all samples at step 1, all at step 2, ...) its time axis back.

    Raises:
        ValueError: if the first dimension is not a multiple of `timesteps`.
    """
    if timesteps < 1:
        raise ValueError(f"a spiking network needs at least 1 time step, not {timesteps}")
    if x.shape[0] % timesteps:
        raise ValueError(
            f"the first dimension must be {timesteps} time steps times the batch size, "
            f"but {x.shape[0]} is not a multiple of {timesteps}"
        )
    return x.unflatten(0, (timesteps, -1))


@dataclass(frozen=True)
class MeanRate:
    """The mean over time."""

    def weights(self, timesteps: int) -> Float[Tensor, "time"]:
        """The weight of each step; they sum to 1."""
        return torch.full((timesteps,), 1 / timesteps)

    def __call__(self, x: Float[Tensor, "time *features"]) -> Float[Tensor, "*features"]:
        """The rate of a sequence."""
        check_sequence(x)
        if is_constant(x):
            return x[0]
        return torch.tensordot(self.weights(x.shape[0]).to(x), x, 1)


@dataclass(frozen=True)
class WeightedRate(MeanRate):
    """The mean over time in which recent steps count more: weights `exp(-(T - t) dt / tau)`, normalised.

    It is the spike representation of leaky neurons in differentiation on spike representation (DSR).

    Args:
        tau: Membrane time constant.
        dt: Duration of a step, in the unit of `tau`.

    Raises:
        ValueError: if one is not positive.
    """

    tau: float = 1.0
    dt: float = 0.05

    def __post_init__(self) -> None:
        if not (0 < self.tau < math.inf and 0 < self.dt < math.inf):
            raise ValueError(f"tau and dt must be positive, not {self.tau} and {self.dt}")

    def weights(self, timesteps: int) -> Float[Tensor, "time"]:
        """The weight of each step; they sum to 1."""
        decay = [math.exp(-(timesteps - t) * self.dt / self.tau) for t in range(1, timesteps + 1)]
        return torch.tensor([weight / math.fsum(decay) for weight in decay])
