"""The command line `deeponet`."""

from pathlib import Path

from separata import cli

from .configs import ModelConfig, ProblemConfig, ProblemName, RunConfig, TrainConfig
from .paper import PAPER


def generate(
    problem: ProblemName,
    /,
    config: ProblemConfig,
    *,
    out: Path,
    n: int = 10_000,
    n_points: int | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Generate triples (u, y, G(u)(y)) of a problem.

    Args:
        problem: antiderivative, nonlinear-ode, pendulum, diffusion-reaction, advection-1 to advection-4,
            advection-diffusion, legendre, sode or spde.
        config: The problem and its input functions.
        out: File for the triples, .npz.
        n: Number of functions.
        n_points: Points of each function: 1, or 100 of a partial differential equation, if not given; 0 for a grid
            that all functions share.
        seed: Random seed; training and test data need different ones.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.generate(problem, config, out, n=n, n_points=n_points, seed=seed).show(as_json=json)


def train(
    data: Path,
    /,
    model: ModelConfig,
    config: TrainConfig,
    *,
    out: Path,
    test: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a network on triples, and keep the weights of the lowest training error.

    Args:
        data: Triples: .npz that generate wrote, with arrays u, y and s of your own, or of DeepXDE; or .csv with columns
            u0, u1, ..., y0, ..., s0, ...
        model: The network.
        config: How it is trained.
        out: Output folder, for model.safetensors, the settings and the history.
        test: Triples whose error is logged, too.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, RunConfig(model, config), test=test, device=device, resume=resume).show(as_json=json)


def evaluate(run: Path, data: Path, /, *, plot: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Evaluate a network on triples: MSE, without outliers, relative L2, generalization gap.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Triples, as train takes them; of a file of DeepXDE's with both parts, those of the test.
        plot: Figure of predicted and true functions to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, plot=plot, device=device).show(as_json=json)


def predict(
    run: Path,
    sensors: Path,
    points: Path,
    /,
    *,
    out: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Predict every output function at every point.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        sensors: Input functions, one a row, with their values at the sensors: .csv or .npy.
        points: Points, one a row, with their coordinates: .csv or .npy.
        out: Table to write, .csv: the number of the function from 0, the point's coordinates, and the values.
        plot: Figure of the predicted functions to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print the values as JSON.
    """
    from . import commands

    commands.predict_functions(run, sensors, points, out=out, plot=plot, device=device).show(as_json=json)


def export(run: Path, out: Path, /, *, grid: bool = False, json: bool = False) -> None:
    """Export a network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        out: File to write, .onnx: from u (functions, sensors) and y to s.
        grid: Let y be the points of all functions, (points, coordinates), instead of one point for each.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out, grid=grid).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, train, evaluate, predict, export])
