"""Random features: a fixed random layer, of which a wider one begins with a narrower one's units."""

from typing import Any

import numpy as np
from jaxtyping import Float, Real
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .configs import Activation, FeatureConfig, Normalize


class RandomFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Random features z = φ(scale · √D x W₀ / r), an estimator of scikit-learn's; W₀ ~ N(0, 1/D).

    r is the root mean square norm of the samples that it is fitted on, so that the input of a unit has the standard
    deviation `scale`. With the same seed, the first features are the same for every `n_features`. Computed in double
    precision.

    Args:
        n_features: Number of features, P.
        activation: φ: relu, tanh, or none for the inputs themselves in random order, of which there must be as many.
        scale: Standard deviation of a unit's input.
        normalize: Features as they are (none), with the training mean taken off (center), or also divided by the
            training standard deviation (standardize); a feature that is constant stays at zero.
        seed: Draws W₀.
    """

    def __init__(
        self,
        n_features: int = 100,
        activation: Activation = "relu",
        scale: float = 1.0,
        normalize: Normalize = "none",
        seed: int = 0,
    ) -> None:
        self.n_features = n_features
        self.activation = activation
        self.scale = scale
        self.normalize = normalize
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> "RandomFeatures":  # noqa: ANN401, ARG002 - as scikit-learn has it
        """Draw the layer, and measure what the inputs and features are scaled by.

        Raises:
            ValueError: if a setting or an input is wrong.
        """
        FeatureConfig(self.activation, self.scale, self.normalize)
        if self.n_features < 1:
            raise ValueError(f"the number of features must be positive, not {self.n_features}")
        x = validate_data(self, X, dtype=np.float64)
        n_inputs = x.shape[1]
        random = np.random.default_rng(self.seed)
        if self.activation == "none":
            if self.n_features > n_inputs:
                raise ValueError(f"{self.n_features} columns cannot be taken of {n_inputs}")
            self.columns_ = random.permutation(n_inputs)[: self.n_features]
        else:
            # A row a feature, so that the first ones do not depend on how many there are.
            self.directions_ = random.standard_normal((self.n_features, n_inputs))
            self.rms_norm_ = float(np.sqrt(np.square(x).sum(1).mean())) or 1.0
        z = self._raw(x)
        self.mean_ = z.mean(0) if self.normalize != "none" else np.zeros(self.n_features)
        self.spread_ = np.ones(self.n_features)
        if self.normalize == "standardize":
            spread = z.std(0)
            self.spread_ = np.where(spread > 1e-12 * np.abs(z).max(0), spread, np.inf)
        self._n_features_out = self.n_features
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n p"]:  # noqa: ANN401 - as scikit-learn has it
        """The features of samples (n, D)."""
        check_is_fitted(self)
        return (self._raw(validate_data(self, X, dtype=np.float64, reset=False)) - self.mean_) / self.spread_

    def _raw(self, x: Real[np.ndarray, "n d"]) -> Float[np.ndarray, "n p"]:
        if self.activation == "none":
            return x[:, self.columns_]
        inputs = x @ self.directions_.T * (self.scale / self.rms_norm_)
        return np.maximum(inputs, 0.0) if self.activation == "relu" else np.tanh(inputs)
