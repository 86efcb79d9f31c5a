"""Training a network with dendrites on data: the whole cycle, with checkpoints between its epochs and phases."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from separata import states
from separata.data import batches
from separata.labeled import Splits
from separata.loop import Track, step_generator
from separata.training import accuracy, seeded

from .candidates import Loss, OptimizerFactory
from .configs import CycleConfig, DendriteConfig, TrainConfig
from .controller import CYCLE, DENDRITE, DendriteController
from .module import DEFAULT, DendriticModule
from .rate_search import search_rate
from .wrapping import TYPES, add_dendrites, count_parameters, num_dendrites

Row = dict[str, float]
MOMENTUM = 0.9
TRAIN = TrainConfig()


class TrainingData(NamedTuple):
    """What a network is trained on, and the validation data that decide when phases end and dendrites are kept."""

    x: Shaped[Tensor, "n *sample"]
    y: Shaped[Tensor, "n *target"]
    validation_x: Shaped[Tensor, "m *sample"]
    validation_y: Shaped[Tensor, "m *target"]

    @classmethod
    def of(cls, splits: Splits) -> "TrainingData":
        """The training and validation parts of labeled data."""
        return cls(splits.train.x, splits.train.y, splits.validation.x, splits.validation.y)

    @classmethod
    def split(cls, x: Tensor, y: Tensor, share: float, seed: int = 0) -> "TrainingData":
        """Hold a share of samples out at random.

        Raises:
            ValueError: if there is not one target for each sample, or too few samples.
        """
        if len(x) != len(y):
            raise ValueError(f"expected one target for each sample, not {len(y)} for {len(x)}")
        n = round(share * len(x))
        if not 0 < n < len(x):
            raise ValueError(f"a share of {share:g} of {len(x)} samples leaves none to train on, or to validate with")
        order = torch.randperm(len(x), generator=step_generator(seed, 0)).to(x.device)
        held, kept = order[:n], order[n:]
        return cls(x[kept], y[kept], x[held], y[held])

    @property
    def is_classified(self) -> bool:
        """Whether targets are classes."""
        return not self.y.is_floating_point()

    def to(self, device: torch.device | str) -> "TrainingData":
        """The data on a device."""
        return TrainingData(*(part.to(device) for part in self))


@dataclass(frozen=True)
class GrowthReport:
    """How a training with dendrites went.

    Attributes:
        model: The network with its dendrites, in evaluation mode.
        score: Its score on the validation data.
        initial_score: The best score before there were dendrites.
        n_dendrites: Dendrites of each neuron.
        n_epochs: Epochs of all phases together, those of rate trials included.
        n_parameters: Numbers of the network, dendrites included.
        correlations: |Pearson correlation| with the remaining error by layer, for each dendrite phase.
        history: A row for each epoch of neurons and each dendrite phase.
    """

    model: nn.Module = field(repr=False)
    score: float
    initial_score: float
    n_dendrites: int
    n_epochs: int
    n_parameters: int
    correlations: tuple[dict[str, float], ...] = ()
    history: tuple[Row, ...] = field(default=(), repr=False)


class Trainer:
    """Trains a network from `add_dendrites` through the whole cycle, in place.

    The same seed gives the same training, also where it was interrupted and continued, unless the network itself draws
    random numbers, as dropout does.

    Args:
        model: The network, on its device.
        data: Data, which are moved there.
        config: How it is trained.
        cycle: When neurons learn and when dendrites do.
        loss: Mean loss of a batch; cross-entropy of classes, mean squared error of numbers if not given.
        score: Score of the network on the validation data, larger is better: called with the network in evaluation
            mode, samples and targets, without gradients. Accuracy, or minus the loss, if not given.
        checkpoint: File of the progress, written after each epoch and dendrite phase; training goes on from it if it
            exists.
        track: Shows progress over epochs.
        log: Takes a row for each epoch of neurons and each dendrite phase.

    Attributes:
        epochs: Epochs done, of both kinds.
        history: The rows.
        on_dendrites: Called after each dendrite phase with the mean |Pearson correlation| of new dendrites with the
            error, after training and before it.

    Raises:
        ValueError: if the checkpoint is that of another training.
    """

    def __init__(
        self,
        model: nn.Module,
        data: TrainingData,
        config: TrainConfig = TRAIN,
        *,
        cycle: CycleConfig = CYCLE,
        loss: Loss | None = None,
        score: Callable[[nn.Module, Tensor, Tensor], float] | None = None,
        checkpoint: Path | None = None,
        track: Track | None = None,
        log: Callable[[Row], None] | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.data = data.to(next(model.parameters()).device)
        self.loss: Loss = loss or (cross_entropy if data.is_classified else _squared_error)
        self.score = score or (accuracy if data.is_classified else partial(_minus_loss, self.loss))
        self.checkpoint, self.track, self.log = checkpoint, track, log
        self.epochs = 0
        self.initial_score = -math.inf
        self.history: list[Row] = []
        self.on_dendrites: Callable[[float, float], None] | None = None
        self.controller = DendriteController(
            model,
            make_factory(config, config.lr),
            cycle=cycle,
            dendrite_optimizer_factory=make_factory(config, config.dendrite_lr or config.lr),
            seed=config.seed,
        )
        self._restore()

    def fit(self) -> GrowthReport:
        """Train until the cycle ends, and leave the best network.

        Raises:
            FloatingPointError: if the loss is not finite; the last checkpoint is kept.
        """
        epochs: Iterable[int] = range(self.epochs, self.config.max_epochs)
        for _ in self.track(epochs, "epochs, at most") if self.track else epochs:
            if self.controller.is_finished or self.epochs >= self.config.max_epochs:
                break
            self._advance()
            self.save()
        if not self.controller.is_finished:
            self.controller.finish()
        self.model.eval()
        return GrowthReport(
            self.model,
            self._validate(),
            self.initial_score,
            num_dendrites(self.model),
            self.epochs,
            count_parameters(self.model),
            tuple(self.controller.correlations),
            tuple(self.history),
        )

    def _advance(self) -> None:
        """An epoch of neurons, or a whole dendrite phase."""
        controller = self.controller
        if controller.phase == DENDRITE:
            scores = controller.train_dendrites(self._batches(self.epochs), self.loss)
            self.epochs += len(scores) - 1
            after, before = _mean(controller.correlations[-1]), _mean(controller.initial_correlations[-1])
            self._report({"dendrites": num_dendrites(self.model), "correlation": after})
            if self.on_dendrites is not None:
                self.on_dendrites(after, before)
            return
        if controller.cycle and not controller.epochs and len(self.config.rates) > 1:
            self._choose_rate()
        loss = self._epoch(self.epochs, controller.optimizer)
        self.epochs += 1
        score = self._validate()
        row = {"dendrites": num_dendrites(self.model), "loss": loss, "score": score}
        if controller.cycle == 0:
            self.initial_score = max(self.initial_score, score)
        controller.step(score)
        self._report(row)

    def _epoch(self, number: int, optimizer: torch.optim.Optimizer) -> float:
        """Train neurons on all batches; the mean loss."""
        self.model.train()
        total, n = torch.zeros((), device=self.data.x.device), 0
        for x, y in self._batches(number):
            optimizer.zero_grad()
            loss = self.loss(self.model(x), y)
            loss.backward()
            optimizer.step()
            total, n = total + loss.detach() * len(y), n + len(y)
        mean = float(total / n)
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"training diverged: the loss is not finite in epoch {number + 1}; lower the learning rate"
            )
        return mean

    def _validate(self) -> float:
        """The score on the validation data."""
        self.model.eval()
        with torch.no_grad():
            return float(self.score(self.model, self.data.validation_x, self.data.validation_y))

    def _batches(self, number: int) -> list[tuple[Tensor, Tensor]]:
        """The batches of an epoch: a function of its number and the seed."""
        generator = step_generator(self.config.seed + 1, number)
        found = batches((self.data.x, self.data.y), self.config.batch_size, generator)
        return [(x, y) for x, y in found]

    def _choose_rate(self) -> None:
        """Choose the rate of a neuron phase; the trials are epochs that count."""

        def trial(factor: float) -> float:
            optimizer = make_factory(self.config, factor * self.config.lr)(self._groups())
            try:
                for _ in range(self.config.rate_epochs):
                    self._epoch(self.epochs, optimizer)
                    self.epochs += 1
            except FloatingPointError:
                return math.nan
            return self._validate()

        factor = search_rate(self.model, self.config.rates, trial)
        for group in self.controller.optimizer.param_groups:
            group["lr"] *= factor

    def _groups(self) -> list[dict[str, Any]]:
        return [{**group, "params": list(group["params"])} for group in self.controller.optimizer.param_groups]

    def _report(self, row: Row) -> None:
        row = {"epoch": self.epochs, **row}
        self.history.append(row)
        if self.log is not None:
            self.log(row)

    # ---- checkpoints

    def save(self) -> None:
        """Write the progress to the checkpoint, if there is to be one."""
        if self.checkpoint is not None:
            state = {
                "controller": self.controller.state_dict(),
                "epochs": self.epochs,
                "initial_score": self.initial_score,
                "history": self.history,
            }
            states.save(self.checkpoint, state)

    def _restore(self) -> None:
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        state = states.load(self.checkpoint)
        try:
            self.controller.load_state_dict(state["controller"])
            self.epochs, self.initial_score = int(state["epochs"]), float(state["initial_score"])
            self.history = [dict(row) for row in state["history"]]
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise ValueError(f"{self.checkpoint} is not the checkpoint of this training") from None


def make_factory(config: TrainConfig, lr: float) -> OptimizerFactory:
    """What makes the optimizer of a configuration, at this learning rate."""
    if config.optimizer == "sgd":
        return lambda groups: torch.optim.SGD(groups, lr, momentum=MOMENTUM, weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return lambda groups: kind(groups, lr, weight_decay=config.weight_decay)


def _mean(by_layer: Mapping[str, float]) -> float:
    return sum(by_layer.values()) / len(by_layer)


def _squared_error(out: Tensor, target: Tensor) -> Tensor:
    """The mean squared error, of outputs that are as many as targets."""
    if out.shape != target.shape:
        raise ValueError(
            f"the network gives outputs of shape {tuple(out.shape)} for targets of shape {tuple(target.shape)}; "
            "give targets of the same shape, or a loss of your own"
        )
    return mse_loss(out, target)


def _minus_loss(loss: Loss, model: nn.Module, x: Tensor, y: Tensor) -> float:
    return -float(loss(model(x), y))


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    validation: tuple[Tensor, Tensor] | float = 0.1,
    config: TrainConfig = TRAIN,
    cycle: CycleConfig = CYCLE,
    dendrites: DendriteConfig = DEFAULT,
    types: tuple[type[nn.Module], ...] = TYPES,
    loss: Loss | None = None,
    score: Callable[[nn.Module, Tensor, Tensor], float] | None = None,
    track: Track | None = None,
    log: Callable[[Row], None] | None = None,
) -> GrowthReport:
    """Train a network on data, and add dendrites as long as they help on validation data.

    The network is changed in place, stays on its device, and may be trained already. To use data loaders, or a loop of
    your own, call `add_dendrites` and `DendriteController` instead.

    Args:
        model: Any network with affine or convolutional modules; to choose modules by name, call `add_dendrites` first.
        x: Samples.
        y: Their classes, or numbers to predict.
        validation: Validation samples and targets, or the share of samples that is held out at random.
        config: How it is trained.
        cycle: When neurons learn and when dendrites do.
        dendrites: What dendrites are, and how they learn.
        types: Modules that get dendrites.
        loss: Mean loss of a batch; cross-entropy of classes, mean squared error of numbers if not given.
        score: Score on validation data, larger is better, as `Trainer` calls it; accuracy, or minus the loss, if not
            given.
        track: Shows progress over epochs.
        log: Takes a row for each epoch of neurons and each dendrite phase.

    Returns:
        How it went, with the network: where that is itself an `nn.Linear`, another one than was given.

    Raises:
        ValueError: if there is nothing to add dendrites to, or data and outputs do not fit together.
        FloatingPointError: if the loss is not finite.
    """
    if isinstance(validation, tuple):
        data = TrainingData(x, y, *validation)
    else:
        data = TrainingData.split(x, y, validation, config.seed)
    if not any(isinstance(module, DendriticModule) for module in model.modules()):
        model = add_dendrites(model, types=types, config=dendrites)
    with seeded(config.seed):
        return Trainer(model, data, config, cycle=cycle, loss=loss, score=score, track=track, log=log).fit()
