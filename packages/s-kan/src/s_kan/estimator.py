"""Estimators with scikit-learn's interface."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from .configs import POOL, StageConfig, TrainConfig, Unit
from .networks import SKAN, selectable_layers
from .report import SelectionReport, selection_report
from .samples import FEWEST, Samples
from .scaling import Scaled, standardized_mse
from .training.strategies import Job, train


class _SKANEstimator(BaseEstimator):
    """What the regressor and the classifier share."""

    network_: nn.Module

    def __init__(
        self,
        hidden: Sequence[int] = (5,),
        *,
        pool: Sequence[str] = POOL,
        n_basis: int = 8,
        unit: Unit = "node",
        epochs: int = 500,
        lr: float = 1e-2,
        batch_size: int = 1024,
        weight_decay: float = 0.0,
        stages: StageConfig | None = None,
        device: str = "cpu",
        random_state: int | None = 0,
    ) -> None:
        self.hidden = hidden
        self.pool = pool
        self.n_basis = n_basis
        self.unit = unit
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.stages = stages
        self.device = device
        self.random_state = random_state

    def _train(self, x: np.ndarray, y: Tensor, n_outputs: int) -> None:
        samples = Samples(torch.tensor(x), y).to(self.device)
        widths = [x.shape[1], *self.hidden, n_outputs]

        def make(pools: Sequence[Sequence[str]] | None) -> Scaled:
            network = SKAN(widths, self.pool if pools is None else pools, self.n_basis, self.unit)
            return Scaled(network, widths[0], n_outputs).to(self.device).calibrate(samples.x, samples.y)

        seed = 0 if self.random_state is None else self.random_state
        config = TrainConfig(self.epochs, self.lr, self.batch_size, self.weight_decay, seed)
        stages = self.stages or StageConfig()
        if len(samples) < FEWEST:
            # Too few to hold some out, as the other strategies do.
            stages = replace(stages, strategy="three-stage")
        loss = standardized_mse(samples.y) if samples.is_regression else None
        fitted = train(Job(make, samples, config, stages, loss=loss))
        self.network_ = fitted.model
        self.n_iter_ = fitted.epochs

    def _outputs(self, x: Any) -> Tensor:  # noqa: ANN401 - what scikit-learn takes
        check_is_fitted(self, "network_")
        x = validate_data(self, x, dtype=np.float32, reset=False)
        with torch.no_grad():
            return self.network_(torch.tensor(x).to(self.device)).cpu()

    def chosen(self) -> list[list[str]]:
        """For each layer, the family that each unit has chosen."""
        check_is_fitted(self, "network_")
        return [layer.chosen() for layer in selectable_layers(self.network_)]

    def report(self) -> SelectionReport:
        """What the network has chosen."""
        check_is_fitted(self, "network_")
        return selection_report(self.network_)


class SKANRegressor(RegressorMixin, _SKANEstimator):
    """Regression by a Kolmogorov-Arnold network whose nodes choose among families of functions.

    Features are scaled to [-1, 1], and targets to unit variance, inside the network.

    Args:
        hidden: Widths of the hidden layers.
        pool: Families to choose among.
        n_basis: Functions of each family on each edge.
        unit: What chooses a family of its own: each `node`, each `edge` or each `layer`.
        epochs: Passes over the samples, over all stages together.
        lr: Learning rate.
        batch_size: Samples in a step.
        weight_decay: Weight decay of the coefficients.
        stages: How families are chosen; three stages if not given.
        device: Where it is trained and computed.
        random_state: Seed.

    Attributes:
        network_: The trained network, a plain module in the units of the data.
    """

    def fit(self, X: Any, y: Any) -> "SKANRegressor":  # noqa: ANN401 - what scikit-learn takes
        """Train on rows of features and a number for each.

        Raises:
            ValueError: if a setting or the data is wrong.
        """
        X, y = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        self._train(X, torch.tensor(np.asarray(y, dtype=np.float32)), 1)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401 - what scikit-learn takes
        """A number for each row of features."""
        return self._outputs(X)[:, 0].numpy()


class SKANClassifier(ClassifierMixin, _SKANEstimator):
    """Classification by a Kolmogorov-Arnold network whose nodes choose among families of functions.

    Its arguments are those of `SKANRegressor`.

    Attributes:
        network_: The trained network, a plain module that gives logits.
        classes_: The classes.
    """

    def fit(self, X: Any, y: Any) -> "SKANClassifier":  # noqa: ANN401 - what scikit-learn takes
        """Train on rows of features and a class for each.

        Raises:
            ValueError: if a setting or the data is wrong, or there is only one class.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("a classifier needs samples of at least 2 classes, but there is one class")
        self._train(X, torch.from_numpy(index.astype(np.int64)), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: ANN401 - what scikit-learn takes
        """The probability of each class, for each row of features."""
        return self._outputs(X).softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401 - what scikit-learn takes
        """The class of each row of features."""
        best = self._outputs(X).argmax(1).numpy()
        return self.classes_[best]
