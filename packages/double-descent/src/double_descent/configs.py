"""Settings of features, optimizers, data and networks; without PyTorch, so that the command line answers at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Activation = Literal["relu", "tanh", "none"]
Normalize = Literal["none", "center", "standardize"]
OptimizerName = Literal["gd", "momentum", "nesterov", "sgd", "adam", "lbfgs", "cg", "ridge", "exact"]
LayerNorm = Literal["none", "batch", "layer"]
Loss = Literal["mse", "cross-entropy"]

CLOSED_FORM = ("gd", "momentum", "nesterov", "ridge", "exact")
"""Optimizers whose result after any number of steps has a closed form."""
BY_RATE = ("gd", "momentum", "nesterov", "sgd")
"""Optimizers whose learning rate is in units of 1 / h_max."""
LABELS: dict[str, str] = {
    "gd": "gradient descent",
    "momentum": "momentum",
    "nesterov": "Nesterov",
    "sgd": "SGD",
    "adam": "Adam",
    "lbfgs": "L-BFGS",
    "cg": "conjugate gradients",
    "ridge": "ridge",
    "exact": "least squares",
}
"""What optimizers are called."""


@dataclass(frozen=True)
class FeatureConfig:
    """Random features.

    Args:
        activation: Nonlinearity: relu, tanh, or none for the first columns of the inputs themselves, shuffled.
        scale: Standard deviation of a unit's input; the scale of the first layer at initialization.
        normalize: Features as they are (none), centered (center) or standardized (standardize); the latter two also
            center the targets, as an intercept does.
    """

    activation: Activation = "relu"
    scale: float = 1.0
    normalize: Normalize = "none"

    def __post_init__(self) -> None:
        check_name("activation", self.activation, get_args(Activation))
        check_name("normalization", self.normalize, get_args(Normalize))
        check_positive(scale=self.scale)


@dataclass(frozen=True)
class FitConfig:
    """How the last layer is trained.

    Args:
        optimizer: gd, momentum, nesterov, sgd, adam, lbfgs, cg, ridge or exact (least squares).
        lr: Learning rate, in units of 1 / h_max of the features (gd, momentum, nesterov, sgd) or absolute (adam);
            by default 1, for sgd 0.1 and for adam 0.01.
        momentum: Of momentum and nesterov.
        batch_size: Of sgd.
        init_std: Standard deviation of the weights at initialization.
        ridge: Penalty α of ridge, in (1/2N) ||ZW − Y||² + (α/2) ||W||².
    """

    optimizer: OptimizerName = "gd"
    lr: float | None = None
    momentum: float = 0.9
    batch_size: int = 32
    init_std: float = 0.0
    ridge: float = 1e-8

    def __post_init__(self) -> None:
        check_name("optimizer", self.optimizer, get_args(OptimizerName))
        if self.lr is not None:
            check_positive(lr=self.lr)
            limit = largest_rate(self.optimizer, self.momentum)
            if self.optimizer in BY_RATE and self.lr >= limit:
                raise ValueError(
                    f"{LABELS[self.optimizer]} diverges with a learning rate of {self.lr:g} / h_max; it must be below "
                    f"{limit:.4g} / h_max"
                )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"the momentum must be at least 0 and below 1, not {self.momentum}")
        if self.batch_size < 1:
            raise ValueError(f"the batch size must be at least 1, not {self.batch_size}")
        check_not_negative(init_std=self.init_std, ridge=self.ridge)

    @property
    def rate(self) -> float:
        """The learning rate: what is given, or the default of the optimizer."""
        return self.lr if self.lr is not None else {"sgd": 0.1, "adam": 0.01}.get(self.optimizer, 1.0)


@dataclass(frozen=True)
class DataConfig:
    """What is learned from.

    Args:
        n_train: Samples for training, N; by default 300, or all of a file's training part if these are fewer.
        n_test: Samples for testing; 2000, or what there is.
        label_noise: Share of the training labels that is replaced by random ones.
        validation: Samples for the choice of a budget, besides those for training, as a share of N.
    """

    n_train: int | None = None
    n_test: int = 2000
    label_noise: float = 0.0
    validation: float = 0.0

    def __post_init__(self) -> None:
        if self.n_train is not None and self.n_train < 2:
            raise ValueError(f"N must be at least 2 samples, not {self.n_train}")
        if self.n_test < 1:
            raise ValueError(f"there must be at least 1 sample for testing, not {self.n_test}")
        if not 0 <= self.label_noise <= 1:
            raise ValueError(f"the share of noisy labels must be between 0 and 1, not {self.label_noise}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"the share of validation samples must be at least 0 and below 1, not {self.validation}")


@dataclass(frozen=True)
class NetworkConfig:
    """A two-layer network and its training, all weights included.

    Args:
        activation: Nonlinearity: relu or tanh.
        norm: Normalization before the activation: none, batch or layer.
        init_scale: Factor of PyTorch's default initialization.
        loss: mse or cross-entropy, of which the squared errors are those of the probabilities.
        optimizer: gd, momentum, sgd or adam.
        lr: Learning rate; by default 0.01, for adam 0.003.
        batch_size: Of sgd, and of adam with batches; 0 is all samples at once.
        epochs: Passes over the data.
    """

    activation: Literal["relu", "tanh"] = "relu"
    norm: LayerNorm = "none"
    init_scale: float = 1.0
    loss: Loss = "mse"
    optimizer: Literal["gd", "momentum", "sgd", "adam"] = "adam"
    lr: float | None = None
    batch_size: int = 0
    epochs: int = 1000

    def __post_init__(self) -> None:
        check_name("activation", self.activation, ("relu", "tanh"))
        check_name("normalization", self.norm, get_args(LayerNorm))
        check_name("loss", self.loss, get_args(Loss))
        check_name("optimizer of networks", self.optimizer, ("gd", "momentum", "sgd", "adam"))
        check_positive(init_scale=self.init_scale, lr=self.rate)
        if self.epochs < 0 or self.batch_size < 0:
            raise ValueError(f"epochs and batch size must not be negative: {self.epochs}, {self.batch_size}")

    @property
    def rate(self) -> float:
        """The learning rate: what is given, or the default of the optimizer."""
        return self.lr if self.lr is not None else (0.003 if self.optimizer == "adam" else 0.01)


def largest_rate(optimizer: str, momentum: float = 0.9) -> float:
    """The learning rate at which an optimizer begins to diverge, in units of 1 / h_max.

    2 for gradient descent, 2 (1 + β) for momentum, 2 (1 + β) / (1 + 2β) for Nesterov's. Batches of SGD differ, so that
    its own limit is lower than 2, and depends on the data.
    """
    factors = {"momentum": 1 + momentum, "nesterov": (1 + momentum) / (1 + 2 * momentum)}
    return 2 * factors.get(optimizer, 1.0)


def parse_budgets(text: str) -> tuple[float, ...]:
    """Numbers of steps from their text, `1e3,1e5,inf`, in increasing order.

    Raises:
        ValueError: if one is no whole number of steps from 0 on, nor infinite.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"steps are numbers with commas, such as 1e3,1e5,inf, not '{text}'") from None
    return check_budgets(numbers)


