"""Convolutions with quadratic neurons."""

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from .configs import Form, Init
from .layer import QuadraticLayer
from .neuron import Geometry, quadratic_map

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Size = int | Sequence[int]


class _QuadraticConv(QuadraticLayer):
    """(W_r * x + b_r) ∘ (W_g * x + b_g) + W_b * (x ∘ x) + b_b with * a convolution; see `QuadraticLinear`.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Of each of the three kernels.
        stride: Steps between windows.
        padding: Numbers added on both sides of each axis, or `same` or `valid`.
        dilation: Steps between the elements of a kernel.
        groups: Groups of channels that do not mix.
        bias: Whether there are b_r and b_b; b_g is there in any case.
        padding_mode: What is added.
        form: `compact` neurons have no gating map.
        init: `relinear` begins as a conventional convolution; `random` draws all parameters.
        device: Where the parameters are.
        dtype: Their type.

    Raises:
        ValueError: if sizes do not fit each other, or a word is not one of those above.
    """

    n_axes: ClassVar[int]
    conventional: ClassVar[type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]]

    def __init__(  # noqa: PLR0913, PLR0917 - those of nn.Conv2d
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        form: Form = "full",
        init: Init = "relinear",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        kernel = self._sizes("kernel_size", kernel_size)
        if groups < 1 or min(in_channels, out_channels) < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide the channels, but {groups} do not divide {in_channels} and {out_channels}"
            )
        if padding_mode not in get_args(PaddingMode):
            raise ValueError(f"padding_mode must be one of {', '.join(get_args(PaddingMode))}, not {padding_mode!r}")
        shape = (out_channels, in_channels // groups, *kernel)
        super().__init__(shape, bias=bias, form=form, init=init, device=device, dtype=dtype)
        self.in_channels, self.out_channels, self.kernel_size, self.groups = in_channels, out_channels, kernel, groups
        self.stride, self.dilation = self._sizes("stride", stride), self._sizes("dilation", dilation)
        self.padding = padding if isinstance(padding, str) else self._sizes("padding", padding, least=0)
        self.padding_mode = padding_mode
        self._added = self._sides()
        is_explicit = padding_mode != "zeros" or any(before != after for before, after in self._added)
        # What PyTorch's convolution cannot add by itself is added before.
        inside = (0,) * self.n_axes if is_explicit else tuple(before for before, _ in self._added)
        self._before = [n for sides in reversed(self._added) for n in sides] if is_explicit else []
        self._geometry = Geometry(self.stride, inside, self.dilation, groups)

    def _sizes(self, name: str, value: Size, least: int = 1) -> tuple[int, ...]:
        """One number for each axis."""
        sizes = (value,) * self.n_axes if isinstance(value, int) else tuple(value)
        if len(sizes) != self.n_axes or min(sizes) < least:
            raise ValueError(f"{name} must be a number or {self.n_axes} of them, at least {least}, not {value}")
        return sizes

    def _sides(self) -> list[tuple[int, int]]:
        """What is added before and after each axis."""
        if isinstance(self.padding, tuple):
            return [(n, n) for n in self.padding]
        if self.padding == "valid":
            return [(0, 0)] * self.n_axes
        if self.padding != "same":
            raise ValueError(f"padding must be numbers, 'same' or 'valid', not {self.padding!r}")
        if max(self.stride) > 1:
            raise ValueError("padding='same' needs a stride of 1")
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [(n // 2, n - n // 2) for n in totals]

    @classmethod
    def from_conv(
        cls,
        conv: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        form: Form = "full",
        init: Init = "relinear",
        bias: bool | None = None,
    ) -> "_QuadraticConv":
        """The layer that computes what a conventional convolution does, unless `init` is `random`.

        Args:
            conv: Its weight and bias are copied.
            form: Of the neurons.
            init: `random` draws the quadratic parameters, so that the outputs change.
            bias: Whether there are b_r and b_b; as in the convolution if not given.

        Raises:
            ValueError: if the convolution has another number of axes.
        """
        if not isinstance(conv, cls.conventional):
            raise ValueError(
                f"{cls.__name__} is made of an {cls.conventional.__name__}, not of a {type(conv).__name__}"
            )
        new = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None if bias is None else bias,
            conv.padding_mode,
            form,
            device=conv.weight.device,
            dtype=conv.weight.dtype,
        )
        new.init = init
        new._take_over(conv, init)
        return new

    def forward(self, x: Float[Tensor, "*batch_in_size"]) -> Float[Tensor, "*batch_out_size"]:
        """The outputs, of a batch (batch, in_channels, *size) or of one sample (in_channels, *size).

        Raises:
            ValueError: if the input has too few or too many axes.
        """
        if x.ndim not in (self.n_axes + 1, self.n_axes + 2):
            raise ValueError(
                f"{type(self).__name__} takes inputs (batch, {self.in_channels}, *size) with {self.n_axes} axes of "
                f"size, not of shape {tuple(x.shape)}"
            )
        is_single = x.ndim == self.n_axes + 1
        x = x[None] if is_single else x
        if self._before:
            x = pad(x, self._before, mode="constant" if self.padding_mode == "zeros" else self.padding_mode)
        y = quadratic_map(x, self.weights, self._geometry)
        return y[0] if is_single else y

    def extra_repr(self) -> str:
        """What is told of the layer when a network is printed."""
        told = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        told += f", padding={self.padding}, dilation={self.dilation}, groups={self.groups}"
        return f"{told}, bias={self.bias_r is not None}, padding_mode={self.padding_mode}, form={self.form}"


class QuadraticConv1d(_QuadraticConv):
    """Along one axis, in place of an `nn.Conv1d`; its arguments are those of `QuadraticConv2d`."""

    n_axes, conventional = 1, nn.Conv1d


class QuadraticConv2d(_QuadraticConv):
    """(W_r * x + b_r) ∘ (W_g * x + b_g) + W_b * (x ∘ x) + b_b with * a convolution, in place of an `nn.Conv2d`.

    The arguments are those of `nn.Conv2d` and of `QuadraticLinear`: `form="compact"` leaves the gating map out, and
    `init="random"` draws all parameters. b_g is there even without `bias`, since its reference is 1.

    Raises:
        ValueError: if sizes do not fit each other, or a word is unknown.
    """

    n_axes, conventional = 2, nn.Conv2d


class QuadraticConv3d(_QuadraticConv):
    """Along three axes, in place of an `nn.Conv3d`; its arguments are those of `QuadraticConv2d`."""

    n_axes, conventional = 3, nn.Conv3d
