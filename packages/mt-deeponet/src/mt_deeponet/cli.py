"""The command line `mt-deeponet`."""

from pathlib import Path

from separata import cli

from .configs import TARGET, TRANSFER, ModelConfig, ProblemConfig, ProblemName, RunConfig, TrainConfig
from .paper import PAPER


def generate(
    problem: ProblemName,
    /,
    config: ProblemConfig,
    *,
    out: Path,
    n: int | None = None,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Generate data of several equations, shapes or plates.

    Args:
        problem: fisher, darcy or plate.
        config: The problem.
        out: File for the data, .npz.
        n: Samples of each law or shape, 200 if not given; of plate, number of designs, all if not given.
        seed: Random seed; training and test data need different ones.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.generate(problem, config, out, n=n, seed=seed).show(as_json=json)


def train(
    data: tuple[Path, ...],
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
    """Train one network on the tasks of one or more files.

    Args:
        data: Files whose tasks are pooled: .npz that generate wrote, or Fisher's with inputs and outputs; .mat with
            k_train, u_train and shape_train.
        model: The network.
        config: How it is trained.
        out: Output folder, for model.safetensors, the settings and the history.
        test: Data whose error is logged, too.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(list(data), out, RunConfig(model, config), test=test, device=device, resume=resume).show(
        as_json=json
    )


def transfer(
    run: Path,
    data: Path,
    /,
    config: TrainConfig = TARGET,
    *,
    out: Path,
    samples: int | None = None,
    parts: str = TRANSFER,
    test: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune a trained network on few samples of a new shape.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Samples of the new shape or law, on the same grid.
        config: How it is fine-tuned.
        out: Output folder, as that of train.
        samples: Take only the first samples of the file.
        parts: Parts that are trained, with commas; those of the paper that the network has, if not given.
        test: Data whose error is logged, too.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.transfer(
        run, data, out, config, samples=samples, parts=parts, test=test, device=device, resume=resume
    ).show(as_json=json)


def evaluate(run: Path, data: Path, /, *, plot: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Evaluate a network: relative L2 error inside the domains, by task.

    Args:
        run: Folder that train or transfer wrote, or the file model.safetensors in it.
        data: Data, as train takes it.
        plot: Figure of predictions on their domains to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, plot=plot, device=device).show(as_json=json)


def predict(
    run: Path,
    /,
    *,
    mask: Path | None = None,
    inputs: str | None = None,
    source: str | None = None,
    out: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Predict the solution on your own domain.

    Args:
        run: Folder that train or transfer wrote, or the file model.safetensors in it.
        mask: Domain: a picture (.png, white is inside), an array of zeros and ones (.npy), a polygon (.csv) or a closed
            mesh (.stl); everything if not given.
        inputs: Input functions as in the data, a file (.npy or .csv) or numbers with commas: the logarithm of the
            coefficient (outside the mask it counts as 0), u(x, 0), or the design; zero on a grid if not given.
        source: Law of a network for source terms, such as F4,a=0.5,b=1, or its coefficients.
        out: File for the solutions, .npy.
        plot: Figure to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.predict_samples(run, mask=mask, inputs=inputs, source=source, out=out, plot=plot, device=device).show(
        as_json=json
    )


def export(run: Path, out: Path, /, *, json: bool = False) -> None:
    """Export a network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train or transfer wrote, or the file model.safetensors in it.
        out: File to write, .onnx: from functions, mask or codes, and points to solutions.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [generate, train, transfer, evaluate, predict, export])
