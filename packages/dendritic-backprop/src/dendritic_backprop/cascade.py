"""Cascade correlation (Fahlman and Lebiere 1990): the classic that dendrites take their objective from."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

SCALE = 1e-12
"""Below this, an error counts as none."""


class CascadeCorrelation(ClassifierMixin, BaseEstimator):
    """A classifier that grows a network one hidden unit after the other, as a scikit-learn estimator.

    Output units see the inputs and all hidden units, and learn by the squared error of a sigmoid. Then a pool of
    candidates, each of which sees the inputs and all hidden units, maximizes

        S = Σ_o |Σ_p (V_p - mean V)(E_p,o - mean E_o)|

    over the errors of all output units; the best one is frozen and becomes the next hidden unit. Everything is trained
    on all samples at once, by resilient propagation in place of the quickprop of 1990. It is meant for small problems,
    such as the two spirals.

    Args:
        max_units: Hidden units, at most.
        n_candidates: Candidates in a pool.
        output_epochs: Steps of the output units between two hidden units.
        candidate_epochs: Steps of a pool of candidates.
        lr: Initial step of resilient propagation.
        scale: Standard deviation of initial weights.
        random_state: Seed.

    Attributes:
        classes_: The classes.
        n_units_: Hidden units.
        hidden_: Weights of each hidden unit: bias, inputs, earlier hidden units.
        output_: Weights of the output units, of shape (1 + features + hidden units, outputs).
    """

    def __init__(
        self,
        max_units: int = 25,
        n_candidates: int = 8,
        output_epochs: int = 200,
        candidate_epochs: int = 200,
        lr: float = 0.05,
        scale: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.max_units = max_units
        self.n_candidates = n_candidates
        self.output_epochs = output_epochs
        self.candidate_epochs = candidate_epochs
        self.lr = lr
        self.scale = scale
        self.random_state = random_state

    def fit(self, X: Shaped[np.ndarray, "n features"], y: Shaped[np.ndarray, "n"]) -> "CascadeCorrelation":
        """Grow a network until every sample is classified correctly, or there are `max_units` hidden units.

        Args:
            X: Samples.
            y: Their classes.

        Raises:
            ValueError: if there are not two classes, or the samples are not finite numbers.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs samples of at least two classes, not {len(self.classes_)} class")
        generator = torch.Generator().manual_seed(self.random_state)
        target = torch.from_numpy(labels)
        wanted = torch.nn.functional.one_hot(target, len(self.classes_)).double()
        wanted = wanted[:, 1:] if len(self.classes_) == 2 else wanted
        activity = torch.cat([torch.ones(len(X), 1, dtype=torch.float64), torch.from_numpy(X)], 1)
        weights = self.scale * torch.randn(activity.shape[1], wanted.shape[1], generator=generator, dtype=torch.float64)
        self.hidden_: list[np.ndarray] = []
        while True:
            weights = self._train_outputs(activity, wanted, weights)
            outputs = torch.sigmoid(activity @ weights)
            if bool((self._decide(outputs) == target).all()) or len(self.hidden_) >= self.max_units:
                break
            unit = self._train_candidates(activity, outputs - wanted, generator)
            self.hidden_.append(unit.numpy())
            activity = torch.cat([activity, torch.sigmoid(activity @ unit)[:, None] - 0.5], 1)
            weights = torch.cat([weights, torch.zeros(1, weights.shape[1], dtype=torch.float64)])
        self.output_ = weights.numpy()
        self.n_units_ = len(self.hidden_)
        return self

    def _train_outputs(
        self,
        activity: Float[Tensor, "n inputs"],
        wanted: Float[Tensor, "n outputs"],
        start: Float[Tensor, "inputs outputs"],
    ) -> Float[Tensor, "inputs outputs"]:
        """Minimize the squared error of the output units, and keep the best weights."""

        def loss(weights: Tensor) -> Tensor:
            return (torch.sigmoid(activity @ weights) - wanted).square().sum()

        return _minimize(loss, start, self.output_epochs, self.lr)

    def _train_candidates(
        self, activity: Float[Tensor, "n inputs"], error: Float[Tensor, "n outputs"], generator: torch.Generator
    ) -> Float[Tensor, "inputs"]:
        """The best of a pool of candidates, all of which are trained at once."""
        centered = error - error.mean(0)
        centered = centered / centered.square().sum().sqrt().clamp(min=SCALE)

        def score(weights: Tensor) -> Tensor:
            v = torch.sigmoid(activity @ weights)
            return ((v - v.mean(0)).T @ centered).abs().sum(1)

        shape = (activity.shape[1], self.n_candidates)
        start = self.scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        weights = _minimize(lambda one: -score(one).sum(), start, self.candidate_epochs, self.lr)
        return weights[:, score(weights).argmax()]

    @staticmethod
    def _decide(outputs: Float[Tensor, "n outputs"]) -> Int[Tensor, "n"]:
        return (outputs[:, 0] > 0.5).long() if outputs.shape[1] == 1 else outputs.argmax(1)

    def decision_function(self, X: Shaped[np.ndarray, "n features"]) -> Float[np.ndarray, "n outputs"]:
        """The output units' values, from 0 to 1: one column of two classes, that of the second; else one a class."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        activity = np.concatenate([np.ones((len(X), 1)), X], 1)
        for unit in self.hidden_:
            activity = np.concatenate([activity, _sigmoid(activity @ unit)[:, None] - 0.5], 1)
        return _sigmoid(activity @ self.output_)

    def predict(self, X: Shaped[np.ndarray, "n features"]) -> Shaped[np.ndarray, "n"]:
        """The class of each sample."""
        return self.classes_[self._decide(torch.from_numpy(self.decision_function(X))).numpy()]


def _sigmoid(z: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return torch.sigmoid(torch.from_numpy(z)).numpy()


def _minimize(loss: Callable[[Tensor], Tensor], start: Tensor, epochs: int, lr: float) -> Tensor:
    """Resilient propagation from these weights; the best ones on the way."""
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.Rprop([weights], lr, step_sizes=(1e-6, 5))
    best, kept = loss(start), start
    for _ in range(epochs):
        optimizer.zero_grad()
        value = loss(weights)
        if value < best:
            best, kept = value.detach(), weights.detach().clone()
        value.backward()
        optimizer.step()
    value = loss(weights.detach())
    return weights.detach() if value < best else kept