def check_budgets(budgets: Sequence[float]) -> tuple[float, ...]:
    """Numbers of steps, each once and in increasing order.

    Raises:
        ValueError: if there is none, or one is no whole number from 0 on, nor infinite.
    """
    if not budgets:
        raise ValueError("give at least one number of steps")
    for steps in budgets:
        if not steps >= 0 or (math.isfinite(steps) and steps != int(steps)):
            raise ValueError(f"a number of steps must be a whole number from 0 on, or inf, not {steps:g}")
    return tuple(sorted({float(steps) for steps in budgets}))


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths from their text, `75,150,300`, each once and in increasing order.

    Raises:
        ValueError: if one is not a positive whole number.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas, such as 75,150,300, not '{text}'")
    return tuple(sorted({int(word) for word in words}))


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Widths, each once and in increasing order.

    Raises:
        ValueError: if there is none, or one is not positive.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"widths must be positive, not {list(widths)}")
    return tuple(sorted(set(widths)))


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Seeds that random numbers can be drawn from.

    Raises:
        ValueError: if there is none, one occurs twice, or one is out of range.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"give one seed or more, each once, not {list(seeds)}")
    for seed in seeds:
        check_seed(seed)
    return tuple(seeds)


def check_name(what: str, name: str, known: Sequence[str]) -> None:
    """See that a setting is one of those that there are."""
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


def check_not_negative(**values: float) -> None:
    """See that numbers are finite and not negative."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name.replace('_', ' ')} must not be negative, but it is {value}")


def told_steps(steps: float) -> str:
    """A number of steps as people write it: 300, 10⁴, ∞."""
    if math.isinf(steps):
        return "∞"
    exponent = round(math.log10(steps)) if steps > 0 else 0
    if steps >= 1000 and steps == 10.0**exponent:
        return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{steps:,.0f}"
