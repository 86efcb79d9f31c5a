"""Linear relaxations of nonlinear operations: two planes, one below the function and one above."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bab_verify.graph import Operator
from bab_verify.intervals import Interval, gamma, n_roundings, summed, weighted

PRODUCT = 8
"""Roundings of a product of a coefficient and a slope, at most."""


class Relaxation(NamedTuple):
    """Planes below and above an element-wise function of one or several inputs, over a box.

    They say that

        sum_i lower_slopes[i] x_i + lower_intercept  <=  f(x)  <=  sum_i upper_slopes[i] x_i + upper_intercept

    All tensors are (batch, rows or 1, *shape). `error` is what rounding may change a coefficient's product with either
    plane by, per unit of the coefficient; `None` where nobody asked.
    """

    lower_slopes: tuple[Tensor, ...]
    lower_intercept: Tensor
    upper_slopes: tuple[Tensor, ...]
    upper_intercept: Tensor
    error: Tensor | None = None

    def of(self, boxes: slice) -> "Relaxation":
        """Those of some boxes of the batch; what is the same for all stays."""
        return Relaxation(
            tuple(x[boxes] for x in self.lower_slopes),
            self.lower_intercept if self.lower_intercept.ndim < 2 else self.lower_intercept[boxes],
            tuple(x[boxes] for x in self.upper_slopes),
            self.upper_intercept[boxes],
            None if self.error is None else self.error[boxes],
        )


class Nonlinear(Operator, ABC):
    """An element-wise operation that is not affine: inputs and output have one shape.

    It says how it is enclosed by planes and where it may be split. `relax` is sound for *any* parameters in [0, 1]:
    they choose among valid planes, so an optimiser may move them freely, and parameters found on one box are valid on
    every other.
    """

    arity = 1
    """How many inputs it takes."""
    n_parameters = 0
    """How many numbers in [0, 1] choose its planes, for each element."""
    split_point: float | None = None
    """The only point at which splitting an input is of use (a kink), or `None`."""

    @abstractmethod
    def prepare(self, inputs: tuple[Interval, ...]) -> Any:  # noqa: ANN401
        """All that the planes need to know of a box, so that an optimiser computes it once.

        Args:
            inputs: Bounds of each input, (batch, 1, *shape).
        """

    @abstractmethod
    def planes(self, state: Any, parameters: Tensor | None = None) -> Relaxation:  # noqa: ANN401
        """Planes over a box.

        Args:
            state: What `prepare` gave.
            parameters: (n_parameters, batch, rows or 1, *shape) in [0, 1]; by default `initial_parameters`.
        """

    def relax(self, inputs: tuple[Interval, ...], parameters: Tensor | None = None) -> Relaxation:
        """Planes over a box.

        Args:
            inputs: Bounds of each input, (batch, 1, *shape).
            parameters: As for `planes`.
        """
        return self.planes(self.prepare(inputs), parameters)

    def through(self, a: Tensor, planes: Relaxation) -> tuple[tuple[Tensor, ...], Tensor, Tensor | float]:
        """Coefficients through the relaxed operation: positive ones take the plane below, negative ones that above.

        Args:
            a: Coefficients of the output, (batch or 1, rows, *shape).
            planes: The relaxation.

        Returns:
            Coefficients of each input; the constant, (batch, rows); and a bound on what rounding changes them by, as it
            is felt in a bound, without gradient.
        """
        negative, positive = a.clamp(max=0), a.clamp(min=0)
        inputs = tuple(
            positive * below + negative * above
            for below, above in zip(planes.lower_slopes, planes.upper_slopes, strict=True)
        )
        constant = positive * planes.lower_intercept + negative * planes.upper_intercept
        return inputs, summed(constant.flatten(2)), felt(a, planes.error)

    @torch.no_grad()
    def rounding(
        self,
        planes: Relaxation,
        magnitudes: tuple[Tensor, ...],
        errors: tuple[Tensor, ...],
        n_constants: int,
        n_parts: int,
    ) -> Tensor:
        """What rounding may change a coefficient's product with either plane by, per unit of the coefficient.

        The planes themselves enclose the function as they are, rounding or not. But coefficients are multiplied by
        slopes and added up, the constant is a sum over all elements, and what is multiplied by a slope has an error of
        its own.

        Args:
            planes: (batch, rows or 1, *shape).
            magnitudes: The greatest absolute value of each input, (batch, 1, *shape).
            errors: What rounding may change a unit coefficient of each input by on the way down, of the same shape.
            n_constants: How many constants a backward pass adds up.
            n_parts: How many parts a coefficient of an input is the sum of, at most.
        """
        intercept = torch.maximum(planes.lower_intercept.abs(), planes.upper_intercept.abs())
        total = gamma(n_roundings(intercept[0, 0].numel()) + n_constants + 2, intercept.dtype) * intercept
        few = gamma(PRODUCT + n_parts, intercept.dtype)
        sides = zip(planes.lower_slopes, planes.upper_slopes, magnitudes, errors, strict=True)
        for below, above, magnitude, error in sides:
            total = total + torch.maximum(below.abs(), above.abs()) * (few * magnitude + error)
        return total

    def initial_parameters(self, inputs: tuple[Interval, ...]) -> Tensor:
        """Parameters to start from, (n_parameters, *shape of the bounds)."""
        lower = inputs[0].lower
        return lower.new_full((self.n_parameters, *lower.shape), 0.5)

    def splittable(self, inputs: tuple[Interval, ...], index: int) -> Tensor:
        """Which elements of input `index` are worth splitting, a mask of the shape of the bounds."""
        del index
        interval = inputs[0]
        return interval.upper - interval.lower > 1e-2

    def check(self, inputs: tuple[Interval, ...]) -> None:
        """Raise `DomainError` where an input leaves the domain of the function."""
        del inputs


class DomainError(ValueError):
    """A function of the network is not defined on all that its input can be."""


@torch.no_grad()
def felt(a: Tensor, error: Tensor | None) -> Tensor | float:
    """Errors per unit of coefficients, (batch, rows or 1, *shape), times the coefficients' sizes: (batch, rows)."""
    if error is None:
        return 0.0
    sizes = a.detach().abs().flatten(2)
    return weighted(sizes, error.flatten(1)) if error.shape[1] == 1 else summed(sizes * error.flatten(2))


def secant(f_lower: Tensor, f_upper: Tensor, interval: Interval, flat: Tensor) -> Tensor:
    """Slope of the chord over an interval; `flat` where the interval is (almost) a point.

    Args:
        f_lower: The function at the lower end.
        f_upper: The function at the upper end.
        interval: Where.
        flat: Slope for intervals too short to divide by.
    """
    width = interval.upper - interval.lower
    short = width < 1e-5 * (1 + interval.lower.abs())
    return torch.where(short, flat, (f_upper - f_lower) / torch.where(short, torch.ones_like(width), width))
