"""Settings: the linear teacher and student, and the training of networks. Imports nothing slow."""

import math
from dataclasses import dataclass, field
from typing import Literal

from separata.configs import check_positive, check_seed

NetworkKind = Literal["mlp", "cnn", "resnet18"]
NoiseMode = Literal["uniform", "other", "permute"]
Dynamic = Literal["gd", "flow"]


@dataclass(frozen=True)
class FeatureGroups:
    """Groups of features that are learned at different speeds.

    Args:
        sizes: Features in each group.
        scales: Singular values of the modulation in each group; a group is learned the slower the smaller its scale.

    Raises:
        ValueError: if there is no group, a size or a scale is not positive, or their numbers differ.
    """

    sizes: tuple[int, ...]
    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.scales):
            raise ValueError(f"each group has a size and a scale, but there are {self.sizes} and {self.scales}")
        for size, scale in zip(self.sizes, self.scales, strict=True):
            check_positive(size_of_a_group=size, scale_of_a_group=scale)

    @property
    def d(self) -> int:
        """Features in all."""
        return sum(self.sizes)


@dataclass(frozen=True)
class TeacherStudent:
    """A linear teacher, and a student that sees fast and slow features of its inputs.

    Args:
        n: Training samples.
        d: Features.
        p: Fast features, of scale 1; the other d - p are slow.
        kappa: Ratio of the fast to the slow scale, at least 1.
        noise: Standard deviation of the noise of labels.
        l2: Weight decay, the factor of half the squared norm in a loss that sums over samples.
        eta: Learning rate on that loss; without one, the inverse of the largest eigenvalue of the training data, or the
            estimate of it in theory. The paper's figures have 0.25.

    Raises:
        ValueError: if a number is outside its range; the sentence says which range that is.
    """

    n: int = 150
    d: int = 100
    p: int = 70
    kappa: float = 100.0
    noise: float = 0.0
    l2: float = 0.0
    eta: float | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n, the number of training samples, must be at least 1, not {self.n}")
        if not 0 < self.p < self.d:
            raise ValueError(f"p, the number of fast features, must lie between 0 and d = {self.d}, not {self.p}")
        if not (1 <= self.kappa < math.inf):
            raise ValueError(
                f"kappa, the ratio of the fast to the slow scale, must be at least 1, not {self.kappa}; "
                "swap the groups, p = d - p, for a ratio below 1"
            )
        for name, value in (("noise", self.noise), ("l2", self.l2)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be negative, not {value}")
        if self.eta is not None:
            check_positive(eta=self.eta)

    @property
    def groups(self) -> FeatureGroups:
        """The fast and the slow group."""
        return FeatureGroups((self.p, self.d - self.p), (1.0, 1.0 / self.kappa))

    @property
    def alphas(self) -> tuple[float, float]:
        """Samples for each fast and for each slow feature, n / p and n / (d - p)."""
        return self.n / self.p, self.n / (self.d - self.p)

    @property
    def typical_eta(self) -> float:
        """The learning rate: the given one, or the inverse of the Marchenko-Pastur edge of the fast features."""
        return self.d / (math.sqrt(self.n) + math.sqrt(self.p)) ** 2 if self.eta is None else self.eta


@dataclass(frozen=True)
class NetworkConfig:
    """A network whose learning curve is measured.

    Args:
        kind: mlp (one hidden layer), cnn (two convolutions) or resnet18 (for images of 32 x 32).
        width: Hidden units of an MLP, channels of the first convolution of the others.

    Raises:
        ValueError: if the width is not positive.
    """

    kind: NetworkKind = "mlp"
    width: int = 512

    def __post_init__(self) -> None:
        check_positive(width=self.width)


@dataclass(frozen=True)
class TrainConfig:
    """How the network is trained with Adam, on labels of which some are wrong.

    Args:
        steps: Steps of training.
        lr: Learning rate of Adam.
        batch_size: Samples of a step.
        weight_decay: L2 penalty, as Adam in PyTorch adds it to gradients.
        label_noise: Share of the training labels that are made noisy; those of the test samples stay clean.
        noise_mode: permute (shuffle the labels of the drawn samples), uniform (any class) or other (another class).
        augment: Shift images by up to 4 pixels and mirror them at random.
        n_points: Points of the learning curve, evenly spaced in the logarithm of steps.
        n_seeds: Networks, which differ in their initial weights, their noisy labels and their batches.
        seed: Of the first network.

    Raises:
        ValueError: if a setting is outside its range.
    """

    steps: int = 4000
    lr: float = 1e-3
    batch_size: int = 128
    weight_decay: float = 0.0
    label_noise: float = 0.15
    noise_mode: NoiseMode = "permute"
    augment: bool = False
    n_points: int = 60
    n_seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(steps=self.steps, lr=self.lr, batch_size=self.batch_size, n_seeds=self.n_seeds)
        if not 0 <= self.label_noise <= 1:
            raise ValueError(f"the share of noisy labels must lie between 0 and 1, not {self.label_noise}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight decay must not be negative, not {self.weight_decay}")
        if self.n_points < 8:
            raise ValueError(f"a learning curve needs at least 8 points, not {self.n_points}")
        check_seed(self.seed)


@dataclass(frozen=True)
class DataConfig:
    """Which part of the data is used.

    Args:
        n_train: Training samples, a stratified choice; all if not given.
        size: Height and width in pixels to which images are resized.
    """

    n_train: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class RunConfig:
    """All that a learning curve depends on, besides the data.

    Args:
        network: The network.
        train: How it is trained.
        data: Which part of the data is used.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: DataConfig = field(default_factory=DataConfig)
