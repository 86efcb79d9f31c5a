"""Scenes as SVG: the same picture always gives the same bytes."""

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from circuit_diagrams.layout.scene import Box, Cup, Curve, Dot, Group, Part, Scene, Tag, Text

from .themes import Theme, theme_named

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"


def to_svg(scene: Scene, theme: str = "light") -> str:
    """The text of an SVG file.

    Raises:
        ValueError: if there is no such theme.
    """
    found = theme_named(theme)
    width, height = _number(scene.width), _number(scene.height)
    body = "\n".join(_part(part) for part in scene.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="circuit" role="img" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" aria-labelledby="circuit-title circuit-description">\n'
        f'<title id="circuit-title">{_text(scene.title)}</title>\n'
        f'<desc id="circuit-description">{_text(scene.description)}</desc>\n'
        f"<style>{style(found)}</style>\n"
        f'<rect class="paper" width="{width}" height="{height}"/>\n{body}\n</svg>\n'
    )


def style(theme: Theme) -> str:
    """Rules for the classes of all parts."""
    rules = [
        f".circuit{{font-family:{FONT};color:{theme.ink}}}",
        f".circuit .paper{{fill:{theme.paper}}}",
        f".circuit .wire{{fill:none;stroke:{theme.ink};stroke-width:1.1}}",
        ".circuit .faint{stroke-opacity:.3}",
        f".circuit .separator{{stroke:{theme.soft};stroke-width:.9;stroke-dasharray:4 3}}",
        f".circuit .box{{stroke:{theme.ink};stroke-width:1}}",
        f".circuit .learned{{stroke:{theme.learned};stroke-width:2.4}}",
        f".circuit .tag{{fill:{theme.fills['index']};stroke:{theme.ink};stroke-width:1}}",
        f".circuit .dot{{fill:{theme.ink}}}",
        f".circuit .sum{{fill:{theme.paper};stroke:{theme.ink}}}",
        f".circuit .fence{{fill:{theme.fence};fill-opacity:.8;stroke:{theme.line};stroke-width:1}}",
        f".circuit text{{fill:{theme.ink};font-size:12px}}",
        f".circuit .label,.circuit .region{{font-size:9.5px;fill:{theme.soft}}}",
        f".circuit .region{{paint-order:stroke;stroke:{theme.fence};stroke-width:4}}",
        ".circuit .variable{font-style:italic}",
        ".circuit .title{font-size:14px;font-weight:600}",
        ".circuit .learned+.name,.circuit .repeat .region{font-weight:600}",
        f".circuit .halo{{paint-order:stroke;stroke:{theme.fills['elementwise']};stroke-width:5}}",
    ]
    rules += [f".circuit .box.{kind}{{fill:{fill}}}" for kind, fill in theme.fills.items()]
    return "".join(rules)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """Text without what XML cannot hold."""
    return escape("".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff")))


def _data(data: Mapping[str, str]) -> str:
    return "".join(f" data-{key}={quoteattr(value)}" for key, value in data.items())


def _part(part: Part) -> str:
    n = _number
    match part:
        case Group():
            title = f"<title>{_text(part.title)}</title>" if part.title else ""
            label = f' aria-label={quoteattr(part.title.splitlines()[0])} role="group"' if part.title else ""
            css = f' class="{part.css}"' if part.css else ""
            return f"<g{css}{_data(part.data)}{label}>{title}{''.join(map(_part, part.parts))}</g>"
        case Curve():
            if abs(part.y0 - part.y1) < 1e-6:
                path = f"M{n(part.x0)} {n(part.y0)}H{n(part.x1)}"
            else:
                x = (part.x0 + part.x1) / 2
                path = f"M{n(part.x0)} {n(part.y0)}C{n(x)} {n(part.y0)} {n(x)} {n(part.y1)} {n(part.x1)} {n(part.y1)}"
            return f'<path class="{part.css}" d="{path}"{_data(part.data)}/>'
        case Cup():
            x = part.x + part.width * 4 / 3
            path = f"M{n(part.x)} {n(part.y0)}C{n(x)} {n(part.y0)} {n(x)} {n(part.y1)} {n(part.x)} {n(part.y1)}"
            return f'<path class="{part.css}" d="{path}"/>'
        case Box():
            return (
                f'<rect class="{part.css}" x="{n(part.x)}" y="{n(part.y)}" width="{n(part.width)}" '
                f'height="{n(part.height)}" rx="{n(part.radius)}"/>'
            )
        case Tag():
            return f'<polygon class="{part.css}" points="{" ".join(f"{n(x)},{n(y)}" for x, y in corners(part))}"/>'
        case Dot():
            return f'<circle class="{part.css}" cx="{n(part.x)}" cy="{n(part.y)}" r="{n(part.radius)}"/>'
        case Text():
            anchor = "" if part.anchor == "start" else f' text-anchor="{part.anchor}"'
            return f'<text class="{part.css}" x="{n(part.x)}" y="{n(part.y)}"{anchor}>{_text(part.text)}</text>'


def corners(tag: Tag) -> list[tuple[float, float]]:
    """The corners of a pentagon that points to the left, where its wire comes from."""
    x, y, w, h = tag.x, tag.y, tag.width, tag.height
    return [(x, y + h / 2), (x + 5, y), (x + w, y), (x + w, y + h), (x + 5, y + h)]
