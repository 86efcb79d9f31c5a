"""What the commands do."""

from pathlib import Path

import numpy as np
import torch

from separata import files
from separata.labeled import load_samples, load_splits
from separata.models import count_parameters
from separata.output import Output, table
from separata.progress import Reporter

from . import block_files, runs
from .baselines.adjoint import AdjointClassifier
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
    if isinstance(trained.model, AdjointClassifier):
        model.sampler = model.with_sampler(sampler="ode-euler")
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
        rows = [
            {
                "sample": i,
                "class": classes[max(range(len(row)), key=row.__getitem__)],
                **dict(zip(classes, row, strict=True)),
            }
            for i, row in enumerate(probabilities.tolist())
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
    config = trained.config
    size = trained.shape.shape[-1] if len(trained.shape.shape) == 3 else None
    test = load_splits(data, seed=config.train.seed, size=size).test
    if test.sample_shape != trained.shape.shape or test.classes != trained.shape.classes:
        raise ValueError(
            f"{data} has {len(test.classes)} classes of samples {test.sample_shape}, but the model was made for "
            f"{trained.shape.n_classes} of {trained.shape.shape}"
        )
    test = test.to(model.embedding.weight.device)
    if isinstance(model, NoPropDT):
        generator = torch.Generator().manual_seed(sampler.seed)
        found = dict(enumerate(chain_accuracy(model, test.x, test.y, generator)))
    else:
        assert isinstance(model, TimedModel)  # noqa: S101 - there are no others
        settings = {"sampler": sampler.sampler, "n_runs": sampler.n_runs, "seed": sampler.seed}
        found = accuracy_by_steps(model, test.x, test.y, asked, **settings)
    rows = [{"step": step, "accuracy": accuracy} for step, accuracy in found.items()]
    if out is not None:
        files.write_text(out, files.to_csv(rows))
    if plot is not None:
        from separata import plots

        from .drawing import draw_curve

        plots.save(draw_curve(rows, along=isinstance(model, NoPropDT)), plot)
    return table(rows)


def export(run: Path, out: Path, *, noise: bool, steps: int | None) -> Output:
    """Write a model as ONNX.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the file's name does not end in .onnx, or the outputs differ.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    model, trained = _load(run, "cpu")
    shape = trained.shape.shape
    save_onnx(model, out, shape, noise=noise, steps=steps or EXPORTED_STEPS)
    return Output(
        {"out": str(out), "inputs": ["x", *(["z", "noise"] if noise else [])], "outputs": ["logits"]},
        f"{out}: from x (samples, {', '.join(map(str, shape))}) to logits, equal to PyTorch's",
    )
