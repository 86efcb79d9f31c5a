"""Arrays that people have, checked and in one form: tensors of the CPU, of the types that scenes hold."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from fixer3d.geometry.cameras import LEVEL, Intrinsics, check_rigid

Array = np.ndarray | Tensor
Masks = Mapping[Any, Array] | Sequence[Array] | Array
Camera = Intrinsics | Array | Sequence[Sequence[float]]
Size = tuple[int, int]

LIKELY = 0.5
"""Probability from which on a pixel belongs to a mask."""


def as_numbers(values: object, name: str) -> np.ndarray:
    """An array of numbers or truth values, from a tensor, an array, or lists.

    Raises:
        ValueError: if it is something else; the sentence begins with the name.
    """
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be an array of numbers") from None
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name} must be an array of numbers, not of {array.dtype}")
    return array


def as_image(rgb: object) -> UInt8[Tensor, "h w 3"]:
    """An image (h, w, 3) as bytes: from integers up to 255, or from numbers from 0 to 1; a fourth channel is dropped.

    Raises:
        ValueError: if it is not one.
    """
    image = as_numbers(rgb, "the image")
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise ValueError(f"the image must have shape (h, w, 3), not {image.shape}")
    image = image[..., :3]
    highest = 1 if image.dtype.kind in "bf" else 255
    if not ((image >= 0) & (image <= highest)).all():
        what = "floats must lie in [0, 1]" if highest == 1 else "integers must lie in [0, 255]"
        raise ValueError(f"an image of {what}; scale it first")
    return torch.from_numpy((image * 255.0).round().astype(np.uint8) if highest == 1 else image.astype(np.uint8))


def as_depth(depth: object, size: Size) -> Float[Tensor, "h w"]:
    """Depth (h, w) of any number type; a single channel may be a dimension of its own.

    Raises:
        ValueError: if it is not of the size, or no pixel is positive and finite.
    """
    values = _plane(as_numbers(depth, "the depth"))
    if values.shape != size:
        raise ValueError(f"the depth has {_told(values.shape)} pixels, but the image {_told(size)}")
    if values.dtype.kind == "b":
        raise ValueError("the depth must be an array of numbers, not of truth values")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not (np.isfinite(values) & (values > 0)).any():
        raise ValueError("no pixel has a depth that is positive and finite")
    return torch.from_numpy(values)


def as_camera(camera: object, size: Size) -> Intrinsics:
    """A camera for images of a size, from one or from a 3×3 matrix.

    Raises:
        ValueError: if it is not one, or has another size.
    """
    if not isinstance(camera, Intrinsics):
        return Intrinsics.from_matrix(as_numbers(camera, "the camera matrix"), size[1], size[0])
    if (camera.height, camera.width) != size:
        raise ValueError(f"the camera has {camera.width}x{camera.height} pixels, but the image {_told(size)}")
    return camera


def as_pose(c2w: object | None) -> Float[Tensor, "4 4"]:
    """A pose in double precision from a matrix of 4×4 or its first three rows; level, at the origin, if not given.

    Raises:
        ValueError: if it is not one, or not rigid.
    """
    if c2w is None:
        return LEVEL.clone()
    matrix = as_numbers(c2w, "the pose").astype(np.float64)
    if matrix.shape not in {(3, 4), (4, 4)}:
        raise ValueError(f"the pose must have shape (4, 4) or (3, 4), not {matrix.shape}")
    pose = torch.eye(4, dtype=torch.double)
    pose[: len(matrix)] = torch.from_numpy(matrix)
    check_rigid(pose)
    return pose


def as_masks(masks: Masks, size: Size) -> dict[str, Bool[Tensor, "h w"]]:
    """Masks by name, from masks by name, a sequence of them, or one image with a positive number for each object.

    Raises:
        ValueError: if one is not a mask of the size, or empty, or there is none.
    """
    if isinstance(masks, Mapping):
        given = {str(name): as_numbers(mask, f"the mask of {name}") for name, mask in masks.items()}
        if len(given) < len(masks):
            raise ValueError("two masks have the same name")
    elif isinstance(masks, (np.ndarray, Tensor)) and masks.ndim == 2:
        given = _from_index(as_numbers(masks, "the image of masks"))
    elif isinstance(masks, Iterable) and not isinstance(masks, str):
        given = {f"object-{n}": as_numbers(mask, f"the mask of object-{n}") for n, mask in enumerate(masks, 1)}
    else:
        raise ValueError("masks must come by name, as a sequence, or as one image with a number for each object")
    if not given:
        raise ValueError("there is no object: every pixel of the masks is 0")
    return {name: _mask(mask, name, size) for name, mask in given.items()}


def _mask(values: np.ndarray, name: str, size: Size) -> Bool[Tensor, "h w"]:
    """One mask: what is positive of integers, what is likely of probabilities."""
    values = _plane(values)
    if values.shape != size:
        raise ValueError(f"the mask of {name} has {_told(values.shape)} pixels, but the image {_told(size)}")
    is_set = values > (LIKELY if _are_probabilities(values, f"the mask of {name}") else 0)
    if not is_set.any():
        raise ValueError(f"the mask of {name} is empty")
    return torch.from_numpy(is_set)


def _are_probabilities(values: np.ndarray, name: str) -> bool:
    """Whether floats lie between 0 and 1; False for integers, also where they have the type of floats."""
    if values.dtype.kind != "f" or not values.size:
        return False
    if ((values >= 0) & (values <= 1)).all():
        return True
    if np.isfinite(values).all() and (values == np.round(values)).all():
        return False
    raise ValueError(f"{name} holds neither integers nor probabilities from 0 to 1; apply a threshold first")


def _from_index(index: np.ndarray) -> dict[str, np.ndarray]:
    """The masks of an image that holds a positive number for each object, or the only object's probability."""
    if index.dtype.kind == "b" or (_are_probabilities(index, "the image of masks") and (index % 1).any()):
        return {"object-1": index}
    return {f"object-{int(number)}": index == number for number in np.unique(index) if number > 0}


