"""The conditional network of the paper's experiment on MNIST (section 5)."""

from collections.abc import Sequence
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from .conditional import ConditionalLinear
from .configs import ModelConfig
from .registry import make_neuron


class ConditionalNetwork(nn.Module):
    """Experts, gated, and an affine map of what is left of them to the classes.

    With 784 inputs, 2,000 experts, 400 tanh units in the gater and 10 classes it is the network of the paper.

    Args:
        in_features: Size of a sample, which is flattened.
        n_classes: Number of classes.
        config: The experts and their gates.
    """

    def __init__(self, in_features: int, n_classes: int, config: ModelConfig = ModelConfig()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.in_features, self.n_classes, self.config = in_features, n_classes, config
        settings: dict[str, object] = {}
        if config.gate == "sbn":
            settings = {"baseline": config.baseline}
        elif config.gate in ("noisy-relu", "noisy-relu-logistic", "semi-hard", "noisy-sigmoid"):
            settings = {"sigma": config.sigma}
        elif config.gate == "sts":
            settings = {"ratio": config.ratio}
        neuron = make_neuron(config.gate, config.experts // config.block_size, **settings)
        self.conditional = ConditionalLinear(
            in_features,
            config.experts,
            config.gater_hidden,
            neuron,
            block_size=config.block_size,
            activation=config.activation,
            activity=config.activity,
        )
        self.output = nn.Linear(config.experts, n_classes)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        return self.output(self.conditional(x.flatten(1)))

    def gates(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch gates"]:
        """The gates of each example."""
        return self.conditional.gater(x.flatten(1))


def make_network(config: ModelConfig, sample_shape: Sequence[int], n_classes: int) -> ConditionalNetwork:
    """The network of a configuration, for samples of a shape."""
    return ConditionalNetwork(prod(sample_shape), n_classes, config)
