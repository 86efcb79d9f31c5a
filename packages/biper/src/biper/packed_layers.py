"""Layers whose weights take one bit each, evaluated by XOR and population count."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import BinaryConv2d, BinaryLayer

MOST_COUNTS = 1 << 16
"""Counts that are computed at once, so that they stay in the cache."""
WORD = 8
"""Bytes of a word."""
Pair = tuple[int, int]


@dataclass(frozen=True)
class PackedSpec:
    """What a packed layer is, but for its numbers.

    Attributes:
        kind: conv or linear.
        n_in: Channels or features of the input.
        n_out: Channels or features of the output.
        kernel: Height and width of the kernel.
        stride: Steps of the kernel.
        padding: Pixels that are added on the left, on the right, above and below.
        dilation: Distances between the taps of the kernel.
        groups: Groups of channels that do not meet.
        padding_mode: What is added: zeros, reflect, replicate or circular.
        binarize_input: Whether the layer takes signs of its input.
        has_scale: Whether outputs are scaled.
        has_bias: Whether there is a bias.
    """

    kind: Literal["conv", "linear"]
    n_in: int
    n_out: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    padding_mode: str = "zeros"
    binarize_input: bool = True
    has_scale: bool = False
    has_bias: bool = False

    def __post_init__(self) -> None:
        sizes = (self.n_in, self.n_out, self.groups, *self.kernel, *self.stride, *self.dilation)
        if min(sizes) < 1 or min(self.padding) < 0 or self.n_in % self.groups or self.n_out % self.groups:
            raise ValueError("the geometry of a packed layer does not fit together")
        if self.padding_mode not in {"zeros", "reflect", "replicate", "circular"}:
            raise ValueError(f"there is no padding mode {self.padding_mode!r}")

    @property
    def n_taps(self) -> int:
        """Weights of each output."""
        return self.n_in // self.groups * self.kernel[0] * self.kernel[1]

    @classmethod
    def of(cls, layer: BinaryLayer) -> "PackedSpec":
        """That of a binary layer."""
        has: dict[str, Any] = {
            "binarize_input": layer.binarize_input,
            "has_scale": layer.scale() is not None,
            "has_bias": layer.bias is not None,
        }
        if isinstance(layer, BinaryConv2d):
            left, right, top, bottom = layer._reversed_padding_repeated_twice
            return cls(
                "conv",
                layer.in_channels,
                layer.out_channels,
                _pair(layer.kernel_size),
                _pair(layer.stride),
                (left, right, top, bottom),
                _pair(layer.dilation),
                layer.groups,
                layer.padding_mode,
                **has,
            )
        return cls("linear", int(layer.weight.shape[1]), int(layer.weight.shape[0]), **has)


def _pair(values: tuple[int, ...]) -> Pair:
    first, second = values
    return first, second


def pack_bits(signs: Bool[np.ndarray, "*rows taps"]) -> UInt8[np.ndarray, "*rows bytes"]:
    """Eight signs in a byte, the first in its lowest bit; zeros fill the last byte of a row."""
    return np.packbits(signs, axis=-1, bitorder="little")


def unpack_bits(planes: UInt8[np.ndarray, "*rows bytes"], n_taps: int) -> Bool[np.ndarray, "*rows taps"]:
    """The signs that `pack_bits` packed."""
    return np.unpackbits(planes, axis=-1, count=n_taps, bitorder="little").astype(bool)


def _words(planes: UInt8[np.ndarray, "*rows bytes"]) -> np.ndarray:
    """Rows of bytes as rows of 64-bit words, of shape (*rows, words)."""
    missing = -planes.shape[-1] % WORD
    widths = [(0, 0)] * (planes.ndim - 1) + [(0, missing)]
    return np.ascontiguousarray(np.pad(planes, widths)).view(np.uint64)


def count_differences(x: np.ndarray, w: np.ndarray) -> Int[np.ndarray, "rows outputs"]:
    """In how many bits each row of words of x differs from each row of w: XOR and population count.

    Args:
        x: Words, (rows, words).
        w: Words, (outputs, words).
    """
    found = np.zeros((len(x), len(w)), dtype=np.int32)
    step = max(1, MOST_COUNTS // max(len(w), 1))
    for start in range(0, len(x), step):
        some = x[start : start + step]
        counts = found[start : start + step]
        for word in range(x.shape[1]):
            counts += np.bitwise_count(some[:, word, None] ^ w[None, :, word])
    return found


class PackedLayer(nn.Module):
    """A binary layer for inference, with one bit for each weight.

    With binary inputs, a sum of n products of signs is n - 2 d, where d counts the bits in which inputs and weights
    differ; taps on zeros around an image count for nothing. The sums are exact integers. With real inputs (1w32a), the
    weights are unpacked for each batch.

    Args:
        spec: What the layer is.

    Attributes:
        planes: The bits, 1 for +1, of each output.
        counts_only: Give the sums as they are, without bias and scale, for a `Threshold` that knows both.
    """

    planes: UInt8[Tensor, "outputs bytes"]
    alpha: Float[Tensor, "outputs"] | None
    bias: Float[Tensor, "outputs"] | None

    def __init__(self, spec: PackedSpec, *, counts_only: bool = False) -> None:
        super().__init__()
        self.spec, self.counts_only = spec, counts_only
        self._cached: tuple[Tensor, int, np.ndarray] | None = None
        self.register_buffer("planes", torch.zeros(spec.n_out, -(-spec.n_taps // 8), dtype=torch.uint8))
        self.register_buffer("alpha", torch.ones(spec.n_out) if spec.has_scale else None)
        self.register_buffer("bias", torch.zeros(spec.n_out) if spec.has_bias else None)

    @classmethod
    def from_layer(cls, layer: BinaryLayer) -> "PackedLayer":
        """The packed twin of a binary layer in its second stage."""
        packed = cls(PackedSpec.of(layer))
        signs = layer.binary_weight().flatten(1).cpu().numpy() > 0
        packed.planes = torch.from_numpy(pack_bits(signs))
        scale = layer.scale()
        packed.alpha = None if scale is None else scale.detach().float().cpu().clone()
        packed.bias = None if layer.bias is None else layer.bias.detach().float().cpu().clone()
        return packed.eval()

    def weight(self) -> Float[Tensor, "outputs ..."]:
        """The weights as numbers, -1 and +1."""
        signs = unpack_bits(self.planes.cpu().numpy(), self.spec.n_taps)
        flat = torch.from_numpy(np.where(signs, np.float32(1), np.float32(-1))).to(self.planes.device)
        if self.spec.kind == "linear":
            return flat
        return flat.view(self.spec.n_out, -1, *self.spec.kernel)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's outputs, in the precision of its input.

        Raises:
            TypeError: if the input is not of floating point.
            ValueError: if it is of another shape than the layer takes.
        """
        if not x.is_floating_point():
            raise TypeError(f"a binary layer takes numbers of floating point, not {x.dtype}; convert with .float()")
        self._check_shape(x)
        y = self._sums(x) if self.spec.kind == "linear" or x.ndim == 4 else self._sums(x[None])[0]
        if self.counts_only:
            return y
        shape = (-1, 1, 1) if self.spec.kind == "conv" else (-1,)
        y = y if self.bias is None else y + self.bias.to(y.dtype).view(shape)
        return y if self.alpha is None else y * self.alpha.to(y.dtype).view(shape)

    def _check_shape(self, x: Tensor) -> None:
        # Bits would hide it: those of too many features, or too few, may fill as many words.
        is_conv, n = self.spec.kind == "conv", self.spec.n_in
        if x.ndim not in (3, 4) if is_conv else x.ndim < 1:
            raise ValueError(f"this layer takes {'images' if is_conv else 'features'}, not a shape of {tuple(x.shape)}")
        if x.shape[-3 if is_conv else -1] != n:
            what = "channels" if is_conv else "features"
            raise ValueError(f"this layer takes {n} {what}, not {x.shape[-3 if is_conv else -1]}: {tuple(x.shape)}")

    def _sums(self, x: Tensor) -> Tensor:
        spec = self.spec
        if spec.kind == "linear":
            return self._dense(x) if spec.binarize_input else F.linear(x, self.weight().to(x.dtype))
        if spec.padding_mode != "zeros" and any(spec.padding):
            x = F.pad(x, spec.padding, mode=spec.padding_mode)
        if not spec.binarize_input:
            x = F.pad(x, spec.padding) if spec.padding_mode == "zeros" else x
            return F.conv2d(
                x, self.weight().to(x.dtype), stride=spec.stride, dilation=spec.dilation, groups=spec.groups
            )
        return self._convolve(x)

    def _dense(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch outputs"]:
        rows = (x >= 0).flatten(0, -2).cpu().numpy() if x.ndim > 1 else (x >= 0)[None].cpu().numpy()
        differences = count_differences(_words(pack_bits(rows)), self._weight_words())
        sums = torch.from_numpy(self.spec.n_taps - 2 * differences)
        return sums.view(*x.shape[:-1], self.spec.n_out).to(x)

    def _convolve(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        """The sums of a convolution: bits are packed along the channels, before the kernel's windows are laid out."""
        spec = self.spec
        n, _, height, width = x.shape
        n_own, n_made = spec.n_in // spec.groups, spec.n_out // spec.groups
        left, right, top, bottom = spec.padding if spec.padding_mode == "zeros" else (0, 0, 0, 0)
        around = ((0, 0), (top, bottom), (left, right), (0, 0), (0, 0))
        pixels = (x >= 0).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        pixels = pack_bits(pixels.reshape(n, height, width, spec.groups, n_own))
        taps = self._windows(np.pad(pixels, around))
        valid = self._windows(np.pad(np.ones((1, height, width, 1, 1), dtype=bool), around))[0, :, :, 0]
        rows, columns = taps.shape[1:3]
        outside = np.broadcast_to(~valid, (*valid.shape[:4], taps.shape[-1])).reshape(rows * columns, -1)
        n_valid = n_own * valid.sum((2, 3, 4), dtype=np.int32).reshape(1, -1, 1)
        weights = self._weight_words()
        sums = np.empty((n, rows * columns, spec.n_out), dtype=np.int32)
        for group in range(spec.groups):
            words = _words(taps[:, :, :, group].reshape(n * rows * columns, outside.shape[1]))
            made = slice(group * n_made, (group + 1) * n_made)
            differences = count_differences(words, weights[made]).reshape(n, rows * columns, n_made)
            if any(spec.padding):
                # Around the image, where bits are 0, each weight of +1 was counted as a difference.
                differences -= _ones_of(weights[made], _words(outside * np.uint8(255)))
            sums[:, :, made] = n_valid - 2 * differences
        found = torch.from_numpy(sums).movedim(-1, 1).reshape(n, spec.n_out, rows, columns)
        return found.to(x).contiguous()

    def _weight_words(self) -> np.ndarray:
        """Words of the weights in the order of a window: taps, and the channels of each; kept until they change."""
        version = self.planes._version
        if self._cached is None or self._cached[0] is not self.planes or self._cached[1] != version:
            spec = self.spec
            signs = unpack_bits(self.planes.cpu().numpy(), spec.n_taps).reshape(spec.n_out, -1, *spec.kernel)
            by_tap = pack_bits(np.moveaxis(signs, 1, -1))
            self._cached = self.planes, version, _words(by_tap.reshape(spec.n_out, -1))
        return self._cached[2]

    def _windows(
        self, pixels: Shaped[np.ndarray, "n y x groups parts"]
    ) -> Shaped[np.ndarray, "n rows columns groups ky kx parts"]:
        """What the kernel meets at each of its places."""
        spec = self.spec
        size = [(k - 1) * d + 1 for k, d in zip(spec.kernel, spec.dilation, strict=True)]
        if pixels.shape[1] < size[0] or pixels.shape[2] < size[1]:
            raise ValueError(f"images of {pixels.shape[1:3]} pixels are smaller than a kernel of {tuple(size)}")
        every = sliding_window_view(pixels, size, axis=(1, 2))
        some = every[:, :: spec.stride[0], :: spec.stride[1], ..., :: spec.dilation[0], :: spec.dilation[1]]
        return np.moveaxis(some, 4, -1)

    def extra_repr(self) -> str:
        """The settings of the layer, for `print`."""
        spec = self.spec
        return f"{spec.kind}, {spec.n_in}, {spec.n_out}, kernel={spec.kernel}, {spec.n_out * spec.n_taps} bits"


def _ones_of(planes: np.ndarray, mask: np.ndarray) -> Int[np.ndarray, "rows outputs"]:
    """How many bits of each row of words of `planes` are 1 where those of a row of `mask` are."""
    found = np.zeros((len(mask), len(planes)), dtype=np.int32)
    for word in range(planes.shape[1]):
        found += np.bitwise_count(mask[:, word, None] & planes[None, :, word])
    return found


class Threshold(nn.Module):
    """Batch normalization and sign of integer sums as one comparison for each channel.

    Attributes:
        at: The smallest sum whose sign is +1; the largest one where `is_falling`.
    """

    at: Int[Tensor, "channels"]
    is_falling: Bool[Tensor, "channels"]

    def __init__(self, n: int) -> None:
        super().__init__()
        self.register_buffer("at", torch.zeros(n, dtype=torch.int32))
        self.register_buffer("is_falling", torch.zeros(n, dtype=torch.bool))

    def forward(self, x: Float[Tensor, "batch channels ..."]) -> Float[Tensor, "batch channels ..."]:
        """-1 or +1 for each sum."""
        shape = (-1, *[1] * (x.ndim - 2))
        at, is_falling = self.at.view(shape), self.is_falling.view(shape)
        return torch.where(torch.where(is_falling, x <= at, x >= at), 1.0, -1.0).to(x.dtype)
