"""The command line `epochwise-descent`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import RunConfig, TeacherStudent
from .paper import PAPER


def predict(
    setup: TeacherStudent,
    *,
    last: float = 1e8,
    points: int = 300,
    theory: Literal["replica", "deterministic-equivalent"] = "replica",
    only: Literal["fast", "slow"] | None = None,
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Predict the error over time in closed form.

    Args:
        setup: Samples, features, their scales, noise and weight decay.
        last: Last time, in steps.
        points: Times, evenly spaced in their logarithm from 0.1 on.
        theory: The paper's closed form (replica), or the sharper deterministic-equivalent.
        only: Learn fast features alone, or slow ones with the fast ones learned.
        out: Table of t, R, Q and error to write, .csv or .npz.
        plot: Figure to write, .svg, .png or .pdf.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.predict(setup, (last, points), theory, only, out=out, plot=plot).show(as_json=json)


def simulate(
    setup: TeacherStudent,
    *,
    draws: int = 40,
    method: Literal["exact", "flow", "gd", "ridge"] = "exact",
    last: float = 1e7,
    points: int = 100,
    seed: int = 0,
    out: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Simulate gradient descent beside the theory.

    Args:
        setup: Samples, features, their scales, noise and weight decay.
        draws: Independent draws of teacher and training data.
        method: All times at once (exact), gradient flow (flow), step by step (gd), or ridge regression (ridge).
        last: Last time, in steps; step by step takes as long as there are steps.
        points: Times, evenly spaced in their logarithm from 1 on.
        seed: Seed of the draws.
        out: Table of t, R, Q, error and its deviation to write, .csv or .npz.
        plot: Figure to write, .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print a summary as JSON.
    """
    from . import commands

    grid = (last, points)
    commands.simulated(setup, draws, method, grid, seed=seed, out=out, plot=plot, device=device).show(as_json=json)


def heatmap(
    setup: TeacherStudent,
    *,
    l2_from: float = 1e-8,
    l2_to: float = 1.0,
    penalties: int = 100,
    last: float = 1e7,
    points: int = 200,
    theory: Literal["replica", "deterministic-equivalent"] = "replica",
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Map the error over time and weight decay.

    Args:
        setup: Samples, features, their scales and noise; its weight decay is not used.
        l2_from: Smallest weight decay.
        l2_to: Largest weight decay.
        penalties: Weight decays, evenly spaced in their logarithm.
        last: Last time, in steps.
        points: Times, evenly spaced in their logarithm from 0.1 on.
        theory: The paper's closed form (replica), or the sharper deterministic-equivalent.
        out: Arrays t, l2 and error to write, .npz.
        plot: Figure to write, .svg, .png or .pdf.
        json: Print a summary as JSON.
    """
    from . import commands

    span, grid = (l2_from, l2_to, penalties), (last, points)
    commands.heatmap(setup, span, grid, theory, out=out, plot=plot).show(as_json=json)


def phase(
    setup: TeacherStudent,
    *,
    kappas: str = "1,7,12,30,100,1000,100000",
    last: float = 1e7,
    points: int = 200,
    out: Path | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Compare ratios of scales, and draw R against Q.

    Args:
        setup: Samples, features, noise and weight decay; its ratio is not used.
        kappas: Ratios of the fast to the slow scale, with commas.
        last: Last time, in steps.
        points: Times, evenly spaced in their logarithm.
        out: Arrays t, kappa, R, Q and error to write, .npz.
        plot: Figure to write, .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.phase(setup, kappas, (last, points), out=out, plot=plot).show(as_json=json)


def detect(
    curve: Path,
    /,
    *,
    x: str | None = None,
    y: str | None = None,
    by: str | None = None,
    raw: bool = False,
    window: float = 0.05,
    smallest: float | None = None,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Find double descent in any learning curve.

    Args:
        curve: Table .csv or .jsonl, .npz, trainer_state.json, an event file of TensorBoard, or a folder with one.
        x: Name of the steps or epochs; found by itself where it is a usual one.
        y: Name of the error, or of several seeds with a star, such as "test_error_*".
        by: Name of what tells seeds apart, where they stand below one another.
        raw: Take an accuracy as it is, not as an error.
        window: Half width of the smoothing, in decades of time.
        smallest: Rise and fall that count at least; 1 % of the curve's range if not given.
        plot: Figure to write, .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    found = commands.detect(curve, (x, y, by), raw=raw, window=window, smallest=smallest, plot=plot)
    found.show(as_json=json)


def train(
    data: str,
    /,
    config: RunConfig,
    *,
    out: Path,
    plot: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Measure a network's learning curve with noisy labels.

    Args:
        data: Folder of images, .npz, .csv, or a name such as digits, mnist5k or cifar10.
        config: The network, its training and its data.
        out: Output folder, for history.csv, the settings and the weights.
        plot: Figure of the curve to write, .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, config, plot=plot, device=device, resume=resume).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [predict, simulate, heatmap, phase, detect, train])
