"""A classifier in two lines, for data and blocks of your own."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata.configs import replaced
from separata.labeled import LabeledDataset
from separata.run import Compute
from separata.training import seeded

from .blocks import BlockFactory
from .configs import ModelConfig, SamplerConfig, SampleShape, TrainConfig, Variant
from .model import NoPropModel
from .models import make_model
from .training.blockwise import make_trainer
from .training.trainer import inner_model

Array = np.ndarray | Tensor


@dataclass(frozen=True)
class ClassifierConfig:
    """All that a classifier depends on, besides its data.

    Args:
        model: The model.
        train: How it is trained.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


class NoPropClassifier:
    """Trains a model of any variant on arrays or tensors; `fit`, `predict` and so on are named as in scikit-learn.

        classifier = NoPropClassifier("dt", epochs=8).fit(x, y)
        labels = classifier.predict(x)

    Args:
        variant: dt, ct, fm, backprop or adjoint.
        block_factory: Makes blocks of your own, called with the dimension of a state and the number of outputs. A block
            is called as `block(x, z)`, in continuous time as `block(x, z, t)`.
        device: `auto`, `cpu` or `cuda`.
        sampler: How the model is run for predictions.
        settings: Of `ModelConfig` and `TrainConfig`, by their names.

    Attributes:
        model: The trained module.
        classes: The labels, sorted.

    Raises:
        TypeError: if there is no such setting.
        ValueError: if one is out of range.
    """

    def __init__(
        self,
        variant: Variant = "dt",
        *,
        block_factory: BlockFactory | None = None,
        device: str = "auto",
        sampler: SamplerConfig | None = None,
        **settings: Any,  # noqa: ANN401 - of configurations
    ) -> None:
        self.config = replaced(ClassifierConfig(), variant=variant, **settings)
        self.block_factory, self.device = block_factory, device
        self.sampler = sampler
        self._model: torch.nn.Module | None = None
        self._shape: tuple[int, ...] = ()
        self.classes: np.ndarray = np.empty(0)

    @property
    def model(self) -> torch.nn.Module:
        """The trained module.

        Raises:
            ValueError: if nothing was trained yet.
        """
        if self._model is None:
            raise ValueError("the classifier is not trained yet; call fit(x, y) first")
        return self._model

    def fit(self, x: Array, y: Array) -> "NoPropClassifier":
        """Train a new model.

        Args:
            x: Samples: features (n, features), or images (n, channels, height, width) or (n, height, width); bytes
                become intensities in [0, 1], here and in predictions.
            y: Their labels, numbers or words.

        Raises:
            ValueError: if there is not one label for each sample, or only one class.
            FloatingPointError: if training diverges.
        """
        samples = _samples(x)
        labels = _labels(y, len(samples))
        self.classes, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError("a classifier needs samples of at least 2 classes")
        index = torch.from_numpy(numbers.astype(np.int64)).to(samples.device)
        data = LabeledDataset(samples, index, tuple(map(str, self.classes)))
        with seeded(self.config.train.seed):
            model = make_model(
                self.config.model,
                SampleShape(data.sample_shape, data.classes),
                prototypes=(data.x, data.y),
                block_factory=self.block_factory,
                train=self.config.train,
            )
        model.to(Compute(self.device).torch_device)
        make_trainer(model, data, self.config.train).fit()
        self._model, self._shape = model, data.sample_shape
        return self

    def _inner(self) -> NoPropModel:
        inner = inner_model(self.model)
        assert inner is not None  # noqa: S101 - `make_model` makes no other
        return inner

    def predict_proba(self, x: Array) -> np.ndarray:
        """Class probabilities, (n, classes), averaged over the sampler's runs.

        Raises:
            ValueError: if nothing was trained yet, or the samples are not like those of the training.
        """
        inner, samples = self._inner(), _samples(x)
        if samples.shape[1:] != self._shape:
            raise ValueError(f"expected samples of shape {self._shape}, as in fit, not {tuple(samples.shape[1:])}")
        sampler = self.sampler or inner.with_sampler(steps=self.config.train.steps)
        device = inner.embedding.weight.device
        return inner.predict_proba(samples.to(device), sampler).cpu().numpy()

    def predict(self, x: Array) -> np.ndarray:
        """The most probable label of each sample."""
        return self.classes[self.predict_proba(x).argmax(1)]

    def score(self, x: Array, y: Array) -> float:
        """The share of samples that are classified correctly.

        Raises:
            ValueError: if there is not one label for each sample.
        """
        found = self.predict(x)
        return float((found == _labels(y, len(found))).mean())


def _samples(x: Array) -> Tensor:
    """Samples as a float tensor, images with a channel."""
    samples = torch.as_tensor(x)
    samples = samples.float() / 255 if samples.dtype == torch.uint8 else samples.float()
    if samples.ndim < 2 or not len(samples):
        raise ValueError(f"expected samples along the first axis, not an array {tuple(samples.shape)}")
    if not bool(samples.isfinite().all()):
        raise ValueError("a sample has a number that is NaN or infinite")
    return samples[:, None] if samples.ndim == 3 else samples


def _labels(y: Array, n: int) -> np.ndarray:
    """One label for each sample."""
    labels = np.asarray(y.cpu() if isinstance(y, Tensor) else y)
    if labels.shape != (n,):
        raise ValueError(f"expected one label for each of {n} samples, not labels {labels.shape}")
    return labels
