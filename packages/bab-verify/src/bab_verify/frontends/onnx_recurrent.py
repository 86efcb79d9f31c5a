"""The recurrent operators of ONNX, unrolled over time, for sequences of any length and batches of any size."""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from bab_verify.operators.s_shaped import Sigmoid, Tanh

from .builder import Builder, Value, Variable, positions
from .onnx_registry import Call, UnsupportedCaseError, converter


class _State(NamedTuple):
    """Output and cell, each (batch, hidden), or `None` for zero."""

    h: Value | None
    c: Value | None


@converter("LSTM")
def lstm(builder: Builder, call: Call) -> tuple[Value, ...]:
    """C' = f c + i g, h' = o tanh(c'), of gates i, o, f = sigmoid(W x + R h + b) and g = tanh(W x + R h + b)."""
    x = call.variable(0)
    steps = x.shape[0]
    _check_cell(call, [b"Sigmoid", b"Tanh", b"Tanh"])
    if call.input(7) is not None or call.integer("input_forget", 0):
        raise UnsupportedCaseError("only the standard cell is supported")
    weights, recurrent = call.constant(1), call.constant(2)
    directions, hidden = weights.shape[0], recurrent.shape[-1]
    bias = call.optional(3)
    bias = np.zeros((directions, 8 * hidden)) if bias is None else bias.astype(np.float64)
    outputs, last, cells = [], [], []
    for d in range(directions):
        state = _State(_initial(builder, call.input(5), d), _initial(builder, call.input(6), d))
        b = bias[d, : 4 * hidden] + bias[d, 4 * hidden :]
        driven = builder.add(builder.matmul(x, weights[d].T), b)
        backwards = d == 1 or call.text("direction", "forward") == "reverse"
        places = positions(driven.shape)
        trace: list[Value] = []
        for t in reversed(range(steps)) if backwards else range(steps):
            state = _step(builder, builder.pick(driven, places[t]), recurrent[d], state)
            trace.append(_lifted(builder, state.h, 2))
        outputs.append(builder.concatenate(trace[::-1] if backwards else trace, 0))
        last.append(_lifted(builder, state.h, 1))
        cells.append(_lifted(builder, state.c, 1))
    return builder.concatenate(outputs, 1), builder.concatenate(last, 0), builder.concatenate(cells, 0)


def _check_cell(call: Call, standard: list[bytes]) -> None:
    lengths = call.optional(4)
    if lengths is not None and (lengths != call.variable(0).shape[0]).any():
        raise UnsupportedCaseError("only sequences of full length are supported")
    activations = cast("list[bytes]", call.attributes.get("activations", standard))
    if any(name != standard[i % len(standard)] for i, name in enumerate(activations)) or "clip" in call.attributes:
        raise UnsupportedCaseError("only the standard cell is supported")
    if call.integer("layout", 0):
        raise UnsupportedCaseError("only the layout 0 is supported")


def _initial(builder: Builder, states: Value | None, direction: int) -> Value | None:
    if states is None or (isinstance(states, np.ndarray) and not states.any()):
        return None
    return builder.pick(states, positions(states.shape)[direction])


def _step(builder: Builder, driven: Value, recurrent: np.ndarray, state: _State) -> _State:
    """One step of time; the rows of the weights are i, o, f, g."""
    gates = driven if state.h is None else builder.add(driven, builder.matmul(state.h, recurrent.T))
    if not isinstance(gates, Variable):
        raise UnsupportedCaseError("a step does not depend on the network's input")
    index = positions(gates.shape)
    hidden = recurrent.shape[-1]
    opened = _of(builder, Sigmoid(), builder.select(gates, index[:, : 3 * hidden]))
    candidate = _of(builder, Tanh(), builder.select(gates, index[:, 3 * hidden :]))
    i, o, f = (builder.select(opened, part) for part in np.split(positions(opened.shape), 3, axis=1))
    cell = builder.multiply(i, candidate)
    if state.c is not None:
        cell = builder.add(builder.multiply(f, state.c), cell)
    return _State(builder.multiply(o, _of(builder, Tanh(), cell)), cell)


