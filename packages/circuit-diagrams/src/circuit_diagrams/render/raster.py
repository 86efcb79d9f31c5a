"""Scenes as PNG and PDF, through matplotlib."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from circuit_diagrams.layout.scene import Box, Cup, Curve, Dot, Group, Part, Scene, Tag, Text

from .svg import corners
from .themes import Theme, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

POINTS = 72 / 96
"""Points of a pixel."""
MOST_PIXELS = 24_000
"""Edge at which a PNG is made with less resolution, rather than with more memory."""


def to_bytes(scene: Scene, suffix: str, theme: str = "light", scale: float = 2.0) -> bytes:
    """A PNG or PDF file.

    Args:
        scene: The picture.
        suffix: ".png" or ".pdf".
        theme: Its colors.
        scale: Pixels of a PNG for each of the scene's.

    Raises:
        ValueError: if there is no such theme.
    """
    figure = to_figure(scene, theme, scale)
    content = BytesIO()
    metadata: dict[str, Any] = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
    figure.savefig(content, format=suffix[1:], facecolor=theme_named(theme).paper, metadata=metadata)
    return content.getvalue()


def to_figure(scene: Scene, theme: str = "light", scale: float = 2.0) -> "Figure":
    """The picture as a figure of matplotlib.

    Raises:
        ValueError: if there is no such theme.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colors = theme_named(theme)
    scale = min(scale, MOST_PIXELS / max(scene.width, scene.height))
    figure = Figure(figsize=(scene.width / 96, scene.height / 96), dpi=96 * scale, facecolor=colors.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False)
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0), xticks=[], yticks=[])
    for order, part in enumerate(_flat(scene.parts)):
        _draw(axes, part, colors, order)
    return figure


def _flat(parts: tuple[Part, ...]) -> list[Part]:
    return [leaf for part in parts for leaf in (_flat(part.parts) if isinstance(part, Group) else [part])]


def _look(part: Part, theme: Theme, order: int) -> dict[str, Any]:
    """Colors and lines of a part, by its classes."""
    classes = part.css.split()
    look: dict[str, Any] = {"zorder": order, "edgecolor": theme.ink, "linewidth": 1.1 * POINTS, "facecolor": "none"}
    if "separator" in classes:
        look |= {"edgecolor": theme.soft, "linewidth": 0.9 * POINTS, "linestyle": (0, (4, 3))}
    if "faint" in classes:
        look["alpha"] = 0.3
    for kind in theme.fills.keys() & set(classes):
        look["facecolor"] = theme.fills[kind]
    if "learned" in classes:
        look |= {"edgecolor": theme.learned, "linewidth": 2.4 * POINTS}
    if "fence" in classes:
        look |= {"facecolor": theme.fence, "edgecolor": theme.line}
    if isinstance(part, Tag):
        look["facecolor"] = theme.fills["index"]
    if isinstance(part, Dot):
        look["facecolor"] = theme.paper if "sum" in classes else theme.ink
    return look


def _draw(axes: "Axes", part: Part, theme: Theme, order: int) -> None:
    if isinstance(part, Text):
        _write(axes, part, theme, order)
    elif not isinstance(part, Group):
        axes.add_patch(_patch(part, _look(part, theme, order)))


def _patch(part: Curve | Cup | Box | Tag | Dot, look: dict[str, Any]) -> "Patch":
    from matplotlib import patches
    from matplotlib.path import Path

    if isinstance(part, Box):
        style = patches.BoxStyle("round", pad=0, rounding_size=min(part.radius, part.width / 2, part.height / 2))
        return patches.FancyBboxPatch((part.x, part.y), part.width, part.height, boxstyle=style, **look)
    if isinstance(part, Tag):
        return patches.Polygon(corners(part), **look)
    if isinstance(part, Dot):
        return patches.Circle((part.x, part.y), part.radius, **look)
    if isinstance(part, Cup):
        x, end = part.x + part.width * 4 / 3, part.x
        start = part.x
    else:
        x, start, end = (part.x0 + part.x1) / 2, part.x0, part.x1
    ends = [(start, part.y0), (x, part.y0), (x, part.y1), (end, part.y1)]
    return patches.PathPatch(Path(ends, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]), **look)


def _write(axes: "Axes", text: Text, theme: Theme, order: int) -> None:
    classes = text.css.split()
    is_small = bool({"label", "region"} & set(classes))
    size = 9.5 if is_small else 14 if "title" in classes else 12
    align = {"start": "left", "middle": "center", "end": "right"}[text.anchor]
    box = None
    if "halo" in classes:
        box = {"facecolor": theme.fills["elementwise"], "edgecolor": "none", "pad": 1}
    axes.text(
        text.x,
        text.y,
        text.text.replace("$", r"\$"),
        size=size * POINTS,
        color=theme.soft if is_small else theme.ink,
        ha=align,
        va="baseline",
        zorder=order,
        style="italic" if "variable" in classes else "normal",
        weight="semibold" if "title" in classes else "normal",
        bbox=box,
    )
