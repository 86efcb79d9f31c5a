"""The closed form of the paper: generalization error over time, from the replica method (eqs. 12-14)."""

import warnings
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from .configs import TeacherStudent
from .order_parameters import Dynamics, checked_times

Only = Literal["fast", "slow"]


def two_scale_theory(
    setup: TeacherStudent,
    t: ArrayLike,
    only: Only | None = None,
    *,
    l2: ArrayLike | None = None,
    kappa: ArrayLike | None = None,
) -> Dynamics:
    """The closed form of R, Q and the error for a fast and a slow group of features.

    Gradient descent that is stopped at time t is taken for ridge regression with the penalty `l2 + 1 / (eta t)`; each
    group then obeys a Marchenko-Pastur equation, and the groups see each other as noise. With `i` a group of `d_i`
    features and scale `s_i`, `j` the other one, and `alpha_i = n / d_i`:

        lam_i = (l2 + 1 / (eta t)) / (d_i / d * s_i^2)
        a_i = 1 + (sqrt((1 - alpha_i - lam_i)^2 + 4 lam_i) - (1 - alpha_i - lam_i)) / 2
        R_i = n / (d a_i),   b_i = alpha_i / (a_i^2 - alpha_i)
        c_i = 1 + noise^2 - 2 R_j - (n / d) (2 - a_i) / a_i
        Q_i = b_i (c_i + b_j c_j) / (1 - b_1 b_2)

    The time axis is approximate: peaks come later by a factor of about two than in gradient descent. It also fails late
    in training when there are fewer samples than features, where `1 - b_1 b_2` reaches zero; the order parameter Q is
    infinite from there on, and a warning says so. `deterministic_equivalent` has neither limit.

    Args:
        setup: The teacher and the student.
        t: Times, in steps of gradient descent; 0 and infinity are allowed.
        only: `fast` keeps the slow group unlearned, as at time 0; `slow` takes the fast group as learned already, as
            after infinite time.
        l2: Weight decays in place of the setup's; they are broadcast together with `kappa`, and time is the last axis.
        kappa: Ratios of scales in place of the setup's.

    Raises:
        ValueError: if a time or weight decay is negative, or a ratio below 1.
    """
    times = checked_times(t)
    penalty, ratio = _settings(setup, l2, kappa)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        stopped = penalty + 1.0 / (setup.typical_eta * times)
        n_over_d, (alpha_1, alpha_2) = setup.n / setup.d, setup.alphas
        at_end = np.broadcast_to(penalty, stopped.shape)
        a_1 = _a(at_end if only == "slow" else stopped, alpha_1, setup.p / setup.d)
        slow = (1 - setup.p / setup.d) / ratio**2
        a_2 = np.full_like(stopped * slow, np.inf) if only == "fast" else _a(stopped, alpha_2, slow)
        r_1, r_2 = np.broadcast_arrays(n_over_d / a_1, n_over_d / a_2)
        b_1, b_2 = alpha_1 / (a_1**2 - alpha_1), alpha_2 / (a_2**2 - alpha_2)
        scale = 1 + setup.noise**2
        c_1 = scale - 2 * r_2 - n_over_d * (2 / a_1 - 1)
        c_2 = scale - 2 * r_1 - n_over_d * (2 / a_2 - 1)
        rest = 1 - b_1 * b_2
        q_1, q_2 = b_1 * (c_1 + b_2 * c_2) / rest, b_2 * (c_2 + b_1 * c_1) / rest
        is_valid = (rest > 0) & (a_1**2 > alpha_1) & (a_2**2 > alpha_2)
    if not is_valid.all():
        q_1, q_2 = np.where(is_valid, q_1, np.inf), np.where(is_valid, q_2, np.inf)
        _warn(setup)
    parts = {"r_fast": r_1, "r_slow": r_2, "q_fast": q_1, "q_slow": q_2}
    return Dynamics(times, r_1 + r_2, q_1 + q_2, 1.0, setup.noise, parts)


def _warn(setup: TeacherStudent) -> None:
    warnings.warn(
        f"the closed form has no solution late in training with n = {setup.n} and d = {setup.d}, and is infinite "
        "there; the deterministic equivalent has one",
        RuntimeWarning,
        stacklevel=3,
    )


def _settings(
    setup: TeacherStudent, l2: ArrayLike | None, kappa: ArrayLike | None
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    penalty = np.asarray(setup.l2 if l2 is None else l2, float)[..., None]
    ratio = np.asarray(setup.kappa if kappa is None else kappa, float)[..., None]
    if not (penalty >= 0).all():
        raise ValueError("l2 must not be negative")
    if not (ratio >= 1).all():
        raise ValueError("kappa must be at least 1; swap the groups, p = d - p, for a ratio below 1")
    return penalty, ratio


def _a(
    penalty: Float[np.ndarray, "..."], alpha: float, strength: float | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """a_i, in the form that does not cancel: with `u = 1 - alpha - lam`, `2 lam / (u + root) = (root - u) / 2`."""
    reduced = penalty / strength
    u = 1 - alpha - reduced
    found: np.ndarray = 1 + (np.sqrt(u * u + 4 * reduced) - u) / 2
    return found
