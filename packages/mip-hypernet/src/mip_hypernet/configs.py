"""Settings of tasks, hypernetworks and their training, as commands take them and experiments hold them."""

import math
from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

TaskName = Literal["bayes", "regularization", "registration", "scale-space"]
Parametrization = Literal["mip", "default", "encoding", "residual", "l1"]
Activation = Literal["leaky_relu", "relu", "tanh", "gelu", "silu"]
Normalization = Literal["none", "layer", "weight"]
Primary = Literal["none", "batch", "layer"]
Heads = Literal["joint", "per-tensor", "chunked", "low-rank"]
Initialization = Literal["auto", "slices", "hyperfan", "default"]
Optimizer = Literal["adam", "sgd"]

MOST_WIDTH, MOST_DIMENSIONS = 65_536, 4096


@dataclass(frozen=True)
class TaskConfig:
    """What is learned for every γ.

    Args:
        data: Images or samples by name (digits, mnist5k, mnist, ...), a folder of images, .npz or .csv; scale-space
            draws its own.
        dim: Numbers in γ, of bayes.
        size: Pixels to which images are resized.
        n_train: Samples for training; all if not given.
        width: Channels of the first layer, or units of the hidden layer of regularization; 0 there for a linear model.
        norm: Normalization in the primary network.

    Raises:
        ValueError: if a number is out of range.
    """

    data: str = "digits"
    dim: int = 1
    size: int | None = None
    n_train: int | None = None
    width: int = 8
    norm: Primary = "none"

    def __post_init__(self) -> None:
        if not 1 <= self.dim <= MOST_DIMENSIONS:
            raise ValueError(f"dim must be from 1 to {MOST_DIMENSIONS}, not {self.dim}")
        if not 0 <= self.width <= MOST_WIDTH:
            raise ValueError(f"width must be from 0 to {MOST_WIDTH}, not {self.width}")
        for name in ("size", "n_train"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")


@dataclass(frozen=True)
class HyperConfig:
    """The hypernetwork.

    Args:
        parametrization: mip; default; encoding or residual, half of mip each; or l1, with another encoding.
        hidden: Widths of its hidden layers, with commas.
        activation: Between its layers.
        normalization: LayerNorm or weight normalization in its hidden layers.
        heads: Its last layer: one matrix; one for each tensor; or, for less memory, in chunks or of low rank.
        rank: Of low-rank heads.
        initialization: slices (auto, with independent weights), hyperfan (auto, without) or PyTorch's default.
        output_bias: Give the last layer a bias where there are no independent weights.

    Raises:
        ValueError: if a width is no positive number, or the rank is not positive.
    """

    parametrization: Parametrization = "mip"
    hidden: str = "16,128"
    activation: Activation = "leaky_relu"
    normalization: Normalization = "none"
    heads: Heads = "joint"
    rank: int = 8
    initialization: Initialization = "auto"
    output_bias: bool = False

    def __post_init__(self) -> None:
        self.hidden_sizes  # noqa: B018 - to be checked
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, not {self.rank}")

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return widths_of(self.hidden)


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule.

    Args:
        steps: Steps of the optimizer.
        lr: Learning rate; 0.001 for adam and 0.01 for sgd if not given.
        optimizer: adam, or sgd with momentum.
        momentum: Of sgd.
        batch_size: Samples in a step, which share one γ.
        seed: Random seed of initial weights, splits, batches and inputs.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 1000
    lr: float | None = None
    optimizer: Optimizer = "adam"
    momentum: float = 0.9
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        check_positive(lr=self.rate)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, not {self.momentum}")
        check_seed(self.seed)

    @property
    def rate(self) -> float:
        """The learning rate."""
        if self.lr is not None:
            return self.lr
        return 1e-3 if self.optimizer == "adam" else 1e-2


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        task: What is learned.
        task_config: Its data and network.
        hyper: The hypernetwork.
        train: Optimizer and schedule.
    """

    task: TaskName = "bayes"
    task_config: TaskConfig = field(default_factory=TaskConfig)
    hyper: HyperConfig = field(default_factory=HyperConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def widths_of(text: str) -> tuple[int, ...]:
    """Widths of layers, as `16,64,128` tells them.

    Raises:
        ValueError: if they are no positive numbers.
    """
    words = text.split(",")
    found = tuple(int(word) for word in words if word.strip().isdecimal())
    if len(found) < len(words) or not all(1 <= width <= MOST_WIDTH for width in found):
        raise ValueError(f"hidden layers are told as 16,64,128, each from 1 to {MOST_WIDTH} wide, not {text!r}")
    return found


def gammas_of(text: str) -> tuple[float, ...]:
    """Inputs in [0, 1], as `0:1:11` (11 from 0 to 1) or `0.1,0.5,0.9` tells them.

    Raises:
        ValueError: if they are no such numbers.
    """
    try:
        if ":" in text:
            low, high, n = text.split(":")
            count = int(n)
            found = [float(low) + (float(high) - float(low)) * i / max(count - 1, 1) for i in range(count)]
        else:
            found = [float(word) for word in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(one) and 0 <= one <= 1 for one in found):
        raise ValueError(f"inputs are told as 0:1:11 or 0.1,0.5,0.9, each from 0 to 1, not {text!r}")
    return tuple(found)
