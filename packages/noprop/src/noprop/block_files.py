"""Blocks that are trained apart: each in a process, on a device, or on a day of its own, and then assembled."""

from collections.abc import Sequence
from pathlib import Path

from separata import configs
from separata.labeled import LabeledDataset
from separata.progress import Reporter
from separata.run import Compute
from separata.runs import RunFolder

from .configs import DataConfig, ModelConfig, RunConfig, SampleShape, TrainConfig
from .discrete import NoPropDT
from .models import make_model
from .runs import described, initial_model, shape_of
from .training.blockwise import SingleBlockTrainer, block_part


def block_folder(folder: Path | str, t: int) -> Path:
    """Where the block of a step is kept."""
    return Path(folder) / f"block-{t:02d}"


def train_block(
    data: LabeledDataset,
    t: int,
    out: Path | str,
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    device: str = "auto",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Train one block of a NoProp-DT, without any other, and write it to a folder of its own below `out`.

    With the same settings, the block gets the weights that it would get in company. The head is trained with each
    block, in the same way every time, so that no block depends on another.

    Args:
        data: What it is trained on.
        t: The block, 1 to T.
        out: The folder of all blocks.
        config: The model and how it is trained.
        device: `auto`, `cpu` or `cuda`.
        resume: Go on with the training of this block.
        reporter: Says how it goes.

    Returns:
        The block's folder.

    Raises:
        ValueError: if there is no such block, the model is not of discrete time or has an embedding that is learned, or
            the block's folder holds a training that is not to be resumed.
    """
    reporter = reporter or Reporter(quiet=True)
    if config.model.variant != "dt":
        raise ValueError(f"only the blocks of the variant dt can be trained apart, not {config.model.variant}")
    model = initial_model(config, data)
    assert isinstance(model, NoPropDT)  # noqa: S101 - for the type checker
    folder = RunFolder.begin(
        block_folder(out, t), described(config, shape_of(data), data) | {"block": t}, resume=resume
    )
    model.to(Compute(device).torch_device)
    trainer = SingleBlockTrainer(
        model, data, config.train, t, checkpoint=folder.checkpoint, track=reporter.track, log=folder.log(reporter)
    )
    reporter.say(f"block {t} of {model.n_steps}; {len(data):,} samples; to {folder.path}")
    folder.fit(trainer, trainer.part, reporter)
    return folder.path


def assemble(blocks: Path | str, out: Path | str) -> NoPropDT:
    """Put together blocks that were trained apart, and write the model to a folder, which `runs.load` reads.

    Args:
        blocks: The folder of all blocks.
        out: The folder of the model.

    Raises:
        FileNotFoundError: if there are no blocks.
        ValueError: if some are missing or have not ended, or were trained with other settings or data than the first.
    """
    places = sorted(Path(blocks).glob("block-*"))
    if not places:
        raise FileNotFoundError(f"there are no blocks in {blocks}; train them with train-block")
    folders = {_number(folder): folder for folder in map(RunFolder.open, places)}
    first = next(iter(folders.values()))
    config = first.config(ModelConfig, "model")
    missing = [t for t in range(1, config.n_steps + 1) if t not in folders or not folders[t].has_ended]
    if missing:
        named = ", ".join(map(str, missing))
        raise ValueError(f"block{'s' * (len(missing) > 1)} {named} {_have(missing)} no weights; train with train-block")
    for t, folder in folders.items():
        changed = configs.changed(first.values(), folder.values())
        if changed := [name for name in changed if name not in ("block", "version")]:
            raise ValueError(f"block {t} was trained with another {' and '.join(changed)} than the first one")
    shape, train = first.config(SampleShape, "shape"), first.config(TrainConfig, "train")
    run = RunConfig(config, train, first.config(DataConfig, "data"))
    model = make_model(config, shape, train=train)
    assert isinstance(model, NoPropDT)  # noqa: S101 - for the type checker
    for t, folder in folders.items():
        folder.load_weights(block_part(model, t))
    RunFolder.save(out, described(run, shape), model)
    return model.eval()


def _number(folder: RunFolder) -> int:
    """The number of the block in a folder, which its name says, too."""
    number = folder.values().get("block")
    if not isinstance(number, int) or folder.path.name != block_folder("", number).name:
        raise ValueError(
            f"{folder.path} does not hold the block of its name; train-block writes block-01, block-02, ..."
        )
    return number


def _have(items: Sequence[int]) -> str:
    return "has" if len(items) == 1 else "have"
