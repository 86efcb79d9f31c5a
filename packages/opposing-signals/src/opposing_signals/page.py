"""One page of HTML that shows two groups side by side with their losses; it needs no other file and no script."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from separata import files

from .drawing import class_summary, draw_histograms, draw_trace
from .groups import OpposingGroups
from .panels import DOWN, UP
from .recorder import Recorder
from .samples import Samples

if TYPE_CHECKING:
    from jinja2 import Template

MOST = 100
"""Examples of a group that are shown."""
SIDE = 56
"""Pixels to which small pictures are enlarged, at least."""


@dataclass(frozen=True)
class Member:
    """An example on the page."""

    index: int
    label: str
    before: float
    after: float
    source: str
    """Picture as a data URI; empty where the samples are no pictures."""


@dataclass(frozen=True)
class Side:
    """A group on the page."""

    name: str
    color: str
    told: str
    classes: str
    members: list[Member]


def write_page(
    path: Path | str,
    recorder: Recorder,
    groups: OpposingGroups,
    data: Samples | None = None,
    *,
    lr: float | None = None,
    title: str = "Opposing signals",
    facts: dict[str, str] | None = None,
) -> None:
    """Write a page of HTML: both groups as images side by side, their losses over time, and what was measured.

    Args:
        path: The file, .html.
        recorder: The losses.
        groups: The groups.
        data: The samples, shown as pictures where they are; without it, examples have their numbers only.
        lr: Learning rate, for the sharpness.
        title: Heading.
        facts: More to tell, by name.

    Raises:
        ValueError: if the name does not end with .html, or there is not one sample for each example.
    """
    if Path(path).suffix != ".html":
        raise ValueError(f"a page is written as .html, not as {Path(path).name}")
    if data is not None and len(data) != recorder.n_examples:
        raise ValueError(f"the losses are of {recorder.n_examples} examples, but the data has {len(data)} samples")
    files.write_text(Path(path), _html(recorder, groups, data, lr, title, facts or {}))


def _html(
    recorder: Recorder,
    groups: OpposingGroups,
    data: Samples | None,
    lr: float | None,
    title: str,
    facts: dict[str, str],
) -> str:
    losses, steps = recorder.losses, recorder.steps
    row = steps.index(groups.step)
    up, down = (losses[:, group].mean(1).tolist() for group in (groups.up, groups.down))
    sharpness = sorted(recorder.values.get("sharpness", {}).items()) if lr else []
    is_every_step = steps == list(range(steps[0], steps[0] + len(steps))) and steps[0] == 0
    figure = draw_trace(recorder.mean_loss.tolist(), up, down, sharpness if is_every_step else [], lr or 1.0, row)
    if not is_every_step:
        figure.axes[-1].set_xlabel("record")
    histogram = ""
    if data is not None:
        counts = groups.histogram(data.y, len(data.classes))
        histogram = _uri(draw_histograms(*counts, data.classes))
    sides = [
        _side("Group 1", UP, "loss rises", groups.up, losses[row : row + 2], data),
        _side("Group 2", DOWN, "loss falls", groups.down, losses[row : row + 2], data),
    ]
    return _template().render(
        title=title,
        groups=groups,
        n=recorder.n_examples,
        next_step=steps[row + 1],
        sides=sides,
        figure=_uri(figure),
        histogram=histogram,
        facts=facts,
    )


def _side(name: str, color: str, told: str, group: Tensor, around: Tensor, data: Samples | None) -> Side:
    some = group[:MOST]
    sources = [""] * len(some)
    if data is not None and data.is_image:
        sources = [_picture(one) for one in data.pictures(some)]
    labels = [""] * len(some) if data is None else [data.classes[int(data.y[i])] for i in some]
    members = [
        Member(int(i), label, float(around[0, i]), float(around[1, i]), source)
        for i, label, source in zip(some, labels, sources, strict=True)
    ]
    return Side(name, color, told, class_summary(data, group) if data is not None else "", members)


def _picture(image: Float[Tensor, "channels height width"]) -> str:
    """An image as PNG, small ones enlarged by whole numbers so that their pixels are seen."""
    from PIL import Image

    pixels = (255 * image).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    factor = max(1, -(-SIDE // max(picture.size)))
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _uri(figure: Figure) -> str:
    """A figure as an image of the page, in which nothing can run."""
    file = io.BytesIO()
    options: dict[str, Any] = {"format": "svg", "bbox_inches": "tight", "metadata": {"Date": None}}
    figure.savefig(file, **options)
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


@cache
def _template() -> "Template":
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(resources.files(__package__).joinpath("page.html.j2").read_text("utf-8"))
