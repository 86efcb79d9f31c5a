"""The command line `double-descent`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import DataConfig, FeatureConfig, FitConfig, NetworkConfig
from .paper import PAPER

Metric = Literal["test_mse", "test_error", "train_mse", "train_error", "validation_mse", "norm", "condition_number"]


def sweep(
    data: str,
    /,
    features: FeatureConfig,
    fit: FitConfig,
    samples: DataConfig,
    *,
    widths: str = "",
    steps: str = "",
    seeds: int = 3,
    metric: Metric = "test_mse",
    out: Path | None = None,
    plot: Path | None = None,
    resume: bool = False,
    dtype: str = "float64",
    device: str = "auto",
    json: bool = False,
) -> None:
    """Sweep the number of features; say if there is a peak.

    Args:
        data: .npz of x and y, or of x_train, y_train, x_test and y_test; .csv; or digits, mnist5k, mnist, ...
        features: The random features, or your own columns.
        fit: How the last layer is trained.
        samples: What it is trained and tested on.
        widths: Numbers of features, with commas; by default 13 from N / 10 to 10 N.
        steps: Numbers of steps, with commas; by default 1e3,1e5,inf, for loops 100,1000.
        seeds: Number of seeds: draws of samples, noise, features and batches.
        metric: What is drawn and summed up.
        out: Table to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        resume: Go on with a sweep that was interrupted.
        dtype: float64; no other is computed in.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.check_dtype(dtype)
    to = commands.Files(out, plot, resume)
    commands.sweep(
        data, features, fit, samples, steps=steps, widths=widths, seeds=seeds, to=to, device=device, metric=metric
    ).show(as_json=json)


def networks(
    data: str,
    /,
    network: NetworkConfig,
    samples: DataConfig,
    *,
    widths: str = "",
    seeds: int = 3,
    metric: Metric = "test_mse",
    kernel: bool = False,
    out: Path | None = None,
    plot: Path | None = None,
    resume: bool = False,
    dtype: str = "float64",
    device: str = "auto",
    json: bool = False,
) -> None:
    """Sweep the width of two-layer networks.

    Args:
        data: As for sweep.
        network: The network and its training.
        samples: What it is trained and tested on.
        widths: Numbers of hidden units, with commas; by default 9 around N C parameters.
        seeds: Number of seeds, which are trained as one.
        metric: What is drawn and summed up.
        kernel: Also compute the condition number of the tangent kernel.
        out: Table to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        resume: Go on with a sweep that was interrupted.
        dtype: float64; no other is computed in.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.check_dtype(dtype)
    to = commands.Files(out, plot, resume)
    commands.sweep_networks(
        data, network, samples, widths=widths, seeds=seeds, to=to, device=device, metric=metric, kernel=kernel
    ).show(as_json=json)


def report(
    data: str,
    /,
    fit: FitConfig,
    *,
    steps: str = "1e2,1e3,1e4,1e5,1e6,inf",
    plot: Path | None = None,
    dtype: str = "float64",
    json: bool = False,
) -> None:
    """Say what a longer run does on your own features.

    Args:
        data: .npz of x_train, y_train, x_test and y_test, or of x and y, of which a fifth is kept for testing; or .csv.
        fit: How the last layer is trained; an optimizer with a closed form.
        steps: Numbers of steps, with commas.
        plot: Figure to write: .svg, .png or .pdf.
        dtype: float64; no other is computed in.
        json: Print as JSON.
    """
    from . import commands

    commands.check_dtype(dtype)
    commands.report(data, fit, steps=steps, plot=plot).show(as_json=json)


def minimal(
    *, trials: int = 10_000, alpha: float = 1e-8, seed: int = 0, plot: Path | None = None, json: bool = False
) -> None:
    """Show double descent with 6 training points.

    Args:
        trials: Draws of the features that are averaged.
        alpha: Ridge penalty.
        seed: Draws the features.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.minimal(trials, alpha, seed, plot=plot).show(as_json=json)


def compare(
    settings: Path,
    /,
    *,
    metric: Metric = "test_mse",
    out: Path | None = None,
    plot: Path | None = None,
    resume: bool = False,
    dtype: str = "float64",
    device: str = "auto",
    json: bool = False,
) -> None:
    """Sweep several optimizers side by side.

    Args:
        settings: File .toml, .yaml or .json: data, settings by name, and steps, widths, seeds, samples, features.
        metric: What is drawn and summed up.
        out: Table to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        resume: Go on with a comparison that was interrupted.
        dtype: float64; no other is computed in.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.check_dtype(dtype)
    to = commands.Files(out, plot, resume)
    commands.compare(settings, to=to, device=device, metric=metric).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [sweep, networks, report, minimal, compare])
