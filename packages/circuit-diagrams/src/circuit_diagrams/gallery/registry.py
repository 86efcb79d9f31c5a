"""The gallery's table: each architecture by name, with the input that it is drawn for."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .attention import DotProductAttention, MultiHeadAttention, VisualAttention
from .convolution import Convolutions
from .perceptron import Perceptron
from .residual import IdentityBlock, IdentityResNet, ResNet
from .transformer import EncoderBlock, EncoderDecoder
from .unet import UNet
from .vision import VisionTransformer


@dataclass(frozen=True)
class Entry:
    """One architecture.

    Args:
        title: Its name for people.
        make: Makes the module.
        shapes: Shape of each input.
        axes: Names of the axes of each input.
        n_tokens: Inputs are token numbers below this, if any.
    """

    title: str
    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    axes: dict[str, str] = field(default_factory=dict)
    n_tokens: int | None = None

    def inputs(self, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
        """Random inputs of the entry's shapes."""
        if self.n_tokens is not None:
            return tuple(torch.randint(self.n_tokens, shape, generator=generator) for shape in self.shapes)
        return tuple(torch.randn(shape, generator=generator, dtype=dtype) for shape in self.shapes)


GALLERY: dict[str, Entry] = {
    "perceptron": Entry("Multilayer perceptron", Perceptron, ((5, 1, 28, 28),), {"x": "b c h w"}),
    "attention": Entry(
        "Scaled dot-product attention",
        DotProductAttention,
        ((20, 16, 4), (22, 16, 4), (22, 16, 4)),
        {"q": "y k h", "k": "x k h", "v": "x k h"},
    ),
    "multi-head-attention": Entry(
        "Multi-head attention", MultiHeadAttention, ((20, 128), (22, 128)), {"y": "y m", "x": "x m"}
    ),
    "encoder-layer": Entry(
        "PyTorch's transformer encoder layer",
        lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
        ((2, 7, 32),),
        {"src": "b x m"},
    ),
    "encoder-block": Entry(
        "Transformer block, normalization first", lambda: EncoderBlock(32, 4, 64), ((2, 7, 32),), {"x": "b x m"}
    ),
    "encoder-decoder": Entry(
        "Transformer", EncoderDecoder, ((2, 9), (2, 7)), {"source": "b x", "target": "b y"}, n_tokens=100
    ),
    "convolutions": Entry("Convolutions and their variants", Convolutions, ((2, 3, 16, 16),), {"x": "b c h w"}),
    "identity-block": Entry(
        "Residual block with identity mapping", lambda: IdentityBlock(16, 16), ((2, 16, 8, 8),), {"x": "b c h w"}
    ),
    "identity-resnet": Entry("ResNet with identity mappings", IdentityResNet, ((2, 3, 16, 16),), {"x": "b c h w"}),
    "unet": Entry("U-Net", UNet, ((2, 1, 16, 16),), {"x": "b c h w"}),
    "vision-transformer": Entry("Vision transformer", VisionTransformer, ((2, 3, 32, 32),), {"image": "b c h w"}),
    "visual-attention": Entry("Visual attention", VisualAttention, ((2, 33, 12, 12),), {"image": "b c h w"}),
    "resnet50": Entry("ResNet-50", ResNet, ((1, 3, 224, 224),), {"x": "b c h w"}),
}
"""The architectures by name; all but ResNet-50 are small enough to be executed in a moment."""
