"""What an image with depth shows of one object: its visible points, and crops for the image encoders."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics
from fixer3d.geometry.frames import CONFIDENT, MIN_POINTS
from fixer3d.network.model import ObjectImages
from fixer3d.scenes.crops import crop_box, cropped, relative_depth, resized
from fixer3d.scenes.partial import partial_points


@dataclass(frozen=True)
class Observation:
    """One object as it is seen.

    Args:
        points: Its visible points in the world.
        confidence: Of each point.
        colors: Of each point, from 0 to 1.
        images: A batch of one.
    """

    points: Float[Tensor, "n 3"]
    confidence: Float[Tensor, "n"]
    colors: Float[Tensor, "n 3"]
    images: ObjectImages


def trusted(confidence: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Confidence; that of a mask so thin that it is all edge is 1, since there is nothing better to go by."""
    is_thin = int((confidence > CONFIDENT).sum()) < MIN_POINTS <= len(confidence)
    return torch.ones_like(confidence) if is_thin else confidence


def observe(
    rgb: UInt8[Tensor, "h w 3"],
    depth: Float[Tensor, "h w"],
    mask: Bool[Tensor, "h w"],
    intrinsics: Intrinsics,
    c2w: Float[Tensor, "4 4"],
    image_size: int,
) -> Observation:
    """What an image shows of the object behind a mask.

    Raises:
        ValueError: if the mask is empty.
    """
    points, confidence = partial_points(depth, mask, intrinsics, c2w)
    confidence = trusted(confidence)
    kept = mask & depth.isfinite() & (depth > 0)
    image, shape = rgb.permute(2, 0, 1), mask[None].float()
    box = crop_box(mask)
    whole = torch.cat([resized(image, image_size), resized(relative_depth(depth)[None], image_size)])
    images = ObjectImages(
        cropped(image, box, image_size)[None],
        cropped(shape, box, image_size)[None],
        whole[None],
        resized(shape, image_size)[None],
    )
    return Observation(points, confidence, rgb[kept].float() / 255, images)


def no_images(n: int, image_size: int) -> ObjectImages:
    """Black images, for clouds without one."""
    return ObjectImages(
        *(torch.zeros(n, channels, image_size, image_size, dtype=torch.uint8) for channels in (3, 1, 4, 1))
    )


def isolated(image: Shaped[Tensor, "3 h w"], mask: Bool[Tensor, "h w"], image_size: int) -> UInt8[Tensor, "3 s s"]:
    """The crop of an object that is rendered alone, on black."""
    return cropped(image * mask, crop_box(mask), image_size)
