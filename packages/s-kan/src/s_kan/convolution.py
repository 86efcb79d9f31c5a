"""The convolutional layer."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from .configs import POOL, Base, Normalization, Unit
from .layer import Member, SelectableLayer
from .linear import check_features
from .normalization import make_normalization
from .pool import PoolLike

Pair = int | tuple[int, int]


class SKANConv2d(SelectableLayer):
    """A convolution whose kernels are functions of the families that its channels choose.

    y_o(u) = Σ_{d,k} b_{o,d,k} silu(x_d(u + k)) + Σ_p w_{p,o} Σ_{d,k,i} c^(p)_{o,d,k,i} B^(p)_i(x_d(u + k)). The image
    is padded with zeros first and expanded then, so that the padding contributes B(0). One convolution of the expanded
    channels computes all of it. Normalize the inputs, to keep them in the range of the families.

    Args:
        in_channels: Channels D of the image.
        out_channels: Channels O of the result.
        kernel_size: Height and width of the window.
        stride: Step of the window.
        padding: Zeros on each side, or `same` for stride 1 and an odd window.
        pool: Families to choose among: names, or classes of your own.
        n_basis: Functions of each family.
        unit: What chooses a family of its own: each `node` (channel of the result), each `edge` (pair of channels) or
            the `layer`.
        base: Function of the inputs that all families share: `silu`, `identity` or `none`.
        normalization: Of the inputs: `none`, `tanh`, `layer` (of each image) or `batch`.

    Raises:
        ValueError: if a number is out of range, or there is no such family, unit, base function or normalization.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair = 3,
        stride: Pair = 1,
        padding: Pair | str = 0,
        *,
        pool: PoolLike = POOL,
        n_basis: int = 8,
        unit: Unit = "node",
        base: Base = "silu",
        normalization: Normalization = "none",
    ) -> None:
        check_features(in_channels, out_channels)
        kernel = pair(kernel_size)
        normalize = make_normalization(normalization, in_channels, is_image=True)
        zeros = padding_of(padding, kernel, pair(stride))
        super().__init__(in_channels, out_channels, pool, n_basis, unit, base, normalize, kernel)
        self.stride, self.padding = pair(stride), zeros

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch nodes rows columns"]:
        """The layer's images.

        Raises:
            ValueError: if the images have other channels.
        """
        if x.shape[1] != self.n_in:
            raise ValueError(f"the layer takes {self.n_in} channels, not {x.shape[1]}")
        x = padded(self.normalize(x), self.padding)
        if not self.is_pruned:
            return conv2d(as_channels(self.expand(channels_last(x))), self.weight().flatten(1, 2), stride=self.stride)
        y = None if self.base_weight is None else conv2d(self.base(x), self.base_weight, stride=self.stride)
        for member in self.members:
            assert isinstance(member, Member)  # noqa: S101 - as it was made
            features = as_channels(member.basis(channels_last(x)))
            part = conv2d(features, member.weight().flatten(1, 2), stride=self.stride)
            if y is None:
                y = part.new_zeros(len(part), self.n_out, *part.shape[2:])
            y = y.index_add(1, member.nodes, part) if member.is_partial else y + part
        assert y is not None  # noqa: S101 - a pruned layer keeps a member
        return y


def pair(value: Pair) -> tuple[int, int]:
    """The same number for height and width, or a number for each."""
    return (value, value) if isinstance(value, int) else value


def padding_of(padding: Pair | str, kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
    """Zeros on each side.

    Raises:
        ValueError: if there is no such padding, or a number is out of range.
    """
    if min(kernel) < 1 or min(stride) < 1:
        raise ValueError(f"window and stride must be positive, not {kernel} and {stride}")
    if padding == "same":
        if stride != (1, 1) or not kernel[0] % 2 or not kernel[1] % 2:
            raise ValueError(f"padding 'same' needs stride 1 and an odd window, not {stride} and {kernel}")
        return kernel[0] // 2, kernel[1] // 2
    if isinstance(padding, str):
        raise ValueError(f"the padding is 'same' or a number, not '{padding}'")
    if min(pair(padding)) < 0:
        raise ValueError(f"the padding must not be negative, but it is {padding}")
    return pair(padding)


def padded(x: Float[Tensor, "batch channels height width"], padding: tuple[int, int]) -> Tensor:
    """The images with zeros around them."""
    return pad(x, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else x


def channels_last(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch height width channels"]:
    """A view with the channels last, so that an expansion of them needs no copy to be channels again."""
    return x.permute(0, 2, 3, 1)


def as_channels(features: Float[Tensor, "batch height width channels functions"]) -> Tensor:
    """The functions of the channels as channels, (batch, channels * functions, height, width)."""
    return features.flatten(3).permute(0, 3, 1, 2)
