"""A scene as one image with depth and instance masks shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import Intrinsics
from fixer3d.scenes.rendering import View
from fixer3d.training.observations import Observation, observe

from .arrays import Array, Camera, Masks, as_camera, as_depth, as_image, as_masks, as_pose


@dataclass(frozen=True)
class Scene:
    """One image with depth, and the masks of the objects in it.

    Args:
        rgb: The image.
        depth: Planar depth; not positive, or not finite, where there is none.
        masks: Of each object, by its name.
        intrinsics: The camera.
        c2w: Its pose; the world of the completed objects, in double precision if it reaches far from the origin.
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
        intrinsics: Camera,
        c2w: Array | Sequence[Sequence[float]] | None = None,
        *,
        depth_ratio: float = 0.0,
    ) -> "Scene":
        """A scene from arrays.

        Args:
            rgb: The image (h, w, 3), bytes, or numbers from 0 to 1.
            depth: Planar depth (h, w) in the unit of the world.
            masks: By name; or a sequence of them (n, h, w); or one image (h, w) with a positive number for each object.
                A mask is truth values, integers that are positive in it, or probabilities that are above 0.5.
            intrinsics: The camera, of the image's size, or its 3×3 matrix.
            c2w: Its pose (4, 4) or (3, 4), OpenGL (x right, y up, looking along -z) to a world with z up; if it is not
                given, the camera is at the origin and level, and looks along y.
            depth_ratio: How much of the depth is estimated, 1, or measured, 0.

        Raises:
            ValueError: if an array is of the wrong type, shape or range, or there is no object or no depth.
        """
        image = as_image(rgb)
        size = image.shape[0], image.shape[1]
        values, camera, pose = as_depth(depth, size), as_camera(intrinsics, size), as_pose(c2w)
        if not 0 <= depth_ratio <= 1:
            raise ValueError(f"the depth ratio must lie in [0, 1], not {depth_ratio}")
        return cls(image, values, as_masks(masks, size), camera, pose, depth_ratio)

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
