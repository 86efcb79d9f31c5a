"""Image networks by name, and their training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from separata.labeled import LabeledDataset
from separata.loop import Track
from separata.models import count_parameters, match_width
from separata.training import seeded

from .baselines.convnets import CNN, ConvKAN
from .configs import Arch, ModelConfig, StageConfig, TrainConfig, names, widths
from .networks import ImageNetwork, SConvKAN
from .samples import Samples
from .training.strategies import Fit, Job, train
from .training.trainer import Row, Trainer


@dataclass(frozen=True)
class ImageSpec:
    """What an image network is, besides its layers.

    Args:
        arch: S-ConvKAN; a ConvKAN of one family; or a CNN of the size that S-ConvKAN has after pruning.
        basis: The family of a ConvKAN.
        shape: Channels, height and width of an image.
        classes: Names of the classes.
        dropout: Share of the features that is dropped before the last layer, in training.
    """

    arch: Arch
    basis: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    dropout: float = 0.25


def make_image_network(
    spec: ImageSpec, config: ModelConfig, pools: Sequence[Sequence[str]] | None = None
) -> ImageNetwork:
    """A network for images.

    Args:
        spec: What it is.
        config: Its layers; `hidden` has the channels of its convolutions.
        pools: Families of each convolution of S-ConvKAN, instead of those of the settings.

    Raises:
        ValueError: if the settings do not fit.
    """
    layer, channels = config.layer, widths(config.hidden)
    n_in, n_classes = spec.shape[0], len(spec.classes)
    if spec.arch == "s-convkan":
        pool = names(layer.pool) if pools is None else pools
        return SConvKAN(n_in, n_classes, channels, pool, layer.n_basis, layer.unit, layer.base, spec.dropout)
    if spec.arch == "convkan":
        return ConvKAN(n_in, n_classes, channels, spec.basis, layer.n_basis, layer.base, spec.dropout)
    like = ConvKAN(n_in, n_classes, channels, names(layer.pool)[0], layer.n_basis, layer.base)
    # The same ratios of channels, at the number of parameters that S-ConvKAN keeps.
    n = match_width(lambda n: count_parameters(_cnn(n_in, n_classes, channels, n)), count_parameters(like))
    return _cnn(n_in, n_classes, channels, n, spec.dropout)


def _cnn(n_in: int, n_classes: int, channels: Sequence[int], first: int, dropout: float = 0.25) -> CNN:
    return CNN(n_in, n_classes, [max(1, round(first * one / channels[0])) for one in channels], dropout)


def samples_of(data: LabeledDataset) -> Samples:
    """Images and their classes."""
    return Samples(data.x, data.y)


def train_images(
    spec: ImageSpec,
    data: Samples,
    config: ModelConfig,
    stages: StageConfig,
    train_config: TrainConfig,
    *,
    validation: Samples | None = None,
    device: str = "cpu",
    folder: Path | None = None,
    track: Track | None = None,
    log: Callable[[Row], None] | None = None,
) -> Fit:
    """Train a network for images.

    Args:
        spec: What it is.
        data: Images and their classes.
        config: Its layers.
        stages: How S-ConvKAN chooses.
        train_config: Optimizer and schedule.
        validation: Held-out images, whose loss is logged, and which strategies choose by.
        device: Where to train.
        folder: Where the progress is kept, if anywhere.
        track: Shows progress over steps.
        log: Takes rows of the history.

    Raises:
        ValueError: if the settings do not fit.
        FloatingPointError: if the training diverges.
    """

    def make(pools: Sequence[Sequence[str]] | None) -> nn.Module:
        return make_image_network(spec, config, pools).to(device)

    job = Job(make, data, train_config, stages, validation, folder=folder, track=track, log=log)
    # Dropout draws from PyTorch's own generator.
    with seeded(train_config.seed + 1):
        if spec.arch == "s-convkan":
            return train(job)
        trainer = Trainer(
            job.new(None),
            data,
            train_config,
            validation=validation,
            checkpoint=job.checkpoint("checkpoint"),
            track=track,
            log=log,
        )
        trainer.fit()
    return Fit(trainer.model, train_config.epochs, [], {})
