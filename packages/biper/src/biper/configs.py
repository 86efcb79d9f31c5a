"""Settings of networks and trainings; without PyTorch, so that the command line answers at once."""

from dataclasses import dataclass
from typing import Literal, get_args

from separata.configs import check_positive, check_seed

Arch = Literal["resnet8", "resnet20", "resnet18", "vgg-small", "imagenet-resnet18", "imagenet-resnet34"]
MethodName = Literal["biper", "ste", "xnor", "bireal", "recu", "float"]
Precision = Literal["float32", "bfloat16"]
SECOND_RATE = 0.0037 / 0.021
"""Learning rate of the second stage by that of the first, as published for CIFAR-10."""
LARGEST = 3e38
"""Number of single precision, roughly."""


def _check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"the {what} must be one of {', '.join(known)}, not '{name}'")


@dataclass(frozen=True)
class ModelConfig:
    """A network, but for what the data says of it.

    Args:
        model: resnet8, resnet20, resnet18 and vgg-small are for small images; imagenet-resnet18 and imagenet-resnet34
            for 224 x 224 pixels.
        method: biper; the baselines ste (BNN), xnor, bireal and recu; or float, the full-precision twin.
        omega: Angular frequency of BiPer's square wave.
        width: Factor on the channels of every layer.
        real_activations: Make weights binary alone (1w32a), with ReLU.

    Raises:
        ValueError: if a name is unknown, or a number is not positive.
    """

    model: Arch = "resnet20"
    method: MethodName = "biper"
    omega: float = 20.0
    width: float = 1.0
    real_activations: bool = False

    def __post_init__(self) -> None:
        _check_name("model", self.model, get_args(Arch))
        _check_name("method", self.method, get_args(MethodName))
        check_positive(omega=self.omega, width=self.width)


@dataclass(frozen=True)
class DataShape:
    """What the data says of a network.

    Args:
        channels: Channels of an image.
        size: Height and width of an image in pixels.
        n_classes: Number of classes.
    """

    channels: int = 3
    size: int = 32
    n_classes: int = 10

    def __post_init__(self) -> None:
        if self.channels < 1 or self.size < 1 or self.n_classes < 2:
            raise ValueError(
                f"a network needs at least 1 channel, 1 pixel and 2 classes, not {self.channels}, {self.size} and "
                f"{self.n_classes}"
            )


@dataclass(frozen=True)
class Stage:
    """One of the two stages of a training, as `TwoStageConfig` has it."""

    epochs: int
    lr: float
    weight_decay: float
    tau: float
    tau_end: float


@dataclass(frozen=True)
class TwoStageConfig:
    """How a network is trained: SGD with sine weights, then with binary ones.

    Published for ResNet-18 on CIFAR-10: 600 and 300 epochs with these rates, decays and taus, and augmented images.
    Baselines have no first stage: all their epochs, and the first stage's rate and decay, are one training.

    Args:
        epochs: Epochs of the first stage, with sine weights; 0 leaves it out.
        stage2_epochs: Epochs of the second stage, with binary weights; 0 leaves it out.
        lr: Learning rate of the first stage: warmed up, then a cosine to 0.
        stage2_lr: Learning rate of the second stage.
        weight_decay: Weight decay of the first stage.
        stage2_weight_decay: Weight decay of the second stage.
        tau: Weight of the term that pulls weights to the zeros of the sine, in the first stage.
        tau_end: Its weight at the end of the first stage; tau if not given.
        stage2_tau: Its weight in the second stage.
        warmup: Epochs of warm-up in each stage.
        momentum: Momentum of SGD.
        batch_size: Images per step.
        augment: Shift images by up to 4 pixels, and mirror them at random.
        precision: float32; or bfloat16, mixed: phases stay in single precision.
        seed: Of initial weights and the order of the images.

    Raises:
        ValueError: if a number is out of range.
    """

    epochs: int = 60
    stage2_epochs: int = 30
    lr: float = 0.021
    stage2_lr: float = 0.0037
    weight_decay: float = 1.6e-3
    stage2_weight_decay: float = 1.6e-4
    tau: float = 0.037
    tau_end: float | None = None
    stage2_tau: float = 0.0468
    warmup: int = 5
    momentum: float = 0.9
    batch_size: int = 256
    augment: bool = False
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_positive(lr=self.lr, stage2_lr=self.stage2_lr, batch_size=self.batch_size)
        if max(self.lr, self.stage2_lr) > LARGEST:
            raise ValueError("learning rates must be numbers of single precision")
        _check_name("precision", self.precision, get_args(Precision))
        if min(self.epochs, self.stage2_epochs, self.warmup) < 0 or self.epochs + self.stage2_epochs < 1:
            raise ValueError("epochs must not be negative, and at least 1 in both stages together")
        for name in ("weight_decay", "stage2_weight_decay", "momentum", "tau", "tau_end", "stage2_tau"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name.replace('_', ' ')} must not be negative, but it is {value}")

    def stage(self, number: int) -> Stage:
        """The settings of stage 1 or 2."""
        if number == 1:
            end = self.tau if self.tau_end is None else self.tau_end
            return Stage(self.epochs, self.lr, self.weight_decay, self.tau, end)
        return Stage(self.stage2_epochs, self.stage2_lr, self.stage2_weight_decay, self.stage2_tau, self.stage2_tau)
