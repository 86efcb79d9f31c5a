"""Settings of data, networks and trainings; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

LossName = Literal["mse", "cross-entropy"]
Activation = Literal["tanh", "relu", "gelu"]
Norm = Literal["none", "batch", "group"]
ModelKind = Literal["mlp", "resnet", "vgg", "vit"]
OptimizerName = Literal["sgd", "split-sgd", "adam", "signum"]
Method = Literal["delta", "svd"]


def check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    """See that a name is one of those known.

    Raises:
        ValueError: if it is not; the sentence lists them.
    """
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


def hidden_widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers from their text, `64,64`; none from an empty one.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them.
    """
    words = text.split(",") if text.strip() else []
    if not all(word.strip().isdecimal() and 0 < int(word) <= 100_000 for word in words) or len(words) > 64:
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 64,64, not '{text}'")
    return tuple(map(int, words))


@dataclass(frozen=True)
class DataConfig:
    """How a data set is read.

    Args:
        n: Training samples, a stratified choice; 0 for all.
        size: Height and width in pixels to which images are resized; 0 keeps them.
        pool: Side of the squares of pixels that are averaged; 1 keeps the pixels.
        standardize: Subtract the mean of all numbers and divide by their standard deviation.

    Raises:
        ValueError: if a number is out of range.
    """

    n: int = 1000
    size: int = 0
    pool: int = 1
    standardize: bool = True

    def __post_init__(self) -> None:
        if self.n < 0 or self.size < 0:
            raise ValueError(f"n and size must be at least 0, not {self.n} and {self.size}")
        if self.pool < 1:
            raise ValueError(f"pool must be at least 1, not {self.pool}")


@dataclass(frozen=True)
class ModelConfig:
    """A network.

    Args:
        kind: mlp, or for images resnet (ResNet-18), vgg (VGG-11) or vit (a small vision transformer).
        hidden: Widths of the hidden layers of an mlp, with commas.
        activation: tanh, relu or gelu, of an mlp.
        norm: Normalization: none, batch or group (of a vit always layer).
        width: Channels of the first stage of a resnet or vgg, or width of a vit.

    Raises:
        ValueError: if a name is unknown or a width not positive.
    """

    kind: ModelKind = "mlp"
    hidden: str = "64,64"
    activation: Activation = "tanh"
    norm: Norm = "none"
    width: int = 64

    def __post_init__(self) -> None:
        check_name("kind of network", self.kind, get_args(ModelKind))
        check_name("activation", self.activation, get_args(Activation))
        check_name("normalization", self.norm, get_args(Norm))
        hidden_widths(self.hidden)
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width must be a positive multiple of 8, not {self.width}")


@dataclass(frozen=True)
class TrainConfig:
    """Loss, optimizer and what is recorded.

    Args:
        n_steps: Steps.
        loss: mse (half the squared error, summed over outputs) or cross-entropy.
        optimizer: sgd, split-sgd, adam or signum.
        lr: Learning rate.
        lr_large: Step of split-sgd in coordinates of large gradients, and of signum.
        momentum: Of sgd (dampened), split-sgd and signum; first moment of adam.
        quantile: Share of the coordinates that are large in split-sgd.
        rho: Radius of sharpness-aware minimization; 0 for none.
        batch_size: Samples of a step; 0 for all.
        chunk_size: Samples that are computed at once; 0 for all.
        record_every: Steps between records of all losses, where a step does not see all samples.
        sharpness_every: Steps between measurements of the sharpness; 0 for none.
        seed: Seed of the initial weights and of the batches.

    Raises:
        ValueError: if a number is out of range or a name unknown.
    """

    n_steps: int = 300
    loss: LossName = "mse"
    optimizer: OptimizerName = "sgd"
    lr: float = 0.3
    lr_large: float = 1e-3
    momentum: float = 0.0
    quantile: float = 0.1
    rho: float = 0.0
    batch_size: int = 0
    chunk_size: int = 0
    record_every: int = 1
    sharpness_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("loss", self.loss, get_args(LossName))
        check_name("optimizer", self.optimizer, get_args(OptimizerName))
        check_positive(n_steps=self.n_steps, lr=self.lr, lr_large=self.lr_large, record_every=self.record_every)
        check_seed(self.seed)
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and less than 1, not {self.momentum}")
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile must lie between 0 and 1, not {self.quantile}")
        if not (self.rho >= 0 and math.isfinite(self.rho)):
            raise ValueError(f"rho must be at least 0, not {self.rho}")
        if min(self.batch_size, self.chunk_size, self.sharpness_every) < 0:
            raise ValueError("batch size, chunk size and sharpness every must be at least 0")


@dataclass(frozen=True)
class RunConfig:
    """A training with its data."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
