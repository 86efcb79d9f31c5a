"""The order parameters R and Q, and the generalization error that they determine."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dynamics:
    """How a student learns: its order parameters and its error over time.

    The generalization error is half the mean squared error on fresh samples, noise of their labels included (eq. 6):
    `(T - 2 R + Q + noise^2) / 2`.

    Attributes:
        t: Steps of gradient descent, not necessarily whole.
        r: Alignment of the teacher with the modulated student, `W . F What / d`.
        q: Squared norm of the modulated student, `|F What|^2 / d`.
        teacher: T, the squared norm of the teacher, `|W|^2 / d`; 1 in theory.
        noise: Standard deviation of the noise of labels.
        parts: What R and Q are made of, by name: r_fast, r_slow, q_fast and q_slow, where a theory knows them.

    The last axis of `r` and `q` is time; axes before it are draws, or what the settings were broadcast over.
    """

    t: Float[np.ndarray, " time"]
    r: Float[np.ndarray, "*draws time"]
    q: Float[np.ndarray, "*draws time"]
    teacher: ArrayLike = 1.0
    noise: float = 0.0
    parts: dict[str, Float[np.ndarray, "..."]] = field(default_factory=dict)

    @property
    def excess(self) -> Float[np.ndarray, "*draws time"]:
        """The error on fresh samples whose labels have no noise."""
        found: np.ndarray = (np.asarray(self.teacher) - 2 * self.r + self.q) / 2
        return found

    @property
    def error(self) -> Float[np.ndarray, "*draws time"]:
        """The generalization error."""
        return self.excess + self.noise**2 / 2

    @property
    def mean(self) -> Float[np.ndarray, " time"]:
        """The error averaged over draws."""
        error = self.error
        return error if error.ndim == 1 else error.reshape(-1, error.shape[-1]).mean(0)

    @property
    def std(self) -> Float[np.ndarray, " time"]:
        """Sample standard deviation of the error over draws; zero where there is one."""
        flat = self.error.reshape(-1, self.error.shape[-1])
        return flat.std(0, ddof=1) if len(flat) > 1 else np.zeros(flat.shape[-1])

    def to_columns(self) -> dict[str, np.ndarray]:
        """The columns of a table: t, R, Q and the error, of several draws their means, with the error's deviation."""
        if self.r.ndim == 1:
            return {"t": self.t, "R": self.r, "Q": self.q, "error": self.error}
        r, q = (one.reshape(-1, one.shape[-1]).mean(0) for one in (self.r, self.q))
        return {"t": self.t, "R": r, "Q": q, "error": self.mean, "std": self.std}


def dynamics_of(
    u: Float[Tensor, "*draws time d"], w: Float[Tensor, "*draws d"], t: ArrayLike, noise: float = 0.0
) -> Dynamics:
    """Order parameters of students.

    Args:
        u: The modulated students, `F What`, at each time.
        w: The teachers.
        t: The times.
        noise: Standard deviation of the noise of labels.
    """
    d = w.shape[-1]
    r = (u @ w[..., None])[..., 0] / d
    q = u.square().sum(-1) / d
    norm: Any = w.square().sum(-1, keepdim=True) / d
    return Dynamics(np.asarray(t, float), r.cpu().numpy(), q.cpu().numpy(), norm.cpu().numpy(), noise)


def checked_times(t: ArrayLike) -> Float[np.ndarray, " time"]:
    """Times as an array.

    Raises:
        ValueError: if there is none, or one is negative or not a number.
    """
    times = np.atleast_1d(np.asarray(t, float))
    if times.ndim != 1 or not times.size:
        raise ValueError("times are a list of at least one number")
    if not (times >= 0).all():
        raise ValueError("times must not be negative")
    return times
