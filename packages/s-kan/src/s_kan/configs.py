"""Settings of networks and trainings; without PyTorch, so that the command line answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

Unit = Literal["node", "edge", "layer"]
"""What chooses a family of its own."""
Base = Literal["silu", "identity", "none"]
Normalization = Literal["none", "tanh", "layer", "batch"]
Hard = Literal["none", "straight-through", "gumbel"]
Strategy = Literal["three-stage", "successive", "oracle"]
Arch = Literal["s-convkan", "convkan", "cnn"]

POOL = ("bspline", "rbf", "chebyshev", "fourier", "wavelet")
"""The families that a node chooses among."""


def names(text: str) -> tuple[str, ...]:
    """Names from their text, `rbf,fourier`.

    Raises:
        ValueError: if there is none, or one occurs twice.
    """
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise ValueError("the pool is empty: name the bases to choose among, such as bspline,fourier")
    if len(set(found)) < len(found):
        raise ValueError(f"a basis occurs twice in the pool {text}")
    return found


def widths(text: str) -> tuple[int, ...]:
    """Widths of layers from their text, `5,5`; none where it is empty.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them.
    """
    words = text.split(",") if text.strip() else []
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 5,5, not '{text}'")
    return tuple(map(int, words))


@dataclass(frozen=True)
class LayerConfig:
    """Layers whose nodes choose among families of functions.

    Args:
        pool: Families to choose among, with commas: bspline, rbf, chebyshev, fourier, wavelet, relu_kan, legendre,
            monomial, or your own.
        n_basis: Functions of each family.
        unit: What chooses a family: each node, each edge or each layer.
        base: Function of the inputs that is added to every family's sum, and never pruned.
        normalization: How the inputs of each layer are brought into the range of the families.

    Raises:
        ValueError: if the pool is empty or names a family twice, or there are no functions.
    """

    pool: str = ",".join(POOL)
    n_basis: int = 8
    unit: Unit = "node"
    base: Base = "silu"
    normalization: Normalization = "none"

    def __post_init__(self) -> None:
        names(self.pool)
        if self.n_basis < 1:
            raise ValueError(f"a family needs at least 1 function, not {self.n_basis}")


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it.

    Args:
        layer: Its layers.
        hidden: Widths of the hidden layers, with commas; of an image network, channels of the convolutions.

    Raises:
        ValueError: if the widths are no numbers.
    """

    layer: LayerConfig = field(default_factory=LayerConfig)
    hidden: str = "5"

    def __post_init__(self) -> None:
        widths(self.hidden)


@dataclass(frozen=True)
class StageConfig:
    """The three stages: full training, selective training, and fine-tuning of what is kept.

    Args:
        full: Share of the epochs in which all families are trained.
        selective: Share in which their weights are driven apart; the rest is fine-tuning after pruning.
        tau_min: Temperature of the weights at the end of the selective stage; it begins at 1.
        hard: In the selective stage, compute with the largest weight alone, or with Gumbel noise.
        halving: In the selective stage, drop the family of the smallest mean weight again and again, down to two.
        selection_split: Share of the training data that is held out, until pruning, to train the weights on.
        selection_lr: Learning rate of the weights' logits, in those of the coefficients.
        selection_decay: Weight decay of the logits.
        top_k: Families that each unit keeps.
        strategy: Choose in three stages, among the two best of a short trial of each family (successive), or by
            training a network of each family (oracle).
        probe: Share of the epochs that each trial of successive takes, on top of the others.

    Raises:
        ValueError: if a share is out of range, or the stages leave nothing for the fine-tuning.
    """

    full: float = 0.3
    selective: float = 0.2
    tau_min: float = 0.1
    hard: Hard = "none"
    halving: bool = False
    selection_split: float = 0.2
    selection_lr: float = 5.0
    selection_decay: float = 1e-3
    top_k: int = 1
    strategy: Strategy = "three-stage"
    probe: float = 0.1

    def __post_init__(self) -> None:
        if not (self.full >= 0 and self.selective >= 0 and self.full + self.selective <= 1):
            raise ValueError(
                f"the stages are shares of the epochs, at least 0 and together at most 1, not {self.full} and "
                f"{self.selective}"
            )
        if not 0 < self.tau_min <= 1:
            raise ValueError(f"the last temperature must be above 0 and at most 1, not {self.tau_min}")
        if not 0 <= self.selection_split < 1:
            raise ValueError(f"the share of data for selection must be at least 0 and below 1: {self.selection_split}")
        if not 0 < self.probe <= 1:
            raise ValueError(f"the share of epochs of a trial must be above 0 and at most 1, not {self.probe}")
        check_positive(selection_lr=self.selection_lr)
        if self.selection_decay < 0:
            raise ValueError(f"the weight decay of the logits must not be negative, but it is {self.selection_decay}")
        if self.top_k < 1:
            raise ValueError(f"a unit keeps at least 1 family, not {self.top_k}")
        most = {"successive": 2, "oracle": 1}.get(self.strategy, self.top_k)
        if self.top_k > most:
            raise ValueError(f"the strategy {self.strategy} leaves {most} for each unit to keep, not {self.top_k}")


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule: AdamW, whose learning rate falls by a cosine, and begins anew after pruning.

    Args:
        epochs: Passes over the training data, over all stages together.
        lr: Learning rate.
        batch_size: Samples in a step.
        weight_decay: Weight decay of the coefficients.
        seed: Random seed of initial weights, splits and batches.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int = 1000
    lr: float = 1e-2
    batch_size: int = 1024
    weight_decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        if not 0 <= self.weight_decay < 1:
            raise ValueError(f"the weight decay must be at least 0 and below 1, not {self.weight_decay}")
        check_seed(self.seed)


IMAGE_TRAINING = TrainConfig(epochs=20, lr=3e-3, batch_size=64, weight_decay=1e-4)
"""For image networks."""


@dataclass(frozen=True)
class DataConfig:
    """How data is made of a formula, or divided.

    Args:
        n_train: Points of a formula for training.
        n_test: Points of a formula for testing.
        low: Smallest value of each variable of a formula.
        high: Largest value.
        noise: Standard deviation of noise on a formula's training values.
        validation: Share of the samples that is held out.

    Raises:
        ValueError: if a number is out of range.
    """

    n_train: int = 1000
    n_test: int = 1000
    low: float = -1.0
    high: float = 1.0
    noise: float = 0.0
    validation: float = 0.2

    def __post_init__(self) -> None:
        if min(self.n_train, self.n_test) < 10:
            raise ValueError(f"at least 10 points are needed, not {min(self.n_train, self.n_test)}")
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, not {self.low} and {self.high}")
        if self.noise < 0:
            raise ValueError(f"the noise must not be negative, but it is {self.noise}")
        if not 0 < self.validation < 1:
            raise ValueError(f"the share of validation samples must lie between 0 and 1, not {self.validation}")


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The network.
        stages: How families are chosen.
        train: How it is trained.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    stages: StageConfig = field(default_factory=StageConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
