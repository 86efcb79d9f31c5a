"""Counter-current learning: the local losses between the two directions."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from counter_current.configs import LossConfig
from counter_current.losses.pairs import classification_loss
from counter_current.losses.reconstruction import reconstruction_loss
from counter_current.networks.dual import CounterCurrentNetwork


class CounterCurrent:
    """Counter-current learning (equations 1 and 2).

    Both networks run, each on its own input; every weight gets its gradient from the one local loss in which it stands.
    The feedback network of a classifier runs on the classes, not on the samples, unless `config.targets` is batch.

    Args:
        network: A classifier or an autoencoder.
        config: The losses.
    """

    def __init__(self, network: CounterCurrentNetwork, config: LossConfig = LossConfig()) -> None:  # noqa: B008
        self.network, self.config = network, config

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """All weights of the feedback network."""
        return self.network.feedback_parameters()

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add the gradients for a batch; the losses: "loss", the sum, and "output"."""
        del generator
        network, config = self.network, self.config
        activations = network.activations(x)
        if labels is None:
            signals = network.signals(activations[0])
            total, parts = reconstruction_loss(activations, signals, scale=config.scale, normalized=config.normalized)
        else:
            signals = network.label_signals(labels) if config.targets == "batch" else network.class_signals()
            total, parts = classification_loss(activations, signals, labels, config)
        total.backward()
        return {"loss": total.detach(), "output": parts["output"].detach()}
