"""Pinhole cameras with OpenGL poses (x right, y up, looking along -z) and planar depth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SKEW = 1e-6
"""Largest skew that counts as none, over the focal length."""
LARGEST = 1e12
"""Numbers of a camera are smaller than this."""
LEVEL = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=torch.double)
"""The pose of a camera at the origin that looks level along y, with z up."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera, in pixels; (0, 0) is the upper left corner of the image, not the center of its first pixel.

    Args:
        fx: Focal length along the rows.
        fy: Focal length along the columns.
        cx: Principal point, from the left.
        cy: Principal point, from the top.
        width: Of the image.
        height: Of the image.

    Raises:
        ValueError: if a focal length or a size is not positive.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or (value <= 0 and name not in {"cx", "cy"}):
                raise ValueError(f"{name} of the camera must be positive, not {value}")

    @classmethod
    def from_fov(cls, fov_x: float, width: int, height: int) -> "Intrinsics":
        """A camera with square pixels and the principal point in the middle.

        Args:
            fov_x: Horizontal field of view in degrees.
            width: Of the image.
            height: Of the image.

        Raises:
            ValueError: if the field of view is not between 0 and 180 degrees.
        """
        if not 0 < fov_x < 180:
            raise ValueError(f"the field of view must be between 0 and 180 degrees, not {fov_x:g}")
        focal = width / 2 / math.tan(math.radians(fov_x) / 2)
        return cls(focal, focal, width / 2, height / 2, width, height)

    @classmethod
    def from_matrix(cls, matrix: Any, width: int, height: int) -> "Intrinsics":  # noqa: ANN401 - whatever JSON holds
        """A camera from its matrix K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].

        Args:
            matrix: Three rows, or nine numbers; row by row or, as Open3D writes it, column by column.
            width: Of the image, whose pixels K is in.
            height: Of the image.

        Raises:
            ValueError: if it is not such a matrix, or has skew.
        """
        try:
            values = np.asarray(matrix, float).reshape(3, 3)
        except (TypeError, ValueError):
            raise ValueError("a camera matrix must have 3×3 numbers") from None
        found = next((one for one in (values, values.T) if one[2].tolist() == [0, 0, 1]), None)
        if found is None or found[1, 0] != 0 or not np.isfinite(found).all():
            raise ValueError("a camera matrix must be fx 0 cx, 0 fy cy, 0 0 1")
        if abs(found[0, 1]) > SKEW * abs(found[0, 0]):
            raise ValueError(f"a camera with skew is not supported, and its matrix has {found[0, 1]:g}")
        (fx, _, cx), (_, fy, cy) = found[:2].tolist()
        return cls(fx, fy, cx, cy, width, height)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], width: int, height: int) -> "Intrinsics":
        """A camera from what a JSON file says: fx, fy, cx, cy in pixels, a camera matrix, or camera_angle_x in radians.

        Where it has `width` and `height` (or `w` and `h`) of another size, the camera is scaled to the image. Without
        fy it is fx, without cx, cy the middle of the image. Matrices are those of `from_matrix`, as `K`,
        `camera_matrix` or `intrinsic_matrix`, alone or as the `data` of such an entry.

        Raises:
            ValueError: if it has none of these, or something that is not a number.
        """
        numbers = {key: _number(key, values[key]) for key in _NUMBERS if key in values}
        size = _size(numbers, width, height)
        if (key := next((key for key in _MATRICES if key in values), None)) is not None:
            matrix = values[key]["data"] if isinstance(values[key], dict) and "data" in values[key] else values[key]
            return cls.from_matrix(matrix, *size).resized(width, height)
        if "fx" in numbers or "fl_x" in numbers:
            fx = numbers.get("fx", numbers.get("fl_x", 0))
            fy = numbers.get("fy", numbers.get("fl_y", fx))
            cx, cy = numbers.get("cx", size[0] / 2), numbers.get("cy", size[1] / 2)
            return cls(fx, fy, cx, cy, *size).resized(width, height)
        if "camera_angle_x" in numbers:
            return cls.from_fov(math.degrees(numbers["camera_angle_x"]), width, height)
        raise ValueError("it has neither fx (with fy, cx, cy) nor a camera matrix nor camera_angle_x")

    @classmethod
    def from_json(cls, path: Path, width: int, height: int) -> "Intrinsics":
        """A camera from a JSON file: an object, see `from_dict`, or a matrix alone, see `from_matrix`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not JSON, or does not describe a camera; the sentence names the file.
        """
        from separata.files import read_json

        values = read_json(path)
        if not isinstance(values, (dict, list)):
            raise ValueError(f"{path} must be a JSON object with fx, fy, cx, cy or camera_angle_x, or a 3×3 matrix")
        try:
            if isinstance(values, list):
                return cls.from_matrix(values, width, height)
            return cls.from_dict(values, width, height)
        except ValueError as error:
            raise ValueError(f"{path} does not describe a camera: {error}") from None

    @property
    def fov_x(self) -> float:
        """Horizontal field of view in radians, as `camera_angle_x` of a transforms.json."""
        return 2 * math.atan(self.width / 2 / self.fx)

    def resized(self, width: int, height: int) -> "Intrinsics":
        """The same camera with an image of another size."""
        x, y = width / self.width, height / self.height
        return replace(self, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y, width=width, height=height)


