"""Pinhole cameras with OpenGL poses (x right, y up, looking along -z) and planar depth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

LEVEL = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
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
    def from_dict(cls, values: Mapping[str, Any], width: int, height: int) -> "Intrinsics":
        """A camera from what a JSON file says: fx, fy, cx, cy in pixels, or camera_angle_x in radians.

        Where it has `width` and `height` (or `w` and `h`) of another size, the camera is scaled to the image. Without
        fy it is fx, without cx, cy the middle of the image.

        Raises:
            ValueError: if it has neither, or something that is no number.
        """
        try:
            numbers = {str(key): float(values[key]) for key in values if key in _NUMBERS}
        except (TypeError, ValueError):
            raise ValueError("the camera's numbers are no numbers") from None
        size = (
            int(numbers.get("width", numbers.get("w", width))),
            int(numbers.get("height", numbers.get("h", height))),
        )
        if "fx" in numbers or "fl_x" in numbers:
            fx = numbers.get("fx", numbers.get("fl_x", 0))
            fy = numbers.get("fy", numbers.get("fl_y", fx))
            cx, cy = numbers.get("cx", size[0] / 2), numbers.get("cy", size[1] / 2)
            return cls(fx, fy, cx, cy, *size).resized(width, height)
        if "camera_angle_x" in numbers:
            return cls.from_fov(math.degrees(numbers["camera_angle_x"]), width, height)
        raise ValueError("it has neither fx (with fy, cx, cy) nor camera_angle_x")

    @classmethod
    def from_json(cls, path: Path, width: int, height: int) -> "Intrinsics":
        """A camera from a JSON file; see `from_dict`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no JSON, or says no camera; the sentence names the file.
        """
        from separata.files import read_json

        values = read_json(path)
        if not isinstance(values, dict):
            raise ValueError(f"{path} must be a JSON object with fx, fy, cx, cy or camera_angle_x")
        try:
            return cls.from_dict(values, width, height)
        except ValueError as error:
            raise ValueError(f"{path} describes no camera: {error}") from None

    @property
    def fov_x(self) -> float:
        """Horizontal field of view in radians, as `camera_angle_x` of a transforms.json."""
        return 2 * math.atan(self.width / 2 / self.fx)

    def resized(self, width: int, height: int) -> "Intrinsics":
        """The same camera with an image of another size."""
        x, y = width / self.width, height / self.height
        return replace(self, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y, width=width, height=height)


_NUMBERS = ("fx", "fy", "cx", "cy", "fl_x", "fl_y", "camera_angle_x", "width", "height", "w", "h")


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
        c2w: Its pose.

    Raises:
        ValueError: if the sizes differ.
    """
    if depth.shape != (intrinsics.height, intrinsics.width):
        raise ValueError(
            f"the depth image has {depth.shape[1]}×{depth.shape[0]} pixels, "
            f"the camera {intrinsics.width}×{intrinsics.height}"
        )
    origin, directions = rays(intrinsics, c2w.to(depth))
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
