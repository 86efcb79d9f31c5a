"""Reading what people have: an image, its depth, the masks of its objects, and the camera."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import maximum_filter, minimum_filter
from torch import Tensor

from fixer3d.configs import MAX_OBJECTS
from fixer3d.geometry.cameras import LEVEL, Intrinsics, check_rigid
from fixer3d.geometry.frames import MIN_POINTS

from .depth_files import load_depth
from .pictures import open_image
from .rendering import FIRST_OBJECT
from .sidecars import frame_of, object_names

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
INDEX_STEP = 65535 / 100
"""What one index is in the 16-bit index images of scenes."""
MAX_COLORS = 256
"""A mask in color has at most as many objects; more, and it is a photograph."""


@dataclass(frozen=True, eq=False)
class RGBD:
    """An image with depth, masks and camera, all of one size.

    Args:
        rgb: The image.
        depth: Planar depth in units of the world; 0 where there is none.
        masks: Where each object is, by name.
        intrinsics: The camera.
        c2w: Its pose.
    """

    rgb: UInt8[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]
    masks: Mapping[str, Bool[Tensor, "h w"]]
    intrinsics: Intrinsics
    c2w: Float[Tensor, "4 4"]


def load_rgbd(
    rgb: Path,
    depth: Path,
    masks: Path,
    intrinsics: str | Path | float,
    *,
    depth_scale: float | None = None,
    pose: Path | None = None,
) -> RGBD:
    """Read an image with all that belongs to it, and see that it fits together.

    Args:
        rgb: The image; see `load_rgb`.
        depth: Its depth; see `load_depth`.
        masks: Its masks; see `load_masks`.
        intrinsics: The camera; see `load_intrinsics`.
        depth_scale: World units per number of the depth image; 0.001 for millimeters.
        pose: JSON file with the camera's pose; where it is left out, the camera is at the origin and level, with z up.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if one cannot be read, sizes differ, or no object has at least 10 pixels with depth.
    """
    image = load_rgb(rgb)
    height, width = image.shape[:2]
    values = load_depth(depth, depth_scale)
    _check_size(depth, values, rgb, image)
    found = load_masks(masks)
    for name, mask in found.items():
        _check_size(_mask_path(masks, name), mask, rgb, image)
    kept = _with_depth(found, values, masks, depth)
    camera = load_intrinsics(intrinsics, width, height, rgb)
    return RGBD(image, values, kept, camera, LEVEL.clone() if pose is None else load_pose(pose, rgb))


def _check_size(path: Path, values: Tensor, rgb: Path, image: Tensor) -> None:
    if values.shape[:2] != image.shape[:2]:
        raise ValueError(
            f"{path} has {values.shape[1]}×{values.shape[0]} pixels, "
            f"but {rgb} has {image.shape[1]}×{image.shape[0]}; they must be of one size"
        )


def _mask_path(masks: Path, name: str) -> Path:
    return next((path for path in masks.iterdir() if path.stem == name), masks) if masks.is_dir() else masks


def _with_depth(masks: Mapping[str, Tensor], depth: Tensor, mask_path: Path, depth_path: Path) -> dict[str, Tensor]:
    """The masks with enough depth to complete their objects; a warning for each other."""
    counts = {name: int((mask & (depth > 0)).sum()) for name, mask in masks.items()}
    kept = {name: mask for name, mask in masks.items() if counts[name] >= MIN_POINTS}
    if not kept:
        raise ValueError(
            f"no object of {mask_path} has at least {MIN_POINTS} pixels with depth in {depth_path}; "
            f"the most that one has is {max(counts.values())}"
        )
    for name in masks.keys() - kept.keys():
        warnings.warn(
            f"object {name} of {mask_path} is left out: it has {counts[name]} pixels with depth, "
            f"and {MIN_POINTS} are needed",
            stacklevel=3,
        )
    return kept


def load_rgb(path: Path) -> UInt8[Tensor, "h w 3"]:
    """Read an image, PNG or JPEG; gray becomes color, and what is transparent white.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an image.
    """
    from PIL import Image

    with open_image(path) as image:
        if image.mode[0] in "IF":
            raise ValueError(f"{path} has one channel of 16 or 32 bits; it looks like a depth image, not a color image")
        if "A" in image.getbands() or "transparency" in image.info:
            layer = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)  # noqa: PLW2901
        return torch.from_numpy(np.array(image.convert("RGB")))


def load_masks(path: Path) -> dict[str, Bool[Tensor, "h w"]]:
    """Read the masks of objects.

    Either one image, in which each number but 0 (or each color but black) is an object, named by its number, or a
    folder of images, in each of which an object is what is not black, named by its file. In the 16-bit index images of
    a scene's folder, walls and floors are not objects, and objects have their names.

    What is transparent belongs to no object: a photograph cut out along its object is one mask. So is a black and white
    image with soft edges.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if a file is not an image, a mask is empty, sizes differ, or there is none.
    """
    if not path.is_dir():
        return _masks_of_index(path)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGES)
    if not files:
        raise ValueError(f"the folder {path} contains no masks; each object needs an image there")
    masks = {file.stem: _binary(file) for file in files}
    first = next(iter(masks.values()))
    for file, mask in zip(files, masks.values(), strict=True):
        _check_size(file, mask, files[0], first)
        if not mask.any():
            raise ValueError(f"the mask {file} is empty: no pixel is above 0")
    return masks


def _binary(path: Path) -> Tensor:
    """Where a mask is set: where it is opaque, brighter than half of full, or, for few values, above 0."""
    with open_image(path) as image:
        values = _opacity(image)
        if values is None:
            values = np.array(image) if image.mode in _NUMBERS else np.array(image.convert("RGB")).max(2)
    # A mask that was scaled has gray edges; one of labels 0 and 1 has not.
    return torch.from_numpy(values > (values.max() / 2 if values.max() > 1 else 0))


_NUMBERS = ("1", "L", "P", "I", "I;16", "I;16B", "F")
"""Modes of images in which a pixel is a number."""


def _opacity(image: Any) -> np.ndarray | None:  # noqa: ANN401 - an image of Pillow
    """How opaque each pixel is, from 0 to 255; none where all are alike."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return None
    alpha = np.array(image.convert("RGBA"))[..., 3]
    return None if alpha.min() == alpha.max() else alpha


