"""The networks of the paper: perceptrons, convolutional networks and a convolutional autoencoder."""

import math
from collections.abc import Sequence
from itertools import pairwise

from counter_current.configs import Activation, DataShape, NetworkConfig, Norm, widths

from .dual import CounterCurrentNetwork
from .initialization import initialize_autoencoder, zero_biases
from .layers import (
    CounterCurrentBlock,
    CounterCurrentConv2d,
    CounterCurrentFlatten,
    CounterCurrentLayer,
    CounterCurrentLinear,
    CounterCurrentPool2d,
)

IMAGE = 3
"""Axes of an image: channels, height and width."""


def make_network(config: NetworkConfig, shape: DataShape) -> CounterCurrentNetwork:
    """The network of a configuration, for data of a shape; its weights are drawn from PyTorch's generator.

    Biases of convolutions begin at zero; an autoencoder's weights are orthogonal, and small towards the image.

    Raises:
        ValueError: if samples of this shape do not fit the architecture.
    """
    if config.architecture == "mlp":
        layers = _mlp_layers(shape, config)
    elif config.architecture == "autoencoder":
        layers = _autoencoder_layers(_image(shape), config)
    else:
        layers = _cnn_layers(_image(shape), _classes(shape), config)
    n_classes = None if config.architecture == "autoencoder" else shape.n_classes
    network = CounterCurrentNetwork(layers, n_classes, shape.sample, standardize=config.standardize)
    if config.architecture == "autoencoder":
        initialize_autoencoder(network)
    else:
        zero_biases(network)
    network.description = (config, DataShape(shape.sample, n_classes))
    return network


def make_mlp(
    sizes: Sequence[int], activation: Activation = "elu", *, bias: bool = False, norm: Norm = "none"
) -> CounterCurrentNetwork:
    """A perceptron of linear maps in both directions, with an activation function between them.

    Args:
        sizes: Number of features, widths of the hidden layers, and number of classes.
        activation: Between the layers, in both directions.
        bias: Whether the maps have biases.
        norm: Batch normalization before or after each map.

    Raises:
        ValueError: if there are fewer than three sizes, or one is not positive.
    """
    if len(sizes) < 3 or min(sizes) < 1:
        raise ValueError(f"an MLP needs features, one or more hidden widths and classes, not {list(sizes)}")
    n_features, *hidden, n_classes = sizes
    config = NetworkConfig("mlp", ",".join(map(str, hidden)), activation, norm, bias, standardize=False)
    return make_network(config, DataShape((n_features,), n_classes))


def _mlp_layers(shape: DataShape, config: NetworkConfig) -> list[CounterCurrentLayer]:
    sizes = [math.prod(shape.sample), *widths(config.widths), _classes(shape)]
    last = len(sizes) - 2
    layers: list[CounterCurrentLayer] = [
        CounterCurrentLinear(
            below,
            above,
            "identity" if number == last else config.activation,
            "identity" if number == 0 else config.activation,
            bias=config.bias,
            norm=config.norm,
        )
        for number, (below, above) in enumerate(pairwise(sizes))
    ]
    if len(shape.sample) > 1:
        layers[0] = CounterCurrentBlock(CounterCurrentFlatten(shape.sample), layers[0])
    return layers


def _cnn_layers(image: tuple[int, int, int], n_classes: int, config: NetworkConfig) -> list[CounterCurrentLayer]:
    """Convolutions that halve the map, by pooling or by their stride, and a plain linear map."""
    channels, is_strided = widths(config.widths), config.architecture == "strided-cnn"
    layers: list[CounterCurrentLayer] = []
    below, *size = image
    for number, above in enumerate(channels):
        height, width = size
        if min(size) < 2:
            raise ValueError(
                f"images of {image[1]} x {image[2]} pixels can be halved {number} times, not {len(channels)}; give "
                "larger ones or fewer channels"
            )
        first = CounterCurrentConv2d(
            below,
            above,
            stride=2 if is_strided else 1,
            activation=config.activation,
            feedback_activation="identity" if number == 0 else config.activation,
            bias=config.bias,
            norm=config.norm,
            size=(height, width),
        )
        layers.append(first if is_strided else CounterCurrentBlock(first, CounterCurrentPool2d(2, (height, width))))
        size = [-(-height // 2), -(-width // 2)] if is_strided else [height // 2, width // 2]
        below = above
    shape = (below, *size)
    linear = CounterCurrentLinear(below * size[0] * size[1], n_classes, "identity", config.activation)
    return [*layers, CounterCurrentBlock(CounterCurrentFlatten(shape), linear)]


def _autoencoder_layers(image: tuple[int, int, int], config: NetworkConfig) -> list[CounterCurrentLayer]:
    """An encoder of strided convolutions, and a decoder that is the same seen from its other end."""
    channels = widths(config.widths)
    multiple = 2 ** len(channels)
    if image[1] % multiple or image[2] % multiple:
        raise ValueError(
            f"an autoencoder with {len(channels)} strided convolutions takes images whose sides are multiples of "
            f"{multiple}, not {image[1]} x {image[2]}; resize them"
        )

    def half() -> list[CounterCurrentLayer]:
        return [
            CounterCurrentConv2d(
                below,
                above,
                stride=2,
                activation=config.activation,
                feedback_activation="identity" if number == 0 else config.activation,
                bias=config.bias,
                norm=config.norm,
            )
            for number, (below, above) in enumerate(pairwise((image[0], *channels)))
        ]

    return [*half(), *(layer.swapped() for layer in reversed(half()))]


def _image(shape: DataShape) -> tuple[int, int, int]:
    if len(shape.sample) != IMAGE:
        raise ValueError(
            f"this architecture takes images (channels, height, width), not samples of shape {shape.sample}"
        )
    channels, height, width = shape.sample
    return channels, height, width


def _classes(shape: DataShape) -> int:
    if shape.n_classes is None:
        raise ValueError("this architecture classifies; give the number of classes")
    return shape.n_classes
