"""Settings of networks, trainings and generated data; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from separata.configs import check_seed

Kind = Literal["mgno", "fno", "unet", "dilated-resnet"]
PaddingName = Literal["zeros", "circular", "reflect"]
ActivationName = Literal["gelu", "relu", "tanh", "silu", "identity"]
BiasName = Literal["none", "scalar", "function"]
NormName = Literal["none", "cycle", "layer", "both"]
HeadName = Literal["pointwise", "operator"]
TransferName = Literal["cell", "vertex"]
NormalizerName = Literal["none", "global", "pointwise"]
LossName = Literal["h1", "l2", "h1-differences", "helmholtz"]
ProblemName = Literal["darcy", "darcy-rough", "darcy-multiscale", "navier-stokes", "helmholtz"]


def cycles_of(text: str) -> tuple[tuple[int, int], ...]:
    """Smoothing steps from their text, `10,10,21,20`: two digits a level, down and up, the finest level first.

    Raises:
        ValueError: if it is no such text.
    """
    words = [word.strip() for word in text.replace(",", " ").split()]
    if not words or not all(len(word) == 2 and word.isascii() and word.isdigit() for word in words):
        raise ValueError(
            f"cycles are two digits a level, steps down and up, with commas between, such as 10,10,20, not '{text}'"
        )
    return tuple((int(word[0]), int(word[1])) for word in words)


@dataclass(frozen=True)
class ProblemConfig:
    """An equation and its grid.

    Args:
        resolution: Points along each side.
        refinement: How many times finer the grid is on which an equation is solved; 1 if not given, and 4 for
            darcy-multiscale, whose coefficient is finer than most grids.
        viscosity: Of navier-stokes.
        unforced: Of navier-stokes: let nothing drive the flow; the operator is then the same at every place.
        n_frames: Of navier-stokes: times of a trajectory, one unit apart, the first among them.
        frequency: Of helmholtz.

    Raises:
        ValueError: if a number is out of range.
    """

    resolution: int = 64
    refinement: int | None = None
    viscosity: float = 1e-5
    unforced: bool = False
    n_frames: int = 11
    frequency: float = 1000.0

    def __post_init__(self) -> None:
        for name, least in {"resolution": 4, "refinement": 1, "n_frames": 2}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if not 0 <= self.viscosity < math.inf:
            raise ValueError(f"viscosity must not be negative, not {self.viscosity}")
        if not 0 < self.frequency < math.inf:
            raise ValueError(f"frequency must be positive, not {self.frequency}")


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it.

    Args:
        kind: The network; fno, unet and dilated-resnet are the baselines.
        width: Channels; as usual for the kind (24, 32, 32 and 48) if not given.
        num_layers: Hidden layers, levels of unet, or blocks of dilated-resnet; 4 if not given.
        cycles: Smoothing steps on each level, two digits a level, down and up; 10,...,10,20 on at most six levels, as
            the grid allows, if not given.
        padding_mode: Boundary condition: zeros (Dirichlet), circular (periodic) or reflect (Neumann).
        activation: Activation function.
        pointwise_skip: Add a map of the channels at each point to every layer.
        residual: Add the input function to the output: for the change over a time step.
        norm: Where functions are normalized: nowhere, on the way up of cycles, before activations, or both.
        bias: What is added to each neuron: nothing, a number, or a function on the domain.
        head: Last linear map: at each point, or another cycle.
        operator_bias: Add a number to each channel of A and S in the cycles.
        lift_project: Lift the input and project the output at each point, as other neural operators do.
        growth: Use more channels on coarser levels.
        transfer: How coarse grids lie on finer ones.
        n_modes: Positive wavenumbers of fno along each axis.
        x_normalizer: Normalization of the given functions: none, one for each channel, or one at each point.
        y_normalizer: The same of the wanted functions, undone inside the network.

    Raises:
        ValueError: if a number is out of range.
    """

    kind: Kind = "mgno"
    width: int | None = None
    num_layers: int = 4
    cycles: str | None = None
    padding_mode: PaddingName = "zeros"
    activation: ActivationName = "gelu"
    pointwise_skip: bool = True
    residual: bool = False
    norm: NormName = "none"
    bias: BiasName = "scalar"
    head: HeadName = "pointwise"
    operator_bias: bool = False
    lift_project: bool = False
    growth: bool = False
    transfer: TransferName = "cell"
    n_modes: int = 12
    x_normalizer: NormalizerName = "global"
    y_normalizer: NormalizerName = "global"

    def __post_init__(self) -> None:
        for name in ("width", "num_layers", "n_modes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {value}")
        for name, kind in {"kind": Kind, "x_normalizer": NormalizerName, "y_normalizer": NormalizerName}.items():
            if getattr(self, name) not in get_args(kind):
                given = f"{', '.join(get_args(kind))}, not {getattr(self, name)}"
                raise ValueError(f"{name.replace('_', ' ')} must be one of {given}")
        if self.cycles is not None:
            cycles_of(self.cycles)


@dataclass(frozen=True)
class DataShape:
    """What data says of a network.

    Args:
        in_channels: Functions that are given.
        out_channels: Functions that are wanted.
        height: Rows of the grid.
        width: Columns of the grid.
    """

    in_channels: int
    out_channels: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule; the defaults are the paper's for Darcy's equation.

    Args:
        epochs: Passes over the training data.
        lr: Largest learning rate.
        batch_size: Samples in a step.
        weight_decay: Weight decay, which is added to the gradient.
        loss: Relative error by which the network is trained: h1 (Fourier), l2, h1-differences, or that for Helmholtz.
        h1_weight: Weight of the gradient in h1; 1 for Darcy, 2 for Navier-Stokes.
        pct_start: Share of the epochs in which the learning rate grows.
        div_factor: How many times smaller the first learning rate is.
        final_div_factor: How many times smaller than the first the last learning rate is.
        seed: Random seed of initial weights and batches.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int = 500
    lr: float = 5e-4
    batch_size: int = 8
    weight_decay: float = 1e-4
    loss: LossName = "h1"
    h1_weight: float = 1.0
    pct_start: float = 0.2
    div_factor: float = 2.0
    final_div_factor: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        for name in ("weight_decay", "h1_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name.replace('_', ' ')} must not be negative, not {getattr(self, name)}")
        if not 0 < self.pct_start < 1:
            raise ValueError(f"pct start must be between 0 and 1, not {self.pct_start}")
        for name in ("div_factor", "final_div_factor"):
            if not 1 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
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
