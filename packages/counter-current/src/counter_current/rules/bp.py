"""Back-propagation."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from counter_current.networks.dual import CounterCurrentNetwork

from .base import task_loss


class BackPropagation:
    """Back-propagation of the output's loss through the forward network; the feedback network is not used.

    Args:
        network: A classifier or an autoencoder.
    """

    def __init__(self, network: CounterCurrentNetwork) -> None:
        self.network = network

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """None."""
        return []

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add the gradients for a batch; the losses: "loss"."""
        del generator
        loss = task_loss(self.network(x), x if labels is None else labels)
        loss.backward()
        return {"loss": loss.detach()}
