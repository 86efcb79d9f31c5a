"""JSON files beside images that say how to read them."""

from pathlib import Path
from typing import Any

from separata.files import read_json

TRANSFORMS = "transforms.json"
"""What describes a folder of images, as NeRF has it."""


def frame_of(path: Path, image: Path | None) -> dict[str, Any] | None:
    """The entry of an image in a transforms.json, over what that says of all images; None where there is none.

    An entry belongs to an image if its `file_path`, `depth_path` or `index_path` ends in the image's name, with or
    without the suffix.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not JSON.
    """
    values = read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("frames"), list) or image is None:
        return None
    for entry in values["frames"]:
        if isinstance(entry, dict) and any(_names(entry.get(key), image) for key in _PATHS):
            return {key: value for key, value in values.items() if key != "frames"} | entry
    return None


_PATHS = ("file_path", "depth_path", "index_path")


def _names(path: object, image: Path) -> bool:
    return isinstance(path, str) and bool(path) and Path(path).name in {image.name, image.stem}


def object_names(index_image: Path) -> dict[int, str]:
    """The names of objects by index, from the transforms.json beside the index image of a scene; empty without one.

    Raises:
        ValueError: if it is not JSON.
    """
    path = index_image.with_name(TRANSFORMS)
    values = read_json(path) if path.is_file() else {}
    objects = values.get("objects", []) if isinstance(values, dict) else []
    if not isinstance(objects, list):
        return {}
    return {
        one["index"]: str(one["name"]) for one in objects if isinstance(one, dict) and {"index", "name"} <= one.keys()
    }


def depth_range(path: Path) -> tuple[float, float] | float | None:
    """What the numbers of a depth image mean, from `<stem>.json` beside it or the folder's transforms.json.

    Returns:
        The depths of the lowest and the highest number that its pixels can have (`min`, `max`), world units for each
        number (`scale`), or None where no file says it.

    Raises:
        ValueError: if such a file is not JSON, or what it says cannot be depth; the sentence names it.
    """
    own, shared = path.with_suffix(".json"), path.with_name(TRANSFORMS)
    if own.is_file():
        values = read_json(own)
        if (found := _range(values, own)) is not None:
            return found
        raise ValueError(f'{own} must be an object with "scale", or with "min" and "max", in units of the world')
    if shared.is_file() and (entry := frame_of(shared, path)) is not None:
        return _range(entry.get("depth"), shared)
    return None


def _range(values: object, path: Path) -> tuple[float, float] | float | None:
    if not isinstance(values, dict) or not ("scale" in values or {"min", "max"} <= values.keys()):
        return None
    try:
        numbers = {key: float(values[key]) for key in ("scale", "min", "max") if key in values}
    except (TypeError, ValueError):
        raise ValueError(f"{path}: the scale of the depth must be a number") from None
    if "scale" in numbers:
        if not 0 < numbers["scale"] < float("inf"):
            raise ValueError(f"{path}: the scale of the depth must be positive, not {numbers['scale']:g}")
        return numbers["scale"]
    if not 0 <= numbers["min"] <= numbers["max"] < float("inf"):
        raise ValueError(f"{path}: the depth must have 0 ≤ min ≤ max, not {numbers['min']:g} and {numbers['max']:g}")
    return numbers["min"], numbers["max"]
