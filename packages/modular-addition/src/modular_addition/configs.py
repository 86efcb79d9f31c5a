"""Settings of networks, data and trainings; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Activation = Literal["relu", "quad", "gelu", "identity"]
Init = Literal["random", "single-frequency"]
Target = Literal["addition", "subtraction", "random"]
Optimizer = Literal["adamw", "sgd"]
RunName = Literal["standard", "grokking", "quad_random", "quad_single_freq", "relu_single_freq"]

LEAST_GROKKING_P = 19
"""Below it, a network that has memorized three quarters of all pairs has nothing left to generalize to."""
MOST_P = 1009
"""Networks of larger groups have more pairs than fit in memory."""


def check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    """See that a name is one of those that are known.

    Raises:
        ValueError: if it is not; the sentence lists them.
    """
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


def check_odd(p: int) -> None:
    """See that the group is one that the theory speaks of.

    Raises:
        ValueError: if p is even or less than 3, with the reason.
    """
    if p < 3:
        raise ValueError(f"p must be at least 3, not {p}")
    if p % 2 == 0:
        raise ValueError(
            f"p must be odd, not {p}: of the highest frequency of an even p there is a cosine but no sine, so that it "
            "has no phase; diagnose takes even p"
        )


def default_width(p: int) -> int:
    """Neurons of a network that is as wide, for the pairs that there are, as 512 are for p = 23; at least 512."""
    return max(512, math.ceil(512 / 529 * p * p))


@dataclass(frozen=True)
class ModelConfig:
    """A two-layer network on the integers mod p.

    Args:
        p: Size of the group; odd.
        width: Neurons; by default 512, and for large p as many for each pair as with p = 23.
        activation: relu, quad (the square), gelu or identity.
        init: Initial weights: random, or single-frequency (each neuron one cosine in each layer).
        init_scale: Scale of the initial weights.
        embedding: Dimensions of a learned embedding below the first layer; 0 for none.

    Raises:
        ValueError: if p is even, a number is out of its range, or a name is unknown.
    """

    p: int = 23
    width: int | None = None
    activation: Activation = "relu"
    init: Init = "random"
    init_scale: float = 0.1
    embedding: int = 0

    def __post_init__(self) -> None:
        check_odd(self.p)
        if self.p > MOST_P:
            raise ValueError(f"p must be at most {MOST_P}, not {self.p}")
        if self.width is not None and self.width < 1:
            raise ValueError(f"the width must be at least 1 neuron, not {self.width}")
        check_name("activation", self.activation, get_args(Activation))
        check_name("init", self.init, get_args(Init))
        check_positive(init_scale=self.init_scale)
        if self.embedding < 0:
            raise ValueError(f"the embedding must have 0 dimensions or more, not {self.embedding}")
        if self.embedding and self.init == "single-frequency":
            raise ValueError("single-frequency initial weights are those of a network without an embedding")

    @property
    def n_neurons(self) -> int:
        """Its neurons."""
        return default_width(self.p) if self.width is None else self.width


@dataclass(frozen=True)
class DataConfig:
    """Which pairs are trained on, and what their label is.

    Args:
        target: Label of a pair (x, y): addition (x + y mod p), subtraction (x - y mod p) or random (a table without
            structure, the same for both orders).
        train_fraction: Share of the ordered pairs that are trained on.

    Raises:
        ValueError: if the share is not in (0, 1], or a name is unknown.
    """

    target: Target = "addition"
    train_fraction: float = 1.0

    def __post_init__(self) -> None:
        check_name("target", self.target, get_args(Target))
        if not 0 < self.train_fraction <= 1:
            raise ValueError(f"the train fraction must be in (0, 1], not {self.train_fraction}")


@dataclass(frozen=True)
class TrainConfig:
    """Full-batch training, with a learning rate of lr * min(step / warmup, 1).

    Args:
        optimizer: adamw (betas 0.9 and 0.98) or sgd.
        lr: Learning rate.
        weight_decay: Weight decay, decoupled from the gradient.
        steps: Steps, which are epochs, since each takes all training pairs.
        warmup: Steps of the warm-up; the first step has the rate 0 unless this is 0.
        log_every: Steps between two evaluations.
        precise: Compute the loss in double precision.
        seed: Seed of the initial weights, the split and a random table.

    Raises:
        ValueError: if a number is out of its range, or a name is unknown.
    """

    optimizer: Optimizer = "adamw"
    lr: float = 5e-5
    weight_decay: float = 0.0
    steps: int = 5000
    warmup: int = 10
    log_every: int = 100
    precise: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        check_name("optimizer", self.optimizer, get_args(Optimizer))
        check_positive(lr=self.lr, steps=self.steps, log_every=self.log_every)
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"the weight decay must not be negative, but it is {self.weight_decay}")
        if self.warmup < 0:
            raise ValueError(f"the warm-up must have 0 steps or more, not {self.warmup}")
        check_seed(self.seed)


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on.

    Args:
        model: The network.
        data: The pairs and their labels.
        train: How it is trained.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


RUNS: dict[RunName, RunConfig] = {
    "standard": RunConfig(),
    "grokking": RunConfig(
        data=DataConfig(train_fraction=0.75), train=TrainConfig(lr=1e-4, weight_decay=2.0, steps=50_000)
    ),
    "quad_random": RunConfig(ModelConfig(activation="quad")),
    "quad_single_freq": RunConfig(
        ModelConfig(activation="quad", init="single-frequency", init_scale=0.02),
        train=TrainConfig("sgd", lr=0.1, steps=10_000),
    ),
    "relu_single_freq": RunConfig(
        ModelConfig(init="single-frequency", init_scale=0.002), train=TrainConfig("sgd", lr=0.01, steps=10_000)
    ),
}
"""The paper's five trainings, by name."""


def make_config(run: RunName = "standard", **settings: object) -> RunConfig:
    """The configuration of a training of the paper's, with other settings where they are not None.

    Args:
        run: standard, grokking, quad_random, quad_single_freq or relu_single_freq.
        settings: Fields of `ModelConfig`, `DataConfig` and `TrainConfig`.

    Raises:
        ValueError: if the name is unknown, or a setting is out of its range.
        TypeError: if there is no such setting.
    """
    check_name("run", run, get_args(RunName))
    config, given = RUNS[run], {name: value for name, value in settings.items() if value is not None}
    parts = {}
    for name in ("model", "data", "train"):
        part = getattr(config, name)
        parts[name] = replace(part, **{key: given.pop(key) for key in list(given) if hasattr(part, key)})
    if given:
        raise TypeError(f"there is no setting {', '.join(given)}")
    return RunConfig(**parts)
