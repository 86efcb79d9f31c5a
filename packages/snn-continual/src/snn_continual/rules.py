"""The three training rules for spiking networks, each as the choices that it makes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .bptt import SurrogateLIF
from .dsr import DSRLIF
from .ottt import LeakyTrace, OnlineLIF
from .rates import MeanRate, WeightedRate


@dataclass(frozen=True)
class TrainingRule(ABC):
    """How a spiking network is simulated, read out and trained.

    Args:
        timesteps: Steps of simulation, T.
    """

    timesteps: int

    def __post_init__(self) -> None:
        if self.timesteps < 1:
            raise ValueError(f"a spiking network needs at least 1 time step, not {self.timesteps}")

    @property
    def rate(self) -> Callable[[Tensor], Tensor] | None:
        """What a Hebbian subspace learns from activity over time; None for every step by itself."""
        return None

    @abstractmethod
    def neuron(self) -> nn.Module:
        """A layer of neurons."""

    def trace(self) -> nn.Module | None:
        """What stands for spikes in the gradient of the weights that they reach; None for themselves."""
        return None

    def readout(self, outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
        """The logits, from the output at each step."""
        return MeanRate()(outputs)

    def loss(self, outputs: Float[Tensor, "time batch classes"], labels: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
        """The cross-entropy that is minimised."""
        return F.cross_entropy(self.readout(outputs), labels)


@dataclass(frozen=True)
class DSR(TrainingRule):
    """Differentiation on spike representation: weighted rates, differentiated as clipped linear functions."""

    timesteps: int = 20

    @property
    def rate(self) -> Callable[[Tensor], Tensor]:
        """The weighted rate."""
        return WeightedRate()

    def neuron(self) -> nn.Module:
        """A layer of neurons with a trained threshold."""
        return DSRLIF()

    def readout(self, outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
        """The weighted rate of the output."""
        return WeightedRate()(outputs)


@dataclass(frozen=True)
class BPTT(TrainingRule):
    """Back-propagation through time with surrogate gradients."""

    timesteps: int = 6

    def neuron(self) -> nn.Module:
        """A layer of neurons with a surrogate gradient."""
        return SurrogateLIF()


@dataclass(frozen=True)
class OTTT(TrainingRule):
    """Online training through time: a loss at each step, and traces in the gradients."""

    timesteps: int = 6

    def neuron(self) -> nn.Module:
        """A layer of neurons whose membrane is cut from the graph."""
        return OnlineLIF()

    def trace(self) -> nn.Module:
        """The trace that decays as the membrane does."""
        return LeakyTrace()

    def loss(self, outputs: Float[Tensor, "time batch classes"], labels: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
        """The mean over steps of the cross-entropy at each."""
        return F.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs)))


RULES: dict[str, type[DSR | BPTT | OTTT]] = {"dsr": DSR, "bptt": BPTT, "ottt": OTTT}
"""The training rules by name."""


def make_rule(name: str, timesteps: int | None = None) -> TrainingRule:
    """The training rule of that name, with the paper's number of time steps if none is given.

    Raises:
        ValueError: if there is no such rule.
    """
    if name not in RULES:
        raise ValueError(f"the training rule must be one of {', '.join(RULES)}, not '{name}'")
    return RULES[name]() if timesteps is None else RULES[name](timesteps)
