"""The command line `opposing-signals`."""

from pathlib import Path

from separata import cli

from .configs import DataConfig, Method, ModelConfig, RunConfig, TrainConfig
from .paper import PAPER

COMPARED = TrainConfig(loss="cross-entropy", batch_size=100, momentum=0.9, record_every=10, sharpness_every=0)


def trace(
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
    """Train, and record all losses and the sharpness.

    Args:
        data: .npz with x and y, a .csv table, a folder of images in folders by class, or digits, mnist5k, cifar10, ...
        config: Data, network and training.
        out: Output folder, for losses.npz, model.safetensors, the settings and the history.
        plot: Figure of losses and sharpness to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.trace(data, out, config, plot=plot, device=device, resume=resume).show(as_json=json)


def groups(
    run: Path,
    /,
    *,
    step: str = "auto",
    m: int = 20,
    method: Method = "delta",
    after: int = 0,
    out: Path | None = None,
    data: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Find the two groups of examples behind a loss spike.

    Args:
        run: Folder that trace wrote, or an .npz file with losses (steps, examples).
        step: Step of the spike, or auto for the largest.
        m: Examples of a group.
        method: Rank examples by their change at the step (delta) or by the leading singular vector (svd).
        after: First step that counts.
        out: Page or figure to write: .html, .svg, .png or .pdf.
        data: The samples if they have moved; with an .npz file of losses, x and y in the same order, as .npz.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    asked = commands.Asked(step, m, method, after)
    commands.groups(run, asked, out=out, source=data, device=device).show(as_json=json)


def sharpness(
    run: Path,
    /,
    *,
    k: int = 1,
    tol: float = 1e-3,
    m: int = 20,
    after: int = 0,
    data: str | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure the sharpness of a trained network, and whose it is.

    Args:
        run: Folder that trace wrote.
        k: Eigenvalues.
        tol: Residual at which the iteration ends.
        m: Examples of a group.
        after: First step at which the spike is looked for.
        data: The samples, if they are not where they were.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    asked = commands.Asked("auto", m, "delta", after)
    commands.sharpness_of(run, k, tol, asked, source=data, device=device).show(as_json=json)


def toy(
    *,
    alpha: float = 20.0,
    lr: float = 0.12,
    steps: int = 2000,
    p: float = 0.1,
    n: int = 0,
    seed: int = 0,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Train the two-layer linear network on opposing signals.

    Args:
        alpha: Size of the outliers.
        lr: Step size; past the edge of stability if alpha is above 2 / lr.
        steps: Steps.
        p: Probability of an outlier.
        n: Sampled examples; 0 for the population.
        seed: Draws them.
        plot: Figure to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.toy(alpha, lr, steps, p, n, seed, plot=plot).show(as_json=json)


def optimizers(
    data: str,
    /,
    model: ModelConfig,
    config: TrainConfig = COMPARED,
    samples: DataConfig = DataConfig(),  # noqa: B008 - immutable
    *,
    kinds: str = "sgd,split-sgd,adam",
    rates: str = "0.1,0.3,1",
    small_rates: str = "0.0003,0.001,0.003",
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare SGD, SplitSGD and Adam with tuned rates.

    Args:
        data: Data, as trace takes it.
        model: The network.
        config: Loss, steps and batches.
        samples: How the data is read.
        kinds: Optimizers, with commas: sgd, split-sgd, adam, signum.
        rates: Learning rates of sgd to choose from, with commas; split-sgd takes the one chosen.
        small_rates: Learning rates of adam and signum, and fixed steps of split-sgd, to choose from.
        plot: Figure of training losses to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    given = commands.Compared(kinds, rates, small_rates)
    run = RunConfig(samples, model, config)
    commands.optimizers(data, run, given, plot=plot, device=device).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [trace, groups, sharpness, toy, optimizers])
