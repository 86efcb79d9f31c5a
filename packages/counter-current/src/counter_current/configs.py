"""Settings of networks, losses, rules and trainings; without PyTorch, so that the command line answers at once."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from separata.configs import check_positive, check_seed

Architecture = Literal["mlp", "cnn", "strided-cnn", "autoencoder"]
Activation = Literal["elu", "relu", "tanh", "gelu", "sigmoid", "identity"]
Norm = Literal["none", "before", "after"]
"""Where batch normalization stands: before or after each linear map, or nowhere."""
Similarity = Literal["dot", "cosine"]
Targets = Literal["prototypes", "batch"]
RuleName = Literal["ccl", "bp", "fa", "dfa", "drtp", "fw-dtp", "dtp", "output-only"]
PresetName = Literal["mnist-mlp", "cifar10-mlp", "mnist-cnn", "cifar10-cnn", "cifar100-cnn", "stl10-ae"]

RULES: dict[RuleName, str] = {
    "ccl": "counter-current learning",
    "bp": "back-propagation",
    "fa": "feedback alignment",
    "dfa": "direct feedback alignment",
    "drtp": "direct random target projection",
    "fw-dtp": "fixed-weight difference target propagation",
    "dtp": "difference target propagation",
    "output-only": "the output layer alone on random features",
}
"""The learning rules, by what they are called."""
SCALES: dict[Similarity, float] = {"dot": 0.5, "cosine": 1.0}
"""The usual weight s of the pair losses; the dot form has a factor of 256 / width besides."""
AUTOENCODER_RULES = ("ccl", "bp", "fa", "output-only")
"""The rules that need no classes."""
MOST_PARTS = 64
"""Hidden layers that a network may have."""


def widths(text: str) -> tuple[int, ...]:
    """Widths of layers from their text, `256,256`.

    Raises:
        ValueError: if they are not positive whole numbers with commas between them, or too many.
    """
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) for word in words):
        raise ValueError(f"widths are positive whole numbers with commas between them, such as 256,256, not '{text}'")
    if len(words) > MOST_PARTS:
        raise ValueError(f"a network has at most {MOST_PARTS} hidden layers, not {len(words)}")
    return tuple(map(int, words))


def _check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name.replace('_', ' ')} must not be negative, but it is {value}")


@dataclass(frozen=True)
class NetworkConfig:
    """A dual network, but for what the data says of it.

    Args:
        architecture: mlp; cnn (3 x 3 convolutions, each with 2 x 2 max pooling); strided-cnn (convolutions of stride
            2); or autoencoder (strided convolutions and their mirror).
        widths: Widths of the hidden layers, with commas; channels of the convolutions, or of the encoder.
        activation: Activation function between layers, in both directions.
        norm: Batch normalization without affine parameters: none, before or after each linear map.
        bias: Add biases to the linear maps, in both directions.
        standardize: Standardize the inputs by the mean and standard deviation of each channel or feature; not those of
            an autoencoder.

    Raises:
        ValueError: if the widths are no numbers, or a name is unknown.
    """

    architecture: Architecture = "mlp"
    widths: str = "256,256,256,256,256"
    activation: Activation = "elu"
    norm: Norm = "none"
    bias: bool = False
    standardize: bool = True

    def __post_init__(self) -> None:
        widths(self.widths)
        _check_name("architecture", self.architecture, get_args(Architecture))
        _check_name("activation", self.activation, get_args(Activation))
        _check_name("norm", self.norm, get_args(Norm))


@dataclass(frozen=True)
class DataShape:
    """What the data says of a network.

    Args:
        sample: Shape of a sample.
        n_classes: Number of classes; None for an autoencoder.
    """

    sample: tuple[int, ...]
    n_classes: int | None

    def __post_init__(self) -> None:
        if not self.sample or min(self.sample) < 1:
            raise ValueError(f"a sample has one or more positive sizes, not {self.sample}")
        if self.n_classes is not None and self.n_classes < 2:
            raise ValueError(f"a classifier needs at least 2 classes, not {self.n_classes}")


@dataclass(frozen=True)
class LossConfig:
    """The local losses of counter-current learning.

    Args:
        similarity: dot (weighted by 256 / width) or cosine (rows of unit length).
        scale: Weight s of the pair losses.
        decorrelation: Weight r of the terms that push samples, and class signals, apart; cosine only.
        flood_threshold: Leave samples out of the pair losses whose true class has a probability above 1 minus this; 0
            for none.
        targets: Run the feedback network on the classes (prototypes) or on the labels of the batch (batch).
        normalized: Weight of the term on normalized maps; autoencoders only.

    Raises:
        ValueError: if a number is out of its range, or a name is unknown.
    """

    similarity: Similarity = "dot"
    scale: float = 0.5
    decorrelation: float = 0.0
    flood_threshold: float = 0.0
    targets: Targets = "prototypes"
    normalized: float = 1.0

    def __post_init__(self) -> None:
        _check_name("similarity", self.similarity, get_args(Similarity))
        _check_name("targets", self.targets, get_args(Targets))
        check_positive(scale=self.scale)
        _check_not_negative(decorrelation=self.decorrelation, normalized=self.normalized)
        if not 0 <= self.flood_threshold < 1:
            raise ValueError(f"the flood threshold must be from 0 to below 1, not {self.flood_threshold}")
        if self.decorrelation and self.similarity == "dot":
            raise ValueError("decorrelation needs the similarity cosine")


@dataclass(frozen=True)
class TargetConfig:
    """Target propagation.

    Args:
        target_step: Step β of the output's target along the negative gradient of the loss.
        noise: Standard deviation of the noise with which DTP trains its feedback.
        feedback_steps: Evaluations of the reconstruction loss of DTP's feedback for each step.

    Raises:
        ValueError: if a number is not positive.
    """

    target_step: float = 1.0
    noise: float = 0.1
    feedback_steps: int = 1

    def __post_init__(self) -> None:
        check_positive(target_step=self.target_step, noise=self.noise, feedback_steps=self.feedback_steps)


@dataclass(frozen=True)
class TrainConfig:
    """Two optimizers, SGD on the forward and on the feedback weights, and their schedule.

    Args:
        epochs: Passes over the training samples.
        batch_size: Samples of a step.
        lr: Learning rate of the forward weights.
        lr_feedback: Learning rate of the feedback weights; 0 keeps them as they began.
        momentum: Momentum of both.
        weight_decay: Weight decay of both.
        clip: Largest norm of the forward weights' gradient; 0 for any.
        clip_feedback: The same of the feedback weights.
        cosine: Let the rates fall to `eta_min` along a cosine.
        eta_min: Rate at the end of the cosine.
        warmup: Steps over which the loss grows to its full weight.
        centralize: Subtract from each gradient its mean over all but the first dimension.
        augment: Crop at random from images with 4 pixels of padding, and mirror every other one.
        seed: Seed of the weights, the random feedback and the order of the samples.

    Raises:
        ValueError: if a number is out of its range.
    """

    epochs: int = 100
    batch_size: int = 256
    lr: float = 1.0
    lr_feedback: float = 1.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip: float = 1.0
    clip_feedback: float = 1.0
    cosine: bool = False
    eta_min: float = 1e-3
    warmup: int = 0
    centralize: bool = False
    augment: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        _check_not_negative(
            lr_feedback=self.lr_feedback,
            weight_decay=self.weight_decay,
            clip=self.clip,
            clip_feedback=self.clip_feedback,
            eta_min=self.eta_min,
            warmup=self.warmup,
        )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"the momentum must be from 0 to below 1, not {self.momentum}")
        check_seed(self.seed)


@dataclass(frozen=True)
class RunConfig:
    """A network and how it is trained.

    Args:
        network: The network.
        rule: Learning rule.
        loss: The losses of `ccl`.
        target: The settings of `fw-dtp` and `dtp`.
        train: Optimizers and schedule.

    Raises:
        ValueError: if the rule is unknown, or does not train such a network.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    rule: RuleName = "ccl"
    loss: LossConfig = field(default_factory=LossConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        _check_name("rule", self.rule, tuple(RULES))
        if self.network.architecture == "autoencoder" and self.rule not in AUTOENCODER_RULES:
            raise ValueError(
                f"the rule {self.rule} needs classes; autoencoders are trained by {', '.join(AUTOENCODER_RULES)}"
            )

    @property
    def is_autoencoder(self) -> bool:
        """Whether the target of a sample is the sample."""
        return self.network.architecture == "autoencoder"


@dataclass(frozen=True)
class Changes:
    """Settings to use instead of a preset's; what is not given is the preset's.

    Args:
        rule: Learning rule: ccl, bp, fa, dfa, drtp, fw-dtp, dtp or output-only; ccl if not given.
        widths: Widths of the hidden layers, or channels, with commas.
        activation: Activation function: elu, relu, tanh, gelu, sigmoid or identity.
        norm: Batch normalization: none, before or after each linear map.
        similarity: Similarity of the pair losses, dot or cosine, with its usual weight.
        decorrelation: Weight of the terms that push samples apart; with the similarity cosine.
        flood_threshold: Leave samples out whose true class has a probability above 1 minus this.
        epochs: Passes over the training samples.
        batch_size: Samples of a step.
        lr: Learning rate of the forward weights.
        lr_feedback: Learning rate of the feedback weights; 0 keeps them as they began.
        momentum: Momentum of both optimizers.
        clip: Largest norm of the forward and of the feedback weights' gradient; 0 for any.
        seed: Seed of the weights and of the order of the samples.
    """

    rule: RuleName | None = None
    widths: str | None = None
    activation: Activation | None = None
    norm: Norm | None = None
    similarity: Similarity | None = None
    decorrelation: float | None = None
    flood_threshold: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    lr_feedback: float | None = None
    momentum: float | None = None
    clip: float | None = None
    seed: int | None = None

    def applied(self, config: RunConfig) -> RunConfig:
        """A configuration with these settings in it.

        Raises:
            ValueError: if they do not go together.
        """
        given = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}
        given.pop("rule", None)
        if given.get("similarity", config.loss.similarity) != config.loss.similarity:
            given = {"scale": SCALES[given["similarity"]], "decorrelation": 0.0} | given
        if "clip" in given:
            given["clip_feedback"] = given["clip"]
        return replace(config, **{name: _part(getattr(config, name), given) for name in ("network", "loss", "train")})