_WIDTHS, _HEIGHTS = ("width", "w", "image_width"), ("height", "h", "image_height")
_NUMBERS = ("fx", "fy", "cx", "cy", "fl_x", "fl_y", "camera_angle_x", *_WIDTHS, *_HEIGHTS)
_MATRICES = ("K", "camera_matrix", "intrinsic_matrix")


def _number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST:
        raise ValueError(f"{key} must be a number, not {value!r}")
    return float(value)


def _size(numbers: Mapping[str, float], width: int, height: int) -> tuple[int, int]:
    """Width and height that a file says; those of the image if it says neither."""
    found = [[numbers[key] for key in keys if key in numbers][:1] for keys in (_WIDTHS, _HEIGHTS)]
    if len(found[0]) != len(found[1]):
        raise ValueError("it must have both a width and a height, or neither")
    if not found[0]:
        return width, height
    (w,), (h,) = found
    if min(w, h) < 1:
        raise ValueError(f"width and height must be at least 1, not {w:g} and {h:g}")
    return int(w), int(h)


def check_rigid(c2w: Float[Tensor, "4 4"]) -> None:
    """See that a camera's pose turns and shifts, but neither scales nor mirrors.

    Raises:
        ValueError: if it does.
    """
    rotation, last = c2w[:3, :3].double(), c2w[3].double()
    identity = torch.eye(4, dtype=torch.double, device=c2w.device)
    is_rigid = (
        bool(c2w.isfinite().all())
        and torch.allclose(rotation @ rotation.T, identity[:3, :3], atol=1e-3)
        and bool(rotation.det() > 0)
        and torch.allclose(last, identity[3], atol=1e-6)
    )
    if not is_rigid:
        raise ValueError(
            "a camera-to-world matrix must be a rotation and a shift with the last row 0 0 0 1; "
            "divide its first three columns by their scale"
        )


def look_at(eye: Float[Tensor, "3"], target: Float[Tensor, "3"]) -> Float[Tensor, "4 4"]:
    """The pose of a camera at `eye` that sees `target` in the middle, with the world's z up."""
    backward = torch.nn.functional.normalize(eye - target, dim=0)
    up = eye.new_tensor([0.0, 0, 1])
    if abs(backward[2]) > 1 - 1e-6:
        up = eye.new_tensor([0.0, 1, 0])
    right = torch.nn.functional.normalize(torch.linalg.cross(up, backward), dim=0)
    pose = torch.eye(4, dtype=eye.dtype)
    pose[:3, :] = torch.stack([right, torch.linalg.cross(backward, right), backward, eye], 1)
    return pose


def rays(
    intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "height width 3"]]:
    """The camera's position and a direction through the center of each pixel, whose depth along the axis is 1.

    In the camera, `((u + 0.5 - cx) / fx, -(v + 0.5 - cy) / fy, -1)`; a point of planar depth d is `o + d * direction`.
    """
    like = {"dtype": c2w.dtype, "device": c2w.device}
    u = torch.arange(intrinsics.width, **like) + 0.5  # type: ignore[call-overload]
    v = torch.arange(intrinsics.height, **like) + 0.5  # type: ignore[call-overload]
    y, x = torch.meshgrid(-(v - intrinsics.cy) / intrinsics.fy, (u - intrinsics.cx) / intrinsics.fx, indexing="ij")
    return c2w[:3, 3], torch.stack([x, y, -torch.ones_like(x)], -1) @ c2w[:3, :3].T


def back_project(
    depth: Float[Tensor, "height width"], intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]
) -> Float[Tensor, "height width 3"]:
    """The point of the world at each pixel.

    Args:
        depth: Planar depth, along the camera's axis; not the length of the ray.
        intrinsics: The camera; its size is that of the depth image.
        c2w: Its pose; points are as precise as it is, which matters far from the origin.

    Raises:
        ValueError: if the sizes differ.
    """
    if depth.shape != (intrinsics.height, intrinsics.width):
        raise ValueError(
            f"the depth image has {depth.shape[1]}×{depth.shape[0]} pixels, "
            f"the camera {intrinsics.width}×{intrinsics.height}"
        )
    origin, directions = rays(intrinsics, c2w.to(depth.device, torch.promote_types(c2w.dtype, depth.dtype)))
    return origin + directions * depth[..., None]


def project(
    points: Float[Tensor, "*n 3"], intrinsics: Intrinsics, c2w: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "*n 2"], Float[Tensor, "*n"]]:
    """Where points of the world are in the image, and their planar depth.

    Returns:
        Continuous image coordinates (from the left, from the top): pixel (u, v) has its center at (u + 0.5, v + 0.5).
        They mean nothing where the depth is not positive, behind the camera.
    """
    pose = c2w.to(points)
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = -local[..., 2]
    safe = torch.where(depth.abs() < 1e-12, 1e-12, depth)
    x = intrinsics.fx * local[..., 0] / safe + intrinsics.cx
    y = intrinsics.cy - intrinsics.fy * local[..., 1] / safe
    return torch.stack([x, y], -1), depth
