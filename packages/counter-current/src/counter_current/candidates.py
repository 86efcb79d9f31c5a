"""The settings that each rule is chosen from, on held-out data: as many for every rule."""

from dataclasses import dataclass, replace
from itertools import product

from separata.configs import replaced

from .configs import Activation, RuleName, RunConfig, TrainConfig, preset
from .trials import Trial

TUNING_SEED = 1000
"""Settings are chosen with another seed than those that are measured."""
LONG, SHORT_WARMUP = 10, 20
"""Epochs up to which a training counts as short, and the steps of its warm-up."""
PHOTOS = ("cifar10", "cifar100", "stl10")
"""Data sets whose images are cropped at random and mirrored."""


def by_rule(rule: RuleName, trial: Trial) -> Trial:
    """The trial by another rule."""
    return replace(trial, config=replace(trial.config, rule=rule))


def mlp_trial(dataset: str, widths: str, epochs: int, batch_size: int) -> Trial:
    """A perceptron with the published settings, but for the length of the training."""
    config = preset("mnist-mlp")
    train = replace(config.train, epochs=epochs, batch_size=batch_size)
    return Trial(dataset, replace(config, network=replace(config.network, widths=widths), train=train))


def shortened(train: TrainConfig, epochs: int) -> TrainConfig:
    """The schedule for so many epochs; one of a few has a short warm-up, the same for all rules."""
    return replace(train, epochs=epochs, warmup=train.warmup if epochs > LONG else SHORT_WARMUP)


@dataclass(frozen=True)
class Rules:
    """Rules that train the same perceptron, each with its own learning rate and activation function."""

    trial: Trial
    rates: tuple[float, ...] = (0.1, 0.3, 1.0)
    activations: tuple[Activation, ...] = ("elu", "tanh")

    def candidates(self, rule: RuleName) -> list[Trial]:
        """The settings that a rule is chosen from; the feedback of `ccl` has the forward rate."""
        base = replace(by_rule(rule, self.trial), seed=TUNING_SEED, is_held_out=True)
        return [
            replaced(base, lr=lr, lr_feedback=lr, activation=activation)
            for lr, activation in product(self.rates, self.activations)
        ]


RULES: dict[str, RuleName] = {
    "ccl": "ccl",
    "bp": "bp",
    "fa": "fa",
    "dfa": "dfa",
    "drtp": "drtp",
    "fw_dtp": "fw-dtp",
    "output_only": "output-only",
}


@dataclass(frozen=True)
class Convolutions:
    """A convolutional network by counter-current learning and by back-propagation."""

    trial: Trial
    bp: RunConfig
    """Back-propagation's own network and schedule."""
    rates: tuple[float, ...] = (0.1, 0.3, 1.0)
    bp_rates: tuple[float, ...] = (0.03, 0.1, 0.3)

    def candidates(self) -> dict[str, list[Trial]]:
        """The settings that each is chosen from, around those that were published for it."""
        base = replace(self.trial, seed=TUNING_SEED, is_held_out=True)
        bp = replace(base, config=self.bp)
        return {
            "ccl": [replaced(base, lr=lr, lr_feedback=lr) for lr in self.rates],
            "bp": [replaced(bp, lr=lr) for lr in self.bp_rates],
            "output_only": [replaced(by_rule("output-only", bp), lr=lr) for lr in self.bp_rates],
        }


def make_convolutions(
    dataset: str, channels: str, epochs: int, size: int | None, batch_size: int | None = None
) -> Convolutions:
    """The published settings, but for the channels and the length of the training.

    Digits are neither cropped and mirrored nor standardized.
    """
    is_photo = dataset in PHOTOS

    def short(config: RunConfig) -> RunConfig:
        train = replace(
            shortened(config.train, epochs), batch_size=batch_size or config.train.batch_size, augment=is_photo
        )
        return replace(config, network=replace(config.network, widths=channels, standardize=is_photo), train=train)

    ccl, bp = short(preset("cifar10-cnn")), short(preset("cifar10-cnn", "bp"))
    return Convolutions(Trial(dataset, ccl, size), bp)


@dataclass(frozen=True)
class Autoencoders:
    """An autoencoder by counter-current learning and by back-propagation."""

    trial: Trial
    bp: TrainConfig
    """Back-propagation's own schedule."""
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)

    def candidates(self) -> dict[str, list[Trial]]:
        """The settings that each is chosen from; both with the same rates."""
        base = replace(self.trial, seed=TUNING_SEED, is_held_out=True)
        bp = replace(base, config=replace(base.config, rule="bp", train=self.bp))
        return {
            "ccl": [replaced(base, lr=lr, lr_feedback=lr) for lr in self.rates],
            "bp": [replaced(bp, lr=lr) for lr in self.rates],
            "output_only": [replaced(by_rule("output-only", bp), lr=lr) for lr in self.rates],
        }


def make_autoencoders(dataset: str, channels: str, epochs: int, size: int | None) -> Autoencoders:
    """The published settings, but for the channels, the length of the training, and crops, which digits do not need."""

    def short(train: TrainConfig) -> TrainConfig:
        return replace(shortened(train, epochs), augment=dataset in PHOTOS)

    ccl, bp = preset("stl10-ae"), preset("stl10-ae", "bp")
    config = replace(ccl, network=replace(ccl.network, widths=channels), train=short(ccl.train))
    return Autoencoders(Trial(dataset, config, size), short(bp.train))
