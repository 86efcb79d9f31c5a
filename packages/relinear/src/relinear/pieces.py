"""Networks of one variable as what they are: piecewise polynomials."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.polynomial import polynomial
from torch import Tensor, nn

from .activation import QuadraticActivation
from .linear import QuadraticLinear

TOLERANCE = 1e-9
"""Of coefficients and knots, relative to the largest coefficient and to the interval."""
MOST_DEGREE = 64


@dataclass(frozen=True)
class Pieces:
    """A piecewise polynomial.

    Attributes:
        knots: Ends of the pieces, n + 1 of them in ascending order.
        coefficients: For each piece, ascending coefficients in t = (2 x - a - b)/(b - a) for x in [a, b], so that t
            runs from -1 to 1.
    """

    knots: Float[np.ndarray, "n_plus_1"]
    coefficients: tuple[Float[np.ndarray, "degree_plus_1"], ...]

    @property
    def n_pieces(self) -> int:
        """Number of pieces, each of another polynomial than its neighbors."""
        return len(self.coefficients)

    @property
    def degrees(self) -> tuple[int, ...]:
        """Degree of each piece."""
        return tuple(_degree(one) for one in self.coefficients)

    @property
    def degree(self) -> int:
        """The largest degree."""
        return max(self.degrees)

    def __call__(self, x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """The values at points; the outermost pieces go on beyond the ends."""
        place = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, self.n_pieces - 1)
        low, high = self.knots[place], self.knots[place + 1]
        t = (2 * x - low - high) / (high - low)
        return np.array([polynomial.polyval(at, self.coefficients[i]) for at, i in zip(t, place, strict=True)])


@dataclass
class _Piece:
    """All units of a layer on an interval: (units, degree + 1) ascending coefficients in its own t."""

    low: float
    high: float
    units: Float[np.ndarray, "units degree_plus_1"]


def polynomial_pieces(model: nn.Module, lo: float, hi: float) -> Pieces:
    """The exact pieces of a network of one variable with ReLU between its layers.

    A conventional network has pieces of degree 1, one with quadratic activation and no ReLU a single piece, and a
    quadratic one of L layers pieces of degree up to 2^L (spline theory, the paper's first theorem).

    Args:
        model: An `nn.Sequential`, nested or not, of `nn.Linear`, `QuadraticLinear`, `QuadraticActivation`, `nn.ReLU`
            and `nn.Identity`, from one number to one; or anything with such a module as its only child.
        lo: Begin of the interval.
        hi: Its end.

    Raises:
        ValueError: if the interval is empty, the network has other modules, not one input and one output, or a degree
            beyond 64.
    """
    if not lo < hi:
        raise ValueError(f"the interval must be from a lower to a higher number, not from {lo} to {hi}")
    pieces = [_Piece(lo, hi, np.array([[(lo + hi) / 2, (hi - lo) / 2]]))]
    for module in _modules(model):
        pieces = [one for piece in pieces for one in _apply(module, piece)]
    if len(pieces[0].units) != 1:
        raise ValueError(f"pieces are those of a network with one output, not {len(pieces[0].units)}")
    return _merged(pieces)


def _modules(model: nn.Module) -> list[nn.Module]:
    if isinstance(model, (nn.Linear, QuadraticLinear, QuadraticActivation, nn.ReLU)):
        return [model]
    if isinstance(model, (nn.Identity, nn.Flatten, nn.Dropout)):
        return []
    children = list(model.children())
    if isinstance(model, nn.Sequential) or len(children) == 1:
        return [one for child in children for one in _modules(child)]
    raise ValueError(f"pieces are known of dense and ReLU layers in sequence, not of {type(model).__name__}")


def _apply(module: nn.Module, piece: _Piece) -> list[_Piece]:
    """A layer after what came before, on an interval."""
    if isinstance(module, nn.ReLU):
        return _rectified(piece)
    if isinstance(module, nn.Linear):
        units = _affine(piece.units, module.weight, module.bias)
    elif isinstance(module, QuadraticActivation):
        units = _products(piece.units, piece.units)
    else:
        assert isinstance(module, QuadraticLinear)  # noqa: S101 - as it was chosen
        r, g, b, *biases = module.weights
        units = _affine(piece.units, r, biases[0])
        if g is not None:
            units = _products(units, _affine(piece.units, g, biases[1]))
        power = _affine(_products(piece.units, piece.units), b, biases[2])
        units = _padded(units, power.shape[1]) + _padded(power, units.shape[1])
    if units.shape[1] - 1 > MOST_DEGREE:
        raise ValueError(f"the pieces have a degree beyond {MOST_DEGREE}, which double precision does not resolve")
    return [_Piece(piece.low, piece.high, units)]


def _affine(units: np.ndarray, weight: Tensor, bias: Tensor | None) -> np.ndarray:
    matrix = weight.detach().cpu().double().numpy()
    if matrix.shape[1] != len(units):
        raise ValueError(f"pieces are those of a network with one input, not {matrix.shape[1]}")
    found = matrix @ units
    if bias is not None:
        found[:, 0] += bias.detach().cpu().double().numpy()
    return found


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.stack([np.convolve(a, b) for a, b in zip(one, other, strict=True)])


def _padded(units: np.ndarray, width: int) -> np.ndarray:
    return np.pad(units, ((0, 0), (0, max(0, width - units.shape[1]))))


def _rectified(piece: _Piece) -> list[_Piece]:
    """The interval, cut where a unit crosses zero; units are zero where they are negative."""
    cuts = sorted({float(root) for unit in piece.units for root in _roots(unit)})
    ends = [-1.0, *(cut for cut in cuts if -1 < cut < 1), 1.0]
    found = []
    for a, b in pairwise(ends):
        if b - a < TOLERANCE:
            continue
        units = np.stack([_moved(unit, a, b) for unit in piece.units])
        # Of the value in the middle, which is no root.
        units[units[:, 0] < 0] = 0.0
        middle, half = (piece.low + piece.high) / 2, (piece.high - piece.low) / 2
        found.append(_Piece(middle + half * a, middle + half * b, units))
    found[0].low, found[-1].high = piece.low, piece.high
    for left, right in pairwise(found):
        right.low = left.high
    return found


def _roots(unit: np.ndarray) -> np.ndarray:
    """Real roots of a polynomial in (-1, 1)."""
    trimmed = unit[: _degree(unit) + 1]
    if len(trimmed) < 2:
        return np.zeros(0)
    roots = polynomial.polyroots(trimmed)
    real = roots[np.abs(roots.imag) < TOLERANCE].real
    return real[np.abs(real) < 1]


def _moved(unit: np.ndarray, a: float, b: float) -> np.ndarray:
    """The same polynomial in the t of a part [a, b] of the interval."""
    found = np.zeros(1)
    for coefficient in unit[::-1]:
        found = np.convolve(found, [(a + b) / 2, (b - a) / 2])
        found[0] += coefficient
    return found[: len(unit)]


def _degree(unit: np.ndarray) -> int:
    largest = np.abs(unit).max(initial=0.0)
    above = np.flatnonzero(np.abs(unit) > TOLERANCE * largest)
    return int(above[-1]) if len(above) else 0


def _merged(pieces: list[_Piece]) -> Pieces:
    """Without knots at which the polynomial does not change."""
    scale = max(np.abs(piece.units).max() for piece in pieces) or 1.0
    kept: list[_Piece] = []
    for piece in pieces:
        if kept and _continues(kept[-1], piece, scale):
            last = kept[-1]
            kept[-1] = _Piece(last.low, piece.high, _part(last, last.low, piece.high)[None])
        else:
            kept.append(piece)
    knots = np.array([piece.low for piece in kept] + [kept[-1].high])
    return Pieces(knots, tuple(piece.units[0][: _degree(piece.units[0]) + 1] for piece in kept))


def _continues(left: _Piece, right: _Piece, scale: float) -> bool:
    """Whether the polynomial on the right is that on the left: both are compared close to the knot."""
    reach = min(left.high - left.low, right.high - right.low)
    near = [_part(one, left.high - reach, left.high + reach) for one in (left, right)]
    return bool(np.abs(near[0] - near[1]).max() < TOLERANCE * scale)


def _part(piece: _Piece, low: float, high: float) -> np.ndarray:
    """The polynomial of a piece in the t of another interval."""
    a, b = ((2 * x - piece.low - piece.high) / (piece.high - piece.low) for x in (low, high))
    return _moved(piece.units[0], a, b)
