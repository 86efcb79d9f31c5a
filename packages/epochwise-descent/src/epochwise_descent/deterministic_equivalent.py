"""A sharper theory than the paper's: gradient flow in the limit of many features, by a deterministic equivalent.

The paper replaces stopped gradient descent by ridge regression with a penalty that depends on time. Nothing is replaced
here: weights after a time are a function of the Gram matrix, which a contour integral makes of resolvents, and of these
and of products of two of them, the limits are known for any number of groups (Bai and Silverstein; Dobriban and Wager).
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import ArrayLike

from .configs import FeatureGroups, TeacherStudent
from .order_parameters import Dynamics, checked_times

N_NODES = 32
"""Nodes of the contour; the integral has about ten digits with them."""
N_REFINED = 3
"""Steps of Newton's method after a root is found."""


def deterministic_equivalent(
    setup: TeacherStudent, t: ArrayLike, *, l2: float | None = None, eta: float | None = None
) -> Dynamics:
    """R, Q and the error of gradient flow for the time `eta t`, for many samples and features in fixed proportion.

    Right at all times and for any n, d and p, fewer samples than features included; means of draws at d = 100 agree
    within a few thousandths. Gradient descent with a learning rate below the inverse of the largest eigenvalue differs
    in its first steps alone.

    Args:
        setup: The teacher and the student.
        t: Times in steps; positive, or 0.
        l2: Weight decay in place of the setup's.
        eta: Learning rate; by default the setup's, or the inverse of the edge of the spectrum.

    Raises:
        ValueError: if a time, the weight decay or the learning rate is out of range.
    """
    penalty = setup.l2 if l2 is None else l2
    return groups_dynamics(
        setup.groups, setup.n, t, noise=setup.noise, l2=penalty, eta=setup.typical_eta if eta is None else eta
    )


def groups_dynamics(
    groups: FeatureGroups, n: int, t: ArrayLike, *, noise: float = 0.0, l2: float = 0.0, eta: float
) -> Dynamics:
    """The same with any number of groups.

    With `M(z) = (A - z)^-1` for the Gram matrix `A` of the student's inputs, the filters `e^(-eta t (A + l2))` and
    `(1 - e^(-eta t (A + l2))) / (A + l2)` are sums over the nodes of Talbot's contour of `c_k M(z_k)` and of
    `-c_k / z_k M(z_k)`. `M(z)` tends to `-1/z (1 + g(z) S^2)^-1`, where g solves one polynomial equation; and
    `tr S^-2 M(z) S^2 M(z')` to a fraction of two such traces.

    Args:
        groups: Sizes and scales.
        n: Training samples.
        t: Times in steps.
        noise: Standard deviation of the noise of labels.
        l2: Weight decay.
        eta: Learning rate.

    Raises:
        ValueError: if a time, the weight decay or the learning rate is out of range.
    """
    times = checked_times(t)
    if not (l2 >= 0 and math.isfinite(l2)):
        raise ValueError(f"l2 must not be negative, not {l2}")
    if not eta > 0 or n < 1:
        raise ValueError(f"the learning rate and the number of samples must be positive, not {eta} and {n}")
    limit = _Limit(np.array(groups.sizes) / groups.d, np.square(groups.scales), n / groups.d)
    r, q = np.zeros_like(times), np.zeros_like(times)
    is_late = (times > 0) & np.isfinite(times)
    if is_late.any():
        r[is_late], excess = _at(limit, eta * times[is_late], l2, noise)
        q[is_late] = 2 * excess - 1 + 2 * r[is_late]
    return Dynamics(times, r, q, 1.0, noise)


