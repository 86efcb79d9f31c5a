"""One training and its errors on unseen functions: what experiments repeat over seeds, sizes and networks."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from separata.training import seeded

from .configs import Cell, ModelConfig, ProblemConfig, ProblemName, TrainConfig
from .evaluation import evaluate, mean_error
from .problems.registry import make_problem
from .runs import make_model
from .sensors import interpolation_errors, solution_errors
from .seq2seq import Seq2Seq
from .spaces import GaussianRandomField
from .training import Trainer
from .triples import TripleDataset

TRAIN, TEST, VALIDATION, SHUFFLE = range(4)
"""Streams of random numbers of a seed."""


@dataclass(frozen=True)
class Trial:
    """A training, with all that its numbers depend on.

    Args:
        name: The problem.
        problem: Its settings.
        n_train: Functions that are trained on.
        n_test: Unseen functions.
        n_points: Points of each function; as published if not given.
        model: The network.
        train: How it is trained; its seed does not count.
        is_shuffled: Train on the values of other functions: a control.
        is_held_out: Evaluate on a third set, by which settings are chosen, instead of the test set.
        seed: Of data and training.
    """

    name: ProblemName = "antiderivative"
    problem: ProblemConfig = field(default_factory=ProblemConfig)
    n_train: int = 2000
    n_test: int = 10_000
    n_points: int | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    is_shuffled: bool = False
    is_held_out: bool = False
    seed: int = 0


def make_data(trial: Trial) -> tuple[TripleDataset, TripleDataset]:
    """What a trial trains on, and what it is evaluated on; the same for all networks and settings of a seed."""
    problem = make_problem(trial.name, trial.problem)
    train = problem.sample(trial.n_train, _generator(trial.seed, TRAIN), n_points=trial.n_points)
    stream = VALIDATION if trial.is_held_out else TEST
    test = problem.sample(trial.n_test, _generator(trial.seed, stream), n_points=trial.n_points)
    return (train.shuffled(_generator(trial.seed, SHUFFLE)) if trial.is_shuffled else train), test


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        The errors of `EvaluationReport`, and `mean_mse`, that of the mean of the training values; of a training that
        diverged, the errors are not numbers.
    """
    train, test = make_data(trial)
    with seeded(trial.seed):
        model = make_model(trial.model, train.shape)
    return _errors(model, train, test, trial, device)


@dataclass(frozen=True)
class SequenceTrial:
    """The same for a recurrent network, which is trained on the whole grid of each function.

    Args:
        trial: All but the network.
        cell: Kind of the recurrent cells.
        hidden_size: Hidden units.
        seed: Of data and training, instead of the trial's.
    """

    trial: Trial
    cell: Cell = "gru"
    hidden_size: int = 5
    seed: int = 0


def run_sequences(sequences: SequenceTrial, device: str) -> dict[str, Any]:
    """Train and evaluate, as `run_trial`."""
    trial = replace(sequences.trial, seed=sequences.seed, n_points=0)
    train, test = make_data(trial)
    with seeded(trial.seed):
        model = Seq2Seq(train.shape.n_sensors, train.n_points, sequences.hidden_size, sequences.cell)
    return _errors(model, train, test, trial, device)


def _errors(model: nn.Module, train: TripleDataset, test: TripleDataset, trial: Trial, device: str) -> dict[str, Any]:
    """The errors of a model after its training."""
    trainer = Trainer(model.to(torch.device(device)), train, replace(trial.train, seed=trial.seed))
    mean_mse = mean_error(train, test)
    try:
        trainer.fit()
    except FloatingPointError:
        nothing = dict.fromkeys(("mse", "mse_without_outliers", "relative_l2", "train_mse", "generalization_gap"))
        return {**nothing, "mean_mse": mean_mse}
    return {**evaluate(model, test, train_mse=trainer.best).to_json(), "mean_mse": mean_mse}


@dataclass(frozen=True)
class SensorTrial:
    """Errors of inputs that are seen at a few sensors, without a network.

    Args:
        name: The operator, an ordinary differential equation.
        length_scales: Correlation lengths of Gaussian fields.
        n_sensors: Numbers of sensors.
        n: Functions.
        seed: Of the functions.
    """

    name: ProblemName = "antiderivative"
    length_scales: tuple[float, ...] = (0.1, 0.2, 0.5)
    n_sensors: tuple[int, ...] = (10, 20, 40, 80, 160)
    n: int = 500
    seed: int = 0


def run_sensors(trial: SensorTrial, device: str) -> dict[str, list[list[float]]]:
    """Errors of the interpolated inputs, `interpolation`, and of their outputs, `solution`: a row for each length."""
    del device
    found: dict[str, list[list[float]]] = {"interpolation": [], "solution": []}
    for length_scale in trial.length_scales:
        space = GaussianRandomField(length_scale)
        problem = make_problem(trial.name, ProblemConfig(length_scale=length_scale))
        generator = _generator(trial.seed, TEST)
        found["interpolation"].append(interpolation_errors(space, trial.n_sensors, trial.n, generator))
        found["solution"].append(solution_errors(problem, trial.n_sensors, trial.n, generator))  # type: ignore[arg-type] # an ODE
    return found


def _generator(seed: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(4 * seed + stream)
