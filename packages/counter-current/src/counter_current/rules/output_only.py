"""The control that every rule must beat: the output layer learns on random features."""

from jaxtyping import Float, Shaped
from torch import Tensor

from .base import OutputRule


class OutputOnly(OutputRule):
    """Gives a gradient to the output layer alone; the hidden layers stay as they began.

    Args:
        network: A classifier or an autoencoder.
    """

    def output(self, x: Shaped[Tensor, "n *sample"]) -> Float[Tensor, "n *output"]:
        """The output, with gradients in its own layer only."""
        return self.network.activations(x)[-1]