def _masks_of_index(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        raise ValueError(f"{path} is compressed with loss, which changes the numbers of objects; save the mask as PNG")
    names: dict[int, str] = {}
    with open_image(path) as image:
        values, is_deep = _object_numbers(image, path), image.mode.startswith("I")
    if is_deep and (index := _scene_index(values)) is not None:
        values, names = np.where(index >= FIRST_OBJECT, index, 0), object_names(path)
    elif _is_soft(values):
        warnings.warn(
            f"{path} is read as one mask with soft edges: what is brighter than half belongs to it", stacklevel=3
        )
        values = np.where(values > values.max() / 2, values.max(), 0)
    labels = torch.from_numpy(values.astype(np.int64))
    numbers = [number for number in labels.unique().tolist() if number]
    if not numbers:
        raise ValueError(f"the mask {path} is empty: no pixel belongs to an object")
    if len(numbers) > MAX_COLORS:
        raise ValueError(f"{path} has {len(numbers)} different values, so it is not a mask of objects")
    return {names.get(number, str(number)): labels == number for number in numbers}


def _object_numbers(image: Any, path: Path) -> np.ndarray:  # noqa: ANN401 - an image of Pillow
    """The number of the object at each pixel, 0 for none."""
    opacity = _opacity(image)
    shown = True if opacity is None else opacity > opacity.max() / 2
    if image.mode in _NUMBERS:
        return np.where(shown, np.array(image), 0)
    colors = np.array(image.convert("RGB"))
    if opacity is None and (colors == colors[..., :1]).all() and _is_soft(colors[..., 0]):
        return colors[..., 0]
    if opacity is not None and not _are_labels(colors[shown]):
        return np.asarray(shown, np.int64)
    return _labels(np.where(np.asarray(shown)[..., None], colors, 0), path)


def _are_labels(colors: np.ndarray) -> bool:
    """Whether colors are so few and so frequent that each is an object, and not a picture of one."""
    counts = np.unique(colors, axis=0, return_counts=True)[1]
    return len(counts) <= MAX_COLORS and bool(counts.min() >= MIN_POINTS)


def _scene_index(values: np.ndarray) -> np.ndarray | None:
    """What an index image of a scene shows; none if it is another image of 16 bits."""
    index = np.round(values / INDEX_STEP)
    is_index = (np.abs(index * INDEX_STEP - values) <= 0.5).all() and 0 < index.max() < FIRST_OBJECT + MAX_OBJECTS
    return index if is_index else None


def _is_soft(values: np.ndarray) -> bool:
    """Whether an image is black and white with shades along the edges alone: no shade fills a square of 3×3 pixels."""
    top = values.max()
    shades = (values > 0) & (values < top)
    if top not in (255, 65535) or not shades.any():
        return False
    flat = minimum_filter(values, 3, mode="nearest") == maximum_filter(values, 3, mode="nearest")
    return not (flat & shades).any() and bool((flat & (values == top)).any())


def _labels(colors: np.ndarray, path: Path) -> np.ndarray:
    """A number for each color, 0 for black, in the order of the colors."""
    flat = colors.reshape(-1, 3).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    found, labels = np.unique(flat, return_inverse=True)
    if len(found) > MAX_COLORS:
        raise ValueError(f"{path} has {len(found)} colors, so it is not a mask of objects")
    return (labels + (found[0] != 0)).reshape(colors.shape[:2])


def load_intrinsics(given: str | Path | float, width: int, height: int, image: Path | None = None) -> Intrinsics:
    """A camera from a horizontal field of view in degrees, or from a JSON file.

    Args:
        given: Degrees, or the file: fx, fy, cx, cy or a camera matrix in pixels, or camera_angle_x in radians, at its
            top or, as in the transforms.json of a folder of images, with the entry of the image.
        width: Of the image.
        height: Of the image.
        image: The image.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither a number of degrees nor a file that describes a camera.
    """
    if (degrees := _number(given)) is not None:
        return Intrinsics.from_fov(degrees, width, height)
    path = Path(str(given))
    if path.is_dir() or (path.suffix.lower() != ".json" and not path.exists()):
        raise ValueError(f"the camera must be a field of view in degrees or a JSON file, not {given}")
    entry = frame_of(path, image)
    if entry is None:
        return Intrinsics.from_json(path, width, height)
    try:
        return Intrinsics.from_dict(entry, width, height)
    except ValueError as error:
        raise ValueError(f"{path} does not describe a camera for {image}: {error}") from None


def _number(given: str | Path | float) -> float | None:
    """The number that was given, unless it is something else."""
    try:
        return None if isinstance(given, Path) else float(given)
    except ValueError:
        return None


def load_pose(path: Path, image: Path | None = None) -> Float[Tensor, "4 4"]:
    """A camera's pose, OpenGL camera to world, from a JSON file, as doubles.

    Args:
        path: The file: a matrix of four rows, alone, as `transform_matrix`, or in the entry of the image.
        image: The image.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a rigid transform.
    """
    from separata.files import read_json

    values = frame_of(path, image) or read_json(path)
    rows = values.get("transform_matrix") if isinstance(values, dict) else values
    try:
        matrix = torch.tensor(rows, dtype=torch.double)
    except (TypeError, ValueError, RuntimeError):
        matrix = torch.zeros(0)
    if matrix.shape != (4, 4):
        raise ValueError(f"{path} must hold a transform_matrix of 4×4 numbers")
    try:
        check_rigid(matrix)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return matrix
