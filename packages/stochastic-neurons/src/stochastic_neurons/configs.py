"""Settings, as the commands take them and as experiments hold them. Imports nothing slow."""

from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

Gate = Literal[
    "st",
    "st-sigmoid",
    "sts",
    "noisy-relu",
    "noisy-relu-logistic",
    "semi-hard",
    "sbn",
    "relaxed",
    "relu",
    "sigmoid",
    "noisy-sigmoid",
]


@dataclass(frozen=True)
class ModelConfig:
    """A conditional network: experts, gated, and an affine map to the classes.

    Args:
        gate: Neurons of the gates: st, st-sigmoid, sts, noisy-relu, noisy-relu-logistic, semi-hard, sbn or relaxed; or
            the baselines without zeros of their own or without noise: relu, sigmoid, noisy-sigmoid.
        experts: Number of experts.
        gater_hidden: Number of tanh units of the gater.
        block_size: Experts that share a gate.
        activation: Of the experts: linear, tanh or relu.
        baseline: Of sbn: optimal, mean, learned or none.
        sigma: Scale of the noise of the noisy gates.
        ratio: Stochastic ratio of sts.
        activity: Probability with which a gate is active before training.

    Raises:
        ValueError: if a number is not positive, or the experts are no whole number of blocks.
    """

    gate: Gate = "st"
    experts: int = 2000
    gater_hidden: int = 400
    block_size: int = 1
    activation: Literal["linear", "tanh", "relu"] = "linear"
    baseline: Literal["optimal", "mean", "learned", "none"] = "optimal"
    sigma: float = 1.0
    ratio: float = 0.5
    activity: float = 0.5

    def __post_init__(self) -> None:
        check_positive(
            experts=self.experts, gater_hidden=self.gater_hidden, block_size=self.block_size, sigma=self.sigma
        )
        if self.experts % self.block_size:
            raise ValueError(f"{self.experts} experts are no whole number of blocks of {self.block_size}")
        if not 0 < self.activity < 1 or not 0 <= self.ratio <= 1:
            raise ValueError(
                f"activity must lie between 0 and 1 and ratio within 0 and 1, not {self.activity} and {self.ratio}"
            )


@dataclass(frozen=True)
class TrainConfig:
    """How a conditional network is trained.

    Args:
        epochs: Passes over the data.
        batch_size: Samples of a step.
        lr: Learning rate of SGD.
        momentum: Momentum of SGD.
        gater_lr_scale: Factor on the learning rate of the gater; small where its gradient is noisy (sbn).
        target: Share of the gates that are to be active.
        penalty_weight: Weight of the sparsity penalty; 0 for none.
        penalty: kl or l2.
        max_norm: Largest norm of the weights into a unit; 0 for no limit.
        patience: Epochs without a lower validation error after which training ends; 0 to train to the end.
        seed: Draws initial weights, batches and noise.

    Raises:
        ValueError: if a setting cannot be.
    """

    epochs: int = 100
    batch_size: int = 32
    lr: float = 0.1
    momentum: float = 0.0
    gater_lr_scale: float = 1.0
    target: float = 0.1
    penalty_weight: float = 1e-3
    penalty: Literal["kl", "l2"] = "kl"
    max_norm: float = 2.1
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr, gater_lr_scale=self.gater_lr_scale)
        check_seed(self.seed)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, not {self.momentum}")
        if not 0 < self.target < 1:
            raise ValueError(f"target must lie between 0 and 1, not {self.target}")
        if not (self.penalty_weight >= 0 and self.max_norm >= 0 and self.patience >= 0):
            raise ValueError("penalty_weight, max_norm and patience must not be negative")


@dataclass(frozen=True)
class RunConfig:
    """A network and its training."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
