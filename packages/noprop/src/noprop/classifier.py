"""A classifier in two lines, for data and blocks of your own."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from separata.configs import replaced
from separata.labeled import LabeledDataset
from separata.run import Compute
from separata.training import seeded

from .blocks import BlockFactory
from .configs import RunConfig, SamplerConfig, SampleShape, Variant
from .model import NoPropModel
from .models import make_model
from .training.blockwise import make_trainer
from .training.trainer import inner_model

Array = np.ndarray | Tensor


class NoPropClassifier:
    """Trains a model of any variant on arrays or tensors, with the interface of scikit-learn's classifiers.

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
        ValueError: if there is no such setting, or one is out of range.
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
        self.config = replaced(RunConfig(), variant=variant, **settings)
        self.block_factory, self.device = block_factory, device
        self.sampler = sampler
        self._model: torch.nn.Module | None = None
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
            x: Samples: features (n, features), or images (n, channels, height, width) or (n, height, width).
            y: Their labels, numbers or words.

        Raises:
            ValueError: if there is not one label for each sample, or only one class.
            FloatingPointError: if training diverges.
        """
        samples = _samples(x)
        labels = np.asarray(y.cpu() if isinstance(y, Tensor) else y)
        if labels.ndim != 1 or len(labels) != len(samples):
            raise ValueError(f"expected one label for each of {len(samples)} samples, not labels {labels.shape}")
        self.classes, index = np.unique(labels, return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError("a classifier needs samples of at least 2 classes")
        data = LabeledDataset(samples, torch.from_numpy(index.astype(np.int64)), tuple(map(str, self.classes)))
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
        self._model = model
        return self

    def _inner(self) -> NoPropModel:
        inner = inner_model(self.model)
        assert inner is not None  # noqa: S101 - `make_model` makes no other
        return inner

    def predict_proba(self, x: Array) -> np.ndarray:
        """Class probabilities, (n, classes), averaged over the sampler's runs."""
        inner = self._inner()
        sampler = self.sampler or inner.with_sampler(steps=self.config.train.steps)
        device = inner.embedding.weight.device
        return inner.predict_proba(_samples(x).to(device), sampler).cpu().numpy()

    def predict(self, x: Array) -> np.ndarray:
        """The most probable label of each sample."""
        return self.classes[self.predict_proba(x).argmax(1)]

    def score(self, x: Array, y: Array) -> float:
        """The share of samples that are classified correctly."""
        return float((self.predict(x) == np.asarray(y.cpu() if isinstance(y, Tensor) else y)).mean())


def _samples(x: Array) -> Tensor:
    """Samples as a float tensor, images with a channel."""
    samples = torch.as_tensor(x).float()
    if samples.ndim < 2 or not len(samples):
        raise ValueError(f"expected samples along the first axis, not an array {tuple(samples.shape)}")
    if not bool(samples.isfinite().all()):
        raise ValueError("a sample has a number that is NaN or infinite")
    return samples[:, None] if samples.ndim == 3 else samples
