"""Functions that quadratic networks represent exactly: quadratic splines, XOR and rings."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .layer import QuadraticLayer
from .linear import QuadraticLinear

TOLERANCE = 1e-9
"""Of jumps at knots, relative to the largest value."""


def spline_network(knots: Float[np.ndarray, "m_plus_1"], coefficients: Float[np.ndarray, "three m"]) -> nn.Sequential:
    """The quadratic network that is a given continuous quadratic spline (spline theory, the paper's first theorem).

    With (x - t)_+ = relu(x - t), a spline is its first polynomial plus a_j (x - t_j)_+ + b_j (x - t_j)_+² for each
    inner knot, where a_j and b_j are the jumps of slope and curvature. The first layer computes the ReLUs; the
    second layer's linear map takes them, and its power term their squares. Where the derivative is
    continuous, all a_j are 0.

    Args:
        knots: In ascending order.
        coefficients: Of (x - t_j)², x - t_j and 1 in column j, for x in [t_j, t_{j+1}], as SciPy's `PPoly` has them:
            `spline_network(spline.x, spline.c)`.

    Returns:
        `QuadraticLinear`, ReLU, `QuadraticLinear`, with m + 1 hidden units, in double precision, from (batch, 1) to
        (batch, 1). Beyond the outermost knots, the outermost polynomials go on.

    Raises:
        ValueError: if knots do not ascend, the shapes do not fit, numbers are not finite, or the spline is not
            continuous.
    """
    t, c = np.asarray(knots, dtype=float), np.asarray(coefficients, dtype=float)
    if t.ndim != 1 or len(t) < 2 or c.shape != (3, len(t) - 1):
        raise ValueError(
            f"a quadratic spline has m + 1 knots and coefficients (3, m), not {t.shape} and {c.shape}; "
            "raise a spline of lower degree with leading zeros"
        )
    if not (np.isfinite(t).all() and np.isfinite(c).all() and (np.diff(t) > 0).all()):
        raise ValueError("knots must ascend, and they and the coefficients must be finite")
    curvature, slope, value = c
    width = np.diff(t)
    ends = curvature * width**2 + slope * width + value
    jumps = np.abs(ends[:-1] - value[1:])
    if jumps.size and jumps.max() > TOLERANCE * max(1.0, np.abs(c).max()):
        at = t[1 + int(jumps.argmax())]
        raise ValueError(f"the spline jumps by {jumps.max():.3g} at {at:g}; a network of ReLUs is continuous")
    bends = slope[1:] - (slope + 2 * curvature * width)[:-1]
    # To the left of the first knot, its polynomial goes on by a unit of the other sign.
    signs, places = np.r_[1.0, -1.0, np.ones(len(bends))], np.r_[t[0], t[0], t[1:-1]]
    first = QuadraticLinear(1, len(signs), dtype=torch.double)
    second = QuadraticLinear(len(signs), 1, dtype=torch.double)
    _set(first, weight_r=signs[:, None], bias_r=-signs * places)
    linear, squares = np.r_[slope[0], -slope[0], bends], np.r_[curvature[0], curvature[0], np.diff(curvature)]
    _set(second, weight_r=linear[None], weight_b=squares[None], bias_r=value[:1])
    return nn.Sequential(first, nn.ReLU(), second)


def interpolating_network(knots: Float[np.ndarray, "n"], values: Float[np.ndarray, "n"]) -> nn.Sequential:
    """The conventional network of n hidden units that interpolates values linearly, to compare with.

    Of x² on an interval of length 1, its error with equidistant knots is 1/(4 (n - 1)²), so that an error of ε takes
    about 1/(2 sqrt(ε)) units, where a quadratic network takes one.

    Args:
        knots: In ascending order.
        values: At the knots.

    Raises:
        ValueError: if knots do not ascend, or there is not one value for each.
    """
    t, y = np.asarray(knots, dtype=float), np.asarray(values, dtype=float)
    if t.ndim != 1 or len(t) < 2 or t.shape != y.shape or not (np.diff(t) > 0).all():
        raise ValueError(f"interpolation needs ascending knots with a value each, not {t.shape} and {y.shape}")
    slope = np.diff(y) / np.diff(t)
    signs, places = np.r_[1.0, -1.0, np.ones(len(t) - 2)], np.r_[t[0], t[0], t[1:-1]]
    first = nn.Linear(1, len(signs), dtype=torch.double)
    second = nn.Linear(len(signs), 1, dtype=torch.double)
    _set(first, weight=signs[:, None], bias=-signs * places)
    _set(second, weight=np.r_[slope[0], -slope[0], np.diff(slope)][None], bias=y[:1])
    return nn.Sequential(first, nn.ReLU(), second)


def xor_neuron() -> QuadraticLinear:
    """One quadratic neuron that computes (x_1 - x_2)², the exclusive or of zeros and ones; no conventional one does."""
    neuron = QuadraticLinear(2, 1)
    row = np.array([[1.0, -1.0]])
    _set(neuron, weight_r=row, weight_g=row, bias_r=np.zeros(1), bias_g=np.zeros(1))
    return neuron


def ring_neuron(n_inputs: int = 2, radius: float = 1.0) -> QuadraticLinear:
    """One quadratic neuron that computes |x|² - radius², negative inside of a sphere and positive outside."""
    neuron = QuadraticLinear(n_inputs, 1)
    zeros = np.zeros((1, n_inputs))
    _set(neuron, weight_r=zeros, bias_r=np.array([-(radius**2)]), weight_b=zeros + 1)
    return neuron


@torch.no_grad()
def _set(layer: QuadraticLayer | nn.Linear, **values: np.ndarray) -> None:
    for name, value in values.items():
        parameter: Tensor = layer.get_parameter(name)
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