def _of(builder: Builder, function: Sigmoid | Tanh, x: Value) -> Variable:
    if not isinstance(x, Variable):
        raise UnsupportedCaseError("a gate does not depend on the network's input")
    return builder.apply(function, x)


def _lifted(builder: Builder, x: Value | None, dims: int) -> Value:
    """X with dimensions of size 1 before its own."""
    if x is None:
        raise ValueError("the sequence is empty")
    return builder.reshape(x, (*[1] * dims, *x.shape))


@converter("RNN")
def rnn(builder: Builder, call: Call) -> tuple[Value, ...]:
    """H' = tanh(W x + R h + b)."""
    recurrent, hidden = call.constant(2), call.constant(2).shape[-1]
    bias = _biases(call, 1)
    _check_cell(call, [b"Tanh"])

    def step(d: int, driven: Value, h: Value | None) -> Value:
        gates = builder.add(driven, bias[d, hidden:])
        return _of(builder, Tanh(), gates if h is None else builder.add(gates, builder.matmul(h, recurrent[d].T)))

    return _unrolled(builder, call, bias[:, :hidden], step)


@converter("GRU")
def gru(builder: Builder, call: Call) -> tuple[Value, ...]:
    """H' = n - z n + z h, of gates z, r = sigmoid(W x + R h + b) and n = tanh(W x + R (r h) + b)."""
    recurrent, hidden = call.constant(2), call.constant(2).shape[-1]
    bias, resets_after = _biases(call, 3), bool(call.integer("linear_before_reset", 0))
    _check_cell(call, [b"Sigmoid", b"Tanh"])

    def step(d: int, driven: Value, h: Value | None) -> Value:
        R, b = recurrent[d], bias[d, 3 * hidden :]
        index = positions(driven.shape)
        gates = builder.add(builder.pick(driven, index[:, : 2 * hidden]), b[: 2 * hidden])
        if h is not None:
            gates = builder.add(gates, builder.matmul(h, R[: 2 * hidden].T))
        opened = _of(builder, Sigmoid(), gates)
        z, r = (builder.select(opened, part) for part in np.split(positions(opened.shape), 2, axis=1))
        inner: Value = b[2 * hidden :]
        if resets_after:
            inner = inner if h is None else builder.add(builder.matmul(h, R[2 * hidden :].T), inner)
            inner = builder.multiply(r, inner)
        elif h is not None:
            inner = builder.add(builder.matmul(builder.multiply(r, h), R[2 * hidden :].T), inner)
        n = _of(builder, Tanh(), builder.add(builder.pick(driven, index[:, 2 * hidden :]), inner))
        return builder.add(n, builder.multiply(z, n if h is None else builder.add(n, h, -1)), -1)

    return _unrolled(builder, call, bias[:, : 3 * hidden], step)


def _biases(call: Call, gates: int) -> np.ndarray:
    """Those of the input and of the state, (directions, 2 gates hidden)."""
    bias, recurrent = call.optional(3), call.constant(2)
    shape = recurrent.shape[0], 2 * gates * recurrent.shape[-1]
    return np.zeros(shape) if bias is None else bias.astype(np.float64)


def _unrolled(
    builder: Builder, call: Call, bias: np.ndarray, step: Callable[[int, Value, Value | None], Value]
) -> tuple[Value, ...]:
    """All outputs, (steps, directions, batch, hidden), and the last of each direction."""
    x, weights = call.variable(0), call.constant(1)
    outputs, last = [], []
    for d in range(weights.shape[0]):
        state = _initial(builder, call.input(5), d)
        driven = builder.add(builder.matmul(x, weights[d].T), bias[d])
        backwards = d == 1 or call.text("direction", "forward") == "reverse"
        places, trace = positions(driven.shape), []
        for place in places[::-1] if backwards else places:
            state = step(d, builder.pick(driven, place), state)
            trace.append(_lifted(builder, state, 2))
        outputs.append(builder.concatenate(trace[::-1] if backwards else trace, 0))
        last.append(_lifted(builder, state, 1))
    return builder.concatenate(outputs, 1), builder.concatenate(last, 0)
