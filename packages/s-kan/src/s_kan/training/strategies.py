"""How the families to choose among are found: all of them, the best of a short trial, or by training each alone."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from s_kan.configs import StageConfig, TrainConfig
from s_kan.networks import selectable_layers
from s_kan.samples import Samples
from separata.loop import Track
from separata.training import seeded

from .trainer import Loss, Row, Trainer

MakeModel = Callable[[Sequence[Sequence[str]] | None], nn.Module]
"""Makes a network whose layers choose among these pools, one for each layer; among all families if None."""

N_KEPT = 2
"""Families of each layer that a trial leaves."""
VALIDATION = 0.2
"""Share of the samples that is held out where a strategy needs some and is given none."""


@dataclass
class Fit:
    """A trained network, and how it came about.

    Attributes:
        model: The network.
        epochs: Passes over the data of all trainings together, in those of one.
        selection: The weights of each layer before pruning; nothing where a single family was left.
        errors: The validation loss of each family alone, where it was tried.
    """

    model: nn.Module
    epochs: int
    selection: list[Tensor]
    errors: dict[str, float]


@dataclass(frozen=True)
class Job:
    """What all trainings of a strategy share.

    Args:
        make: Makes a network with given pools.
        data: Samples for training.
        config: Optimizer and schedule.
        stages: Lengths of the stages, and the strategy.
        validation: Held-out samples.
        loss: Of outputs and targets.
        folder: Where each training has its checkpoint, if anywhere.
        track: Shows progress over steps.
        log: Takes rows of the last training.
    """

    make: MakeModel
    data: Samples
    config: TrainConfig
    stages: StageConfig
    validation: Samples | None = None
    loss: Loss | None = None
    folder: Path | None = None
    track: Track | None = None
    log: Callable[[Row], None] | None = None

    def checkpoint(self, name: str) -> Path | None:
        """The file of a training's progress."""
        return None if self.folder is None else self.folder / f"{name}.safetensors"

    def new(self, pools: Sequence[Sequence[str]] | None) -> nn.Module:
        """A new network; the same seed gives the same one."""
        with seeded(self.config.seed), warnings.catch_warnings():
            # A pool of one is meant where a strategy asks for it.
            if pools is not None:
                warnings.simplefilter("ignore")
            return self.make(pools)

    def trainer(self, model: nn.Module, name: str, *, is_last: bool = False, epochs: int | None = None) -> Trainer:
        """The training of a network."""
        return Trainer(
            model,
            self.data,
            self.config if epochs is None else replace(self.config, epochs=epochs),
            stages=self.stages if is_last else replace(self.stages, full=1.0, selective=0.0),
            validation=self.validation,
            loss=self.loss,
            checkpoint=self.checkpoint(name),
            track=self.track,
            log=self.log if is_last else None,
        )


def train(job: Job) -> Fit:
    """Train a network by the strategy of its stages.

    - `three-stage`: the three stages, with all families.
    - `successive`: a network of each family alone and one of all of them are trained for a short time; in each layer,
      the two families of the smallest sum of ranks (by the validation loss alone, and by the mean weight among all)
      remain, and go through the three stages.
    - `oracle`: a network of each family alone is trained to the end, and the one of the smallest validation loss is
      taken: what a choice of one family can reach at best, at the cost of all of them.

    Raises:
        ValueError: if there are too few samples to hold some out.
        FloatingPointError: if a training diverges.
    """
    if job.stages.strategy == "three-stage":
        return _three_stages(job, None)
    if job.validation is None:
        rest, held_out = job.data.split(VALIDATION, job.config.seed)
        job = replace(job, data=rest, validation=held_out)
    return _successive(job) if job.stages.strategy == "successive" else _oracle(job)


def checkpoints(folder: Path) -> list[Path]:
    """The files of progress that strategies leave besides that of the last training."""
    return sorted(folder.glob("family-*.safetensors")) + sorted(folder.glob("trial.safetensors"))


def _three_stages(job: Job, pools: Sequence[Sequence[str]] | None) -> Fit:
    trainer = job.trainer(job.new(pools), "checkpoint", is_last=True)
    trainer.fit()
    return Fit(trainer.model, job.config.epochs, trainer.selection, {})


def _alone(job: Job, names: Sequence[str], n_layers: int, epochs: int) -> dict[str, tuple[nn.Module, float]]:
    """A trained network of each family alone, and its validation loss."""
    assert job.validation is not None  # noqa: S101 - the strategies hold some out
    found = {}
    for name in names:
        model = job.new([(name,)] * n_layers)
        for layer in selectable_layers(model):
            layer.prune()
        trainer = job.trainer(model, f"family-{name}", epochs=epochs)
        trainer.fit()
        found[name] = (model, trainer.error(job.validation))
    return found


def _successive(job: Job) -> Fit:
    model = job.new(None)
    names = [layer.names for layer in selectable_layers(model)]
    epochs = max(1, round(job.stages.probe * job.config.epochs))
    every = list(dict.fromkeys(name for one in names for name in one))
    alone = {name: error for name, (_, error) in _alone(job, every, len(names), epochs).items()}
    mixture = job.trainer(model, "trial", epochs=epochs)
    mixture.fit()
    pools = [
        _best(own, alone, dict(zip(own, weights.mean(1).tolist(), strict=True)))
        for own, weights in zip(names, mixture.selection, strict=True)
    ]
    fitted = _three_stages(job, pools)
    for layer, own in zip(selectable_layers(fitted.model), names, strict=True):
        layer.within(own)
    return replace(fitted, epochs=job.config.epochs + (len(every) + 1) * epochs, errors=alone)


def _best(names: Sequence[str], errors: dict[str, float], weights: dict[str, float]) -> tuple[str, ...]:
    """The families of the smallest sums of ranks, in their order in the pool; of equal ones that of less error."""
    by_error = sorted(names, key=lambda name: errors[name])
    by_weight = sorted(names, key=lambda name: -weights[name])
    ranked = sorted(by_error, key=lambda name: by_error.index(name) + by_weight.index(name))
    return tuple(name for name in names if name in ranked[:N_KEPT])


def _oracle(job: Job) -> Fit:
    names = [layer.names for layer in selectable_layers(job.new(None))]
    every = list(dict.fromkeys(name for one in names for name in one))
    found = _alone(job, every, len(names), job.config.epochs)
    best = min(found, key=lambda name: found[name][1])
    model = found[best][0]
    for layer, own in zip(selectable_layers(model), names, strict=True):
        layer.within(own)
    if job.log is not None:
        job.log({"step": 1.0, **{f"loss_{name}": error for name, (_, error) in found.items()}})
    errors = {name: error for name, (_, error) in found.items()}
    return Fit(model, len(every) * job.config.epochs, [], errors)
