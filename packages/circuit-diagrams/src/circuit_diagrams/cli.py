"""The command line `circuit-diagrams`."""

from pathlib import Path

from separata import cli

from .configs import DrawConfig
from .paper import PAPER


def draw(
    model: str,
    /,
    config: DrawConfig,
    *,
    input: str | None = None,  # noqa: A002 - the word for it
    axes: str | None = None,
    out: Path,
    json: bool = False,
) -> None:
    """Draw a model: every axis, and what is broadcast.

    Args:
        model: Your own, module:attribute, importable from here; gallery:NAME; a
            file, .pt2 or .onnx; or a diagram, .json or .txt.
        config: How it is drawn.
        input: Shapes of its inputs, "1,3,224,224", with ";" between several and ":int64" after one of numbers.
        axes: Names of their axes, "x: b c h w".
        out: File to write: .svg, .png, .pdf, .html, .json, .txt or .py.
        json: Print as JSON.
    """
    from . import commands

    commands.draw_model(model, config, shapes=input, axes=axes, out=out).show(as_json=json)


def cost(
    model: str,
    /,
    *,
    input: str | None = None,  # noqa: A002
    axes: str | None = None,
    symbolic: bool = False,
    at: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Count operations, parameters and memory of a model.

    Args:
        model: Your own, module:attribute, importable from here; gallery:NAME; a
            file, .pt2 or .onnx; or a diagram, .json or .txt.
        input: Shapes of its inputs, "1,3,224,224", with ";" between several and ":int64" after one of numbers.
        axes: Names of their axes, "x: b c h w".
        symbolic: Give costs as polynomials in the sizes of named axes too.
        at: Other sizes of named axes, "b=8, h=64".
        out: Table to write, .csv.
        json: Print as JSON.
    """
    from . import commands

    commands.cost_of_model(model, shapes=input, axes=axes, out=out, symbolic=symbolic, at=at).show(as_json=json)


def check(
    model: str,
    /,
    *,
    input: str | None = None,  # noqa: A002
    axes: str | None = None,
    json: bool = False,
) -> None:
    """Compare a diagram with its model, numerically.

    Args:
        model: Your own, module:attribute, importable from here; gallery:NAME; or a
            file, .pt2 or .onnx.
        input: Shapes of its inputs, "1,3,224,224", with ";" between several and ":int64" after one of numbers.
        axes: Names of their axes, "x: b c h w".
        json: Print as JSON.
    """
    from . import commands

    commands.check_model(model, shapes=input, axes=axes).show(as_json=json)


def run(
    diagram: Path,
    /,
    *,
    weights: Path | None = None,
    inputs: Path | None = None,
    out: Path | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Compute what a diagram gives.

    Args:
        diagram: A diagram, .txt or .json, or a model, .pt2 or .onnx.
        weights: Values of its parameters, .safetensors; random ones where none are given or lie beside it.
        inputs: Its inputs by name, .npz; random ones if not given.
        out: Outputs to write, .npz.
        seed: Seed of what is random.
        json: Print as JSON.
    """
    from . import commands

    commands.run_diagram(diagram, weights=weights, inputs=inputs, seed=seed, out=out).show(as_json=json)


def backward(
    model: str,
    /,
    config: DrawConfig,
    *,
    input: str | None = None,  # noqa: A002
    axes: str | None = None,
    out: Path,
    json: bool = False,
) -> None:
    """Draw the back-propagation of a model.

    Args:
        model: Your own, module:attribute, importable from here; gallery:NAME; a
            file, .pt2 or .onnx; or a diagram, .json or .txt.
        config: How it is drawn.
        input: Shapes of its inputs, "1,3,224,224", with ";" between several and ":int64" after one of numbers.
        axes: Names of their axes, "x: b c h w".
        out: File to write: .svg, .png, .pdf, .html, .json, .txt or .py.
        json: Print as JSON.
    """
    from . import commands

    commands.backward_of_model(model, config, shapes=input, axes=axes, out=out).show(as_json=json)


def gallery(
    config: DrawConfig,
    *,
    only: str | None = None,
    out: Path = Path("gallery"),
    kind: str = "svg",
    json: bool = False,
) -> None:
    """Draw the architectures of the paper.

    Args:
        config: How they are drawn.
        only: Names, with commas; all if not given.
        out: Output folder.
        kind: Kind of the files: svg, png, pdf, html, json, txt or py.
        json: Print as JSON.
    """
    from . import commands

    commands.draw_gallery(config, only=only, out=out, suffix=kind).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [draw, cost, check, run, backward, gallery])
