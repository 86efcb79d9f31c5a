"""Functions that files spell out in elementary operations, recognised in the products that they end with."""

from math import isclose, pi, sqrt
from sys import float_info
from typing import NamedTuple

import numpy as np

from bab_verify.graph import Operator
from bab_verify.operators.affine import Add, Scale, Shift
from bab_verify.operators.convex import Square
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.power import Power
from bab_verify.operators.s_shaped import Erf, Tanh

from .builder import Builder, Value, Variable


class _Line(NamedTuple):
    """A value as slope * base + intercept."""

    base: Variable
    slope: float
    intercept: float


def _line(builder: Builder, x: Variable, *, shifts: bool = False) -> _Line:
    """Look through scalings, and shifts if asked, by one number."""
    slope, intercept = 1.0, 0.0
    while True:
        operator = builder.operator(x)
        if isinstance(operator, Scale) and not operator.factor.ndim:
            slope *= operator.factor.item()
        elif shifts and isinstance(operator, Shift) and not operator.offset.ndim:
            intercept += slope * operator.offset.item()
        else:
            return _Line(x, slope, intercept)
        (x,) = builder.sources(x)


def _near(a: float, b: float) -> bool:
    return isclose(a, b, rel_tol=1e-6)


def _same(a: float, b: float) -> bool:
    """Up to what the few operations in double precision that gave them have rounded."""
    return isclose(a, b, rel_tol=4 * float_info.epsilon)


def match_gelu(builder: Builder, a: Variable, b: Variable) -> Value | None:
    """X (1 + erf(x / c)) and x (1 + tanh(a x + b x^3)), up to a factor, as GELU between two scalings; otherwise `None`.

    The constants of a file in single precision are only almost those of GELU: x / c = k x / sqrt 2 with k close to 1.
    """
    if a.shape != b.shape:
        return None
    for x, gate in ((a, b), (b, a)):
        linear = _line(builder, x)
        saturating = _line(builder, gate, shifts=True)
        operator = builder.operator(saturating.base)
        if not isinstance(operator, Erf | Tanh) or saturating.slope != saturating.intercept:
            continue
        (inner,) = builder.sources(saturating.base)
        found = _erf_unit(builder, inner) if isinstance(operator, Erf) else _tanh_unit(builder, inner)
        if found is None or found[0].base != linear.base:
            continue
        unit, function = found
        at = builder.scale(unit.base, np.array(unit.slope if not _same(unit.slope, 1) else 1.0))
        if not isinstance(at, Variable):
            continue
        factor = 2 * linear.slope * saturating.slope / unit.slope
        return builder.scale(builder.apply(function, at), np.array(factor if not _same(factor, 1) else 1.0))
    return None


def _erf_unit(builder: Builder, inner: Variable) -> tuple[_Line, Operator]:
    """K x, given k x / sqrt 2, and the function of it."""
    line = _line(builder, inner)
    return line._replace(slope=line.slope * sqrt(2)), Gelu()


def _tanh_unit(builder: Builder, inner: Variable) -> tuple[_Line, Operator] | None:
    """K x, given sqrt(2/pi) (k x + c k^3 x^3) with c close to 0.044715, and the function of it."""
    outer = _line(builder, inner)
    operator = builder.operator(outer.base)
    if not isinstance(operator, Add) or operator.signs != (1, 1):
        return None
    terms = [_line(builder, term) for term in builder.sources(outer.base)]
    for linear, cubic in (terms, terms[::-1]):
        function = builder.operator(cubic.base)
        if not isinstance(function, Power) or function.exponent != 3:
            continue
        base, inner_slope, _ = _line(builder, builder.sources(cubic.base)[0])
        slope = outer.slope * linear.slope / sqrt(2 / pi)
        coefficient = outer.slope * cubic.slope * inner_slope**3 / sqrt(2 / pi)
        if base == linear.base and _near(coefficient, TanhGelu.cubic * slope**3):
            own = coefficient / slope**3
            return _Line(base, slope, 0.0), TanhGelu(TanhGelu.cubic if _same(own, TanhGelu.cubic) else own)
    return None


def match_power(builder: Builder, a: Variable, b: Variable) -> Variable | None:
    """x^n x as x^(n+1); otherwise `None`."""
    for x, raised in ((a, b), (b, a)):
        operator = builder.operator(raised)
        if isinstance(operator, Square | Power) and builder.sources(raised)[0] == x:
            exponent = 2 if isinstance(operator, Square) else operator.exponent
            return builder.apply(Power(exponent + 1), x)
    return None


PRODUCTS = (match_gelu, match_power)
"""The rules for products, in the order in which they are tried."""
