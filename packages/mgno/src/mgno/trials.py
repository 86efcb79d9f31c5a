"""One training and its errors on unseen functions: what experiments repeat over seeds, networks and settings."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from separata.pde import relative_l2
from separata.training import seeded

from .configs import ModelConfig, ProblemConfig, ProblemName, TrainConfig
from .evaluation import evaluate
from .grids import GridDataset, TrajectoryDataset
from .network import count_parameters
from .operators import make_operator
from .problems.registry import make_problem
from .training import Row, Trainer

TRAIN, TEST, VALIDATION = range(3)
"""Streams of random numbers of a seed."""
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        name: The problem.
        problem: Its settings.
        n_train: Samples that are trained on; of navier-stokes, trajectories.
        n_validation: Samples by which the best epoch and settings are chosen.
        n_test: Unseen samples.
        model: The network.
        train: How it is trained; its seed does not count.
        seed: Of data and training.
    """

    name: ProblemName = "darcy"
    problem: ProblemConfig = field(default_factory=ProblemConfig)
    n_train: int = 1000
    n_validation: int = 100
    n_test: int = 100
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 0


@dataclass(frozen=True)
class Data:
    """What a trial trains on, chooses by, and is evaluated on."""

    train: GridDataset
    validation: GridDataset
    test: GridDataset | TrajectoryDataset


def make_data(trial: Trial) -> Data:
    """Generated data, the same for all networks and settings of a seed."""
    problem = make_problem(trial.name, config=trial.problem)
    sizes = {TRAIN: trial.n_train, VALIDATION: trial.n_validation, TEST: trial.n_test}
    made = {
        stream: problem.sample(n, torch.Generator().manual_seed(3 * trial.seed + stream)).to(dtype=torch.float32)
        for stream, n in sizes.items()
    }
    train, validation = (
        one.pairs() if isinstance(one, TrajectoryDataset) else one for one in (made[TRAIN], made[VALIDATION])
    )
    return Data(train, validation, made[TEST])


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `test`, `train` and `validation` (relative L2 of the weights that were kept), `test_h1`, `rollout` (of
        trajectories), `mean` (the error of predicting the mean of the training solutions), `curve` (validation error
        after each epoch), `n_parameters`, `ms` (milliseconds of the processor a step) and `megabytes` (kept of a step's
        batch for its gradients). Of a training that diverged, the errors are `None`.
    """
    data = make_data(trial)
    config = replace(trial.train, seed=trial.seed)
    with seeded(trial.seed):
        model = make_operator(trial.model, data.train.shape, data.train).to(torch.device(device))
    rows: list[Row] = []
    trainer = Trainer(model, data.train, config, validation=data.validation, log=rows.append)
    x = trainer.data.x[: config.batch_size]
    found = {
        "n_parameters": count_parameters(model),
        "mean": _mean_error(data.train, data.test),
        "megabytes": kept_bytes(model, x) / MEGABYTE,
    }
    start = time.process_time()
    try:
        trainer.fit()
    except FloatingPointError:
        return {**found, **dict.fromkeys(("test", "train", "validation", "test_h1", "rollout", "ms")), "curve": []}
    ms = 1000 * (time.process_time() - start) / trainer.loop.n_steps
    report = evaluate(model, data.test)
    return {
        **found,
        "test": report.relative_l2,
        "test_h1": report.relative_h1,
        "rollout": report.rollout_l2,
        "train": evaluate(model, data.train).relative_l2,
        "validation": trainer.best,
        "curve": [row["validation_l2"] for row in rows],
        "ms": ms,
    }


def _mean_error(train: GridDataset, test: GridDataset | TrajectoryDataset) -> float:
    """The error of predicting the mean of the training solutions for everything."""
    pairs = test.pairs() if isinstance(test, TrajectoryDataset) else test
    return float(relative_l2(train.y.mean(0, keepdim=True).expand_as(pairs.y), pairs.y).mean())


def kept_bytes(model: nn.Module, x: Tensor) -> int:
    """Bytes that a forward pass keeps for the gradients, without the weights; each piece of memory counts once."""
    kept: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    was_training = model.training
    model.train()
    with _saving(kept):
        y = model(x)
    model.train(was_training)
    del y
    return sum(size for place, size in kept.items() if place not in weights)


@contextmanager
def _saving(kept: dict[int, int]) -> Iterator[None]:
    """Note the memory of every tensor that is saved for the gradients."""

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield
