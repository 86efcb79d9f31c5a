"""Image files as Pillow opens them."""

from pathlib import Path
from typing import Any


def open_image(path: Path) -> Any:  # noqa: ANN401 - an image of Pillow
    """An image file, opened and decoded, upright as a camera's note says.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an image, or only a part of one.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        image = Image.open(path)
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not an image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged or incomplete: {error}") from None
    return ImageOps.exif_transpose(image)
