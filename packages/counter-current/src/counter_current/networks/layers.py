"""Layers in two directions: a forward module and a feedback module of its own, without shared weights."""

from collections.abc import Callable, Sequence
from typing import get_args

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from counter_current.configs import Activation, Norm

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class CounterCurrentLayer(nn.Module):
    """Any two modules as a layer of a dual network (equation 1).

        a_l = forward_module(SG(a_{l-1}))        b_{l-1} = feedback_module(SG(b_l))

    The inputs of both are detached, so that neither direction passes a gradient on to other layers; with
    `detach=False` they are not, as back-propagation needs it.

    Args:
        forward_module: From the signal below to the one above.
        feedback_module: From the signal above to the one below.
        shape: Shape of a sample of the input; if given, the shapes are checked.

    Raises:
        ValueError: if the feedback of an output does not have the shape of the input.
    """

    def __init__(
        self, forward_module: nn.Module, feedback_module: nn.Module, shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.forward_module = forward_module
        self.feedback_module = feedback_module
        if shape is not None:
            self.check(shape)

    def forward(self, x: Shaped[Tensor, "batch *below"], detach: bool = True) -> Shaped[Tensor, "batch *above"]:
        """The signal above, U_l applied."""
        return self.forward_module(x.detach() if detach else x)

    def reverse(self, y: Shaped[Tensor, "batch *above"], detach: bool = True) -> Shaped[Tensor, "batch *below"]:
        """The signal below, V_l applied."""
        return self.feedback_module(y.detach() if detach else y)

    def swapped(self) -> "CounterCurrentLayer":
        """The same layer seen from its other end: a decoder's, made of an encoder's."""
        return CounterCurrentLayer(self.feedback_module, self.forward_module)

    @torch.no_grad()
    def check(self, shape: Sequence[int], name: str = "the layer") -> tuple[int, ...]:
        """The shape of an output of this layer, after a trial that the feedback has that of the input.

        Raises:
            ValueError: if it does not, or a module does not take what it gets; the sentence has both shapes.
        """
        shape = tuple(shape)
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            above = self.forward(_example(self, shape))
            below = self.reverse(above)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{name} does not take samples of shape {_told(shape)}: {reason}") from None
        finally:
            for module, mode in modes.items():
                module.training = mode
        if tuple(below.shape[1:]) != shape:
            raise ValueError(
                f"the feedback of {name} gives {_told(below.shape[1:])}, but its input is {_told(shape)}: the shapes "
                "of both directions must match"
            )
        return tuple(above.shape[1:])


def _example(module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    weight = next((p for p in module.parameters() if not nn.parameter.is_lazy(p)), None)
    return (
        torch.zeros(2, *shape) if weight is None else torch.zeros(2, *shape, device=weight.device, dtype=weight.dtype)
    )


def _told(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


class CounterCurrentLinear(CounterCurrentLayer):
    """Two linear maps, each followed by an activation function.

    Args:
        in_features: Width of the signal below.
        out_features: Width of the signal above.
        activation: After the forward map; "identity" in the last layer of a network.
        feedback_activation: After the feedback map; "identity" in the first layer of a network.
        bias: Whether both maps have biases.
        norm: Batch normalization before each map, or between it and its activation function, without affine parameters.

    Raises:
        ValueError: if there is no such activation function or place of the normalization.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        activation: Activation = "elu",
        feedback_activation: Activation = "elu",
        bias: bool = False,
        norm: Norm = "none",
    ) -> None:
        super().__init__(
            _path(nn.Linear(in_features, out_features, bias=bias), activation, norm, in_features, out_features),
            _path(
                nn.Linear(out_features, in_features, bias=bias), feedback_activation, norm, out_features, in_features
            ),
        )


class CounterCurrentConv2d(CounterCurrentLayer):
    """Two convolutions, each followed by an activation function.

    The feedback of a convolution with stride s first enlarges the map s times (nearest neighbor), and then convolves
    with stride 1.

    Args:
        in_channels: Channels of the map below.
        out_channels: Channels of the map above.
        kernel_size: Odd size of both kernels.
        stride: Stride of the forward convolution.
        activation: After the forward convolution; "identity" in the last layer of a network.
        feedback_activation: After the feedback convolution; "identity" in the first layer of a network.
        bias: Whether both have biases.
        norm: Batch normalization before each convolution, or between it and its activation function, without affine
            parameters.
        size: Height and width of the map below, where it is not a multiple of the stride.

    Raises:
        ValueError: if the kernel size is even, or there is no such activation function or place of the normalization.
    """

    def __init__(  # noqa: PLR0917 - those of nn.Conv2d are among them
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        activation: Activation = "elu",
        feedback_activation: Activation = "elu",
        bias: bool = False,
        norm: Norm = "none",
        size: tuple[int, int] | None = None,
    ) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"the size of the kernel must be odd, not {kernel_size}")
        padding = kernel_size // 2
        there = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        back = nn.Conv2d(out_channels, in_channels, kernel_size, padding=padding, bias=bias)
        feedback = _path(back, feedback_activation, norm, out_channels, in_channels)
        if stride > 1:
            feedback = nn.Sequential(_enlarged(stride, size), *feedback)
        super().__init__(_path(there, activation, norm, in_channels, out_channels), feedback)


class CounterCurrentPool2d(CounterCurrentLayer):
    """Max pooling, whose feedback repeats each value (nearest neighbor); has no weights.

    Args:
        factor: Height and width of the windows.
        size: Height and width of the map below, where it is not a multiple of the factor.
    """

    def __init__(self, factor: int = 2, size: tuple[int, int] | None = None) -> None:
        super().__init__(nn.MaxPool2d(factor), _enlarged(factor, size))


class CounterCurrentFlatten(CounterCurrentLayer):
    """Flattens each sample, and gives its feedback the shape back; has no weights.

    Args:
        shape: Shape of a sample below.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(nn.Flatten(), nn.Unflatten(1, tuple(shape)))


class CounterCurrentBlock(CounterCurrentLayer):
    """Layers in a row as one: only the two ends are detached, and only they are compared with the other direction.

    A convolution with the pooling that follows it is one.

    Args:
        layers: The layers, from below.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, *layers: CounterCurrentLayer) -> None:
        if not layers:
            raise ValueError("a block needs at least one layer")
        super().__init__(
            nn.Sequential(*(layer.forward_module for layer in layers)),
            nn.Sequential(*(layer.feedback_module for layer in reversed(layers))),
        )


def make_activation(name: str) -> nn.Module:
    """The module of an activation function.

    Raises:
        ValueError: if there is none of this name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"the activation must be one of {', '.join(ACTIVATIONS)}, not '{name}'")
    return ACTIVATIONS[name]()


def _path(linear: nn.Linear | nn.Conv2d, activation: str, norm: str, n_in: int, n_out: int) -> nn.Sequential:
    """A linear map with its normalization and activation function; what does nothing is left out."""
    if norm not in get_args(Norm):
        raise ValueError(f"the norm must be one of {', '.join(get_args(Norm))}, not '{norm}'")
    make_norm = nn.BatchNorm2d if isinstance(linear, nn.Conv2d) else nn.BatchNorm1d
    parts: list[nn.Module] = [make_norm(n_in, affine=False)] if norm == "before" else []
    parts.append(linear)
    if activation != "identity":
        parts += [make_norm(n_out, affine=False)] if norm == "after" else []
        parts.append(make_activation(activation))
    return nn.Sequential(*parts)


def _enlarged(factor: int, size: tuple[int, int] | None) -> nn.Upsample:
    return nn.Upsample(size=size) if size is not None else nn.Upsample(scale_factor=factor)
