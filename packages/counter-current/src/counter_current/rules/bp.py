"""Back-propagation."""

from jaxtyping import Float, Shaped
from torch import Tensor

from .base import OutputRule


class BackPropagation(OutputRule):
    """Back-propagation of the output's loss through the forward network; the feedback network is not used.

    Args:
        network: A classifier or an autoencoder.
    """

    def output(self, x: Shaped[Tensor, "n *sample"]) -> Float[Tensor, "n *output"]:
        """The output, with gradients through all layers."""
        return self.network(x)
