"""A scene as one image with depth and instance masks shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import LEVEL, Intrinsics, check_rigid
from fixer3d.scenes.rendering import View
from fixer3d.training.observations import Observation, observe

Array = np.ndarray | Tensor
Masks = Mapping[str, Array] | Sequence[Array] | Array


@dataclass(frozen=True)
class Scene:
    """One image with depth, and the masks of the objects in it.

    Args:
        rgb: The image.
        depth: Planar depth; not positive, or not finite, where there is none.
        masks: Of each object, by its name.
        intrinsics: The camera.
        c2w: Its pose; the world of the completed objects.
        depth_ratio: How much of the depth is estimated, 1, or measured, 0.
    """

    rgb: UInt8[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]
    masks: Mapping[str, Bool[Tensor, "h w"]]
    intrinsics: Intrinsics
    c2w: Float[Tensor, "4 4"]
    depth_ratio: float = 0.0

    @classmethod
    def from_rgbd(
        cls,
        rgb: Array,
        depth: Array,
        masks: Masks,
        intrinsics: Intrinsics,
        c2w: Array | None = None,
        *,
        depth_ratio: float = 0.0,
    ) -> "Scene":
        """A scene from arrays.

        Args:
            rgb: The image (h, w, 3), bytes, or numbers from 0 to 1.
            depth: Planar depth (h, w) in the unit of the world.
            masks: By name; or a sequence of them (n, h, w); or one image (h, w) with a positive number for each object.
            intrinsics: The camera; its size is that of the image.
            c2w: Its pose, OpenGL (x right, y up, looking along -z) to a world with z up; if it is not given, the camera
                is at the origin and level, and looks along y.
            depth_ratio: How much of the depth is estimated, 1, or measured, 0.

        Raises:
            ValueError: if sizes differ, there is no object or no depth, or the pose is not one.
        """
        image = _image(torch.as_tensor(rgb))
        size = tuple(image.shape[:2])
        values = torch.as_tensor(depth).float()
        if tuple(values.shape) != size:
            raise ValueError(f"the depth has {_size(values)} pixels, but the image {_size(image[..., 0])}")
        if (intrinsics.height, intrinsics.width) != size:
            raise ValueError(
                f"the camera has {intrinsics.width}x{intrinsics.height} pixels, but the image {_size(image[..., 0])}"
            )
        if not (values.isfinite() & (values > 0)).any():
            raise ValueError("no pixel has a depth that is positive and finite")
        if not 0 <= depth_ratio <= 1:
            raise ValueError(f"the depth ratio must lie in [0, 1], not {depth_ratio}")
        pose = LEVEL.clone() if c2w is None else torch.as_tensor(c2w).float()
        check_rigid(pose)
        return cls(image, values, _named(masks, size), intrinsics, pose, depth_ratio)

    @classmethod
    def from_view(cls, view: View, names: Sequence[str], *, min_area: float = 0.005) -> "Scene":
        """What a view of a generated scene shows.

        Args:
            view: The view.
            names: Of all objects of the scene, in order.
            min_area: Least share of the image that an object covers.

        Raises:
            ValueError: if no object covers as much.
        """
        masks = {names[i]: view.mask(i) for i in view.visible(min_area)}
        return cls.from_rgbd(view.rgb, view.depth, masks, view.intrinsics, view.c2w)

    def observe(self, name: str, image_size: int) -> Observation:
        """What is seen of an object, with crops of a size."""
        return observe(self.rgb, self.depth, self.masks[name], self.intrinsics, self.c2w, image_size)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the objects."""
        return tuple(self.masks)

    def points(self) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
        """All visible points of the objects, and their colors."""
        seen = [self.observe(name, 8) for name in self.names]
        return torch.cat([one.points for one in seen]), torch.cat([one.colors for one in seen])


def _image(rgb: Tensor) -> UInt8[Tensor, "h w 3"]:
    if rgb.ndim != 3 or rgb.shape[2] not in (3, 4):
        raise ValueError(f"the image must have shape (h, w, 3), not {tuple(rgb.shape)}")
    rgb = rgb[..., :3]
    return rgb if rgb.dtype == torch.uint8 else (rgb.float() * 255).round().clamp(0, 255).byte()


def _size(image: Tensor) -> str:
    return "x".join(map(str, reversed(image.shape)))


def _named(masks: Masks, size: tuple[int, ...]) -> dict[str, Bool[Tensor, "h w"]]:
    """Masks by name, each of the right size and not empty."""
    if isinstance(masks, Mapping):
        named = {str(name): torch.as_tensor(mask) for name, mask in masks.items()}
    elif isinstance(masks, (np.ndarray, Tensor)) and masks.ndim == 2:
        named = _from_index(torch.as_tensor(masks))
    else:
        named = {f"object-{number}": torch.as_tensor(mask) for number, mask in enumerate(masks, 1)}
    for name, mask in named.items():
        if tuple(mask.shape) != size:
            raise ValueError(f"the mask of {name} has {_size(mask)} pixels, but the image {size[1]}x{size[0]}")
        if not (mask != 0).any():
            raise ValueError(f"the mask of {name} is empty")
    if not named:
        raise ValueError("there is no object: every pixel of the masks is 0")
    return {name: mask != 0 for name, mask in named.items()}


def _from_index(index: Int[Tensor, "h w"] | Bool[Tensor, "h w"]) -> dict[str, Bool[Tensor, "h w"]]:
    """The masks of an image that holds a positive number for each object."""
    if index.dtype == torch.bool:
        return {"object-1": index}
    numbers = [int(number) for number in index.unique() if number > 0]
    return {f"object-{number}": index == number for number in numbers}
