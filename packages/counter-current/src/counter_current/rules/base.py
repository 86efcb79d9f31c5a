"""What a learning rule is, and what several share."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from counter_current.networks.dual import CounterCurrentNetwork


@runtime_checkable
class Rule(Protocol):
    """Gives the weights of a network their gradients.

    Attributes:
        network: The network whose weights it is about.
    """

    network: CounterCurrentNetwork

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """The weights of the feedback network that the rule trains; the others stay as they began."""

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add to the gradients of the weights those for a batch; the losses by name, "loss" among them.

        Args:
            x: Samples.
            labels: Their classes; None for an autoencoder.
            generator: Draws what the rule needs of noise, on the CPU.
        """


def task_loss(output: Float[Tensor, "n *output"], target: Tensor) -> Float[Tensor, ""]:
    """The cross entropy of logits with labels, or the mean squared error of reconstructions with samples."""
    return mse_loss(output, target) if target.is_floating_point() else cross_entropy(output, target)


class OutputRule:
    """A rule that differentiates the loss of one output; what reaches the weights depends on how it is computed.

    Args:
        network: A classifier or an autoencoder.
    """

    def __init__(self, network: CounterCurrentNetwork) -> None:
        self.network = network

    @property
    def feedback_parameters(self) -> list[nn.Parameter]:
        """None: the feedback network is not used."""
        return []

    def output(self, x: Shaped[Tensor, "n *sample"]) -> Float[Tensor, "n *output"]:
        """The output of the forward network, with the gradients of the rule."""
        raise NotImplementedError

    def gradients(
        self, x: Shaped[Tensor, "n *sample"], labels: Int[Tensor, "n"] | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Add the gradients for a batch; the losses: "loss"."""
        del generator
        loss = task_loss(self.output(x), x if labels is None else labels)
        loss.backward()
        return {"loss": loss.detach()}


def random_like(weight: Tensor, generator: torch.Generator) -> Tensor:
    """A matrix or kernel of the same shape, drawn as PyTorch draws the weights of its layers."""
    bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
    drawn = torch.empty(weight.shape).uniform_(-bound, bound, generator=generator)
    return drawn.to(weight)


def random_projection(n_classes: int, shape: Sequence[int], generator: torch.Generator) -> Float[Tensor, "classes d"]:
    """A fixed matrix from errors of classes to a layer of this shape, uniform with variance 2 / d."""
    d = math.prod(shape)
    return torch.empty(n_classes, d).uniform_(-math.sqrt(6 / d), math.sqrt(6 / d), generator=generator)


class Projections(nn.Module):
    """Fixed random matrices R_l from the classes to each hidden layer, on whatever device the network is.

    Args:
        network: A classifier.
        generator: Draws them, on the CPU.

    Raises:
        ValueError: if the network is an autoencoder.
    """

    def __init__(self, network: CounterCurrentNetwork, generator: torch.Generator) -> None:
        super().__init__()
        if network.n_classes is None:
            raise ValueError("this rule projects classes; an autoencoder has none")
        weight = next(network.parameters())
        self.matrices = [
            random_projection(network.n_classes, shape, generator).to(weight) for shape in network.shapes[1:-1]
        ]

    def forward(self, errors: Float[Tensor, "n classes"], hidden: Sequence[Tensor]) -> list[Tensor]:
        """The errors projected to each hidden layer, in the layer's own shape."""
        return [(errors @ matrix).view_as(a) for matrix, a in zip(self.matrices, hidden, strict=True)]
