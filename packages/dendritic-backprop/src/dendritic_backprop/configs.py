"""Settings, as the command takes them and as experiments hold them. Imports nothing slow."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Activation = Literal["sigmoid", "tanh", "relu"]
Score = Literal["covariance", "normalized", "pearson"]
Learning = Literal["correlation", "gradient", "random", "none"]
InitGain = Literal["zero", "regression"]
OptimizerName = Literal["adam", "adamw", "sgd"]
Arch = Literal["mlp", "cnn", "resnet", "gru"]

FULL_WIDTHS = {"mlp": 32, "cnn": 16, "resnet": 16, "gru": 32}
"""Width of each network at `--width 1`: hidden units, or channels of the first convolution."""


def check_choice(name: str, value: str, kind: object) -> None:
    """See that a setting is one of a `Literal`'s.

    Raises:
        ValueError: if it is not.
    """
    if value not in get_args(kind):
        raise ValueError(f"the {name} must be one of {', '.join(get_args(kind))}, not '{value}'")


@dataclass(frozen=True)
class DendriteConfig:
    """What dendrites are, and how they learn.

    Args:
        activation: Nonlinearity of a dendrite: sigmoid, tanh or relu.
        learning: How dendrites get their weights: correlation (with the neuron's remaining error), gradient (ordinary
            back-propagation through the dendrites), random (never trained) or none (no dendrites, but the same phases
            and epochs).
        score: What a dendrite maximizes: its covariance with the error, that covariance relative to the error's
            standard deviation (normalized), or their Pearson correlation.
        cascade: Let a dendrite see the older dendrites of its neuron.
        perforated: Hide correlation-trained and random dendrites from back-propagation.
        n_candidates: Dendrites that are trained for each neuron; the best one is kept.
        init_scale: Standard deviation of a candidate's initial weights.
        init_gain: Gain of a new dendrite: zero, which leaves the function as it is, or by regression on the error.
        gain_scale: Share of the regression's gain that is taken.

    Raises:
        ValueError: if a setting is out of its range.
    """

    activation: Activation = "sigmoid"
    learning: Learning = "correlation"
    score: Score = "normalized"
    cascade: bool = True
    perforated: bool = True
    n_candidates: int = 1
    init_scale: float = 0.01
    init_gain: InitGain = "zero"
    gain_scale: float = 0.1

    def __post_init__(self) -> None:
        for name, kind in (("activation", Activation), ("learning", Learning), ("score", Score)):
            check_choice(name, getattr(self, name), kind)
        check_choice("initial gain", self.init_gain, InitGain)
        check_positive(n_candidates=self.n_candidates, init_scale=self.init_scale, gain_scale=self.gain_scale)
        if self.learning != "correlation" and self.n_candidates > 1:
            raise ValueError("only correlation-trained dendrites are chosen among several candidates")


@dataclass(frozen=True)
class CycleConfig:
    """When the network switches between training neurons and training dendrites.

    Args:
        max_dendrites: Dendrites of each neuron, at most.
        patience: Epochs without improvement after which a neuron phase ends.
        thresholds: Relative improvement that counts, by the number of dendrites; the last one for all further numbers.
        min_improvement: Absolute improvement that counts.
        tries: Dendrite phases that may fail in a row, each with new random candidates, before training ends.
        neuron_epochs: Length of every neuron phase, in epochs, in place of patience; 0 for patience.
        first_epochs: Length of the first neuron phase, in epochs; that of the others if 0.
        dendrite_epochs: Length of a dendrite phase, in epochs, at most.
        dendrite_patience: Epochs without a better correlation after which a dendrite phase ends; 0 for full length.
        dendrite_threshold: Relative improvement of the correlation that counts.
        rollback: Undo dendrites that did not improve the validation score.

    Raises:
        ValueError: if a setting is out of its range.
    """

    max_dendrites: int = 3
    patience: int = 10
    thresholds: tuple[float, ...] = (1e-3, 1e-4, 0.0)
    min_improvement: float = 1e-5
    tries: int = 2
    neuron_epochs: int = 0
    first_epochs: int = 0
    dendrite_epochs: int = 50
    dendrite_patience: int = 2
    dendrite_threshold: float = 1e-4
    rollback: bool = True

    def __post_init__(self) -> None:
        check_positive(patience=self.patience, tries=self.tries)
        counts = ("max_dendrites", "neuron_epochs", "first_epochs", "dendrite_epochs", "dendrite_patience")
        for name in (*counts, "min_improvement", "dendrite_threshold"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name.replace('_', ' ')} must not be negative, but it is {getattr(self, name)}")
        if not self.thresholds or not all(0 <= one < math.inf for one in self.thresholds):
            raise ValueError(f"thresholds are one or more numbers that are not negative, not {self.thresholds}")

    @property
    def n_epochs(self) -> int:
        """Epochs of all phases together, where their lengths are fixed; 0 where they are not."""
        if not self.neuron_epochs:
            return 0
        first = self.first_epochs or self.neuron_epochs
        return first + self.max_dendrites * (self.dendrite_epochs + self.neuron_epochs)

    def threshold(self, n_dendrites: int) -> float:
        """Relative improvement that counts for a network with so many dendrites."""
        return self.thresholds[min(n_dendrites, len(self.thresholds) - 1)]


@dataclass(frozen=True)
class TrainConfig:
    """How the network is trained.

    Args:
        optimizer: adam, adamw or sgd (with momentum 0.9).
        lr: Learning rate.
        dendrite_lr: Learning rate of the dendrites in their own phase; that of the network if not given.
        weight_decay: Weight decay of the neurons; gains have none.
        batch_size: Samples in a batch.
        max_epochs: Epochs of all phases together after which none begins; a dendrite phase that began is finished.
        rates: Factors on the learning rate that are tried at the start of each neuron phase with dendrites; one for no
            trial.
        rate_epochs: Epochs of each of these trials.
        seed: Seed of the initial weights and of the order of the samples.

    Raises:
        ValueError: if a number is out of its range.
    """

    optimizer: OptimizerName = "adam"
    lr: float = 1e-3
    dendrite_lr: float | None = None
    weight_decay: float = 0.0
    batch_size: int = 64
    max_epochs: int = 1000
    rates: tuple[float, ...] = (1.0,)
    rate_epochs: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OptimizerName)
        check_positive(lr=self.lr, batch_size=self.batch_size, max_epochs=self.max_epochs, rate_epochs=self.rate_epochs)
        if self.dendrite_lr is not None:
            check_positive(dendrite_lr=self.dendrite_lr)
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"the weight decay must not be negative, but it is {self.weight_decay}")
        if not self.rates or not all(0 < one < math.inf for one in self.rates):
            raise ValueError(f"rates are one or more positive factors, not {self.rates}")
        check_seed(self.seed)


@dataclass(frozen=True)
class NetworkConfig:
    """A network to which dendrites are added.

    Args:
        arch: mlp (one hidden layer), cnn (two convolutions and two affine layers), resnet (8 layers) or gru (rows of a
            picture, or the features, one after the other).
        width: Width relative to the full one: 32 hidden units of mlp and gru, 16 channels of cnn and resnet.
        hidden: Width itself, in place of a relative one.

    Raises:
        ValueError: if there is no such network, or the width is not positive.
    """

    arch: Arch = "mlp"
    width: float = 1.0
    hidden: int | None = None

    def __post_init__(self) -> None:
        check_choice("network", self.arch, Arch)
        check_positive(width=self.width)
        if self.hidden is not None:
            check_positive(hidden=self.hidden)

    @property
    def n_units(self) -> int:
        """Hidden units, or channels of the first convolution."""
        return self.hidden if self.hidden is not None else max(1, round(self.width * FULL_WIDTHS[self.arch]))


@dataclass(frozen=True)
class RunConfig:
    """What a training depends on.

    Args:
        network: The network.
        dendrites: Its dendrites.
        cycle: When neurons learn and when dendrites do.
        train: How the network is trained.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    dendrites: DendriteConfig = field(default_factory=DendriteConfig)
    cycle: CycleConfig = field(default_factory=CycleConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True)
