"""Fixed-weight difference target propagation: targets go back through fixed random layers."""

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from counter_current.configs import TargetConfig
from counter_current.networks.dual import CounterCurrentNetwork


class FixedWeightTargetPropagation:
    """Fixed-weight difference target propagation (Shibuya et al. 2023).

    With g_l the network's own feedback layers, as they began,

        τ_L = h_L - β ∂loss/∂h_L        τ_l = h_l + g_{l+1}(τ_{l+1}) - g_{l+1}(h_{l+1})

    and each layer has the loss |h_l - τ_l|² / 2 (summed over a sample, averaged over the batch) towards its detached
    target. The published one has layers g_l = tanh(R_l ·): take a network with the activation function tanh.

    Args:
        network: A classifier.
        config: The step β.

    Raises:
        ValueError: if the network is an autoencoder.
    """

    def __init__(self, network: CounterCurrentNetwork, config: TargetConfig = TargetConfig()) -> None:  # noqa: B008
        if network.n_classes is None:
            raise ValueError("this rule propagates targets of classes; an autoencoder has none")
        self.network, self.config = network, config

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """None: the feedback layers are fixed."""
        return []

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add the gradients for a batch; the losses: "loss", the cross entropy.

        Raises:
            ValueError: if there are no labels.
        """
        if labels is None:
            raise ValueError("this rule needs labels")
        activations = self.network.activations(x)
        logits = activations[-1]
        loss = cross_entropy(logits, labels)
        (error,) = torch.autograd.grad(loss, logits, retain_graph=True)
        targets = self.targets(activations, error * len(labels))
        # The gradient of |h - τ|² / 2, averaged over the batch, is (h - τ) / n; at the output β times the true one.
        deltas = [(h.detach() - t) / len(labels) for h, t in zip(activations[1:], targets[1:], strict=True)]
        torch.autograd.backward(activations[1:], deltas)
        self.train_feedback(activations, generator)
        return {"loss": loss.detach()}

    @torch.no_grad()
    def targets(self, activations: list[Tensor], error: Tensor) -> list[Tensor]:
        """The targets τ_1 to τ_L, after the sample itself.

        Args:
            activations: The signals h_0 to h_L.
            error: Gradient of each sample's loss in its logits.
        """
        targets = [activations[-1] - self.config.target_step * error]
        layers = list(self.network.dual_layers())[1:]
        for layer, above, below in zip(reversed(layers), activations[:1:-1], activations[-2:0:-1], strict=True):
            targets.append(below + layer.reverse(targets[-1]) - layer.reverse(above))
        return [activations[0], *reversed(targets)]

    def train_feedback(self, activations: list[Tensor], generator: torch.Generator) -> None:
        """Leave the feedback layers as they are."""
