"""Dual networks: a forward network on the samples and a feedback network on the targets, in opposite directions."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import one_hot

from counter_current.configs import DataShape, NetworkConfig

from .layers import CounterCurrentLayer


class Standardize(nn.Module):
    """Subtracts a mean and divides by a standard deviation, both fixed.

    Args:
        shape: Shape of a sample; images (channels, height, width) have one mean for each channel, anything else one for
            each number.

    Attributes:
        mean, std: 0 and 1 until `fit`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        size = (shape[0], 1, 1) if len(shape) == 3 else tuple(shape)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def forward(self, x: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch *sample"]:
        """The standardized samples."""
        return (x - self.mean) / self.std

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "n *sample"]) -> None:
        """Take the mean and the standard deviation of samples; what does not vary is left at its scale."""
        axes = [0, *(axis + 1 for axis, n in enumerate(self.mean.shape) if n == 1 and x.shape[axis + 1] > 1)]
        std, mean = torch.std_mean(x, axes, correction=0, keepdim=True)
        self.mean.copy_(mean[0])
        self.std.copy_(std[0].where(std[0] > 0, 1))


class CounterCurrentNetwork(nn.Module):
    """A dual network of L layers (equation 1).

        a_0 = x, a_l = layer_l.forward(SG(a_{l-1}))        b_L = y, b_{l-1} = layer_l.reverse(SG(b_l))

    The two directions do not read each other's values and share no weights. Called as usual, it is the forward network
    alone: logits of a classifier, reconstructions of an autoencoder, with gradients as in any other module.

    Args:
        layers: The layers, from the sample to the output. The last should have no activation function forwards, and
            the first none backwards.
        n_classes: Number of classes; None for an autoencoder, whose target is the sample.
        sample_shape: Shape of a sample; that of the first linear layer's input if not given.
        standardize: Begin with a `Standardize`, which a trainer fits to the training samples.

    Attributes:
        sample_shape: Shape of a sample.
        shapes: Shapes of all L + 1 signals of a sample.
        description: From what `make_network` can make it again; None where it was made otherwise.

    Raises:
        ValueError: if there is no layer, the shapes of the two directions do not match, or the output does not fit the
            number of classes.
    """

    def __init__(
        self,
        layers: Sequence[CounterCurrentLayer],
        n_classes: int | None = None,
        sample_shape: Sequence[int] | None = None,
        *,
        standardize: bool = False,
    ) -> None:
        super().__init__()
        if not layers:
            raise ValueError("a network needs at least one layer")
        if n_classes is not None and n_classes < 2:
            raise ValueError(f"a classifier needs at least 2 classes, not {n_classes}")
        if n_classes is None and standardize:
            raise ValueError("an autoencoder reconstructs samples as they are; standardize them beforehand")
        self.n_classes = n_classes
        self.sample_shape = tuple(sample_shape) if sample_shape is not None else _shape_of(layers[0])
        self.standardize = Standardize(self.sample_shape) if standardize else nn.Identity()
        self.layers = nn.ModuleList(layers)
        self.shapes = self._checked_shapes()
        self.description: tuple[NetworkConfig, DataShape] | None = None

    def _checked_shapes(self) -> tuple[tuple[int, ...], ...]:
        shapes = [self.sample_shape]
        for number, layer in enumerate(self.dual_layers(), 1):
            shapes.append(layer.check(shapes[-1], f"layer {number}"))
        expected = self.sample_shape if self.n_classes is None else (self.n_classes,)
        if shapes[-1] != expected:
            what = "a sample" if self.n_classes is None else f"{self.n_classes} classes"
            raise ValueError(f"the last layer gives {shapes[-1]}, but {what} would be {expected}")
        return tuple(shapes)

    def dual_layers(self) -> Iterator[CounterCurrentLayer]:
        """The layers, from the sample to the output."""
        for layer in self.layers:
            assert isinstance(layer, CounterCurrentLayer)  # noqa: S101 - for type checkers
            yield layer

    @property
    def n_layers(self) -> int:
        """Number of layers L."""
        return len(self.layers)

    def forward(self, x: Shaped[Tensor, "batch *sample"]) -> Float[Tensor, "batch *output"]:
        """The output of the forward network, with gradients through all of it."""
        return self.activations(x, detach=False)[-1]

    def activations(self, x: Shaped[Tensor, "batch *sample"], detach: bool = True) -> list[Tensor]:
        """The signals a_0 to a_L of the forward network; if detached, each has gradients in its own layer's weights."""
        signals = [self.standardize(x)]
        for layer in self.dual_layers():
            signals.append(layer(signals[-1], detach))
        return signals

    def signals(self, targets: Float[Tensor, "batch *output"], detach: bool = True) -> list[Tensor]:
        """The signals b_0 to b_L of the feedback network, aligned with `activations` index by index."""
        signals = [targets]
        for layer in reversed(list(self.dual_layers())):
            signals.append(layer.reverse(signals[-1], detach))
        return signals[::-1]

    def class_signals(self, detach: bool = True) -> list[Float[Tensor, "classes *signal"]]:
        """The signals of the feedback network for all classes: one row for each, however large the batch is.

        Raises:
            ValueError: if the network is an autoencoder.
        """
        if self.n_classes is None:
            raise ValueError("an autoencoder has no classes; its feedback network runs on samples")
        weight = next(self.parameters())
        return self.signals(torch.eye(self.n_classes, device=weight.device, dtype=weight.dtype), detach)

    def label_signals(self, labels: Int[Tensor, "batch"], detach: bool = True) -> list[Tensor]:
        """The signals of the feedback network for the labels of a batch, a row for each.

        Raises:
            ValueError: if the network is an autoencoder.
        """
        if self.n_classes is None:
            raise ValueError("an autoencoder has no classes; its feedback network runs on samples")
        targets = one_hot(labels, self.n_classes).to(next(self.parameters()).dtype)
        return self.signals(targets, detach)

    def forward_parameters(self) -> list[nn.Parameter]:
        """The weights of the forward network."""
        return [p for layer in self.dual_layers() for p in layer.forward_module.parameters()]

    def feedback_parameters(self) -> list[nn.Parameter]:
        """The weights of the feedback network."""
        return [p for layer in self.dual_layers() for p in layer.feedback_module.parameters()]

    def plain(self) -> nn.Sequential:
        """A copy of the forward network as a plain `nn.Sequential` of its modules, without the feedback.

        A `Standardize` is its first module where the network begins with one.
        """
        paths = (self.standardize, *(layer.forward_module for layer in self.dual_layers()))
        return nn.Sequential(*(deepcopy(module) for path in paths for module in flattened(path)))


def flattened(module: nn.Module) -> Iterator[nn.Module]:
    """The modules of nested `nn.Sequential`s in their order, without those that do nothing."""
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from flattened(child)
    elif not isinstance(module, nn.Identity):
        yield module


def _shape_of(layer: CounterCurrentLayer) -> tuple[int, ...]:
    first = next((m for m in flattened(layer.forward_module) if not isinstance(m, nn.BatchNorm1d)), None)
    if isinstance(first, nn.Linear) and not isinstance(first, nn.LazyLinear):
        return (first.in_features,)
    raise ValueError("give the shape of a sample: it cannot be seen from the first layer")
