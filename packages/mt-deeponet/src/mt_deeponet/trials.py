"""One training and its errors on unseen samples: what experiments repeat over seeds, tasks and settings."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from separata.training import seeded

from .configs import FAMILIES, ModelConfig, ProblemConfig, TrainConfig
from .data import MultiTaskData
from .evaluation import compare, continued, evaluate, nearest_design
from .fine_tuning import transfer
from .problems.darcy import sample_darcy
from .problems.fisher import sample_fisher
from .problems.plate import is_trained, make_plates, plate_designs
from .surrogate import Surrogate, make_model
from .training import Row, Trainer

TRAIN, TEST, VALIDATION, SHUFFLE, TARGET, TARGET_TEST, TARGET_VALIDATION = range(7)
"""Streams of random numbers of a seed."""
N_STREAMS = 8


class _Timed:
    """A trainer whose steps are timed, without what its rows of the history take."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.seconds = trainer, 0.0

    def gradients(self, step: int) -> Mapping[str, Tensor]:
        start = time.process_time()
        losses = self.trainer.gradients(step)
        self.seconds += time.process_time() - start
        return losses

    def update(self) -> None:
        start = time.process_time()
        self.trainer.update()
        self.seconds += time.process_time() - start

    def row(self, losses: dict[str, float]) -> Row:
        return self.trainer.row(losses)

    def state_dict(self) -> dict[str, Any]:
        return self.trainer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.trainer.load_state_dict(state)


