"""What an image with depth shows of one object: its visible points, and crops for the image encoders."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics, project
from fixer3d.geometry.frames import CONFIDENT, MIN_POINTS
from fixer3d.network.model import ObjectImages
from fixer3d.scenes.crops import crop_box, cropped, relative_depth, resized
from fixer3d.scenes.partial import partial_points

OUTSIDE = 2.0
"""The place of what is not in an image, where there is nothing to sample."""


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


@dataclass(frozen=True)
class SeenVoxels:
    """Where an image shows the centers of an object's voxels.

    Args:
        places: Right and down, from -1 to 1 at the image's outer edges; 2 for centers that are not in the image.
        behind: How far each is behind what its pixel shows, in sizes of the object, from -1 (in front) to 1.
    """

    places: Float[Tensor, "*n 2"]
    behind: Float[Tensor, "*n"]


def see_voxels(
    centers: Float[Tensor, "n 3"],
    size: float,
    depth: Float[Tensor, "h w"],
    intrinsics: Intrinsics,
    c2w: Float[Tensor, "4 4"],
) -> SeenVoxels:
    """Project the centers of voxels into an image.

    Args:
        centers: In the world.
        size: Of the object, in its units.
        depth: Planar depth of the image; where it has none, everything is in front.
        intrinsics: The camera.
        c2w: Its pose.
    """
    pixels, distance = project(centers, intrinsics, c2w)
    sides = pixels.new_tensor([intrinsics.width, intrinsics.height])
    inside = ((pixels >= 0) & (pixels < sides)).all(-1) & (distance > 0)
    column, row = torch.where(inside[:, None], pixels, 0).long().unbind(-1)
    seen = depth[row, column]
    seen = torch.where(seen.isfinite() & (seen > 0), seen, torch.inf)
    behind = ((distance - seen) / size).clamp(-1, 1)
    return SeenVoxels(torch.where(inside[:, None], 2 * pixels / sides - 1, OUTSIDE), torch.where(inside, behind, 1.0))


def no_images(n: int, image_size: int) -> ObjectImages:
    """Black images, for clouds without one."""
    return ObjectImages(
        *(torch.zeros(n, channels, image_size, image_size, dtype=torch.uint8) for channels in (3, 1, 4, 1))
    )


def isolated(image: Shaped[Tensor, "3 h w"], mask: Bool[Tensor, "h w"], image_size: int) -> UInt8[Tensor, "3 s s"]:
    """The crop of an object that is rendered alone, on black."""
    return cropped(image * mask, crop_box(mask), image_size)
