"""A classifier and a regressor that are fitted in a line, as scikit-learn has them."""

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from separata.run import Compute
from separata.training import seeded

from .configs import (
    Activation,
    Combination,
    DataShape,
    LayerConfig,
    ModelConfig,
    ModelKind,
    Norm,
    ReductionName,
    TrainConfig,
)
from .evaluation import predict
from .networks.scaled import ScaledNetwork
from .runs import make_scaled
from .samples import Samples, split
from .training import Trainer


class _Estimator(BaseEstimator):
    """What classifier and regressor have in common.

    Args:
        hidden: Widths of the hidden layers, with commas.
        kind: `af-kan`, or one of the networks that it is compared with.
        activation: Activation function of the layers.
        combination: Combination of two activations to a basis function.
        reduction: Reduction of the basis functions of a coordinate.
        grid_size: Intervals of the grid.
        order: Order of the basis functions.
        norm: `layer`, `batch` or `none`.
        epochs: Passes over the training samples.
        batch_size: Samples of a step.
        lr: Learning rate of the first epoch.
        weight_decay: Weight decay.
        gamma: Factor of the learning rate after each epoch.
        validation: Share of the samples by which the weights are chosen; 0 for none.
        seed: Of weights, validation part and order of the samples.
        device: `auto`, `cpu` or `cuda`.
    """

    def __init__(  # noqa: PLR0913 - an estimator of scikit-learn's has its settings here
        self,
        hidden: str = "64",
        *,
        kind: ModelKind = "af-kan",
        activation: Activation = "silu",
        combination: Combination = "quad1",
        reduction: ReductionName = "global_attn",
        grid_size: int = 3,
        order: int = 3,
        norm: Norm = "layer",
        epochs: int = 25,
        batch_size: int = 64,
        lr: float = 3e-3,
        weight_decay: float = 1e-4,
        gamma: float = 0.9,
        validation: float = 0.1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.kind = kind
        self.activation = activation
        self.combination = combination
        self.reduction = reduction
        self.grid_size = grid_size
        self.order = order
        self.norm = norm
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.gamma = gamma
        self.validation = validation
        self.seed = seed
        self.device = device

    network_: ScaledNetwork

    def _model(self) -> ModelConfig:
        layer = LayerConfig(self.grid_size, self.order, self.activation, self.combination, self.reduction, self.norm)
        return ModelConfig(self.kind, self.hidden, layer=layer)

    def _fit(self, data: Samples) -> None:
        config = TrainConfig(self.epochs, self.batch_size, self.lr, self.weight_decay, self.gamma, seed=self.seed)
        held_out = None
        if self.validation:
            data, held_out = split(data, self.validation, self.seed)
        with seeded(self.seed):
            network = make_scaled(self._model(), data.shape)
        trainer = Trainer(network.to(Compute(self.device).torch_device), data, config, validation=held_out)
        try:
            trainer.fit()
        except FloatingPointError as error:
            raise ValueError(str(error)) from None
        self.network_ = network
        self.n_features_in_ = data.shape.n_inputs

    def _outputs(self, x: Any) -> np.ndarray:  # noqa: ANN401 - an array or a tensor
        check_is_fitted(self, "network_")
        samples = _samples(x)
        if samples[0].numel() != self.n_features_in_:
            raise ValueError(f"samples have {samples[0].numel()} numbers, but {self.n_features_in_} in training")
        device = next(self.network_.parameters()).device
        return predict(self.network_, samples.to(device)).cpu().numpy()


class AFKANClassifier(ClassifierMixin, _Estimator):
    """Classifies samples with AF-KAN: `AFKANClassifier().fit(x, y).score(x_test, y_test)`.

    It is an estimator of scikit-learn's, and works in its pipelines and searches. Samples may be of any shape; each
    number of a sample is scaled by its range in training, and images (n, channels, height, width) from [0, 1]. After
    `fit`, `network_` is the trained module, from samples to logits in the order of `classes_`.
    """

    def fit(self, x: Any, y: Any) -> "AFKANClassifier":  # noqa: ANN401 - arrays or tensors
        """Train on samples (n, ...) and labels (n,) of any kind.

        Raises:
            ValueError: if a setting or a sample is wrong, there is one class alone, or training diverges.
        """
        samples = _samples(x)
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        if numbers.ndim != 1:
            raise ValueError(f"labels are an array (n,), not {np.shape(y)}")
        shape = DataShape(tuple(samples.shape[1:]), tuple(map(str, self.classes_)))
        self._fit(Samples(samples, torch.from_numpy(numbers.astype(np.int64)), shape))
        return self

    def decision_function(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The logits (n, classes) of samples."""
        return self._outputs(x)

    def predict_proba(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The probabilities (n, classes) of samples."""
        return torch.from_numpy(self._outputs(x)).softmax(1).numpy()

    def predict(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The labels of samples."""
        return self.classes_[self._outputs(x).argmax(1)]


class AFKANRegressor(RegressorMixin, _Estimator):
    """Predicts numbers with AF-KAN: `AFKANRegressor(norm="batch").fit(x, y).score(x_test, y_test)`.

    It is an estimator of scikit-learn's, as `AFKANClassifier` is. With few features, batch normalization is the better
    choice: layer normalization takes away the mean and the scale over them, which with one or two is most of a sample.
    """

    def fit(self, x: Any, y: Any) -> "AFKANRegressor":  # noqa: ANN401 - arrays or tensors
        """Train on samples (n, ...) and numbers (n,).

        Raises:
            ValueError: if a setting or a sample is wrong, or training diverges.
        """
        samples = _samples(x)
        numbers = torch.as_tensor(np.asarray(y, dtype=np.float32))
        if numbers.ndim != 1:
            raise ValueError(f"the numbers to predict are an array (n,), not {tuple(numbers.shape)}")
        self._fit(Samples(samples, numbers, DataShape(tuple(samples.shape[1:]))))
        return self

    def predict(self, x: Any) -> np.ndarray:  # noqa: ANN401
        """The numbers (n,) for samples."""
        return self._outputs(x)[:, 0]


def _samples(x: Any) -> Tensor:  # noqa: ANN401 - an array or a tensor
    samples = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    if samples.ndim < 2 or samples.is_complex():
        raise ValueError(f"samples are real numbers of shape (n, ...), not {tuple(samples.shape)}")
    return samples.detach().float().cpu()
