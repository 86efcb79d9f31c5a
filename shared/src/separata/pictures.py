"""Pictures, as arrays: only formats that Pillow decodes by itself, and never more than one sentence of complaint."""

import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
"""Formats that Pillow decodes by itself; for some others it would start a program."""

_LARGE_FILE = 8192
"""Bytes from which an image is worth a thread: decoding small ones spends its time under the interpreter's lock."""


def decode_all(
    images: Iterable[tuple[str, bytes | None]], n: int, size: int | None
) -> UInt8[Tensor, "n channels height width"]:
    """Decode `n` images, each given as where it stands and its file, into one tensor."""
    out = np.empty((n, 0, 0, 0), np.uint8)
    for index, (where, image) in enumerate(_decoded(images, size)):
        channels, height, width = image.shape
        if index == 0:
            out = np.empty((n, channels, height, width), np.uint8)
        if (height, width) != out.shape[2:]:
            raise ValueError(
                f"{where} is {height} x {width} pixels and the images before it {out.shape[2]} x {out.shape[3]}: give "
                f"a size to which all are resized"
            )
        if channels > out.shape[1]:
            out = np.repeat(out, channels, axis=1)
        out[index] = image
    return torch.from_numpy(out)


def _decoded(images: Iterable[tuple[str, bytes | None]], size: int | None) -> Iterator[tuple[str, np.ndarray]]:
    remaining = iter(images)
    with ThreadPoolExecutor() as pool:
        while chunk := list(islice(remaining, 1024)):
            is_large = len(chunk[0][1] or b"") > _LARGE_FILE
            yield from (pool.map if is_large else map)(partial(decode, size), chunk)


def decode(size: int | None, image: tuple[str, bytes | None]) -> tuple[str, UInt8[np.ndarray, "channels height width"]]:
    """Decode one image, given as where it stands and its file, to grey or colour, and resize it if asked."""
    where, encoded = image
    if encoded is None:
        raise ValueError(f"{where} has no image bytes: embed the image's file")
    try:
        with Image.open(io.BytesIO(encoded), formats=_FORMATS) as picture:
            mode = picture.mode
            pixels = picture.copy() if mode == "L" else picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{where} is not an image that Pillow can decode: replace or remove it") from error
    if mode.startswith(("I", "F")):
        raise ValueError(f"{where} has more than 8 bits a channel (mode {mode}): convert it to 8 bits")
    if size is not None:
        pixels = pixels.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(pixels)
    return where, array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
