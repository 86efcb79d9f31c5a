"""The command line `af-kan`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import LayerConfig, ModelConfig, RunConfig, TrainConfig
from .paper import PAPER

FIT_MODEL = ModelConfig(hidden="16,16", layer=LayerConfig(norm="batch", reduction="multistep"))
FIT_TRAIN = TrainConfig(epochs=200, batch_size=64, lr=1e-2, gamma=0.98)


def train(
    data: str,
    /,
    config: RunConfig,
    *,
    out: Path,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train an AF-KAN, or a network to compare with, and test it.

    The weights of the lowest validation loss are kept.

    Args:
        data: A table .csv, for classes or numbers; .npz with x and y, or x_train, y_train, x_test and y_test; a folder
            of images in folders by class; or digits, mnist5k, mnist, fashion-mnist, cifar10, ...
        config: The network, its training and its data.
        out: Output folder, for model.safetensors, the settings and the history.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, config, device=device, resume=resume).show(as_json=json)


def evaluate(
    run: Path,
    data: str,
    /,
    *,
    part: Literal["train", "validation", "test", "all"] = "test",
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a network: accuracy and macro F1, or errors.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        data: Data, as train takes it.
        part: Part of the data: train, validation, test or all.
        plot: Figure to write, .svg, .png or .pdf: confusion matrix, or predicted against true numbers.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.evaluate_run(run, data, part=part, plot=plot, device=device).show(as_json=json)


def predict(run: Path, samples: Path, /, *, out: Path | None = None, device: str = "auto", json: bool = False) -> None:
    """Predict classes or numbers of samples without labels.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        samples: Table .csv, .npz with x, .npy, a picture, or a folder of pictures.
        out: Table to write, .csv.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.predict_samples(run, samples, out=out, device=device).show(as_json=json)


def fit(
    function: str,
    /,
    model: ModelConfig = FIT_MODEL,
    config: TrainConfig = FIT_TRAIN,
    *,
    beside: str = "mlp",
    n_train: int = 1000,
    n_test: int = 1000,
    low: float = 0.0,
    high: float = 1.0,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Fit a formula of one or more variables.

    Args:
        function: A formula, such as "exp(-4*x**2)*sin(6*pi*x)", or damped-oscillation, chirp, anisotropic,
            feynman-iii-17-37, feynman-i-13-4, fast-oscillation or sharp-step.
        model: The network.
        config: How it is trained.
        beside: Kinds of networks with as many parameters to fit, too, with commas; empty for none.
        n_train: Random points for training and validation.
        n_test: Random points for testing.
        low: Lower end of the range of each variable.
        high: Upper end of the range of each variable.
        plot: Figure to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    points = commands.Points(n_train, n_test, low, high)
    commands.fit(function, model, config, beside, points, plot=plot, device=device).show(as_json=json)


def compare(
    data: str,
    /,
    config: RunConfig,
    *,
    kinds: str = "af-kan,mlp,relu-kan,bspline-kan",
    match: Literal["width", "params"] = "width",
    rates: str = "",
    seeds: int = 1,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Compare networks at equal width or equal parameters.

    Args:
        data: Data, as train takes it.
        config: The widths and layers of the networks, their training and the data.
        kinds: Networks, with commas: af-kan, mlp, relu-kan, bspline-kan, rbf-kan, faster-kan, bsrbf-kan, chebyshev-kan.
        match: Give all networks the same hidden widths (width), or as many parameters as af-kan (params).
        rates: Learning rates to choose from on the validation data, for each network, with commas.
        seeds: Trainings of each network.
        plot: Figure of score against parameters to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    effort = commands.Effort(rates, seeds, device)
    commands.compare(data, config, kinds, match, effort, plot=plot).show(as_json=json)


def ablate(
    data: str,
    /,
    config: RunConfig,
    *,
    axis: Literal["activation", "combination", "grid", "order", "reduction", "norm", "feature-norm"] = "activation",
    rates: str = "",
    seeds: int = 1,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Vary one setting of AF-KAN and compare the values.

    Args:
        data: Data, as train takes it.
        config: The other settings of the network, its training and the data.
        axis: Setting to vary: activation, combination, grid, order, reduction, norm or feature-norm.
        rates: Learning rates to choose from on the validation data, for each value, with commas.
        seeds: Trainings of each value.
        plot: Figure of the scores to write: .svg, .png or .pdf.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    effort = commands.Effort(rates, seeds, device)
    commands.ablate(data, config, axis, effort, plot=plot).show(as_json=json)


def export(run: Path, out: Path, /, *, json: bool = False) -> None:
    """Export a network as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train wrote, or the file model.safetensors in it.
        out: File to write, .onnx: from x (batch, ...) to y.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, evaluate, predict, fit, compare, ablate, export])
