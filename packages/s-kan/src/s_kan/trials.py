"""One training and its errors on unseen samples: what experiments repeat over tasks, networks and seeds."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from separata.labeled import load_splits
from separata.models import count_parameters

from .configs import Arch, LayerConfig, ModelConfig, StageConfig, TrainConfig
from .contenders import Contender, Setting, train_contender
from .evaluation import evaluate
from .functions import FUNCTIONS
from .images import ImageSpec, samples_of, train_images
from .networks import selectable_layers
from .samples import Samples
from .training.strategies import Fit

TRAIN, TEST, VALIDATION = range(3)
"""Streams of random numbers of a seed."""
HELD_OUT = 0.2
"""Share of a training part by which learning rates are chosen."""


@dataclass(frozen=True)
class FunctionTrial:
    """A network for one of the seven functions.

    Args:
        function: Its name.
        contender: The network.
        model: The settings of S-KAN, which give the others their sizes.
        stages: Of S-KAN.
        train: Optimizer and schedule; its seed does not count.
        n_train: Points for training.
        n_test: Points for testing, and, apart from these, for choosing.
        is_held_out: Evaluate on the points for choosing, instead of those for testing.
        seed: Of data and training.
    """

    function: str
    contender: Contender = field(default_factory=Contender)
    model: ModelConfig = field(default_factory=ModelConfig)
    stages: StageConfig = field(default_factory=StageConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    n_train: int = 1000
    n_test: int = 1000
    is_held_out: bool = False
    seed: int = 0


def function_data(trial: FunctionTrial) -> tuple[Samples, Samples]:
    """What a trial trains on, and what it is evaluated on; the same for all networks and settings of a seed."""
    target = FUNCTIONS[trial.function]
    stream = VALIDATION if trial.is_held_out else TEST
    return target.sample(trial.n_train, _generator(trial.seed, TRAIN)), target.sample(
        trial.n_test, _generator(trial.seed, stream)
    )


def run_function(trial: FunctionTrial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `rmse` (None of a training that diverged), `n_parameters`, `epochs`, and what the units of each layer `chose`.
    """
    data, test = function_data(trial)
    setting = Setting(trial.model, trial.stages, replace(trial.train, seed=trial.seed))
    try:
        fitted = train_contender(trial.contender, data, 1, setting, device=device)
    except FloatingPointError:
        return {"rmse": None, "n_parameters": 0, "epochs": trial.train.epochs, "chosen": []}
    return {"rmse": evaluate(fitted.model, test).rmse, **_described(fitted)}


@dataclass(frozen=True)
class DigitsTrial:
    """A network of dense layers for the pixels of images.

    Args:
        dataset: Name of the images.
        contender: The network.
        model: The settings of S-KAN, which give the others their sizes.
        stages: Of S-KAN.
        train: Optimizer and schedule; its seed does not count.
        is_held_out: Train on a part of the training images, and evaluate on the rest of them.
        seed: Of splits and training.
    """

    dataset: str = "digits"
    contender: Contender = field(default_factory=Contender)
    model: ModelConfig = field(default_factory=ModelConfig)
    stages: StageConfig = field(default_factory=StageConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    is_held_out: bool = False
    seed: int = 0


def run_digits(trial: DigitsTrial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `accuracy` (None of a training that diverged), `n_parameters`, `epochs` and `chosen`.
    """
    data, test, _, n_classes = _images(trial.dataset, trial.seed, None, None, is_held_out=trial.is_held_out)
    data, test = (Samples(part.x.flatten(1), part.y) for part in (data, test))
    setting = Setting(trial.model, trial.stages, replace(trial.train, seed=trial.seed))
    try:
        fitted = train_contender(trial.contender, data, n_classes, setting, device=device)
    except FloatingPointError:
        return {"accuracy": None, "n_parameters": 0, "epochs": trial.train.epochs, "chosen": []}
    return {"accuracy": evaluate(fitted.model, test).accuracy, **_described(fitted)}


@dataclass(frozen=True)
class ImageTrial:
    """A convolutional network for images.

    Args:
        dataset: Name of the images.
        arch: S-ConvKAN, a ConvKAN of one family, or a CNN of the same size.
        basis: Family of a ConvKAN.
        layer: The layers.
        channels: Channels of each convolution, with commas.
        stages: Of S-ConvKAN.
        train: Optimizer and schedule; its seed does not count.
        size: Pixels to which images are resized; None leaves them.
        n_train: Images for training; all if not given.
        is_held_out: Train on a part of the training images, and evaluate on the rest of them.
        seed: Of splits and training.
    """

    dataset: str
    arch: Arch = "s-convkan"
    basis: str = "bspline"
    layer: LayerConfig = field(default_factory=LayerConfig)
    channels: str = "8,16"
    stages: StageConfig = field(default_factory=StageConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    size: int | None = None
    n_train: int | None = None
    is_held_out: bool = False
    seed: int = 0


def run_image(trial: ImageTrial, device: str) -> dict[str, Any]:
    """Train and evaluate.

    Returns:
        `accuracy` (None of a training that diverged), `n_parameters`, `epochs` and `chosen`.
    """
    data, test, shape, n_classes = _images(
        trial.dataset, trial.seed, trial.size, trial.n_train, is_held_out=trial.is_held_out
    )
    spec = ImageSpec(trial.arch, trial.basis, shape, tuple(map(str, range(n_classes))))
    config = ModelConfig(trial.layer, trial.channels)
    training = replace(trial.train, seed=trial.seed)
    try:
        fitted = train_images(spec, data, config, trial.stages, training, device=device)
    except FloatingPointError:
        return {"accuracy": None, "n_parameters": 0, "epochs": trial.train.epochs, "chosen": []}
    return {"accuracy": evaluate(fitted.model, test).accuracy, **_described(fitted)}


def _images(
    dataset: str, seed: int, size: int | None, n_train: int | None, *, is_held_out: bool
) -> tuple[Samples, Samples, tuple[int, int, int], int]:
    """Images to train and to evaluate on, their shape, and the number of classes."""
    splits = load_splits(dataset, validation=HELD_OUT, seed=seed, size=size, n_train=n_train)
    fitted, held_out = samples_of(splits.train), samples_of(splits.validation)
    channels, height, width = splits.train.sample_shape
    shape = (channels, height, width)
    if is_held_out:
        return fitted, held_out, shape, splits.train.n_classes
    if n_train is None:
        fitted = Samples(torch.cat([fitted.x, held_out.x]), torch.cat([fitted.y, held_out.y]))
    return fitted, samples_of(splits.test), shape, splits.train.n_classes


def _described(fitted: Fit) -> dict[str, Any]:
    return {
        "n_parameters": count_parameters(fitted.model),
        "epochs": fitted.epochs,
        "chosen": [layer.chosen() for layer in selectable_layers(fitted.model)],
    }


def _generator(seed: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(4 * seed + stream)
