"""The command line `kan-assessment`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import BudgetConfig, LayerConfig, RunConfig, SearchConfig, Suite, TrainConfig
from .paper import PAPER


def run(
    budget: BudgetConfig,
    train: TrainConfig,
    search: SearchConfig,
    *,
    data: Path | None = None,
    target: str | None = None,
    suite: Suite | None = None,
    tasks: str = "",
    models: str = "mlp,bspline_kan",
    by: str = "params",
    out: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Compare models at equal cost, on your data or built-in tasks.

    Args:
        budget: What each model may cost.
        train: How every model is trained.
        search: How many settings each model may try.
        data: Your data: a table, .csv with a header, or .npz with arrays x and y.
        target: Column of the table to predict; label, class, target or y, or the last, if not given.
        suite: Built-in tasks: symbolic, tabular, vision, text, continual or all.
        tasks: Single tasks, joined by commas: symbolic/ellipkinc, tabular/wine, vision/mnist, formula:exp(x)*y, ...
        models: Models, joined by commas, the reference first; module:factory is one of your own.
        by: What is equal, joined by commas: params, flops, flops-shared or time.
        out: Folder for the report: JSON, Markdown and figures; it also keeps finished trials.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted assessment.
        json: Print the comparisons as JSON.
    """
    from . import commands

    names = commands.task_names(data, suite, tasks)
    config = RunConfig(budget, train, search)
    commands.run(
        names, commands.names_in(models), commands.names_in(by), config, target, out, device=device, resume=resume
    ).show(as_json=json)


def count(layer: LayerConfig, *, widths: str, model: str = "bspline_kan", json: bool = False) -> None:
    """Count the parameters and FLOPs of a model.

    Args:
        layer: What the model's layers are made of.
        widths: Inputs, hidden layers and outputs, joined by commas: 784,16,10.
        model: The model, or module:factory.
        json: Print as JSON.
    """
    from . import commands

    commands.count(model, commands.numbers_in(widths), layer).show(as_json=json)


def profile(
    *,
    models: str = "mlp,bspline_kan,per_edge_kan",
    widths: str = "64,64,10",
    equal: Literal["width", "params"] = "width",
    batch_size: int = 128,
    steps: int = 20,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Measure the time and memory of training steps.

    Args:
        models: Models, joined by commas, the reference first.
        widths: Inputs, hidden layers and outputs of the reference, joined by commas.
        equal: Give the others the same width, or as many parameters (params).
        batch_size: Samples of a step.
        steps: Repetitions, after 5 warm-ups.
        plot: Figure of the ratios to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.profile(
        commands.names_in(models), commands.numbers_in(widths), equal, batch_size=batch_size, steps=steps, plot=plot
    ).show(as_json=json)


def scaling(
    search: SearchConfig,
    *,
    models: str = "mlp,bspline_kan",
    dims: str = "1,2,4,8",
    sizes: str = "50,100,200,400",
    kind: Literal["generic", "compositional", "both"] = "both",
    epochs: int = 60,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure how errors fall with parameters, by dimension.

    Args:
        search: How many learning rates are tried, and with how many seeds.
        models: Models, joined by commas.
        dims: Dimensions of the target functions, joined by commas.
        sizes: Numbers of parameters, joined by commas.
        kind: Targets: sums of waves in random directions (generic), or compositional ones.
        epochs: Passes over the training data.
        plot: Figure of the errors to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.scaling(
        commands.names_in(models),
        commands.numbers_in(dims),
        commands.numbers_in(sizes),
        kind,
        search,
        epochs=epochs,
        plot=plot,
        device=device,
    ).show(as_json=json)


def verdict(report: Path, /, *, json: bool = False) -> None:
    """Say in words what a report shows, and when to use which model.

    Args:
        report: Folder that run wrote, or the file report.json in it.
        json: Print as JSON.
    """
    from . import commands

    commands.verdict(report).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [run, count, profile, scaling, verdict])