def _part(config: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - a dataclass
    return replace(config, **{one.name: given[one.name] for one in fields(config) if one.name in given})


# ---- presets: what the authors' configuration files say

_MLP_TRAIN = TrainConfig()
_CNN_LOSS = LossConfig("cosine", scale=1.0, decorrelation=0.5)
_CNN_TRAIN = TrainConfig(
    batch_size=128,
    momentum=0.8,
    weight_decay=1e-6,
    clip=0.3,
    clip_feedback=0.3,
    cosine=True,
    warmup=100,
    centralize=True,
    augment=True,
)
_CNN_BP_TRAIN = replace(
    _CNN_TRAIN, batch_size=256, lr=0.03, momentum=0.5, weight_decay=1e-5, clip=0.0, clip_feedback=0.0, warmup=200
)
_MNIST_CNN_TRAIN = TrainConfig(warmup=100)
_MNIST_CNN_BP_TRAIN = TrainConfig(lr=0.1, clip=0.0, clip_feedback=0.0)
_AE_TRAIN = TrainConfig(
    epochs=50,
    batch_size=32,
    lr=0.01,
    lr_feedback=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    clip=0.2,
    clip_feedback=0.2,
    cosine=True,
    warmup=100,
    centralize=True,
    augment=True,
)
_AE_BP_TRAIN = replace(_AE_TRAIN, lr=0.03, momentum=0.5, weight_decay=1e-5, warmup=200)
_CNN = NetworkConfig("cnn", "128,128,256,256,512")

_PRESETS: dict[PresetName, RunConfig] = {
    "mnist-mlp": RunConfig(),
    "cifar10-mlp": RunConfig(NetworkConfig(widths="1024,1024,1024")),
    "mnist-cnn": RunConfig(
        replace(_CNN, architecture="strided-cnn", bias=True, standardize=False),
        loss=replace(_CNN_LOSS, scale=0.5),
        train=_MNIST_CNN_TRAIN,
    ),
    "cifar10-cnn": RunConfig(_CNN, loss=replace(_CNN_LOSS, flood_threshold=0.1), train=_CNN_TRAIN),
    "cifar100-cnn": RunConfig(
        _CNN, loss=_CNN_LOSS, train=replace(_CNN_TRAIN, momentum=0.5, clip=0.0, clip_feedback=0.0)
    ),
    "stl10-ae": RunConfig(
        NetworkConfig("autoencoder", "128,256,1024,2048", "relu", "after", bias=True, standardize=False),
        loss=LossConfig(scale=1.0),
        train=_AE_TRAIN,
    ),
}
_BASELINE_TRAIN: dict[PresetName, TrainConfig] = {
    "mnist-mlp": _MLP_TRAIN,
    "cifar10-mlp": _MLP_TRAIN,
    "mnist-cnn": _MNIST_CNN_BP_TRAIN,
    "cifar10-cnn": _CNN_BP_TRAIN,
    "cifar100-cnn": _CNN_BP_TRAIN,
    "stl10-ae": _AE_BP_TRAIN,
}
_BP_NORM: dict[PresetName, Norm] = {"mnist-cnn": "after", "cifar10-cnn": "before", "cifar100-cnn": "before"}
"""Where back-propagation's convolutional networks have batch normalization, which those of the other rules have not."""
PRESETS: tuple[PresetName, ...] = tuple(_PRESETS)


def preset(name: PresetName = "mnist-mlp", rule: RuleName = "ccl") -> RunConfig:
    """The authors' settings for a network.

    Of the baselines they give those of back-propagation alone, in which convolutional networks have batch
    normalization. The other rules train the same network as `ccl` with back-propagation's optimizer; their learning
    rates want tuning. Not as in their program are the digits of mnist-cnn, which it crops and mirrors, and the epochs
    of stl10-ae, which it ends after 101 batches.

    Raises:
        ValueError: if there is no such preset, or the rule does not train such a network.
    """
    _check_name("preset", name, PRESETS)
    config = _PRESETS[name]
    if rule == "ccl":
        return config
    network = replace(config.network, norm=_BP_NORM[name]) if rule == "bp" and name in _BP_NORM else config.network
    return replace(config, network=network, rule=rule, train=_BASELINE_TRAIN[name])
