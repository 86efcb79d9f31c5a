"""Convolutions and transposed convolutions."""

from math import prod

import torch.nn.functional as F
from torch import Tensor

from bab_verify.graph import Shape

from .affine import Affine


class Convolution(Affine):
    """A convolution, of one to three dimensions.

    Args:
        weight: (channels out, channels in / groups, *kernel).
        bias: (channels out,) or `None`.
        input_shape: (1, channels, *size).
        stride: For each dimension.
        padding: For each dimension, the same at both ends.
        dilation: For each dimension.
        groups: Groups of channels.
        bias_perturbation: How far each bias may be from the network's, if it was computed, (channels out,).
    """

    weight: Tensor
    bias: Tensor | None
    bias_perturbation: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        input_shape: Shape,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int = 1,
        bias_perturbation: Tensor | None = None,
    ) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("bias_perturbation", bias_perturbation, persistent=False)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        d = weight.ndim - 2
        self._convolve = (F.conv1d, F.conv2d, F.conv3d)[d - 1]
        self._transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[d - 1]
        self._excess = tuple(
            (size + 2 * p - reach * (kernel - 1) - 1) % step
            for size, p, reach, kernel, step in zip(
                input_shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
            )
        )

    def _apply_weight(self, x: Tensor, weight: Tensor) -> Tensor:
        shape = (x.shape[0], *self.input_shapes[0])
        flat = x.reshape(shape[0] * shape[1], *shape[2:])
        y = self._convolve(flat, weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(shape[0], shape[1], *y.shape[1:])

    def linear(self, x: Tensor) -> Tensor:
        """The convolution without its bias."""
        return self._apply_weight(x, self.weight)

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The convolutions with positive and with negative weights."""
        positive, negative = self.weight.clamp(min=0), self.weight.clamp(max=0)
        return self._apply_weight(lower[0], positive) + self._apply_weight(upper[0], negative)

    def constant(self) -> Tensor | None:
        """The bias, (channels, 1, ...)."""
        return None if self.bias is None else self._by_channel(self.bias)

    def _by_channel(self, vector: Tensor) -> Tensor:
        return vector.reshape(1, -1, *([1] * (self.weight.ndim - 2)))

    @property
    def n_terms(self) -> int:
        """Elements of a kernel for all channels of a group that go in, or come out if they are more."""
        channels_out, channels_in, *kernel = self.weight.shape
        return max(channels_in, channels_out // self.groups) * prod(kernel)

    def perturbation(self, *magnitudes: Tensor) -> Tensor | None:
        """Of the bias."""
        del magnitudes
        return None if self.bias_perturbation is None else self._by_channel(self.bias_perturbation)[None]

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The transposed convolution."""
        n, one = coefficients.shape[:2]
        flat = coefficients.reshape(n * one, *coefficients.shape[2:])
        x = self._transpose(
            flat, self.weight, None, self.stride, self.padding, self._excess, self.groups, self.dilation
        )
        return (x.reshape(n, one, *x.shape[1:]),)


class TransposedConvolution(Affine):
    """A transposed convolution without padding or bias, of one to three dimensions.

    Args:
        weight: (channels in, channels out / groups, *kernel).
        input_shape: (1, channels, *size).
        stride: For each dimension.
        dilation: For each dimension.
        groups: Groups of channels.
    """

    weight: Tensor

    def __init__(
        self, weight: Tensor, input_shape: Shape, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int = 1
    ) -> None:
        super().__init__(input_shape)
        self.register_buffer("weight", weight)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        d = weight.ndim - 2
        self._convolve = (F.conv1d, F.conv2d, F.conv3d)[d - 1]
        self._transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[d - 1]

    def _apply_weight(self, x: Tensor, weight: Tensor) -> Tensor:
        zeros = (0,) * len(self.stride)
        y = self._transpose(x.flatten(0, 1), weight, None, self.stride, zeros, zeros, self.groups, self.dilation)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def linear(self, *inputs: Tensor) -> Tensor:
        """The transposed convolution."""
        return self._apply_weight(inputs[0], self.weight)

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The transposed convolutions with positive and with negative weights."""
        positive, negative = self.weight.clamp(min=0), self.weight.clamp(max=0)
        return self._apply_weight(lower[0], positive) + self._apply_weight(upper[0], negative)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The convolution."""
        zeros = (0,) * len(self.stride)
        flat = coefficients.flatten(0, 1)
        x = self._convolve(flat, self.weight, None, self.stride, zeros, self.dilation, self.groups)
        return (x.reshape(*coefficients.shape[:2], *x.shape[1:]),)

    @property
    def n_terms(self) -> int:
        """Elements of a kernel for all channels of a group that go in, or come out if they are more."""
        channels_in, channels_out, *kernel = self.weight.shape
        return max(channels_in // self.groups, channels_out) * prod(kernel)