def _at(
    limit: "_Limit", a: Float[np.ndarray, " time"], l2: float, noise: float
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"]]:
    """R and the excess error at the times a, which are eta t."""
    z, c = _talbot(a)
    one = limit.resolvent(z - l2)
    left = c * (1 - l2 / z)
    r = 1 - (left * limit.trace(one.m)).sum(-1).real
    # What is not yet learned of the teacher: S e^(-a A) S^-1 W.
    pair = limit.product(one)
    excess = np.einsum("tj,tk,tjk->t", left, left, pair).real / 2
    if noise:
        late_z, late_c = z / 2, c / 2
        late = limit.resolvent(late_z - l2)
        s2 = limit.strengths
        filtered = (-c / z * limit.trace(s2 * one.m)).sum(-1).real
        doubled = (-late_c / late_z * limit.trace(s2 * late.m)).sum(-1).real
        learned = 2 * filtered - doubled
        if l2:
            # (1 - e)^2 m / (m + l2)^2 has l2 times the filter's square less than (1 - e)^2 / (m + l2).
            weight = -c / z
            square = np.einsum("tj,tk,tjk->t", weight, weight, limit.squares(one)).real
            learned = learned - l2 * square
        excess = excess + noise**2 * learned / 2
    return r, excess


def _talbot(a: Float[np.ndarray, " time"]) -> tuple[Complex[np.ndarray, "time k"], Complex[np.ndarray, "time k"]]:
    """Nodes z and weights c with `sum c / (x - z) = exp(-a x)` for x at least 0 (Weideman 2006)."""
    angle = -np.pi + (np.arange(N_NODES) + 0.5) * 2 * np.pi / N_NODES
    cot, csc = 1 / np.tan(0.6407 * angle), 1 / np.sin(0.6407 * angle)
    s = N_NODES * (0.5017 * angle * cot - 0.6122 + 0.2645j * angle)
    ds = N_NODES * (0.5017 * cot - 0.5017 * 0.6407 * angle * csc**2 + 0.2645j)
    # exp(-a x) = (1 / 2 pi i) integral of e^s / (s + a x) ds, and z = -s / a.
    weights = np.exp(s) * ds / (1j * N_NODES)
    return -s / a[:, None], weights / a[:, None]


class _Resolvent:
    """The limit of a resolvent: in each group M is m, and 1 / (1 + x^T M x / d) is `leave_one_out`."""

    def __init__(self, m: Complex[np.ndarray, "time k groups"], leave_one_out: Complex[np.ndarray, "time k"]) -> None:
        self.m, self.leave_one_out = m, leave_one_out


class _Limit:
    """Limits for a spectrum of scales.

    Args:
        weights: Share of the features in each group.
        strengths: Squared scale of each group.
        ratio: Samples for each feature.
    """

    def __init__(
        self, weights: Float[np.ndarray, " groups"], strengths: Float[np.ndarray, " groups"], ratio: float
    ) -> None:
        self.weights, self.strengths, self.ratio = weights, strengths, ratio

    def trace(self, values: Complex[np.ndarray, "... groups"]) -> Complex[np.ndarray, "..."]:
        """Of a matrix that is a number in each group, over d."""
        found: np.ndarray = values @ self.weights
        return found

    def resolvent(self, z: Complex[np.ndarray, "time k"]) -> _Resolvent:
        """The limit of M at points off the real axis."""
        g = self._companion(z)
        return _Resolvent(-1 / (z[..., None] * (1 + g[..., None] * self.strengths)), -z * g / self.ratio)

    def product(self, one: _Resolvent) -> Complex[np.ndarray, "time k k"]:
        """Tr S^-2 M S^2 M' / d for every two points of a time."""
        both = one.m[:, :, None] * one.m[:, None]
        zero = self.trace(both)
        return zero / self._rest(one, both)

    def squares(self, one: _Resolvent) -> Complex[np.ndarray, "time k k"]:
        """Tr S^2 M M' / d for every two points of a time."""
        both = one.m[:, :, None] * one.m[:, None]
        return self.trace(self.strengths * both) / self._rest(one, both)

    def _rest(self, one: _Resolvent, both: Complex[np.ndarray, "time k k groups"]) -> Complex[np.ndarray, "time k k"]:
        kept = self.ratio * one.leave_one_out[:, :, None] * one.leave_one_out[:, None]
        found: np.ndarray = 1 - kept * self.trace(self.strengths**2 * both)
        return found

    def _companion(self, z: Complex[np.ndarray, "time k"]) -> Complex[np.ndarray, "time k"]:
        """g, the normalized trace of the resolvent of the samples' Gram matrix.

        It solves `g (-z + sum w_i s_i / (1 + g s_i)) = n / d`, and is the solution for which the imaginary parts of g
        and of z g have the sign of that of z. Multiplied by all `1 + g s_i`, the equation is a polynomial.
        """
        roots = _roots(self._polynomial(z))
        turned, sign = z[..., None] * roots, np.sign(z.imag)[..., None]
        least = np.minimum(sign * roots.imag / np.abs(roots), sign * turned.imag / np.abs(turned))
        best = least.argmax(-1)
        g: np.ndarray = np.take_along_axis(roots, best[..., None], -1)[..., 0]
        for _ in range(N_REFINED):
            inner = 1 + g[..., None] * self.strengths
            value = g * (-z + (self.weights * self.strengths / inner).sum(-1)) - self.ratio
            slope = -z + (self.weights * self.strengths / inner**2).sum(-1)
            g = g - value / slope
        return g

    def _polynomial(self, z: Complex[np.ndarray, "time k"]) -> Complex[np.ndarray, "time k degree"]:
        """Coefficients in g, the highest power first."""
        whole = _product([(s, 1.0) for s in self.strengths])
        own = sum(
            w * s * np.concatenate([[0.0], _product([(o, 1.0) for j, o in enumerate(self.strengths) if j != i])])
            for i, (w, s) in enumerate(zip(self.weights, self.strengths, strict=True))
        )
        zeros = np.zeros((*z.shape, 1), complex)
        shifted = np.concatenate([-z[..., None] * whole + own, zeros], -1)
        return shifted - self.ratio * np.concatenate([[0.0], whole])


def _product(factors: Sequence[tuple[float, float]]) -> Float[np.ndarray, " degree"]:
    found = np.ones(1)
    for factor in factors:
        found = np.convolve(found, factor)
    return found


def _roots(coefficients: Complex[np.ndarray, "... degree"]) -> Complex[np.ndarray, "... roots"]:
    """Roots of many polynomials, as eigenvalues of their companion matrices."""
    degree = coefficients.shape[-1] - 1
    companion = np.zeros((*coefficients.shape[:-1], degree, degree), complex)
    companion[..., np.arange(1, degree), np.arange(degree - 1)] = 1
    companion[..., 0, :] = -coefficients[..., 1:] / coefficients[..., :1]
    found: np.ndarray = np.linalg.eigvals(companion)
    return found
