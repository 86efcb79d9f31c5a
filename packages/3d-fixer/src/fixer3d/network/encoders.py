"""Image tokens: a small convolutional encoder, and those of DINOv2 and MoGe for the released models."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from fixer3d.configs import EncoderConfig

Images = Float[Tensor, "batch channels height width"]
ImageTokens = Float[Tensor, "batch n c"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FULL_SIZE = 518
"""Pixels along each side of what DINOv2 and MoGe see: 37 patches of 14."""
PATCH = 14
MOGE_MODULE = "moge.model.v2"
"""Of a package that is not on PyPI, and so no dependency of ours."""


class ImageEncoder(nn.Module):
    """Convolutions from an image to one token for each patch, normalized.

    The first ones halve the resolution until a pixel stands for a patch, the others keep it.

    Args:
        config: Sizes.
        channels: Channels of an image: 3 for a crop or a mask that is repeated, 4 with depth.
    """

    def __init__(self, config: EncoderConfig, channels: int = 3) -> None:
        super().__init__()
        self.config, self.channels = config, channels
        n_halvings = config.patch_size.bit_length() - 1
        layers: list[nn.Module] = []
        previous = channels
        for i in range(config.n_layers):
            width = max(config.width >> max(n_halvings - 1 - i, 0), 8)
            width = config.width if i == config.n_layers - 1 else width
            layers += [nn.Conv2d(previous, width, 3, stride=2 if i < n_halvings else 1, padding=1), nn.GELU()]
            previous = width
        self.layers = nn.Sequential(*layers[:-1])
        for layer in self.layers:
            # PyTorch's own weights shrink the image until the biases, the same for all, make up nearly all of a token.
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.pos_emb = nn.Parameter(0.02 * torch.randn((config.image_size // config.patch_size) ** 2, config.width))

    def forward(self, images: Images) -> ImageTokens:
        """Encode images, row by row.

        Args:
            images: Values from 0 to 1.

        Raises:
            ValueError: if the images do not have the size of the configuration.
        """
        size = self.config.image_size
        if images.shape[1:] != (self.channels, size, size):
            raise ValueError(
                f"images must have shape (batch, {self.channels}, {size}, {size}), not {tuple(images.shape)}"
            )
        features = self.layers(2 * images.to(self.pos_emb.dtype) - 1).flatten(2).transpose(1, 2)
        return normalized(features + self.pos_emb)


class DINOTokens(nn.Module):
    """The tokens of a DINOv2 before its last normalization, each normalized without gain.

    Args:
        model: A DINOv2 as torch.hub gives it, or any module from normalized images to tokens (batch, n, c).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def forward(self, images: Images) -> ImageTokens:
        """Encode images with values from 0 to 1, resized to 518 pixels; one channel is repeated."""
        images = _square(images)
        mean, std = (images.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        images = (images - mean) / std
        features = self.model(images, is_training=True) if hasattr(self.model, "prepare_tokens_with_masks") else None
        return normalized(self.model(images) if features is None else features["x_prenorm"])


class SceneTokens(nn.Module):
    """The tokens of a geometry encoder, each normalized without gain.

    Args:
        model: A MoGe-2, whose coarsest shared features are taken; or any module from images with values from 0 to 1 to
            features (batch, c, height, width) or tokens (batch, n, c).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def forward(self, images: Images) -> ImageTokens:
        """Encode images with values from 0 to 1, resized to 518 pixels."""
        images = _square(images)
        features = self._moge(images) if _is_moge(self.model) else self.model(images)
        return normalized(features.flatten(2).transpose(1, 2) if features.ndim == 4 else features)

    def _moge(self, images: Images) -> Float[Tensor, "batch c h w"]:
        """The first output of MoGe's neck, which takes the encoder's features and image coordinates at five scales."""
        model: Any = self.model
        n = FULL_SIZE // PATCH
        levels = [_plane_coordinates(n * 2**level, images).expand(len(images), -1, -1, -1) for level in range(5)]
        features = model.encoder(images, n, n, return_class_token=False)
        levels[0] = torch.cat([features, levels[0]], dim=1)
        return model.neck(levels)[0]


def load_dino(name: str = "dinov2_vitl14_reg", load: Callable[..., nn.Module] = torch.hub.load) -> DINOTokens:
    """DINOv2 from torch.hub, which downloads it or finds it in its cache.

    Args:
        name: Which.
        load: What loads it, `torch.hub.load`.

    Raises:
        FileNotFoundError: if it cannot be had.
    """
    try:
        return DINOTokens(load("facebookresearch/dinov2", name))
    except Exception as error:  # whatever the network, the cache or the repository's code raises
        raise FileNotFoundError(
            f"{name} could not be loaded by torch.hub ({_first_line(error)}); pass your own module to DINOTokens"
        ) from error


def load_moge(name: str = "Ruicheng/moge-2-vitl") -> SceneTokens:
    """MoGe-2 by its own package, from a file or the Hugging Face hub.

    Args:
        name: File, or repository on the hub.

    Raises:
        FileNotFoundError: if the package is not installed, or the weights cannot be had.
    """
    try:
        moge = importlib.import_module(MOGE_MODULE)
    except ImportError as error:
        raise FileNotFoundError(
            "the scene encoder needs the package moge (github.com/microsoft/MoGe); install it, "
            "or pass your own module to SceneTokens"
        ) from error
    try:
        return SceneTokens(moge.MoGeModel.from_pretrained(name))
    except Exception as error:
        raise FileNotFoundError(f"MoGe could not be loaded from {name} ({_first_line(error)})") from error


def normalized(tokens: ImageTokens) -> ImageTokens:
    """Tokens, each with mean 0 and variance 1."""
    return F.layer_norm(tokens.float(), tokens.shape[-1:]).to(tokens.dtype)


def _square(images: Images) -> Float[Tensor, "batch 3 size size"]:
    images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    if images.shape[-2:] == (FULL_SIZE, FULL_SIZE):
        return images
    return F.interpolate(images, (FULL_SIZE, FULL_SIZE), mode="bilinear", antialias=True)


def _is_moge(model: nn.Module) -> bool:
    return hasattr(model, "encoder") and hasattr(model, "neck")


def _plane_coordinates(n: int, like: Tensor) -> Float[Tensor, "2 n n"]:
    """Pixel centers of a square image, scaled so that its half diagonal is 1."""
    half = 0.5**0.5 * (n - 1) / n
    line = torch.linspace(-half, half, n, dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
