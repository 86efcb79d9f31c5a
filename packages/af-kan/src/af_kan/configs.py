"""Settings of layers, networks, data and trainings; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Activation = Literal["softplus", "sigmoid", "silu", "relu", "leaky_relu", "elu", "gelu", "selu", "tanh", "identity"]
Combination = Literal["quad1", "quad2", "sum", "prod", "sum_prod", "cubic1", "cubic2"]
"""How the two activations of a basis function are combined."""
ReductionName = Literal["global_attn", "multistep", "spatial_attn", "local_attn", "self_attn", "multihead_attn"]
"""How the n basis functions of a coordinate become one number."""
Norm = Literal["layer", "batch", "none"]
FeatureNorm = Literal["none", "batch", "sample", "running"]
Combine = Literal["sum", "product", "sum_product", "quadratic"]
"""How the outputs of several reductions become one."""
ModelKind = Literal["af-kan", "relu-kan", "bspline-kan", "rbf-kan", "faster-kan", "bsrbf-kan", "chebyshev-kan", "mlp"]
Task = Literal["classification", "regression"]

KINDS: dict[ModelKind, str] = {
    "af-kan": "AF-KAN",
    "mlp": "MLP",
    "relu-kan": "ReLU-KAN",
    "bspline-kan": "B-spline KAN",
    "rbf-kan": "RBF KAN (FastKAN)",
    "faster-kan": "FasterKAN",
    "bsrbf-kan": "BSRBF-KAN",
    "chebyshev-kan": "Chebyshev KAN",
}
"""The kinds of networks, by what they are called."""
MOST_LAYERS = 64
MOST_WIDTH = 1_000_000
MOST_FUNCTIONS = 1000


def widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers from their text, `64,32`; none from an empty one.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them, or too many or too large.
    """
    words = text.split(",") if text.strip() else []
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 64,32, not '{text}'")
    found = tuple(map(int, words))
    if len(found) > MOST_LAYERS or max(found, default=1) > MOST_WIDTH:
        raise ValueError(f"a network has at most {MOST_LAYERS} layers of at most {MOST_WIDTH:,} units, not '{text}'")
    return found


