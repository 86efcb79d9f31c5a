"""What experiments spread over the cores: one training, and what is known of it afterwards."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

import torch
from torch import nn

from separata.models import ResNet, count_parameters
from separata.training import seeded

from .configs import HyperConfig, RunConfig, TaskConfig, TaskName, TrainConfig
from .diagnosis import MagnitudeReport, magnitude_report
from .evaluation import evaluate
from .model import hypernetize
from .tasks import Task, load_task
from .training import Trainer, make_model

WINDOW = 10
"""Steps over which losses are averaged."""
LAST = 100
"""Steps at the end whose loss counts."""
GRID = tuple((i + 0.5) / 10 for i in range(10))
"""Values of γ at which a trained network is evaluated: the midpoints of tenths, whose mean is that of uniform γ."""


@dataclass(frozen=True)
class Trial:
    """A training.

    Args:
        task: What is learned.
        task_config: Its data and network.
        hyper: The hypernetwork; None for the primary network alone.
        train: Optimizer and schedule; its seed does not count.
        seed: Of data, initial weights and batches.
    """

    task: TaskName = "bayes"
    task_config: TaskConfig = field(default_factory=TaskConfig)
    hyper: HyperConfig | None = field(default_factory=HyperConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0

    @classmethod
    def of(cls, config: RunConfig) -> "Trial":
        """That of a training's settings."""
        return cls(config.task, config.task_config, config.hyper, config.train, config.train.seed)


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `curve` (pairs of step and mean loss since the last), `last` (mean loss of the last 100 steps), `steps` (to the
        task's target; all of them if it is never reached), `failed` (1 if the loss is never below the task's bound or
        is not finite), `validation` and `test` (losses, mean over γ), and the mean of the task's other metrics on test
        samples; None for what is not finite.
    """
    task = _task(trial.task, trial.task_config, trial.seed).to(device)
    config = replace(trial.train, seed=trial.seed)
    model = _network(task, trial).to(device)
    curve: list[tuple[int, float]] = []
    trainer = Trainer(
        model, task, config, log_every=WINDOW, log=lambda row: curve.append((int(row["step"]), row["loss"]))
    )
    try:
        trainer.fit()
    except FloatingPointError:
        return {"curve": curve, "steps": config.steps, "failed": 1, "last": None, "validation": None, "test": {}}
    found = {part: evaluate(model, task, GRID, part) for part in ("validation", "test")}
    return {
        "curve": curve,
        "steps": steps_to(curve, task.target, config.steps),
        "failed": int(min(loss for _, loss in curve) >= task.failure),
        "last": fmean(loss for step, loss in curve if step > config.steps - LAST),
        "validation": _finite(found["validation"].mean()),
        "test": {metric: _finite(found["test"].mean(metric)) for metric in found["test"].rows[0]},
    }


def steps_to(curve: Sequence[tuple[int, float]], target: float, n_steps: int) -> int:
    """Steps until the mean loss of a window is at most the target; all of them if it never is."""
    return next((step for step, loss in curve if loss <= target), n_steps)


def _network(task: Task, trial: Trial) -> nn.Module:
    if trial.hyper is not None:
        return make_model(task, trial.hyper, trial.seed)
    with seeded(trial.seed):
        return task.make_network()


@lru_cache(maxsize=2)
def _task(name: TaskName, config: TaskConfig, seed: int) -> Task:
    return load_task(name, config, seed)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class SlopeTrial:
    """Magnitudes at initialization for several numbers of inputs, and after a training with one.

    Args:
        task_config: Data and network of the task bayes.
        hyper: The hypernetwork.
        dims: Numbers of inputs.
        train: Optimizer and schedule; its seed does not count.
        seed: Of data, initial weights and batches.
    """

    task_config: TaskConfig
    hyper: HyperConfig
    dims: tuple[int, ...] = (1, 4, 16)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(steps=200))
    seed: int = 0


def run_slopes(trial: SlopeTrial, device: str) -> dict[str, Any]:
    """Measure and train.

    Returns:
        `slope` and `ratio` for one input, `deviation` (largest |slope - 1| of a tensor for any number of inputs),
        `trained` (slope after training), and the magnitudes: `norms`, `start` and `end`.
    """
    reports = []
    for dim in trial.dims:
        task = _task("bayes", replace(trial.task_config, dim=dim), trial.seed)
        reports.append(ray_report(make_model(task, trial.hyper, trial.seed), dim, trial.seed))
    task = _task("bayes", trial.task_config, trial.seed).to(device)
    model = make_model(task, trial.hyper, trial.seed).to(device)
    Trainer(model, task, replace(trial.train, seed=trial.seed)).fit()
    end = ray_report(model, 1, trial.seed)
    start = reports[trial.dims.index(1)]
    return {
        "slope": start.slope,
        "ratio": start.ratio,
        "deviation": max(report.deviation for report in reports),
        "trained": end.slope,
        "norms": list(start.norms),
        "start": list(start.stds["all"]),
        "end": list(end.stds["all"]),
    }


def ray_report(model: nn.Module, dim: int, seed: int = 0, n: int = 20) -> MagnitudeReport:
    """Magnitudes along a ray: one direction within [0, 1]^d, at n distances from 5 % of it to the whole."""
    direction = torch.ones(dim)
    if dim > 1:
        direction = 0.1 + 0.9 * torch.rand(dim, generator=torch.Generator().manual_seed(seed))
    return magnitude_report(model, torch.linspace(0.05, 1, n)[:, None] * direction)


@dataclass(frozen=True)
class CostTrial:
    """Time of a training step, and what conversion keeps.

    Args:
        task_config: Data and network of the task bayes.
        hyper: The hypernetwork; its parametrization does not count.
        batch_size: Samples in a step.
        blocks: Pairs of blocks of steps that are timed.
        block: Steps in a block.
        depth: Of the residual network that is converted.
        seed: Of weights and samples.
    """

    task_config: TaskConfig
    hyper: HyperConfig
    batch_size: int = 64
    blocks: int = 30
    block: int = 10
    depth: int = 20
    seed: int = 0


def run_costs(trial: CostTrial, device: str) -> dict[str, float]:
    """Time the steps of MIP and of the default in turns, and convert a residual network.

    Returns:
        `time` and `parameters` of MIP by the default's, `milliseconds` of a step with MIP; and of the residual network
        `difference`, `converted` and `pretrained`, as the claim has them.
    """
    task = _task("bayes", trial.task_config, trial.seed).to(device)
    trainers = []
    for name in ("mip", "default"):
        hyper = replace(trial.hyper, parametrization=name)
        model = make_model(task, hyper, trial.seed).to(device)
        trainers.append(Trainer(model, task, TrainConfig(batch_size=trial.batch_size, seed=trial.seed)))
    seconds: list[list[float]] = [[], []]
    for number in range(trial.blocks + 1):
        # In turns of either order, so that neither is always the first.
        for i in (0, 1) if number % 2 else (1, 0):
            seconds[i].append(_time(trainers[i], trial.block, device))
    times = [min(one[1:]) for one in seconds]  # what else the machine does only adds
    sizes = [count_parameters(trainer.model) for trainer in trainers]
    return {
        "time": times[0] / times[1],
        "parameters": sizes[0] / sizes[1],
        "milliseconds": 1e3 * times[0] / trial.block,
        **_convert(trial, device),
    }


def _time(trainer: Trainer, n: int, device: str) -> float:
    """Seconds of n steps; on the CPU those that this process computes, whatever else the machine does."""
    is_cpu = device == "cpu"
    clock = time.process_time if is_cpu else time.perf_counter
    if not is_cpu:
        torch.cuda.synchronize()
    start = clock()
    for step in range(n):
        trainer.gradients(step)
        trainer.update()
    if not is_cpu:
        torch.cuda.synchronize()
    return clock() - start


def _convert(trial: CostTrial, device: str) -> dict[str, float]:
    """A residual network as a hypernetwork, and back at several γ."""
    with seeded(trial.seed):
        network = ResNet(trial.depth, width=8).to(device)
        x = torch.randn(4, 3, 32, 32, device=device)
        network.train()(x)  # so that running statistics are not those of the start
        network.eval()
        model = hypernetize(network, hidden_sizes=(16, 32))
        same = hypernetize(network, hidden_sizes=(16, 32), delta=0)
    with torch.no_grad():
        plain = network(x)
        differences = [_relative(model.instantiate(gamma=gamma)(x), model(x, gamma=gamma)) for gamma in (0.0, 0.3, 1.0)]
        pretrained = _relative(same(x, gamma=0.7), plain)
    n_predicted = sum(math.prod(shape) for shape in model.hypernet.output_shapes.values())
    return {
        "difference": max(differences),
        "converted": n_predicted / count_parameters(network),
        "pretrained": pretrained,
    }


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())
