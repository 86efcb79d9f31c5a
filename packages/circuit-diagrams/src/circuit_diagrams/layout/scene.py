"""What a picture is made of, whatever it is written as. Lengths are pixels, y grows downwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curve:
    """A wire between two points, horizontal at both; straight where they are at one height."""

    x0: float
    y0: float
    x1: float
    y1: float
    css: str = "wire"
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cup:
    """A wire that turns back: the inner product over an axis."""

    x: float
    y0: float
    y1: float
    width: float
    css: str = "wire cup"


@dataclass(frozen=True)
class Box:
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 3
    css: str = "box"


@dataclass(frozen=True)
class Tag:
    """A pentagon in which a wire ends."""

    x: float
    y: float
    width: float
    height: float
    css: str = "tag"


@dataclass(frozen=True)
class Dot:
    """A joint of wires."""

    x: float
    y: float
    radius: float = 2.4
    css: str = "dot"


@dataclass(frozen=True)
class Text:
    """A word or a number; y is that of its baseline."""

    x: float
    y: float
    text: str
    css: str = "label"
    anchor: str = "middle"


@dataclass(frozen=True)
class Group:
    """Parts that belong together, with a title that is shown when the pointer rests on them."""

    parts: tuple["Part", ...]
    css: str = ""
    title: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


Part = Curve | Cup | Box | Tag | Dot | Text | Group


@dataclass(frozen=True)
class Scene:
    """A whole picture."""

    title: str
    description: str
    width: float
    height: float
    parts: tuple[Part, ...]
