"""Settings of models, training and inference. The defaults are the paper's."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Variant = Literal["dt", "ct", "fm", "backprop", "adjoint"]
Architecture = Literal["auto", "conv", "mlp"]
EmbeddingKind = Literal["one-hot", "learned", "prototype"]
HeadKind = Literal["linear", "radial"]
Order = Literal["parallel", "sequential", "random"]
SamplerName = Literal["ancestral", "ode-euler", "ode-heun"]

DISCRETE: tuple[Variant, ...] = ("dt", "backprop")
"""Variants that have a block for each step."""
MOST_GAMMA = 10.0
"""Log-odds beyond which 1 - abar is hardly more than the rounding of abar in single precision."""


def numbers(text: str) -> tuple[int, ...]:
    """Positive whole numbers from a text with commas, `"32,64,128"`.

    Raises:
        ValueError: if it is anything else.
    """
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise ValueError(f"expected positive whole numbers with commas between them, such as 32,64,128, not '{text}'")
    return found


@dataclass(frozen=True)
class ModelConfig:
    """A model; how many classes and which samples, the data says.

    Args:
        variant: Diffusion in discrete time (dt), in continuous time (ct), or flow matching (fm); or a baseline with
            the same blocks: dt unrolled (backprop), or ct as a neural ODE (adjoint).
        architecture: Convolutions for images (conv) or layers on features (mlp); auto decides by the data.
        channels: Channels of the convolutions, with commas; the first two are followed by pooling.
        width: Units of each branch and of the first joint layer.
        n_steps: Steps T of dt and backprop, each with a block of its own.
        embedding: What a class is to the diffusion: one-hot, a learned vector, or a learned prototype image.
        dim: Dimension of learned vectors.
        freeze_embedding: Keep a learned embedding as it begins, so that blocks depend on nothing shared.
        head: How a class is read from the last state: a linear layer, or distances to the embeddings.
        sigma: Scale of these distances.
        head_start: Of the linear head: begin as the class with the nearest embedding, with logits of this scale; at
            random if 0. If not given, 5 for backprop and adjoint, which learn late from a random one, and 0 for others.
        eta: Weight of the denoising loss; 0.1 for dt and 1 for ct if not given.
        gamma: Of ct: the noise level begins at log-odds of plus this number, at most 10, and ends at minus it.
        flow_noise: Of fm: noise added to the states that are trained on.
        dropout: Share of the image branch's features that is dropped in training.

    Raises:
        ValueError: if a number is out of range, or an option does not apply.
    """

    variant: Variant = "dt"
    architecture: Architecture = "auto"
    channels: str = "32,64,128"
    width: int = 256
    n_steps: int = 10
    embedding: EmbeddingKind = "one-hot"
    dim: int = 20
    freeze_embedding: bool = False
    head: HeadKind = "linear"
    sigma: float = 1.0
    head_start: float | None = None
    eta: float | None = None
    gamma: float = 7.0
    flow_noise: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (
            ("variant", Variant),
            ("architecture", Architecture),
            ("embedding", EmbeddingKind),
            ("head", HeadKind),
        ):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"the {name} must be one of {', '.join(get_args(kind))}, not '{getattr(self, name)}'")
        numbers(self.channels)
        check_positive(sigma=self.sigma, gamma=self.gamma, **({} if self.eta is None else {"eta": self.eta}))
        if self.gamma > MOST_GAMMA:
            raise ValueError(f"gamma must be at most {MOST_GAMMA:g}, the limit of single precision, not {self.gamma}")
        for name, least in (("width", 4), ("n_steps", 1), ("dim", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        for name, value in (("flow_noise", self.flow_noise), ("head_start", self.head_start or 0.0)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0 and finite, not {value}")
        if self.head_start and self.head != "linear":
            raise ValueError("head_start is how the linear head begins; the radial one has none")

    @property
    def is_discrete(self) -> bool:
        """Whether there is a block for each step."""
        return self.variant in DISCRETE


@dataclass(frozen=True)
class TrainConfig:
    """Optimizer and schedule.

    Args:
        epochs: Passes over the data.
        batch_size: Samples in a step.
        lr: Learning rate of AdamW, or for ct, fm and adjoint of Adam.
        weight_decay: Weight decay of AdamW, or L2 penalty of Adam.
        order: Of dt: all blocks at once (parallel), one after the other in each epoch (sequential, as published), or so
            in a random order.
        blocks_at_once: Of the order parallel: blocks whose activations are held at a time; all if 0.
        chain_noise: Of backprop: train through a chain with its sampling noise.
        steps: Of ct, fm and adjoint: steps of the chain in training (adjoint) and for accuracies that are shown.
        seed: Random seed of weights, batches and noise.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int = 100
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 1e-3
    order: Order = "parallel"
    blocks_at_once: int = 0
    chain_noise: bool = True
    steps: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise ValueError(f"the order must be one of {', '.join(get_args(Order))}, not '{self.order}'")
        for name, least in (("epochs", 1), ("batch_size", 2), ("steps", 1), ("blocks_at_once", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name.replace('_', ' ')} must be at least {least}, not {getattr(self, name)}")
        if not 0 < self.lr <= 1:
            raise ValueError(f"the learning rate must be positive and at most 1, not {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"the weight decay must be at least 0 and finite, not {self.weight_decay}")
        check_seed(self.seed)


@dataclass(frozen=True)
class SamplerConfig:
    """How a model is run.

    Args:
        sampler: Of ct: ancestral sampling, or the probability-flow ODE by Euler's or Heun's method; of fm and adjoint:
            Euler's or Heun's method; for ancestral, fm takes Heun's and adjoint Euler's.
        steps: Of ct and fm: steps of the chain.
        n_runs: Runs whose class probabilities are averaged.
        deterministic: Leave out all noise: one run from zero.
        seed: Random seed of the noise.

    Raises:
        ValueError: if a number is out of range.
    """

    sampler: SamplerName = "ancestral"
    steps: int = 1000
    n_runs: int = 5
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sampler not in get_args(SamplerName):
            raise ValueError(f"the sampler must be one of {', '.join(get_args(SamplerName))}, not '{self.sampler}'")
        for name in ("steps", "n_runs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        check_seed(self.seed)


@dataclass(frozen=True)
class DataConfig:
    """Which part of the data is used.

    Args:
        validation: Share of the training samples that is held out.
        n_train: Training samples, a stratified choice; all if not given.
        size: Height and width in pixels to which images are resized.

    Raises:
        ValueError: if the share is not between 0 and 1.
    """

    validation: float = 0.1
    n_train: int | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise ValueError(f"the share of validation samples must lie between 0 and 1, not {self.validation}")


@dataclass(frozen=True)
class SampleShape:
    """What the data says of a model.

    Args:
        shape: Shape of a sample: (channels, height, width), or (features,).
        classes: Names of the classes.

    Raises:
        ValueError: if a sample has no numbers.
    """

    shape: tuple[int, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"a sample has at least one axis, and each at least one number; its shape is {self.shape}")

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)


@dataclass(frozen=True)
class RunConfig:
    """All that a training depends on, besides its data.

    Args:
        model: The model.
        train: How it is trained.
        data: Which part of the data is used.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: DataConfig = field(default_factory=DataConfig)
