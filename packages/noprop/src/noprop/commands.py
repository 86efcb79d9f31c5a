"""What the commands do."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from separata import files
from separata.labeled import LabeledDataset, load_samples, load_splits
from separata.models import count_parameters
from separata.output import Output, table
from separata.progress import Reporter

from . import block_files, runs
from .chain import accuracy_by_steps, chain_accuracy
from .configs import RunConfig, SamplerConfig, numbers
from .continuous import TimedModel
from .discrete import NoPropDT
from .export import save_onnx
from .model import NoPropModel
from .training.trainer import inner_model

MOST_SHOWN = 20
"""Samples whose class a person is shown."""
EXPORTED_STEPS = 20
TABLES = (".csv", ".npz")


def train(data: str, out: Path, config: RunConfig, *, device: str, resume: bool) -> Output:
    """Train a model on data of one's own, or by name.

    Raises:
        FileNotFoundError: if the data is not there.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    report = runs.train(runs.load_data(data, config), out, config, device=device, resume=resume, reporter=Reporter())
    value = {
        "out": str(report.out),
        "test_accuracy": report.test_accuracy,
        "train_accuracy": report.train_accuracy,
        "steps": report.steps,
        "n_parameters": report.n_parameters,
    }
    return Output(value, report.summary())


def train_one(data: str, block: int, out: Path, config: RunConfig, *, device: str, resume: bool) -> Output:
    """Train one block.

    Raises:
        FileNotFoundError: if the data is not there.
        ValueError: if a setting or a file is wrong, or the block's folder holds another training.
    """
    samples = runs.load_data(data, config).train
    place = block_files.train_block(samples, block, out, config, device=device, resume=resume, reporter=Reporter())
    return Output({"out": str(place), "block": block}, f"{place}: block {block}")


def put_together(blocks: Path, out: Path) -> Output:
    """Assemble a model from its blocks.

    Raises:
        FileNotFoundError: if there are no blocks.
        ValueError: if some are missing, or do not belong together.
    """
    model = block_files.assemble(blocks, out)
    value = {"out": str(out), "n_blocks": model.n_steps, "n_parameters": count_parameters(model)}
    return Output(value, f"{out}: {model.n_steps} blocks, {value['n_parameters']:,} parameters")


def _load(run: Path, device: str) -> tuple[NoPropModel, runs.Trained]:
    """The model of a run, and what the run holds."""
    trained = runs.load(run, device)
    model = inner_model(trained.model)
    assert model is not None  # noqa: S101 - `load` makes no other
    return model, trained


def predict(run: Path, samples: Path, sampler: SamplerConfig, *, out: Path | None, device: str) -> Output:
    """Classify the samples of a file.

    Raises:
        FileNotFoundError: if there is no such training or file.
        ValueError: if a file is wrong, or for another model.
    """
    if out is not None:
        if out.suffix not in TABLES:
            raise ValueError(f"probabilities are written as .csv or .npz, not as {out.name}")
        files.check_writable(out)
    model, trained = _load(run, device)
    x = load_samples(samples, trained.shape.shape).to(model.embedding.weight.device)
    probabilities = model.predict_proba(x, sampler).cpu()
    labels = probabilities.argmax(1).tolist()
    classes = trained.shape.classes
    if out is not None:
        _write(out, probabilities, classes)
    named = [classes[label] for label in labels]
    told = [f"{i}  {name}" for i, name in enumerate(named[:MOST_SHOWN])]
    if len(named) > MOST_SHOWN:
        told.append(f"... and {len(named) - MOST_SHOWN:,} more; write all of them with --out")
    return Output({"out": str(out) if out else None, "classes": named}, "\n".join(told))


def _write(out: Path, probabilities: torch.Tensor, classes: tuple[str, ...]) -> None:
    """Write class probabilities."""
    if out.suffix == ".csv":
        columns = [f"p({name})" if name in ("sample", "class") else name for name in classes]
        labels = probabilities.argmax(1).tolist()
        rows = [
            {"sample": i, "class": classes[label], **dict(zip(columns, row, strict=True))}
            for i, (label, row) in enumerate(zip(labels, probabilities.tolist(), strict=True))
        ]
        files.write_text(out, files.to_csv(rows))
        return
    with files.replacing(out) as part, part.open("wb") as file:
        np.savez(
            file,
            probabilities=probabilities.numpy(),
            label=probabilities.argmax(1).numpy(),
            classes=np.array(classes),
        )


def curve(
    run: Path, data: str, step_counts: str, sampler: SamplerConfig, *, out: Path | None, plot: Path | None, device: str
) -> Output:
    """Accuracy along the chain of discrete time, or by the number of steps of continuous time.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong, or for another model.
    """
    files.check_figure(plot)
    if out is not None:
        if out.suffix != ".csv":
            raise ValueError(f"the curve is written as .csv, not as {out.name}")
        files.check_writable(out)
    asked = numbers(step_counts)
    model, trained = _load(run, device)
    test = _test_part(data, trained).to(model.embedding.weight.device)
    if isinstance(model, NoPropDT):
        generator = torch.Generator().manual_seed(sampler.seed)
        along = chain_accuracy(model, test.x, test.y, generator, deterministic=sampler.deterministic)
        found = dict(enumerate(along))
    else:
        assert isinstance(model, TimedModel)  # noqa: S101 - there are no others
        settings = {key: value for key, value in asdict(sampler).items() if key != "steps"}
        found = accuracy_by_steps(model, test.x, test.y, asked, **settings)
    rows = [{"step": step, "accuracy": accuracy} for step, accuracy in found.items()]
    if out is not None:
        files.write_text(out, files.to_csv(rows))
    if plot is not None:
        from separata import plots

        from .drawing import draw_curve

        plots.save(draw_curve(rows, along=isinstance(model, NoPropDT)), plot)
    return table(rows)


def _test_part(data: str, trained: runs.Trained) -> LabeledDataset:
    """The test part of data of the kind that a model was trained on."""
    shape = trained.shape.shape
    size = shape[-1] if len(shape) == 3 and shape[-1] == shape[-2] else None
    test = load_splits(data, seed=trained.config.train.seed, size=size).test
    if test.sample_shape != shape or test.n_classes != trained.shape.n_classes:
        raise ValueError(
            f"{data} has {test.n_classes} classes of samples {test.sample_shape}, but the model was made for "
            f"{trained.shape.n_classes} of {shape}"
        )
    if test.classes != trained.shape.classes:
        one, other = next(pair for pair in zip(test.classes, trained.shape.classes, strict=True) if pair[0] != pair[1])
        raise ValueError(f"{data} has a class {one} where the model was made for the class {other}")
    return test


def export(run: Path, out: Path, *, noise: bool, steps: int | None) -> Output:
    """Write a model as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model, trained = _load(run, "cpu")
    shape = trained.shape.shape
    save_onnx(model, out, shape, noise=noise, steps=EXPORTED_STEPS if steps is None else steps)
    return Output(
        {"out": str(out), "inputs": ["x", *(["z", "noise"] if noise else [])], "outputs": ["logits"]},
        f"{out}: from x (samples, {', '.join(map(str, shape))}) to logits, equal to PyTorch's",
    )