class ComparisonConfig:
    """What is compared, in phases of fixed length.

    Args:
        network: The network.
        dendrites: Its dendrites.
        train: How every variant is trained.
        max_dendrites: Dendrites of each neuron.
        first_epochs: Epochs before there are dendrites.
        neuron_epochs: Epochs of each further neuron phase.
        dendrite_epochs: Epochs of each dendrite phase; variants without one train on instead.

    Raises:
        ValueError: if a number is not positive.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    dendrites: DendriteConfig = field(default_factory=DendriteConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    max_dendrites: int = 2
    first_epochs: int = 60
    neuron_epochs: int = 30
    dendrite_epochs: int = 20

    def __post_init__(self) -> None:
        check_positive(
            max_dendrites=self.max_dendrites, first_epochs=self.first_epochs, neuron_epochs=self.neuron_epochs
        )
        if self.dendrite_epochs < 0:
            raise ValueError(f"dendrite epochs must not be negative, but it is {self.dendrite_epochs}")

    @property
    def cycle(self) -> CycleConfig:
        """The phases."""
        return CycleConfig(
            max_dendrites=self.max_dendrites,
            first_epochs=self.first_epochs,
            neuron_epochs=self.neuron_epochs,
            dendrite_epochs=self.dendrite_epochs,
            dendrite_patience=0,
            dendrite_threshold=0.0,
            rollback=False,
        )
