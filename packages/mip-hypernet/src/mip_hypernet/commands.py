"""What the commands do."""

import math
from pathlib import Path

import torch
from torch import nn

from separata import files, plots
from separata.output import Output
from separata.progress import Reporter
from separata.training import seeded

from . import comparison, runs
from .configs import HyperConfig, RunConfig, gammas_of
from .diagnosis import magnitude_report
from .drawing import draw_comparison, draw_evaluation, draw_report
from .evaluation import evaluate
from .export import check_target, save_network
from .hypernetwork import HyperNetwork
from .model import HyperModel
from .sources import hypernetwork_named
from .training import make_hypermodel

N_GAMMAS = 20
NEAREST = 0.05


def diagnose(
    hyper: HyperConfig,
    *,
    dim: int,
    checkpoint: Path | None,
    factory: str | None,
    plot: Path | None,
    seed: int,
) -> Output:
    """Magnitudes of a hypernetwork along the diagonal of [0, 1]^d.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if a setting is wrong, or what is named is no hypernetwork.
    """
    files.check_figure(plot)
    if checkpoint is not None and factory is not None:
        raise ValueError("name a training with --checkpoint or a hypernetwork with --factory, not both")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, not {dim}")
    if checkpoint is not None:
        model = runs.open_run(checkpoint, "cpu").model
        found, dim = model, sum(math.prod(shape) for shape in model.hypernet.input_shapes.values())
    elif factory is not None:
        found = hypernetwork_named(factory)
        if isinstance(found, (HyperModel, HyperNetwork)):
            own = found.hypernet if isinstance(found, HyperModel) else found
            dim = sum(math.prod(shape) for shape in own.input_shapes.values())
    else:
        found = _example(hyper, dim, seed)
    gammas = torch.linspace(NEAREST, 1, N_GAMMAS)[:, None].expand(-1, dim)
    try:
        report = magnitude_report(found, gammas)
    except (RuntimeError, TypeError, AttributeError) as error:
        # Of a hypernetwork that is not ours, anything may be raised.
        if factory is None:
            raise
        reason = " ".join(str(error).split())
        raise ValueError(f"{factory} cannot be called with {dim} numbers (see --dim): {reason}") from error
    if plot is not None:
        plots.save(draw_report(report), plot)
    return report.output()


def _example(hyper: HyperConfig, dim: int, seed: int) -> HyperModel:
    """A hypernetwork for a convolution and an affine layer, as it begins."""
    with seeded(seed):
        layers = nn.ModuleDict({"conv": nn.Conv2d(8, 16, 3), "linear": nn.Linear(256, 10)})
        return make_hypermodel(layers, dim, hyper)


def train(config: RunConfig, out: Path, *, device: str, resume: bool) -> Output:
    """Train on a task.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong, the training diverges, or the folder holds another one.
    """
    saved = runs.train_run(out, config, device=device, resume=resume, reporter=Reporter())
    found = evaluate(saved.model, saved.task, gammas_of("0:1:5"))
    told = found.output()
    return Output({"out": str(out), **told.value}, f"{told.text}\nin {out}")


def compare(config: RunConfig, *, seeds: int, plot: Path | None, device: str) -> Output:
    """Compare parametrizations.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or the data is wrong.
    """
    files.check_figure(plot)
    found = comparison.compare(config, n_seeds=seeds, device=device, track=Reporter().track)
    if plot is not None:
        title = f"{config.task}, {config.train.optimizer} at {config.train.rate:g}"
        plots.save(draw_comparison(found, title), plot)
    return comparison.output(found)


def instantiate(run: Path, gamma: str, out: Path) -> Output:
    """Write the plain network for one γ.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if γ is none of the hypernetwork's inputs, or the file cannot be of this kind.
        MissingExtraError: if ONNX is asked for and the extra `onnx` is not installed.
    """
    check_target(out)
    values = gammas_of(gamma)
    saved = runs.open_run(run, "cpu")
    if len(values) not in (1, saved.task.dim):
        raise ValueError(f"{run} takes {saved.task.dim} numbers, or one for all of them, not {len(values)}")
    given = torch.tensor(values).expand(saved.task.dim)
    network = saved.task.bind(saved.model.instantiate(gamma=given), given).eval()
    save_network(network, out, saved.task.sample_shape)
    n = sum(value.numel() for value in network.parameters())
    shape = list(saved.task.sample_shape)
    told = " x ".join(map(str, shape))
    return Output(
        {"out": str(out), "gamma": list(values), "n_parameters": n, "sample_shape": shape},
        f"{n:,} parameters for samples of {told}, in {out}",
    )


def evaluate_run(run: Path, gammas: str, *, plot: Path | None, device: str) -> Output:
    """Metrics of a trained network over γ.

    Raises:
        FileNotFoundError: if there is no such training.
        ValueError: if the inputs are wrong.
    """
    files.check_figure(plot)
    values = gammas_of(gammas)
    saved = runs.open_run(run, device)
    found = evaluate(saved.model, saved.task, values)
    if plot is not None:
        plots.save(draw_evaluation(found), plot)
    return found.output()