@dataclass(frozen=True)
class FisherTrial:
    """A training on some reaction laws.

    Args:
        families: Laws that are trained on together, with commas.
        n_train: Training samples of each law.
        n_test: Test samples of each law, and validation samples.
        problem: Resolution and the like.
        model: The network.
        train: How it is trained.
        codes: What tells the law: its coefficients, or its number.
        is_shuffled: Train on the solutions of other samples: a control.
        is_held_out: Evaluate on the validation set, by which settings are chosen.
        seed: Of data and training.
    """

    families: str = "F1,F2,F4"
    n_train: int = 100
    n_test: int = 200
    problem: ProblemConfig = field(default_factory=ProblemConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    codes: Literal["coefficients", "number"] = "coefficients"
    is_shuffled: bool = False
    is_held_out: bool = False
    seed: int = 0


def fisher_data(trial: FisherTrial) -> tuple[MultiTaskData, MultiTaskData, MultiTaskData]:
    """What is trained on, validated on and evaluated on: the same samples, whatever the laws and settings."""
    parts = []
    for n, stream in ((trial.n_train, TRAIN), (trial.n_test, VALIDATION), (trial.n_test, TEST)):
        data = sample_fisher(n, _generator(trial.seed, stream), replace(trial.problem, families=",".join(FAMILIES)))
        data = data.with_task_numbers() if trial.codes == "number" else data
        chosen = [data.select(name) for name in trial.families.split(",")]
        parts.append(MultiTaskData.concat(chosen).to(dtype=torch.float32))
    train = parts[0].shuffled(_generator(trial.seed, SHUFFLE)) if trial.is_shuffled else parts[0]
    return train, parts[1], parts[2]


def run_fisher(trial: FisherTrial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        Relative L2 errors of the whole test set, `all`, and of each law; `steps`, `validation` by law and
        `seconds_per_step`.
    """
    train, validation, test = fisher_data(trial)
    with seeded(trial.seed):
        model = make_model(trial.model, train.shape)
    model.fit_normalizers(train).to(device)
    steps: list[int] = []
    errors: dict[str, list[float]] = {name: [] for name in train.names}

    def log(row: Row) -> None:
        steps.append(int(row["step"]))
        for name, error in evaluate(model, validation).frobenius_of.items():
            errors[name].append(error)
        model.train()

    trainer = Trainer(model, train, replace(trial.train, seed=trial.seed), log=log)
    timed = _Timed(trainer)
    trainer.loop.training = timed
    trainer.fit()
    report = evaluate(model, validation if trial.is_held_out else test)
    return {
        "all": report.frobenius,
        **report.frobenius_of,
        "steps": steps,
        "validation": errors,
        "seconds_per_step": timed.seconds / trial.train.steps,
    }


@dataclass(frozen=True)
class DarcyTrial:
    """A training on some shapes, and fine-tuning on a new one.

    Args:
        geometry: Shapes that are trained on together, with commas.
        n_train: Training samples of each shape.
        n_test: Test samples of each shape, and of the target.
        target: The shape that is not trained on.
        n_target: Samples of it for fine-tuning.
        n_validation: Samples of it, and of each shape, by which settings are chosen.
        problem: Resolution and the like.
        model: The network.
        train: How it is trained.
        keeps_outside: Give the branch log k on the whole box, so that nothing tells the shape: a control, if there is
            no mask in the branch.
        tune: How it is fine-tuned; its learning rate is chosen among `rates`.
        rates: Learning rates of the fine-tuning; without any, there is none.
        is_held_out: Evaluate on validation sets, by which settings are chosen.
        seed: Of data and training.
    """

    geometry: str = "square,disc,triangle"
    n_train: int = 150
    n_test: int = 50
    target: str = "cross-cut"
    n_target: int = 50
    n_validation: int = 40
    problem: ProblemConfig = field(default_factory=lambda: ProblemConfig(resolution=32))
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    keeps_outside: bool = False
    tune: TrainConfig = field(default_factory=TrainConfig)
    rates: tuple[float, ...] = ()
    is_held_out: bool = False
    seed: int = 0


def darcy_data(trial: DarcyTrial, stream: int, n: int, geometry: str) -> MultiTaskData:
    """Samples of some shapes: those of a shape are the same, whatever the others are."""
    tasks = []
    for number, name in enumerate(geometry.split(",")):
        generator = _generator(1000 * trial.seed + number, stream)
        problem = replace(trial.problem, geometry=name)
        tasks.append(sample_darcy(n, generator, problem, keeps_outside=trial.keeps_outside))
    return MultiTaskData.concat(tasks).to(dtype=torch.float32)


def run_darcy(trial: DarcyTrial, device: str) -> dict[str, Any]:
    """Train on the shapes, evaluate on them and on the target, and fine-tune if asked.

    Returns:
        `seen`, the mean relative L2 error on the shapes; `unseen`, that on the target before any fine-tuning; `tuned`,
        that after it, and `lr`, the learning rate that was chosen for it.
    """
    train = darcy_data(trial, TRAIN, trial.n_train, trial.geometry)
    model = _fitted(trial, train, device)
    Trainer(model, train, replace(trial.train, seed=trial.seed)).fit()
    stream, n = (VALIDATION, trial.n_validation) if trial.is_held_out else (TEST, trial.n_test)
    target = darcy_data(trial, stream, n, trial.target)
    seen = evaluate(model, darcy_data(trial, stream, n, trial.geometry)).relative_l2
    found = {"seen": seen, "unseen": evaluate(model, target).relative_l2}
    if trial.rates:
        found |= _tune(trial, lambda data, config: transfer(model, data, config=config))
    return found


def run_untuned(trial: DarcyTrial, device: str) -> dict[str, Any]:
    """Train the same layers as a fine-tuning does, of a network with random weights: a control."""
    samples = darcy_data(trial, TARGET, trial.n_target, trial.target)
    model = _fitted(trial, samples, device)
    return _tune(trial, lambda data, config: transfer(model, data, config=config))


def run_scratch(trial: DarcyTrial, device: str) -> dict[str, Any]:
    """Train a whole new network on the target's few samples, with as many choices of learning rates."""

    def fit(data: MultiTaskData, config: TrainConfig) -> Surrogate:
        model = _fitted(trial, data, device)
        Trainer(model, data, config).fit()
        return model

    return _tune(trial, fit)


def _fitted(trial: DarcyTrial, data: MultiTaskData, device: str) -> Surrogate:
    with seeded(trial.seed):
        model = make_model(trial.model, data.shape)
    return model.fit_normalizers(data).to(device)


def _tune(trial: DarcyTrial, fit: Any) -> dict[str, float]:  # noqa: ANN401 - from data and a configuration to a model
    """The error of the learning rate that is best on held-out samples of the target."""
    data = darcy_data(trial, TARGET, trial.n_target, trial.target)
    held_out = darcy_data(trial, TARGET_VALIDATION, trial.n_validation, trial.target)
    models = {lr: fit(data, replace(trial.tune, lr=lr, seed=trial.seed)) for lr in trial.rates}
    lr = min(models, key=lambda one: evaluate(models[one], held_out).relative_l2)
    test = darcy_data(trial, TARGET_TEST, trial.n_test, trial.target)
    return {"tuned": evaluate(models[lr], test).relative_l2, "lr": lr}


@dataclass(frozen=True)
class PlateTrial:
    """A training on the plates of the paper's design.

    Args:
        resolution: Nodes along an edge of the plate.
        depth: Nodes through it.
        model: The network.
        train: How it is trained.
        is_held_out: Train on three quarters of the training's designs, and evaluate on the others.
        seed: Of the training.
    """

    resolution: int = 24
    depth: int = 6
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    is_held_out: bool = False
    seed: int = 0


def plate_data(trial: PlateTrial) -> tuple[MultiTaskData, MultiTaskData]:
    """What is trained on, and what is evaluated on."""
    data = make_plates(plate_designs(), trial.resolution, trial.resolution, trial.depth).to(dtype=torch.float32)
    rows = is_trained()
    train, test = data[rows], data[~rows]
    return train.split(len(train) // 4, _generator(trial.seed, VALIDATION)) if trial.is_held_out else (train, test)


def run_plate(trial: PlateTrial, device: str) -> dict[str, float]:
    """Train and evaluate.

    Returns:
        Mean masked relative L2 errors of the `network`, of the `nearest` design and of the `mean` plate.
    """
    train, test = plate_data(trial)
    with seeded(trial.seed):
        model = make_model(trial.model, train.shape)
    model.fit_normalizers(train).to(device)
    Trainer(model, train, replace(trial.train, seed=trial.seed)).fit()
    filled = torch.stack([continued(*one, train.points) for one in zip(train.values, train.domain, strict=True)])
    return {
        "network": evaluate(model, test).relative_l2,
        "nearest": compare(nearest_design(train, test), test).relative_l2,
        "mean": compare(filled.mean(0).expand(len(test), -1), test).relative_l2,
    }


def _generator(seed: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(N_STREAMS * seed + stream)