def as_cloud(points: object) -> Float[Tensor, "n 3"]:
    """Points (n, 3) in double precision.

    Raises:
        ValueError: if they are not points, or some are not finite.
    """
    cloud = as_numbers(points, "the points")
    if cloud.ndim != 2 or cloud.shape[1] != 3:
        raise ValueError(f"the points must have shape (n, 3), not {cloud.shape}")
    if not np.isfinite(cloud).all():
        raise ValueError("the points must be finite")
    return torch.from_numpy(cloud.astype(np.float64))


def as_values(values: object | None, name: str, shape: tuple[int, ...]) -> Float[Tensor, "..."] | None:
    """Floats from 0 to 1 of a shape, such as the confidence or the color of each point; none if none are given.

    Raises:
        ValueError: if they are not.
    """
    if values is None:
        return None
    array = as_numbers(values, name).astype(np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1]")
    return torch.from_numpy(array)


def as_crop(crop: object, name: str, shape: tuple[int, int, int]) -> Shaped[Tensor, "c s s"]:
    """A crop of the size that an encoder takes: bytes, or numbers from 0 to 1.

    Raises:
        ValueError: if it is not one.
    """
    array = as_numbers(crop, name)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if array.dtype == np.uint8:
        return torch.from_numpy(array)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"{name} must hold bytes, or numbers from 0 to 1")
    return torch.from_numpy(array.astype(np.float32))


def _plane(values: np.ndarray) -> np.ndarray:
    """An image without the dimension of its single channel."""
    if values.ndim == 3 and 1 in {values.shape[0], values.shape[2]}:
        return values[0] if values.shape[0] == 1 else values[..., 0]
    return values


def _told(shape: Sequence[int]) -> str:
    return "x".join(map(str, reversed(shape)))
