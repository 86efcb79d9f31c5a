"""Diagrams as pictures: in a notebook, and as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from separata import files

from .configs import DrawConfig
from .regions import view_of

if TYPE_CHECKING:
    from .ir import Diagram
    from .layout.picture import Layout
    from .layout.scene import Scene

SUFFIXES = (".svg", ".png", ".pdf", ".json", ".html", ".txt", ".py")
"""How the names of files end that a diagram can be written to."""
MOST_COLUMNS = 60
"""Columns of a picture that is drawn without a depth being asked for."""


DEFAULT = DrawConfig()


@dataclass(frozen=True)
class Drawing:
    """A picture of a diagram; notebooks show it by themselves.

    Args:
        diagram: What is drawn.
        config: How.
    """

    diagram: "Diagram"
    config: DrawConfig = DEFAULT

    @property
    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        from .render.svg import to_svg

        return to_svg(self.scene(), self.config.theme)

    def _repr_svg_(self) -> str:
        return self.svg

    def scene(self) -> "Scene":
        """Everything in the picture, with its place."""
        return self.layout().scene()

    def layout(self) -> "Layout":
        """Where everything stands."""
        from .layout.picture import Layout

        view = view_of(self.diagram, self._depth(), is_folded=self.config.fold)
        return Layout(view, self.config.wrap or None, show_sizes=self.config.sizes)

    def _depth(self) -> int | None:
        """The depth that is asked for, or the greatest at which the picture is legible."""
        if self.config.depth is not None:
            return self.config.depth
        from .layout.columns import columns_of

        deepest = max((len(op.region) for op in self.diagram.ops), default=0)
        for depth in range(deepest + 1, 1, -1):
            if len(columns_of(view_of(self.diagram, depth, is_folded=self.config.fold))) <= MOST_COLUMNS:
                return depth
        return 1

    def save(self, path: str | Path) -> Path:
        """Write it, as what the name ends in: .svg, .png, .pdf, .html, or the diagram itself as .json, .txt or .py.

        Raises:
            ValueError: if the name ends otherwise.
            OSError: if it cannot be written.
        """
        path = check_path(Path(path))
        if path.suffix in (".png", ".pdf"):
            from .render.raster import to_bytes

            content = to_bytes(self.scene(), path.suffix, self.config.theme)
            with files.replacing(path) as part:
                part.write_bytes(content)
        else:
            files.write_text(path, self._content(path.suffix))
        return path

    def _content(self, suffix: str) -> str:
        if suffix == ".svg":
            return self.svg
        if suffix == ".html":
            from .page import to_html

            return to_html(self.diagram, self.layout(), self.config.theme)
        if suffix == ".txt":
            from .text.writer import to_text

            return to_text(self.diagram)
        if suffix == ".py":
            from .code import to_torch

            return to_torch(self.diagram)
        from .ir import to_json

        return to_json(self.diagram)


def check_path(path: Path) -> Path:
    """The path, if a diagram can be written to it.

    Raises:
        ValueError: if its name ends in something else.
        OSError: if it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a diagram is written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, not as {path.name}")
    files.check_writable(path)
    return path


def draw(
    model: Any,  # noqa: ANN401 - a module or a diagram
    *args: Any,  # noqa: ANN401 - the module's own arguments
    path: str | Path | None = None,
    axes: dict[str, str] | None = None,
    config: DrawConfig | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> Drawing:
    """Draw a module, called with these arguments, or a diagram.

    Args:
        model: A module, which is traced, or a `Diagram`.
        args: Arguments of the module.
        path: File to write: .svg, .png, .pdf, .html, .json, .txt or .py.
        axes: Names of the axes of inputs, `{"x": "b c h w"}`.
        config: How it is drawn.
        kwargs: Further arguments of the module.

    Raises:
        ValueError: if the module cannot be traced, or the name of the file ends otherwise.
        OSError: if the file cannot be written.
    """
    from .ir import Diagram

    if path is not None:
        check_path(Path(path))
    if not isinstance(model, Diagram):
        from .capture.exporting import trace

        model = trace(model, *args, axes=axes, **kwargs)
    drawing = Drawing(model, config or DEFAULT)
    if path is not None:
        drawing.save(path)
    return drawing
