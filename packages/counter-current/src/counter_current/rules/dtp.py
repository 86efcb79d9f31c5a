"""Difference target propagation: targets go back through layers that learn to invert the forward ones."""

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from .fw_dtp import FixedWeightTargetPropagation


class DifferenceTargetPropagation(FixedWeightTargetPropagation):
    """Difference target propagation (Lee et al. 2015).

    As the fixed-weight form, but the feedback layers learn: each has the reconstruction loss

        mse(g_l(f_l(h_{l-1} + ε)), h_{l-1} + ε)

    with Gaussian noise ε, and its gradient is for the feedback weights alone. The first layer's feedback is not used.

    Args:
        network: A classifier.
        config: The step β, the noise, and how often the reconstruction loss is evaluated for each step.

    Raises:
        ValueError: if the network is an autoencoder.
    """

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """The weights of the feedback layers, but for the first."""
        return [p for layer in list(self.network.dual_layers())[1:] for p in layer.feedback_module.parameters()]

    def train_feedback(self, activations: list[Tensor], generator: torch.Generator) -> None:
        """Add the gradients of the reconstruction losses, averaged over their evaluations."""
        losses = []
        for _ in range(self.config.feedback_steps):
            for layer, below in zip(list(self.network.dual_layers())[1:], activations[1:-1], strict=True):
                noise = torch.randn(below.shape, generator=generator).to(below)
                disturbed = below.detach() + self.config.noise * noise
                with torch.no_grad():
                    above = layer(disturbed)
                losses.append(mse_loss(layer.reverse(above), disturbed))
        if losses:
            (torch.stack(losses).sum() / self.config.feedback_steps).backward()
