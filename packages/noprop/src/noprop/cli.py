"""The command line `noprop`."""

from pathlib import Path

from separata import cli

from .configs import RunConfig, SamplerConfig
from .paper import PAPER


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
    """Train a classifier; report test and training accuracy.

    Args:
        data: Folder of images, .npz, .csv, or a name such as mnist5k.
        config: The model and how it is trained.
        out: Output folder, for model.safetensors, the settings and the history.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train(data, out, config, device=device, resume=resume).show(as_json=json)


def train_block(
    data: str,
    /,
    config: RunConfig,
    *,
    block: int,
    out: Path,
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train one block of a NoProp-DT alone, for assemble.

    Args:
        data: As for train; the same for all blocks.
        config: The model and how it is trained; the same for all blocks.
        block: Number of the block, from 1.
        out: Folder of all blocks.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training of this block.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.train_one(data, block, out, config, device=device, resume=resume).show(as_json=json)


def assemble(blocks: Path, /, *, out: Path, json: bool = False) -> None:
    """Put blocks that were trained apart together.

    Args:
        blocks: Folder that train-block wrote.
        out: Output folder for the model, as train writes it.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.put_together(blocks, out).show(as_json=json)


def predict(
    run: Path,
    samples: Path,
    /,
    sampler: SamplerConfig,
    *,
    out: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Classify samples.

    Args:
        run: Folder that train or assemble wrote.
        samples: Picture, folder of pictures, .npz with x, .npy or .csv.
        sampler: How the chain is run.
        out: Class probabilities to write, .csv or .npz.
        device: Where to compute: auto, cpu or cuda.
        json: Print the classes as JSON.
    """
    from . import commands

    commands.predict(run, samples, sampler, out=out, device=device).show(as_json=json)


def curve(
    run: Path,
    data: str,
    /,
    *,
    step_counts: str = "1,2,5,10,20,40",
    sampler: SamplerConfig,
    out: Path | None = None,
    plot: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Show accuracy along the chain, or by number of steps.

    Args:
        run: Folder that train or assemble wrote.
        data: As for train; its test part is used.
        step_counts: Of continuous time: numbers of steps, with commas; the sampler's own is not used.
        sampler: How the chain is run.
        out: Table to write, .csv.
        plot: Figure to write: .svg, .png or .pdf.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.curve(run, data, step_counts, sampler, out=out, plot=plot, device=device).show(as_json=json)


def export(run: Path, out: Path, /, *, noise: bool = False, steps: int | None = None, json: bool = False) -> None:
    """Export inference as ONNX, checked with ONNX Runtime.

    Args:
        run: Folder that train or assemble wrote.
        out: File to write, .onnx: from x (samples, ...) to logits.
        noise: Take the first state and the noise of the steps as inputs; without them, both are zero.
        steps: Of continuous time: steps of the chain; 20 if not given.
        json: Print a summary as JSON.
    """
    from . import commands

    commands.export(run, out, noise=noise, steps=steps).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, train_block, assemble, predict, curve, export])
