"""Settings, as commands take them and as experiments hold them. Imports nothing slow."""

from dataclasses import dataclass

THEMES = ("light", "dark")
"""Names of colors."""


@dataclass(frozen=True)
class DrawConfig:
    """How a diagram is drawn.

    Args:
        depth: Levels of modules that are opened; 0 is one box, and none given as many as stay legible.
        fold: Draw equal blocks in a row once, with their number.
        sizes: Write sizes beside the names of axes.
        theme: Colors: light or dark.
        wrap: Width in pixels at which the picture goes on in a new line; 0 for never.

    Raises:
        ValueError: if one of them is out of range.
    """

    depth: int | None = None
    fold: bool = True
    sizes: bool = True
    theme: str = "light"
    wrap: int = 1180

    def __post_init__(self) -> None:
        if self.theme not in THEMES:
            raise ValueError(f"theme must be {' or '.join(THEMES)}, not {self.theme}")
        if self.depth is not None and self.depth < 0:
            raise ValueError(f"depth must be 0 or more levels of modules, not {self.depth}")
        if self.wrap < 0:
            raise ValueError(f"wrap must be a width in pixels or 0 for never, not {self.wrap}")


@dataclass(frozen=True)
class GalleryConfig:
    """Architectures on which claims are measured.

    Args:
        names: Which of the gallery's.
    """

    names: tuple[str, ...]
