"""The smallest double descent: twelve points in the plane, six for training, and up to thirty features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

N_POINTS, SEED = 12, 42
CHUNK = 2000
"""Trials that are computed at once."""


@dataclass(frozen=True, eq=False)
class MinimalDemo:
    """Means over trials, at each number of features.

    Attributes:
        widths: P.
        n_train: N, 6: where all four curves peak.
        test_error: Share of test points that are classified wrongly.
        test_mse: Mean squared error of the one-hot outputs.
        condition_number: s_max / s_min of Z.
        norm: ||W||, Frobenius.
    """

    widths: tuple[int, ...]
    n_train: int
    test_error: Float[np.ndarray, " widths"]
    test_mse: Float[np.ndarray, " widths"]
    condition_number: Float[np.ndarray, " widths"]
    norm: Float[np.ndarray, " widths"]

    def peaks(self) -> dict[str, int]:
        """The width at which each curve has its peak, between half and twice N; with fewer features too little fits."""
        names = ("test_error", "test_mse", "condition_number", "norm")
        inside = [i for i, width in enumerate(self.widths) if 0.5 <= width / self.n_train <= 2]
        return {name: self.widths[max(inside, key=lambda i: getattr(self, name)[i])] for name in names if inside}


def minimal_demo(
    widths: Sequence[int] = tuple(range(1, 31)), n_trials: int = 10_000, alpha: float = 1e-8, seed: int = 0
) -> MinimalDemo:
    """The first author's minimal example of double descent, batched over trials.

    Twelve points of two classes, half of them for training; tanh features of random directions N(0, 1/D); ridge
    regression on one-hot targets with a penalty so small that only rounding notices. Its singular values are filtered
    by s / (s² + α), which does not square the condition number as the inverse of ZᵀZ + αI would.

    Args:
        widths: Numbers of features.
        n_trials: Draws of the features that are averaged.
        alpha: Penalty, of ||ZW − Y||² + α ||W||².
        seed: Draws the features.

    Raises:
        ValueError: if a width or the number of trials is not positive, or the penalty is negative.
    """
    widths = tuple(sorted(set(widths)))
    if not widths or widths[0] < 1 or n_trials < 1 or not alpha >= 0:
        raise ValueError("widths and the number of trials must be positive, and the penalty not negative")
    x, y = make_classification(
        n_samples=N_POINTS, n_features=2, n_informative=2, n_redundant=0, flip_y=0, class_sep=1.5, random_state=SEED
    )
    x_train, x_test, y_train, y_test = train_test_split(x, np.eye(2)[y], test_size=0.5, random_state=SEED)
    random = np.random.default_rng(seed)
    sums = np.zeros((4, len(widths)))
    for start in range(0, n_trials, CHUNK):
        n = min(CHUNK, n_trials - start)
        # Nested: a wider model begins with a narrower one's features.
        directions = random.normal(scale=1 / np.sqrt(2), size=(n, 2, widths[-1]))
        z, z_test = np.tanh(x_train @ directions), np.tanh(x_test @ directions)
        for i, width in enumerate(widths):
            u, s, vh = np.linalg.svd(z[:, :, :width], full_matrices=False)
            weights = vh.swapaxes(1, 2) @ ((s / (s**2 + alpha))[:, :, None] * (u.swapaxes(1, 2) @ y_train))
            outputs = z_test[:, :, :width] @ weights
            wrong = outputs.argmax(2) != y_test.argmax(1)
            squares = np.square(outputs - y_test)
            norms = np.sqrt(np.square(weights).sum((1, 2)))
            sums[:, i] += [wrong.mean(1).sum(), squares.mean((1, 2)).sum(), (s[:, 0] / s[:, -1]).sum(), norms.sum()]
    return MinimalDemo(widths, len(x_train), *(sums / n_trials))
