"""Reading depth images: PNG with 16 or 8 bits, NPY, NPZ and EXR."""

import importlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from separata import files

from .pictures import open_image
from .sidecars import depth_range


def load_depth(path: Path, scale: float | None = None) -> Float[Tensor, "h w"]:
    """Read planar depth.

    Floating-point files (NPY, NPZ, EXR, TIFF) hold depth itself. The integers of a PNG need a scale: an argument, a
    file `<name>.json` beside it with `{"scale": ...}` or `{"min": ..., "max": ...}`, or the transforms.json of a scene.

    Args:
        path: The file.
        scale: World units for each number of the file; 0.001 where it holds millimeters and the world has meters.

    Returns:
        Depth, 0 where the file has none: 0, negative, or not finite.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, has more than one channel, needs a scale, or no pixel has depth.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if scale is not None and not 0 < scale < float("inf"):
        raise ValueError(f"the scale of the depth must be positive, not {scale:g}")
    values = _READERS.get(path.suffix.lower(), _read_image)(path)
    values = _single_channel(values, path)
    depth = _scaled(values, path, scale) if values.dtype.kind in "ui" else values.astype(np.float64) * (scale or 1.0)
    with np.errstate(over="ignore"):
        depth = depth.astype(np.float32)
    depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))
    if not depth.any():
        raise ValueError(f"{path} has no depth: no pixel is positive and finite")
    return torch.from_numpy(depth)


def _single_channel(values: np.ndarray, path: Path) -> np.ndarray:
    if values.ndim == 3 and 1 in {values.shape[0], values.shape[2]}:
        values = values.squeeze(0 if values.shape[0] == 1 else 2)
    if values.ndim == 3 and values.shape[2] in {3, 4} and (values[..., :3] == values[..., :1]).all():
        values = values[..., 0]  # gray, saved in color
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fui":
        raise ValueError(f"{path} must hold one number for each pixel, not {values.dtype} of shape {values.shape}")
    return values


def _scaled(values: np.ndarray, path: Path, scale: float | None) -> np.ndarray:
    """The depth that integers mean."""
    if path.suffix.lower() not in {".npy", ".npz"} and values.dtype.itemsize == 1:
        warnings.warn(
            f"{path} has 8 bits, so that depth has at most 255 levels and surfaces turn into steps; "
            "completed objects will be poor. Save depth with 16 bits, or as NPY",
            stacklevel=3,
        )
    says = scale if scale is not None else depth_range(path)
    if says is None:
        raise ValueError(
            f"{path} holds integers without a scale: give the depth scale (0.001 for millimeters), "
            f'or write {{"scale": 0.001}} to {path.with_suffix(".json").name} beside it'
        )
    if isinstance(says, float):
        return values * says
    low, high = says
    top = 255 if values.dtype.itemsize == 1 else 65535
    return low + values / top * (high - low)


def _read_image(path: Path) -> np.ndarray:
    with open_image(path) as image:
        values = np.array(image)
        mode = image.mode
    if mode in {"P", "1"}:
        kind = "a palette" if mode == "P" else "black and white"
        raise ValueError(f"{path} is an image in {kind}, not a depth image")
    # Pillow gives 16 bits as 32 in some versions.
    return values.astype(np.uint16) if mode == "I" and values.min() >= 0 and values.max() < 1 << 16 else values


def _read_npy(path: Path) -> np.ndarray:
    try:
        return files.load_array(path)
    except ValueError:
        raise ValueError(f"{path} is not a complete NPY file of numbers") from None


def _read_npz(path: Path) -> np.ndarray:
    try:
        arrays = files.load_arrays(path, ["depth"]) or files.load_arrays(path)
    except ValueError:
        raise ValueError(f"{path} is not a complete NPZ file of numbers") from None
    if len(arrays) != 1:
        raise ValueError(f"{path} must hold one array, or one that is called depth, not {', '.join(arrays) or 'none'}")
    return next(iter(arrays.values()))


def _read_exr(path: Path) -> np.ndarray:
    """The first of the channels Z, depth, Y, V and R that there is, by whichever reader is installed."""
    if (module := _import("OpenEXR")) is not None and hasattr(module, "File"):
        return _by_openexr(module, path)
    # OpenCV reads EXR only where it is told to before it is imported.
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    if (module := _import("cv2")) is None:
        raise ValueError(f"reading {path} needs a reader of EXR; pip install OpenEXR, or save the depth as NPY")
    values = module.imread(str(path), module.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError(f"{path} is not an EXR file that OpenCV can read; pip install OpenEXR")
    return np.asarray(values)


def _by_openexr(module: Any, path: Path) -> np.ndarray:  # noqa: ANN401 - a module
    try:
        with module.File(str(path), separate_channels=True) as file:
            channels = {name: np.array(channel.pixels) for name, channel in file.channels().items()}
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a complete EXR file: {error}") from None
    lower = {name.rsplit(".", 1)[-1].lower(): values for name, values in channels.items()}
    for name in ("z", "depth", "y", "v", "r"):
        if name in lower:
            return lower[name]
    raise ValueError(f"{path} must have a channel Z, not {', '.join(channels) or 'none'}")


def _import(name: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_READERS: dict[str, Callable[[Path], np.ndarray]] = {".npy": _read_npy, ".npz": _read_npz, ".exr": _read_exr}
