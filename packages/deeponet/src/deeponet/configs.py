"""Settings of networks, trainings and generated data; without PyTorch, so that the command line answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

Strategy = Literal["independent", "split_both", "split_branch", "split_trunk"]
"""How branch and trunk share the work where there is more than one output."""
Activation = Literal["relu", "tanh", "gelu", "silu", "elu", "sin"]
Kind = Literal["deeponet", "fnn", "resnet"]
Cell = Literal["rnn", "gru", "lstm"]
ProblemName = Literal[
    "antiderivative",
    "nonlinear-ode",
    "pendulum",
    "diffusion-reaction",
    "advection-1",
    "advection-2",
    "advection-3",
    "advection-4",
    "advection-diffusion",
    "legendre",
    "sode",
    "spde",
]
SpaceName = Literal["grf", "kl", "power", "chebyshev"]
KernelName = Literal["rbf", "matern12"]


def widths(text: str) -> tuple[int, ...]:
    """Widths of layers from their text, `40,40`.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them.
    """
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 40,40, not '{text}'")
    return tuple(map(int, words))


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it.

    Args:
        kind: The network; fnn and resnet are baselines on the joined values of u and y.
        branch: Widths of the branch's layers, with commas; the last is p. Of a baseline, those of its hidden layers.
        trunk: Widths of the trunk's layers, with commas; the last is p, too.
        stacked: Use p separate branch networks.
        bias: Add a trainable number to each output.
        activation: Activation function.
        strategy: How several outputs are made: independent networks, or one branch, trunk or both split.

    Raises:
        ValueError: if the widths are no numbers, or an option does not apply to a baseline.
    """

    kind: Kind = "deeponet"
    branch: str = "40,40"
    trunk: str = "40,40"
    stacked: bool = False
    bias: bool = True
    activation: Activation = "relu"
    strategy: Strategy = "independent"

    def __post_init__(self) -> None:
        widths(self.branch)
        widths(self.trunk)
        idle = {"stacked": self.stacked, "bias": not self.bias, "strategy": self.strategy != "independent"}
        if self.kind != "deeponet" and any(idle.values()):
            named = " and ".join(name for name, is_set in idle.items() if is_set)
            raise ValueError(f"{named} does not apply to the network {self.kind}")


@dataclass(frozen=True)
class ProblemConfig:
    """A problem, and the functions that it is posed for.

    Args:
        space: Input functions: Gaussian random fields (grf), truncated Karhunen-Loeve expansions (kl), power series or
            Chebyshev series.
        kernel: Covariance of Gaussian fields.
        length_scale: Correlation length of Gaussian fields.
        n_modes: Terms of a series or an expansion; 10 for kl, 100 for power, 20 for chebyshev, if not given.
        bound: Largest coefficient of a series.
        length: Length T of the interval of an ordinary differential equation.
        n_sensors: Sensors of the input functions.
        n_grid: Points in space, and in time, of the grid on which partial differential equations are solved.
        pathwise: Of sode and spde: predict paths, given the random variables, instead of their mean.
        n_paths: Of spde: paths of a mean.

    Raises:
        ValueError: if a number is out of range.
    """

    space: SpaceName = "grf"
    kernel: KernelName = "rbf"
    length_scale: float = 0.2
    n_modes: int | None = None
    bound: float = 1.0
    length: float = 1.0
    n_sensors: int = 100
    n_grid: int = 100
    pathwise: bool = False
    n_paths: int = 20_000

    def __post_init__(self) -> None:
        check_positive(length_scale=self.length_scale, bound=self.bound, length=self.length)
        least = {"n_sensors": 2, "n_grid": 4, "n_modes": 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ValueError(f"{name} must be at least {smallest}, not {value}")
        if self.n_paths < 2 or self.n_paths % 2:
            raise ValueError(f"n_paths must be a positive even number, not {self.n_paths}")


@dataclass(frozen=True)
class DataShape:
    """What data says of a network.

    Args:
        n_sensors: Values of each input function.
        n_coordinates: Coordinates of a point.
        n_outputs: Values at a point.
    """

    n_sensors: int
    n_coordinates: int = 1
    n_outputs: int = 1


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule; the defaults are the paper's.

    Args:
        steps: Steps of Adam.
        lr: Learning rate.
        batch_size: Functions in a step; all of them if not given.
        check_every: Steps after which the training loss is compared with the best so far, whose weights are kept.
        seed: Random seed of initial weights and batches.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 50_000
    lr: float = 1e-3
    batch_size: int | None = None
    check_every: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "check_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"the batch size must be at least 1, not {self.batch_size}")
        check_seed(self.seed)


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The network.
        train: How it is trained.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
