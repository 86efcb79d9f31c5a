"""The command line `noble-branch`."""

from pathlib import Path
from typing import Literal

from separata import cli

from .configs import MethodConfig, TaskName, TrainConfig, TransformerConfig
from .paper import PAPER

SHAPE, METHOD, TRAINING = TransformerConfig(), MethodConfig(), TrainConfig()


def train(
    text: Path | None = None,
    /,
    model: TransformerConfig = SHAPE,
    method: MethodConfig = METHOD,
    config: TrainConfig = TRAINING,
    *,
    out: Path,
    task: TaskName = "char-lm",
    dataset: str = "",
    length: int = 64,
    patch: int = 4,
    augmentation: Literal["none", "mixup", "cutmix"] = "none",
    device: str = "auto",
    resume: bool = False,
    json: bool = False,
) -> None:
    """Train a small transformer: plain, wider or branched.

    Args:
        text: Text file for the task text, or a name in $SEPARATA_DATA/text.
        model: The transformer.
        method: What is done to it.
        config: How it is trained.
        out: Output folder: weights, settings, and history.csv with step, train_loss, eval_loss and seconds.
        task: char-lm (the standard library's source), text (a file), mlm, pixels, vit, or regression.
        dataset: Images for pixels and vit: digits, mnist5k, mnist, ...
        length: Context of text, in characters.
        patch: Pixels on a side of a patch of a ViT.
        augmentation: Of images for a ViT.
        device: Where to train: auto, cpu or cuda.
        resume: Continue an interrupted training.
        json: Print as JSON.
    """
    from . import commands
    from .configs import TaskConfig

    data = str(text) if text else dataset
    what = TaskConfig(task, data, length=length, patch=patch, augmentation=augmentation)
    commands.train(what, model, method, config, out=out, device=device, resume=resume).show(as_json=json)


def compare(
    baseline: Path,
    other: Path,
    /,
    *,
    step: str = "step",
    loss: str | None = None,
    step_time_ratio: float = 1.0,
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Compare two logs: steps to the baseline's best loss.

    Args:
        baseline: Log of the baseline, JSON lines, .csv or trainer_state.json, or its folder.
        other: Log or folder of the other training.
        step: Key or column of the step.
        loss: Key or column of the loss; the first of eval_loss, val_loss, ... and loss that a log has, if not given.
        step_time_ratio: Time of a step over that of the baseline, for the net speedup.
        plot: Figure of both curves to write: .svg, .png or .pdf.
        json: Print as JSON.
    """
    from . import commands

    commands.compare(baseline, other, step, loss, step_time_ratio, plot).show(as_json=json)


def overhead(
    model: str = "gpt2",
    /,
    *,
    rank: int = 64,
    activation: str = "cosnet",
    targets: str = "",
    n_tokens: int = 256,
    repeats: int = 5,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Measure what branches add to a block, or to your network.

    Args:
        model: Block of gpt2, gpt2-medium, bert-base, vit-s, or of a folder with the config.json of a GPT-2 or BERT; or
            file.py:function, yours, which returns a network and a batch (a tensor, or arguments by name).
        rank: Rank of the branches.
        activation: Their activation.
        targets: Globs over the layers, with commas; all of a block, and all in the numbered blocks of your network, if
            empty.
        n_tokens: Tokens of the batch that is timed, of a block.
        repeats: Steps that are timed.
        device: Where to compute: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands

    commands.overhead(model, rank, activation, targets, n_tokens, repeats, device).show(as_json=json)


def ablate(
    text: Path | None = None,
    /,
    model: TransformerConfig = SHAPE,
    method: MethodConfig = METHOD,
    config: TrainConfig = TRAINING,
    *,
    axis: Literal["activation", "rank", "targets"] = "activation",
    task: TaskName = "char-lm",
    dataset: str = "",
    device: str = "auto",
    json: bool = False,
) -> None:
    """Vary activation, rank or targets, beside no branch.

    Args:
        text: Text file for the task text, or a name in $SEPARATA_DATA/text.
        model: The transformer.
        method: The branches; what is varied replaces a part of it.
        config: How all are trained.
        axis: activation, rank (4 to 32, up to the width), or targets (attention, MLP, or both).
        task: What is learned.
        dataset: Images for pixels and vit.
        device: Where to train: auto, cpu or cuda.
        json: Print as JSON.
    """
    from . import commands
    from .configs import TaskConfig

    what = TaskConfig(task, str(text) if text else dataset)
    commands.ablate(what, model, method, config, axis, device).show(as_json=json)


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [train, compare, overhead, ablate])
