"""ONNX operators that work element by element, or along dimensions."""

from math import pi

import numpy as np

from bab_verify.graph import Operator
from bab_verify.operators.convex import Absolute, Exp, Log, Reciprocal, Sqrt
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.power import Power
from bab_verify.operators.s_shaped import Erf, Sigmoid, Tanh
from bab_verify.operators.step import Sign

from . import activations
from .builder import Builder, Value, Variable, positions
from .onnx_registry import Call, UnsupportedCaseError, converter

SELU_ALPHA, SELU_SCALE = 1.67326319217681884765625, 1.05070102214813232421875
"""Defaults of the operator."""
_FUNCTIONS: dict[str, type[Operator]] = {
    "Abs": Absolute,
    "Erf": Erf,
    "Exp": Exp,
    "Log": Log,
    "Reciprocal": Reciprocal,
    "Sigmoid": Sigmoid,
    "Sign": Sign,
    "Sin": Sin,
    "Sqrt": Sqrt,
    "Tanh": Tanh,
}


@converter(*_FUNCTIONS)
def function(builder: Builder, call: Call) -> Value:
    """A function of one variable."""
    return builder.apply(_FUNCTIONS[call.proto.op_type](), call.variable(0))


@converter("Relu")
def relu(builder: Builder, call: Call) -> Value:
    """max(x, 0)."""
    return builder.relu(call.variable(0))


@converter("Cos")
def cos(builder: Builder, call: Call) -> Value:
    """Cos x = sin(x + pi/2)."""
    return _apply(builder, Sin(), builder.shift(call.variable(0), np.array(pi / 2)))


@converter("Gelu")
def gelu(builder: Builder, call: Call) -> Value:
    """The Gaussian error linear unit."""
    tanh = call.text("approximate", "none") == "tanh"
    return builder.apply(TanhGelu() if tanh else Gelu(), call.variable(0))


@converter("Add")
def add(builder: Builder, call: Call) -> Value:
    """X + y."""
    return builder.add(call.value(0), call.value(1))


@converter("Sub")
def sub(builder: Builder, call: Call) -> Value:
    """X - y."""
    return builder.add(call.value(0), call.value(1), -1)


@converter("Neg")
def neg(builder: Builder, call: Call) -> Value:
    """-x."""
    return builder.scale(call.variable(0), np.array(-1.0))


@converter("Sum")
def total(builder: Builder, call: Call) -> Value:
    """X + y + ..."""
    value = call.value(0)
    for i in range(1, len(call.inputs)):
        value = builder.add(value, call.value(i))
    return value


@converter("Mean")
def mean(builder: Builder, call: Call) -> Value:
    """(x + y + ...) / n."""
    return builder.multiply(total(builder, call), np.array(1 / len(call.inputs)))


@converter("Mul")
def mul(builder: Builder, call: Call) -> Value:
    """X y."""
    return builder.multiply(call.value(0), call.value(1))


@converter("Div")
def div(builder: Builder, call: Call) -> Value:
    """X / y = x (1 / y)."""
    y = call.value(1)
    if not isinstance(y, Variable):
        if not y.all():
            raise ValueError("it divides by zero")
        return builder.multiply(call.value(0), np.asarray(1 / y.astype(np.float64)))
    return builder.multiply(call.value(0), builder.apply(Reciprocal(), y))


@converter("Pow")
def pow_(builder: Builder, call: Call) -> Value:
    """x^p for constants p: integers, 1/2 and -1/2."""
    x, exponents = call.variable(0), np.unique(call.constant(1))
    if exponents.size != 1:
        raise UnsupportedCaseError("only one exponent for all elements is supported")
    exponent = float(exponents[0])
    x = builder.known(builder.expand(x, np.broadcast_shapes(x.shape, call.constant(1).shape)))
    if exponent == 0:
        return np.ones(x.shape)
    magnitude = abs(exponent)
    if magnitude == 0.5:
        value: Value = builder.apply(Sqrt(), x)
    elif magnitude == 1:
        value = x
    elif magnitude == 2:
        value = builder.multiply(x, x)
    elif magnitude == round(magnitude):
        value = builder.apply(Power(int(magnitude)), x)
    else:
        raise UnsupportedCaseError(f"the exponent {exponent} is not an integer, 1/2 or -1/2")
    return value if exponent > 0 else _apply(builder, Reciprocal(), value)


@converter("LeakyRelu")
def leaky_relu(builder: Builder, call: Call) -> Value:
    """S x + (1 - s) max(x, 0)."""
    return activations.leaky_relu(builder, call.variable(0), np.array(call.number("alpha", 0.01)))


@converter("PRelu")
def p_relu(builder: Builder, call: Call) -> Value:
    """S x + (1 - s) max(x, 0), with slopes by element."""
    return activations.leaky_relu(builder, call.variable(0), call.constant(1))


@converter("Elu")
def elu(builder: Builder, call: Call) -> Value:
    """max(x, 0) + a (exp(min(x, 0)) - 1)."""
    return activations.elu(builder, call.variable(0), call.number("alpha", 1.0))


