"""The perceptron that the paper compares with: normalization, a linear map without bias, an activation function."""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from af_kan.configs import Activation, Norm
from af_kan.layers.activations import activate
from af_kan.layers.norms import make_norm
from af_kan.stack import LayerStack, check_widths


class MLPLinear(nn.Module):
    """y = a(W norm(x)).

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        activation: a.
        norm: Normalization of the input.
    """

    def __init__(
        self, in_features: int, out_features: int, activation: Activation = "silu", norm: Norm = "layer"
    ) -> None:
        super().__init__()
        self.activation = activation
        self.norm = make_norm(norm, in_features)
        self.linear = nn.Linear(in_features, out_features, bias=False)
        nn.init.kaiming_uniform_(self.linear.weight, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs."""
        return activate(self.activation, self.linear(self.norm(x)))


class MLP(LayerStack):
    """Layers of a perceptron.

    Args:
        widths: Width of the input, of each hidden layer, and of the output.
        activation: Activation function behind each layer but the last.
        norm: Normalization of each layer's input.
        final_activation: Apply the activation function to the outputs, too, as the authors' code does: SiLU hardly lets
            a logit below zero, which handicaps the perceptron.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: Activation = "silu",
        norm: Norm = "layer",
        *,
        final_activation: bool = False,
    ) -> None:
        pairs = check_widths(widths)
        last: Activation = activation if final_activation else "identity"
        names: list[Activation] = [activation] * (len(pairs) - 1) + [last]
        layers = (MLPLinear(*pair, name, norm) for pair, name in zip(pairs, names, strict=True))
        super().__init__(widths, layers)
