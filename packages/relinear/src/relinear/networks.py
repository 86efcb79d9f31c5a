"""The networks of the paper's experiments: perceptrons, and residual networks for CIFAR."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.models import ResNet

from .activation import QuadraticActivation
from .configs import Form, Init, ModelConfig, Neuron, RunConfig
from .conversion import quadratize
from .layer import quadratic_layers


def make_mlp(
    sizes: Sequence[int],
    neuron: Neuron = "quadratic",
    init: Init = "relinear",
    *,
    batchnorm: bool = False,
) -> nn.Sequential:
    """A perceptron with ReLU between its layers, all of which are of one kind of neuron.

    Weights are drawn as He et al. (2015) do, as in the authors' code: with PyTorch's own, smaller weights, deep
    networks without normalization hardly begin to learn, conventional ones included.

    Args:
        sizes: Width of the input, of each hidden layer, and of the output.
        neuron: `quadratic`, `compact`, `conventional`, or `activation` with squares for ReLUs.
        init: Of quadratic layers.
        batchnorm: Normalize each hidden layer before the ReLU.

    Raises:
        ValueError: if there are fewer than two sizes, or one is not positive.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"an MLP needs two or more positive sizes, input first and output last, not {list(sizes)}")
    layers: list[nn.Module] = [nn.Flatten()]
    for number, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        layers.append(_linear(n_in, n_out))
        if number < len(sizes) - 1:
            layers += [nn.BatchNorm1d(n_out)] if batchnorm else []
            layers.append(QuadraticActivation() if neuron == "activation" else nn.ReLU())
    model = nn.Sequential(*layers)
    if neuron in ("quadratic", "compact"):
        quadratize(model, _form(compact=neuron == "compact"), init)
        _begin(model, init)
    return model


def _linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def _begin(model: nn.Module, init: Init) -> None:
    """Draw the regular maps anew, too, where all is random; otherwise they are those of the conventional network."""
    if init == "random":
        for layer in quadratic_layers(model).values():
            layer.reset_parameters()


class ReZero(nn.Module):
    """alpha x with a number alpha that begins at 0 (Bachlechner et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The scaled inputs."""
        return self.alpha * x


def qresnet(
    depth: int = 20,
    n_classes: int = 10,
    in_channels: int = 3,
    neuron: Neuron = "quadratic",
    init: Init = "relinear",
    *,
    rezero: bool = False,
) -> ResNet:
    """QResNet: the residual network of He et al. for CIFAR, with quadratic convolutions in its blocks.

    The first convolution and the last layer stay conventional. Quadratic convolutions have all biases, so that
    QResNet-20 has 806,266 parameters, or 538,330 with compact neurons.

    Args:
        depth: Layers: 20, 32, 44, 56 and 110 in the paper; any 6n + 2.
        n_classes: Number of logits.
        in_channels: Channels of the images.
        neuron: `quadratic`, `compact`, `conventional` for the residual network itself, or `activation` for one with
            squares instead of the ReLUs inside of its blocks.
        init: Of quadratic layers.
        rezero: Multiply each block's branch by a number that begins at 0; the paper's setting for QResNet-56.

    Raises:
        ValueError: if the depth is not 6n + 2.
    """
    model = ResNet(depth, n_classes, in_channels)
    if neuron in ("quadratic", "compact"):
        quadratize(model, _form(compact=neuron == "compact"), init, skip=("first", "last"), bias=True)
        _begin(model, init)
    for branch in _branches(model):
        if neuron == "activation":
            for number, module in enumerate(branch):
                if isinstance(module, nn.ReLU):
                    branch[number] = QuadraticActivation()
        if rezero:
            branch.append(ReZero())
    return model


def _branches(model: ResNet) -> list[nn.Sequential]:
    """What is added to the shortcut in each block."""
    found = [block.get_submodule("residual") for stage in model.stages for block in stage.children()]
    return [one for one in found if isinstance(one, nn.Sequential)]


def _form(*, compact: bool) -> Form:
    return "compact" if compact else "full"


def neuron_of(config: RunConfig) -> Neuron:
    """The kind of neurons of a setting."""
    if config.strategy.strategy == "conventional":
        return "conventional"
    return "compact" if config.model.compact else "quadratic"


def make_network(config: RunConfig, sample_shape: Sequence[int], n_classes: int) -> nn.Module:
    """The network of a setting, for samples of a shape.

    Args:
        config: Its layers, and how they begin.
        sample_shape: Shape of a sample: (features,), or (channels, height, width).
        n_classes: Number of logits.

    Raises:
        ValueError: if a residual network is asked for other samples than images.
    """
    init: Init = "random" if config.strategy.strategy == "random" else "relinear"
    return make_kind(config.model, neuron_of(config), init, sample_shape, n_classes)


def make_kind(model: ModelConfig, neuron: Neuron, init: Init, sample_shape: Sequence[int], n_classes: int) -> nn.Module:
    """A network of some structure with some kind of neurons.

    Raises:
        ValueError: as `make_network` and `qresnet`.
    """
    if model.depth is None:
        return make_mlp((math.prod(sample_shape), *model.hidden, n_classes), neuron, init, batchnorm=model.batchnorm)
    if len(sample_shape) != 3:
        raise ValueError(f"{model.model} takes images, not samples of shape {tuple(sample_shape)}; use an mlp")
    return qresnet(model.depth, n_classes, sample_shape[0], neuron, init, rezero=model.rezero)