@converter("Selu")
def selu(builder: Builder, call: Call) -> Value:
    """S (max(x, 0) + a (exp(min(x, 0)) - 1))."""
    alpha, gamma = call.number("alpha", SELU_ALPHA), call.number("gamma", SELU_SCALE)
    return activations.elu(builder, call.variable(0), alpha, gamma)


@converter("Celu")
def celu(builder: Builder, call: Call) -> Value:
    """max(x, 0) + a (exp(min(x, 0) / a) - 1)."""
    alpha = call.number("alpha", 1.0)
    return activations.elu(builder, call.variable(0), alpha, input_scale=1 / alpha)


@converter("Clip")
def clip(builder: Builder, call: Call) -> Value:
    """L + max(x - l, 0) - max(x - u, 0)."""
    if call.opset < 11:
        lower, upper = call.number("min", -np.inf), call.number("max", np.inf)
    else:
        ends = call.optional(1), call.optional(2)
        lower, upper = (d if e is None else float(e) for e, d in zip(ends, (-np.inf, np.inf), strict=True))
    return activations.clip(builder, call.variable(0), lower, upper)


@converter("HardSigmoid")
def hard_sigmoid(builder: Builder, call: Call) -> Value:
    """A x + b, clipped to [0, 1]."""
    return activations.hard_sigmoid(builder, call.variable(0), call.number("alpha", 0.2), call.number("beta", 0.5))


@converter("HardSwish")
def hard_swish(builder: Builder, call: Call) -> Value:
    """X times the hard sigmoid of x."""
    return activations.hard_swish(builder, call.variable(0))


@converter("Max")
def maximum(builder: Builder, call: Call) -> Value:
    """The largest of the inputs."""
    return builder.maximum([call.value(i) for i in range(len(call.inputs))])


@converter("Min")
def minimum(builder: Builder, call: Call) -> Value:
    """The smallest of the inputs: min(a, b) = -max(-a, -b)."""
    values = [builder.multiply(call.value(i), np.array(-1.0)) for i in range(len(call.inputs))]
    return builder.multiply(builder.maximum(values), np.array(-1.0))


@converter("Where")
def where(builder: Builder, call: Call) -> Value:
    """Elements of two values, by a constant condition."""
    condition = call.constant(0).astype(bool)
    parts: list[Value] = []
    for mask, index in ((condition, 1), (~condition, 2)):
        x = call.value(index)
        chosen = builder.scale(x, mask.astype(np.float64)) if isinstance(x, Variable) else np.where(mask, x, 0)
        parts.append(chosen)
    return builder.add(parts[0], parts[1])


@converter("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL1", "ReduceL2")
def reduce(builder: Builder, call: Call) -> Value:
    """Sums, means and extremes over dimensions."""
    x, kind = call.variable(0), call.proto.op_type
    axes, keepdims = _axes(call, len(x.shape)), call.integer("keepdims", 1)
    if not axes:
        return x
    if kind in {"ReduceMax", "ReduceMin"}:
        return _extreme(builder, x, axes, keepdims, -1.0 if kind == "ReduceMin" else 1.0)
    if kind in {"ReduceSumSquare", "ReduceL2"}:
        x = builder.known(builder.multiply(x, x))
    if kind == "ReduceL1":
        x = builder.apply(Absolute(), x)
    value = builder.sum(x, axes, keepdims)
    if kind == "ReduceMean":
        return builder.multiply(value, np.array(1 / np.prod([x.shape[axis] for axis in axes])))
    return _apply(builder, Sqrt(), value) if kind == "ReduceL2" else value


def _axes(call: Call, ndim: int) -> list[int]:
    """The dimensions that an operator reduces."""
    given = call.optional(1)
    axes = call.integers("axes", []) if given is None else [int(axis) for axis in given]
    if not axes and not call.integer("noop_with_empty_axes", 0):
        axes = list(range(ndim))
    return [axis % ndim for axis in axes]


def _extreme(builder: Builder, x: Variable, axes: list[int], keepdims: int, sign: float) -> Value:
    order = [axis for axis in range(len(x.shape)) if axis not in axes] + axes
    moved = np.arange(x.size).reshape(x.shape).transpose(order)
    kept = [x.shape[axis] for axis in order[: -len(axes)]]
    slices = np.moveaxis(moved.reshape(*kept, -1), -1, 0)
    value = builder.maximum([builder.multiply(builder.select(x, index), np.array(sign)) for index in slices])
    if keepdims:
        value = builder.reshape(value, tuple(1 if axis in axes else n for axis, n in enumerate(x.shape)))
    return builder.multiply(value, np.array(sign))


@converter("Softmax", "LogSoftmax")
def softmax(builder: Builder, call: Call) -> Value:
    """Exponentials over their sum, or the logarithm."""
    x, log = call.variable(0), call.proto.op_type == "LogSoftmax"
    axis = call.integer("axis", -1 if call.opset >= 13 else 1) % len(x.shape)
    if call.opset >= 13:
        return activations.softmax(builder, x, axis, log=log)
    # Before version 13, over all dimensions from the axis on.
    return activations.softmax_over(builder, x, positions(x.shape).reshape(*x.shape[:axis], -1), log=log)


def _apply(builder: Builder, operator: Operator, x: Value) -> Variable:
    return builder.apply(operator, builder.known(x))
