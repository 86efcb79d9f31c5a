"""Many draws of a setup, simulated at once."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from .configs import TeacherStudent
from .exact import exact_dynamics
from .gradient_descent import descend
from .order_parameters import Dynamics, checked_times, dynamics_of
from .ridge import ridge_student
from .teacher_student import Batch, sample

Method = Literal["exact", "flow", "gd", "ridge"]


def simulate(
    setup: TeacherStudent,
    n_draws: int,
    t: ArrayLike,
    method: Method = "exact",
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Dynamics:
    """Dynamics of many draws of teachers and training data; `.mean` and `.std` average over them.

    Args:
        setup: The teacher and the student. Without a learning rate, each draw has the inverse of its largest
            eigenvalue.
        n_draws: Independent draws.
        t: Times in steps; whole ones for `gd`.
        method: `exact` (gradient descent, all times at once), `flow` (gradient flow), `gd` (step by step) or `ridge`
            (ridge regression with the penalty that stands for each time).
        seed: Where the draws come from.
        device: Where to compute.

    Raises:
        ValueError: if a time is out of range or gradient descent would diverge.
    """
    generator = torch.Generator().manual_seed(seed)
    return simulate_batch(
        sample(setup, n_draws, generator=generator, device=device), t, method, l2=setup.l2, eta=setup.eta
    )


def simulate_batch(
    batch: Batch, t: ArrayLike, method: Method = "exact", *, l2: float = 0.0, eta: float | None = None
) -> Dynamics:
    """The same of draws that are there already.

    Raises:
        ValueError: as for `simulate`.
    """
    times = checked_times(t)
    if method in ("gd", "ridge"):
        learner = descend if method == "gd" else ridge_student
        weights = learner(batch.x, batch.y, times, l2=l2, eta=eta)
        return dynamics_of(weights @ batch.f.mT, batch.w, times, batch.noise)
    dynamic: Literal["gd", "flow"] = "flow" if method == "flow" else "gd"
    return exact_dynamics(
        batch.x, batch.y, batch.f, batch.w, times, l2=l2, eta=eta, dynamics=dynamic, noise=batch.noise
    )


def time_grid(last: float, n_points: int = 300, first: float = 0.1) -> np.ndarray:
    """Times that are evenly spaced in their logarithm.

    Raises:
        ValueError: if they are not positive and in order, or there are fewer than two.
    """
    if not 0 < first < last < np.inf or n_points < 2:
        raise ValueError(f"times go from a positive one to a later one, not from {first:g} to {last:g}")
    return np.geomspace(first, last, n_points)