def names(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Names from their text, `mlp,relu-kan`.

    Raises:
        ValueError: if one is unknown; the sentence lists those that are known.
    """
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for name in found:
        check_name(what, name, known)
    return found


def check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    """See that a name is one of those that are known.

    Raises:
        ValueError: if it is not; the sentence lists them.
    """
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


@dataclass(frozen=True)
class LayerConfig:
    """An AF-KAN layer, but for its widths; the defaults are those that the paper's ablation ends with.

    Args:
        grid_size: Intervals g of the grid; there are n = g + k basis functions.
        order: Order k of the basis functions, whose supports are k + 1 intervals wide.
        activation: Activation function of basis functions and outputs: softplus, sigmoid, silu, relu, leaky_relu, elu,
            gelu, selu, tanh or identity.
        combination: Combination of two activations to a basis function: quad1, quad2, sum, prod, sum_prod, cubic1 or
            cubic2.
        reduction: Reduction of n functions to one: global_attn, multistep, spatial_attn, local_attn, self_attn or
            multihead_attn.
        norm: Normalization of what is reduced: layer, batch or none.
        feature_norm: Scaling of basis functions to [0, 1]: none, batch (over the whole batch, as published), sample
            (each sample by itself) or running (by the range seen in training).
        trainable_grid: Train the ends of the basis functions.
        norm_eps: Number that keeps the normalization from dividing by zero.

    Raises:
        ValueError: if a number is out of its range, or a name is unknown.
    """

    grid_size: int = 3
    order: int = 3
    activation: Activation = "silu"
    combination: Combination = "quad1"
    reduction: ReductionName = "global_attn"
    norm: Norm = "layer"
    feature_norm: FeatureNorm = "none"
    trainable_grid: bool = True
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        check_grid(self.grid_size, self.order)
        check_name("activation", self.activation, get_args(Activation))
        check_name("combination", self.combination, get_args(Combination))
        check_name("reduction", self.reduction, get_args(ReductionName))
        check_name("norm", self.norm, get_args(Norm))
        check_name("feature norm", self.feature_norm, get_args(FeatureNorm))
        check_positive(norm_eps=self.norm_eps)

    @property
    def n_functions(self) -> int:
        """Basis functions of a coordinate."""
        return self.grid_size + self.order


def check_grid(grid_size: int, order: int) -> None:
    """See that there can be a grid.

    Raises:
        ValueError: if the grid size is not positive, the order is negative, or there are too many functions.
    """
    if grid_size < 1:
        raise ValueError(f"the grid size must be at least 1, not {grid_size}")
    if order < 0:
        raise ValueError(f"the order must be at least 0, not {order}")
    if grid_size + order > MOST_FUNCTIONS:
        raise ValueError(f"grid size and order add up to at most {MOST_FUNCTIONS}, not {grid_size + order}")


@dataclass(frozen=True)
class BaselineConfig:
    """What only the networks have that AF-KAN is compared with.

    Args:
        intervals: Intervals of the grid of B-splines.
        spline_order: Degree of the B-splines.
        centers: Bumps of rbf-kan and faster-kan.
        degree: Degree of Chebyshev polynomials.
        final_activation: Apply the activation function of an mlp to its outputs too, as the authors' code does.

    Raises:
        ValueError: if a number is out of its range.
    """

    intervals: int = 5
    spline_order: int = 3
    centers: int = 8
    degree: int = 3
    final_activation: bool = False

    def __post_init__(self) -> None:
        for name, least in (("intervals", 1), ("spline_order", 0), ("centers", 2), ("degree", 0)):
            value = getattr(self, name)
            if not least <= value <= MOST_FUNCTIONS:
                raise ValueError(f"{name.replace('_', ' ')} must be from {least} to {MOST_FUNCTIONS}, not {value}")


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it.

    Args:
        kind: af-kan, mlp, relu-kan, bspline-kan, rbf-kan, faster-kan, bsrbf-kan or chebyshev-kan.
        hidden: Widths of the hidden layers, with commas.
        methods: Reductions that run side by side in an af-kan, with commas, such as global_attn,spatial_attn; the one
            of the layer if not given.
        combine: How the outputs of several methods are combined: sum, product, sum_product or quadratic.
        layer: The layers of an af-kan. An mlp takes activation and norm from it; relu-kan grid, order and norm; the
            others the norm.
        baseline: What only the other networks have.

    Raises:
        ValueError: if the widths are no numbers, or a name is unknown.
    """

    kind: ModelKind = "af-kan"
    hidden: str = "64"
    methods: str = ""
    combine: Combine = "sum"
    layer: LayerConfig = field(default_factory=LayerConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)

    def __post_init__(self) -> None:
        check_name("kind", self.kind, get_args(ModelKind))
        check_name("combination of methods", self.combine, get_args(Combine))
        widths(self.hidden)
        if names(self.methods, get_args(ReductionName), "method") and self.kind != "af-kan":
            raise ValueError(f"methods are those of an af-kan; {self.kind} has none")


@dataclass(frozen=True)
class DataConfig:
    """How a source is read.

    Args:
        target: Column of a table that is predicted; label, class, target or y, or else the last, if not given.
        task: Predict classes or numbers; auto decides by the target.
        size: Height and width to which images are resized.
        validation: Share of the training samples by which the weights are chosen.

    Raises:
        ValueError: if a number is out of its range.
    """

    target: str | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    size: int | None = None
    validation: float = 0.1

    def __post_init__(self) -> None:
        check_name("task", self.task, ("auto", *get_args(Task)))
        if self.size is not None and self.size < 1:
            raise ValueError(f"the size must be at least 1 pixel, not {self.size}")
        if not 0 < self.validation < 1:
            raise ValueError(f"the share of validation samples must lie between 0 and 1, not {self.validation}")


@dataclass(frozen=True)
class TrainConfig:
    """AdamW with an exponential decay; the defaults are the authors', but for the order of the samples.

    Args:
        epochs: Passes over the training samples.
        batch_size: Samples of a step.
        lr: Learning rate of the first epoch.
        weight_decay: Weight decay.
        gamma: Factor of the learning rate after each epoch.
        shuffle: Take the samples in a new random order in each epoch; the authors' code does not.
        seed: Seed of the weights, the validation part and the order of the samples.

    Raises:
        ValueError: if a number is out of its range.
    """

    epochs: int = 25
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 1e-4
    gamma: float = 0.8
    shuffle: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"the weight decay must not be negative, but it is {self.weight_decay}")
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be positive and at most 1, not {self.gamma}")
        check_seed(self.seed)


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The network.
        train: How it is trained.
        data: How the data is read.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: DataConfig = field(default_factory=DataConfig)


@dataclass(frozen=True)
class DataShape:
    """What the data says of a network.

    Args:
        sample: Shape of a sample.
        classes: Names of the classes; none for regression.
        target: Name of what is predicted.
    """

    sample: tuple[int, ...]
    classes: tuple[str, ...] = ()
    target: str = "y"

    def __post_init__(self) -> None:
        if not self.sample or min(self.sample) < 1:
            raise ValueError(f"a sample has one or more positive sizes, not {self.sample}")
        if len(self.classes) == 1:
            raise ValueError(f"a classifier needs at least 2 classes, but there is only '{self.classes[0]}'")

    @property
    def is_regression(self) -> bool:
        """Whether numbers are predicted."""
        return not self.classes

    @property
    def n_inputs(self) -> int:
        """Numbers of a sample."""
        return math.prod(self.sample)

    @property
    def n_outputs(self) -> int:
        """Outputs of a network: one for each class, or one number."""
        return len(self.classes) or 1
