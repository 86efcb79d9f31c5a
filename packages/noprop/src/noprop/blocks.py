"""The denoising block: an image branch, a label branch, for continuous time a time branch, and joint layers.

The layout is that of the paper's figure 6, as far as it is known. A block of your own is any module that is called as
`block(x, z)`, or `block(x, z, t)` where there is one network for all times, and gives logits. What it computes of x
alone can stand in a method `encode(x)`, beside `denoise(features, z, t)`: then it is computed once for all steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from .configs import ModelConfig, numbers

N_POOLED = 2
"""Convolutions that are followed by pooling."""
TIME_DIM = 64
"""Dimension of the sinusoidal embedding of time."""
TIME_BASE = 10_000.0
TIME_SCALE = 30.0
"""What times are multiplied with: the fastest sine turns five times, which a solver with tens of steps can follow."""


@runtime_checkable
class BlockFactory(Protocol):
    """Makes a block for embeddings of a dimension, with a number of outputs."""

    def __call__(self, dim: int, n_outputs: int) -> nn.Module:
        """A new block."""


class ConvStack(nn.Module):
    """Convolutions of 3 x 3 with ReLU, the first two with 2 x 2 max pooling; the result is flattened.

    Pooling comes before ReLU, which gives the same numbers from a quarter of the work.

    Args:
        shape: Channels, height and width of an image.
        channels: Channels of the convolutions.

    Raises:
        ValueError: if the samples are no images, or too small to be pooled.
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        n_pooled = min(N_POOLED, len(channels))
        if len(shape) != 3 or min(shape[1:]) < 2**n_pooled:
            raise ValueError(
                f"convolutions need images of at least {2**n_pooled} x {2**n_pooled} pixels, not samples of shape "
                f"{tuple(shape)}; layers on features (mlp) take any"
            )
        self.n_pooled = n_pooled
        self.convs = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, padding=1) for n_in, n_out in pairwise((shape[0], *channels))
        )
        height, width = (side // 2**n_pooled for side in shape[1:])
        self.n_features = channels[-1] * height * width

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        """The features of images."""
        for i, conv in enumerate(self.convs):
            x = conv(x)
            x = relu(max_pool2d(x, 2) if i < self.n_pooled else x)
        return x.flatten(1)


class LabelBranch(nn.Module):
    """A noisy label through an affine layer, and around the second one a skip connection.

    Args:
        dim: Dimension of a state.
        width: Units.
        norm: Use batch normalization.
    """

    stacks = True

    def __init__(self, dim: int, width: int, *, norm: bool) -> None:
        super().__init__()
        self.first = _affine(dim, width, norm=norm)
        self.second = _affine(width, width, norm=norm)

    def forward(self, z: Float[Tensor, "*blocks batch dim"]) -> Float[Tensor, "*blocks batch width"]:
        """Features of states."""
        hidden = self.first(z)
        return hidden + self.second(relu(hidden))


class ImageLabelBranch(nn.Module):
    """A noisy label of an image's dimension, such as a prototype, through a copy of the image branch.

    Args:
        shape: Shape of an image.
        branch: The image branch.
    """

    stacks = True

    def __init__(self, shape: Sequence[int], branch: nn.Module) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.branch = branch

    def forward(self, z: Float[Tensor, "*blocks batch dim"]) -> Float[Tensor, "*blocks batch width"]:
        """Features of states."""
        return self.branch(z.unflatten(-1, self.shape))


class TimeBranch(nn.Module):
    """The sinusoidal embedding of a time in [0, 1], an affine layer and ReLU.

    Args:
        width: Units.
    """

    rates: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        half = TIME_DIM // 2
        self.register_buffer("rates", TIME_BASE ** (-torch.arange(half) / half), persistent=False)
        self.affine = nn.Linear(TIME_DIM, width)

    def forward(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Features of times."""
        angles = TIME_SCALE * t[:, None] * self.rates
        return relu(self.affine(torch.cat([angles.sin(), angles.cos()], -1)))


class DenoisingBlock(nn.Module):
    """A block of three branches and joint layers; `encoder` may be a network of your own.

    Args:
        encoder: From a batch of samples to features (batch, n_features).
        n_features: Features of the encoder.
        dim: Dimension of a state.
        n_outputs: Classes, or for flow matching the dimension of a state.
        width: Units of the label and time branches and of the first joint layer; the second has half of them.
        label: The label branch, with `width` features; a `LabelBranch` by default.
        norm: Use batch normalization, as discrete time does.
        timed: Take the time, too, as continuous time does.
    """

    stacks = True

    def __init__(
        self,
        encoder: nn.Module,
        n_features: int,
        dim: int,
        n_outputs: int,
        *,
        width: int = 256,
        label: nn.Module | None = None,
        norm: bool = True,
        timed: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.label = label or LabelBranch(dim, width, norm=norm)
        self.time = TimeBranch(width) if timed else None
        n_joint = n_features + width * (2 if timed else 1)
        self.joint = nn.Sequential(
            *_affine(n_joint, width, norm=norm),
            nn.ReLU(),
            *_affine(width, width // 2, norm=norm),
            nn.ReLU(),
            nn.Linear(width // 2, n_outputs),
        )

    def encode(self, x: Float[Tensor, "..."]) -> Float[Tensor, "*blocks batch features"]:
        """What depends on the sample alone."""
        return self.encoder(x)

    def denoise(
        self,
        features: Float[Tensor, "*blocks batch features"],
        z: Float[Tensor, "*blocks batch dim"],
        t: Float[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "*blocks batch outputs"]:
        """The outputs for encoded samples."""
        parts = [features, self.label(z)]
        if self.time is not None:
            if t is None:
                raise ValueError("this block is one for all times, and is called with the time of each state")
            parts.append(self.time(t))
        return self.joint(torch.cat(parts, -1))

    def forward(
        self,
        x: Float[Tensor, "..."],
        z: Float[Tensor, "*blocks batch dim"],
        t: Float[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "*blocks batch outputs"]:
        """The outputs for samples, states, and for continuous time the times of the states."""
        return self.denoise(self.encode(x), z, t)


def _affine(n_in: int, n_out: int, *, norm: bool) -> nn.Sequential:
    # Normalization takes a bias away again; its gradient would be nothing but rounding, which Adam makes large.
    layer = nn.Linear(n_in, n_out, bias=not norm)
    return nn.Sequential(layer, nn.BatchNorm1d(n_out)) if norm else nn.Sequential(layer)


def make_encoder(kind: str, shape: Sequence[int], config: ModelConfig, *, norm: bool) -> Callable[[], nn.Module]:
    """A factory of image branches (conv), or of branches for features (mlp); each has `config.width` features.

    Raises:
        ValueError: if convolutions are asked for samples that are no images.
    """
    width = config.width

    def conv() -> nn.Module:
        convs = ConvStack(shape, numbers(config.channels))
        return nn.Sequential(convs, nn.Dropout(config.dropout), *_affine(convs.n_features, width, norm=norm))

    def mlp() -> nn.Module:
        n_in = int(torch.Size(shape).numel())
        first = _affine(n_in, width, norm=norm)
        return nn.Sequential(
            nn.Flatten(-len(shape)), *first, nn.ReLU(), nn.Dropout(config.dropout), *_affine(width, width, norm=norm)
        )

    return conv if kind == "conv" else mlp


@dataclass(frozen=True)
class ConfiguredBlocks:
    """Makes the blocks of a configuration.

    Args:
        config: The model.
        shape: Shape of a sample.
    """

    config: ModelConfig
    shape: tuple[int, ...]

    @property
    def architecture(self) -> str:
        """`conv` or `mlp`."""
        if self.config.architecture != "auto":
            return self.config.architecture
        return "conv" if len(self.shape) == 3 and min(self.shape[1:]) >= 2**N_POOLED else "mlp"

    def __call__(self, dim: int, n_outputs: int) -> nn.Module:
        """A new block."""
        discrete, width = self.config.is_discrete, self.config.width
        encoder = make_encoder(self.architecture, self.shape, self.config, norm=discrete)
        is_image = self.config.embedding == "prototype" and self.architecture == "conv"
        label = ImageLabelBranch(self.shape, encoder()) if is_image else None
        return DenoisingBlock(
            encoder(), width, dim, n_outputs, width=width, label=label, norm=discrete, timed=not discrete
        )
