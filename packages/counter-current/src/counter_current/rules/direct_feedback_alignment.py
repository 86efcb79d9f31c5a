"""Direct feedback alignment: the output's error reaches each layer through a fixed random matrix of its own."""

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from counter_current.networks.dual import CounterCurrentNetwork

from .base import Projections


class DirectFeedbackAlignment:
    """Direct feedback alignment (Nøkland 2016).

    The error (softmax - one-hot) R_l stands in for the gradient of hidden activation a_l; within the layer, it goes
    through the activation function, normalization and pooling as usual. The output layer has its true gradient.

    Args:
        network: A classifier.
        generator: Draws the random matrices, on the CPU.

    Raises:
        ValueError: if the network is an autoencoder.
    """

    def __init__(self, network: CounterCurrentNetwork, generator: torch.Generator) -> None:
        self.network = network
        self.projections = Projections(network, generator)

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """None: the random matrices are fixed."""
        return []

    def errors(self, logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n classes"]:
        """What is projected."""
        return logits.detach().softmax(1) - one_hot(labels, logits.shape[1])

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add the gradients for a batch; the losses: "loss".

        Raises:
            ValueError: if there are no labels.
        """
        del generator
        if labels is None:
            raise ValueError("this rule needs labels")
        _, *hidden, logits = self.network.activations(x)
        loss = cross_entropy(logits, labels)
        deltas = self.projections(self.errors(logits, labels) / len(labels), hidden)
        torch.autograd.backward([*hidden, loss], [*deltas, torch.ones_like(loss)])
        return {"loss": loss.detach()}
