"""Transposed convolutions."""

import torch.nn.functional as F
from torch import Tensor

from .affine import Affine
from .graph import Shape


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
