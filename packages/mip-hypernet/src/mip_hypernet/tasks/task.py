"""What a task is."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Part = Literal["train", "validation", "test"]
Batch = tuple[Tensor, ...]


@runtime_checkable
class Task(Protocol):
    """A loss that depends on γ, and the data and the network that it is for."""

    @property
    def dim(self) -> int:
        """Numbers in γ."""

    @property
    def failure(self) -> float:
        """A training whose loss never falls below it has learned nothing."""

    @property
    def target(self) -> float:
        """A loss that is good enough, to which steps are counted."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of what the network takes, for one sample."""

    def to(self, device: str | torch.device) -> "Task":
        """The same with its data on a device."""

    def make_network(self) -> nn.Module:
        """The primary network, with weights from PyTorch's global generator."""

    def bind(self, network: nn.Module, gamma: Float[Tensor, "d"]) -> nn.Module:
        """A network made for one γ, ready to be called with samples alone."""

    def batch(self, n: int, generator: torch.Generator) -> Batch:
        """Samples for training, drawn with replacement."""

    def samples(self, part: Part) -> Batch:
        """All samples of a part."""

    def loss(
        self,
        call: Callable[..., Any],
        weights: Mapping[str, Tensor],
        batch: Batch,
        gamma: Float[Tensor, "d"],
    ) -> Float[Tensor, ""]:
        """The loss of a batch.

        Args:
            call: The primary network.
            weights: Its weights by name.
            batch: The samples.
            gamma: The input.
        """

    def metrics(self, network: nn.Module, part: Part, gamma: Float[Tensor, "d"]) -> dict[str, float]:
        """What a network made for one γ reaches: `loss` first, then what else is of interest."""
