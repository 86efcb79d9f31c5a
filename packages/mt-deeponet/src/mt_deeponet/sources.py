"""Source terms as coefficients: the polynomial encoding that tells the branch which equation a sample is of."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from separata.pde import Combustion, Cubic, Logistic, Reaction

from .configs import FAMILIES

DEGREE = 4
"""Highest power of u in the encoding."""
N_SAMPLES = 201
"""Points in [0, 1] at which a function is fitted."""


def _f1(a: float) -> list[float]:
    return [a, -a, 0.0, 0.0]


def _f2(a: float) -> list[float]:
    return [a, 0.0, -a, 0.0]


def _f4(a: float, b: float) -> list[float]:
    return [a * math.exp(-b) * value for value in (1.0, b - 1, b * (b / 2 - 1), -b * b / 2)]


_COEFFICIENTS: Mapping[str, Callable[..., list[float]]] = {"F1": _f1, "F2": _f2, "F4": _f4}
_REACTIONS: Mapping[str, Callable[..., Reaction]] = {"F1": Logistic, "F2": Cubic, "F4": Combustion}


@dataclass(frozen=True, eq=False)
class PolynomialSource:
    """A source term f(u) as the coefficients of u, u², ..., u^degree; there is no constant term, since f(0) = 0.

    Attributes:
        coefficients: Of u, u², ..., in this order.
        residual: Root mean square on [0, 1] of f minus the polynomial, relative to that of f; None where the
            coefficients are the expansion that the paper gives.
    """

    coefficients: Float[Tensor, "degree"]
    residual: float | None = None

    @classmethod
    def encode(
        cls, source: str | Callable[[Tensor], Tensor], degree: int = DEGREE, **params: float
    ) -> "PolynomialSource":
        """Encode a law of `fisher_families`, or any function of u.

        F1 is `a u (1 - u)`, F2 `a u (1 - u²)`, and F4 `a u (1 - u) exp(-b (1 - u))`, whose exponential e^(b u) is
        expanded to second order, as in the paper's program. Anything else is fitted by least squares on [0, 1]; look at
        `residual` before you trust the encoding.

        Args:
            source: A name, or a function of a tensor of values of u.
            degree: Highest power of u.
            params: Of a law: a, and b for F4. Of a function: passed on.

        Raises:
            ValueError: if there is no such law, a parameter is missing, unknown or not finite, the degree is below
                that of the law, or the function is not zero at 0 or not finite.
        """
        if degree < 1:
            raise ValueError(f"the degree must be at least 1, not {degree}")
        if callable(source):
            return cls._fit(source, degree, params)
        values = torch.tensor(_coefficients(source, params), dtype=torch.float64)
        used = int(values.nonzero().max()) + 1 if bool(values.any()) else 1
        if used > degree:
            raise ValueError(f"{source} has terms up to u^{used}, more than the encoding's degree of {degree}")
        padded = torch.zeros(degree, dtype=torch.float64)
        padded[:used] = values[:used]
        return cls(padded)

    @classmethod
    def _fit(cls, source: Callable[..., Tensor], degree: int, params: Mapping[str, float]) -> "PolynomialSource":
        u = torch.linspace(0, 1, N_SAMPLES, dtype=torch.float64)
        values = source(u, **params)
        if not bool(values.isfinite().all()):
            raise ValueError("the source is not finite on [0, 1]")
        size = float(values.square().mean().sqrt())
        if abs(float(values[0])) > 1e-9 * max(size, 1e-30):
            raise ValueError(f"the source must be zero at u = 0, not {float(values[0]):g}: there is no constant term")
        powers = u[:, None] ** torch.arange(1, degree + 1)
        found = torch.linalg.lstsq(powers, values[:, None]).solution[:, 0]
        residual = float((powers @ found - values).square().mean().sqrt())
        return cls(found, residual / size if size else 0.0)

    def __call__(self, u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The polynomial's values."""
        result = torch.zeros_like(u)
        for coefficient in reversed(self.coefficients.tolist()):
            result = (result + coefficient) * u
        return result


def fisher_families() -> Mapping[str, Sequence[str]]:
    """The reaction laws by name, each with the names of its parameters."""
    return FAMILIES


def make_reaction(name: str, **params: float | Float[Tensor, "n"]) -> Reaction:
    """A law as the solver takes it: the exact function, not its encoding.

    Raises:
        ValueError: if there is no such law, or a parameter is missing or unknown.
    """
    _check(name, params)
    return _REACTIONS[name](**params)


def _coefficients(name: str, params: Mapping[str, float]) -> list[float]:
    _check(name, params)
    for key, value in params.items():
        if not math.isfinite(value):
            raise ValueError(f"{key} must be finite, not {value}")
    return _COEFFICIENTS[name](**params)


def _check(name: str, params: Mapping[str, object]) -> None:
    if name not in FAMILIES:
        raise ValueError(f"the source must be one of {', '.join(FAMILIES)}, or a function, not '{name}'")
    if set(params) != set(FAMILIES[name]):
        raise ValueError(
            f"{name} has the parameters {', '.join(FAMILIES[name])}, not {', '.join(params) if params else 'none'}"
        )
