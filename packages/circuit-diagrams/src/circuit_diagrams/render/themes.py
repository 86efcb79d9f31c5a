"""Colors of a picture."""

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """Colors, as hexadecimal numbers.

    Args:
        paper: Behind everything.
        ink: Wires and words.
        soft: Separators, labels, what is less important.
        learned: Outline of what has learned parameters.
        fills: Inside of each kind of symbol.
        fence: Inside of a region.
        line: Outline of a region.
    """

    paper: str
    ink: str
    soft: str
    learned: str
    fills: dict[str, str]
    fence: str
    line: str


LIGHT = Theme(
    "#ffffff",
    "#1f2933",
    "#66717d",
    "#0b3d91",
    {
        "linear": "#dbe9ff",
        "elementwise": "#e4f4e1",
        "reduce": "#ffeccc",
        "rearrange": "#8a949e",
        "index": "#efe3fb",
        "join": "#e6e9ed",
        "opaque": "#f6d5d5",
        "region": "#eef2f7",
    },
    "#f5f7fa",
    "#c3ccd6",
)
DARK = Theme(
    "#14181d",
    "#e3e8ee",
    "#98a4b1",
    "#8db4ff",
    {
        "linear": "#1f3a66",
        "elementwise": "#234a2c",
        "reduce": "#5a4315",
        "rearrange": "#8a949e",
        "index": "#47306a",
        "join": "#3a424c",
        "opaque": "#6b2b2b",
        "region": "#29323d",
    },
    "#1b2128",
    "#465260",
)
THEMES: dict[str, Theme] = {"light": LIGHT, "dark": DARK}


def theme_named(name: str) -> Theme:
    """A theme by its name.

    Raises:
        ValueError: if there is none of the name.
    """
    if name not in THEMES:
        raise ValueError(f"theme must be {' or '.join(THEMES)}, not {name}")
    return THEMES[name]
