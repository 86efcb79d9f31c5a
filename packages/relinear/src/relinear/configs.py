"""Settings of networks, of how they are trained, and of how ReLinear slows their quadratic parameters down."""

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

Form = Literal["full", "compact"]
Init = Literal["relinear", "random"]
Neuron = Literal["quadratic", "compact", "conventional", "activation"]
Strategy = Literal["relinear-sg", "relinear-sw", "random", "conventional"]
Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "steps", "cosine"]
Norm = Literal["l2", "l1"]

GAMMA = 1e-2
"""What suits shallow networks without normalization; the paper's residual networks with BatchNorm have 1e-4."""
ALPHA = 0.1
"""Of 0.01, 0.03, 0.1, 0.3, ..., the largest at which no perceptron of up to six layers collapses on held-out digits."""
DEPTHS = (20, 32, 44, 56, 110)
MOST_WIDTH, MOST_LAYERS = 65_536, 200


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Args:
        model: Hidden layers, as mlp:64x4 (four of 64) or mlp:64,32; or a residual network, qresnet20 to qresnet110.
        compact: Compact neurons, without the gating map.
        batchnorm: Batch normalization after each hidden layer of an mlp; residual networks have it in any case.
        rezero: Residual branches begin at 0 (ReZero), of residual networks.

    Raises:
        ValueError: if there is no such network.
    """

    model: str = "mlp:64x4"
    compact: bool = False
    batchnorm: bool = False
    rezero: bool = False

    def __post_init__(self) -> None:
        if self.rezero and self.depth is None:
            raise ValueError("rezero is for residual networks, such as qresnet20")
        self.hidden  # noqa: B018 - to be checked

    @property
    def depth(self) -> int | None:
        """Layers of a residual network; None of an mlp."""
        found = re.fullmatch(r"qresnet(\d{1,4})", self.model)
        return int(found[1]) if found else None

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers of an mlp; nothing of a residual network."""
        if self.depth is not None:
            if self.depth < 8 or (self.depth - 2) % 6:
                raise ValueError(f"the depth of a residual network is 6n + 2, such as {DEPTHS}, not {self.depth}")
            return ()
        if found := re.fullmatch(r"mlp:(\d{1,6})x(\d{1,3})", self.model):
            widths = (int(found[1]),) * int(found[2])
        elif re.fullmatch(r"mlp:\d{1,6}(,\d{1,6})*", self.model):
            widths = tuple(int(word) for word in self.model.removeprefix("mlp:").split(","))
        else:
            raise ValueError(f"the model must be as mlp:64x4, mlp:64,32 or qresnet20, not {self.model!r}")
        if not 1 <= len(widths) <= MOST_LAYERS or not all(1 <= width <= MOST_WIDTH for width in widths):
            raise ValueError(
                f"an mlp has 1 to {MOST_LAYERS} hidden layers of 1 to {MOST_WIDTH} units, not {self.model!r}"
            )
        return widths


@dataclass(frozen=True)
class StrategyConfig:
    """How quadratic parameters begin and move.

    Args:
        strategy: relinear-sg lowers their learning rates, relinear-sw pulls their weights back; random draws all
            parameters and trains them alike; conventional has no quadratic parameters.
        gamma: Share of the learning rate that quadratic parameters have (relinear-sg), from 0 to 1; 0.01 if not given.
        alpha: What is left of their difference from a conventional layer after each step (relinear-sw), from 0 to 1;
            0.1 if not given.
        norm: l2 multiplies the difference, l1 takes 1 - alpha from it (relinear-sw).

    Raises:
        ValueError: if a share is not in [0, 1], or one is given that the strategy does not have.
    """

    strategy: Strategy = "relinear-sg"
    gamma: float | None = None
    alpha: float | None = None
    norm: Norm = "l2"

    def __post_init__(self) -> None:
        owners = {"gamma": "relinear-sg", "alpha": "relinear-sw"}
        for name, value in (("gamma", self.gamma), ("alpha", self.alpha)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} must be at least 0 and at most 1, not {value}")
            if value is not None and self.strategy != owners[name]:
                raise ValueError(
                    f"{name} is a setting of {owners[name]}, which the strategy {self.strategy} has no use for"
                )

    @property
    def share(self) -> float:
        """Share of the learning rate that quadratic parameters have."""
        if self.strategy != "relinear-sg":
            return 1.0
        return GAMMA if self.gamma is None else self.gamma

    @property
    def kept(self) -> float:
        """What is left of their difference from a conventional layer after each step."""
        if self.strategy != "relinear-sw":
            return 1.0
        return ALPHA if self.alpha is None else self.alpha


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule.

    Args:
        epochs: Passes over the training data.
        lr: Learning rate of the regular parameters.
        batch_size: Samples in a step.
        optimizer: sgd (with momentum), adam or adamw.
        momentum: Of sgd.
        weight_decay: Of the regular parameters.
        clip: Largest norm of the gradient; 0 for none.
        schedule: steps divides the rate by 10 after half and three quarters of the training; cosine lets it fall to 0.
        augment: Flip and shift training images at random.
        seed: Random seed of initial weights, splits and batches.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int = 30
    lr: float = 0.05
    batch_size: int = 64
    optimizer: Optimizer = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 0.0
    schedule: Schedule = "constant"
    augment: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        check_positive(lr=self.lr)
        for name in ("momentum", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 0 and below 1, not {getattr(self, name)}")
        if not 0 <= self.clip < math.inf:
            raise ValueError(f"clip must be at least 0, not {self.clip}")
        check_seed(self.seed)


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The network.
        strategy: How quadratic parameters begin and move.
        train: Optimizer and schedule.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def gammas_of(text: str) -> tuple[float, ...]:
    """Shares of the learning rate, as `0,1e-3,1` tells them.

    Raises:
        ValueError: if they are no numbers from 0 to 1, or one occurs twice.
    """
    try:
        found = tuple(float(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 <= one <= 1 for one in found) or len(set(found)) < len(found):
        raise ValueError(f"--gamma takes different numbers from 0 to 1, as 0,1e-3,1e-2,1, not {text!r}")
    return found


@dataclass(frozen=True)
class Setting:
    """What one of several trainings of the same network has of its own.

    Args:
        lr: Learning rate of the regular parameters.
        gamma: Share of it that quadratic parameters have.
        alpha: What is left of their difference from a conventional layer after each step.
        weight_decay: Of the regular parameters.
        clip: Largest norm of the gradient; 0 for none.
        norm: How weights are pulled back.
    """

    lr: float
    gamma: float = 1.0
    alpha: float = 1.0
    weight_decay: float = 0.0
    clip: float = 0.0
    norm: Norm = "l2"

    @classmethod
    def of(cls, config: RunConfig) -> "Setting":
        """That of a training with SGD."""
        strategy, train = config.strategy, config.train
        return cls(train.lr, strategy.share, strategy.kept, train.weight_decay, train.clip, strategy.norm)
