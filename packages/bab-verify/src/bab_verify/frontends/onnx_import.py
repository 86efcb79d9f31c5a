"""ONNX models as graphs."""

from collections.abc import Iterable
from typing import cast

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, inliner, numpy_helper

from bab_verify.graph import Graph

from . import onnx_layers, onnx_operators, onnx_recurrent, onnx_shapes, patterns
from .builder import Builder, Value, Variable
from .onnx_files import parse_model
from .onnx_registry import CONVERTERS, Call, NetworkError, UnsupportedCaseError, UnsupportedOperatorError, was_rounded

_MODULES = (onnx_layers, onnx_operators, onnx_recurrent, onnx_shapes)
"""They register the operators."""


_NUMBERS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}


def graph_from_model(
    model: onnx.ModelProto | bytes,
    name: str = "network",
    dtype: torch.dtype = torch.float64,
    *,
    double: bool = False,
) -> Graph:
    """The graph of an ONNX model.

    Args:
        model: The model, or its bytes.
        name: What to call it in messages.
        dtype: Type of the constants of the graph; see `load_onnx` for what float32 means.
        double: Whether the model was exported from a module in double precision, so that numbers of single precision
            in it may be rounded ones; such a model is refused.

    Raises:
        NetworkError: if it is not a network that can be verified.
        UnsupportedOperatorError: if it has operators that are not supported; the message names all of them.
    """
    if isinstance(model, bytes):
        model = parse_model(model, name)
    if model.functions:
        model = inliner.inline_local_functions(model)
    return _Import(model, name, dtype, double=double).graph()


class _Unknown:
    """What an operator that is not supported would give."""


class _Import:
    """The state of one import: the value of each ONNX tensor."""

    def __init__(self, model: onnx.ModelProto, name: str, dtype: torch.dtype, *, double: bool) -> None:
        self.proto, self.name, self.double = model.graph, name, double
        versions = [entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}]
        if not versions or not self.proto.node:
            raise NetworkError(f"{name}: not an ONNX model with operators")
        self.opset = max(versions)
        self.unsupported: dict[str, str] = {}
        self.values: dict[str, Value | _Unknown | None] = {"": None}
        self.nodes = self._needed()
        used = {source for node in self.nodes for source in node.input} | {self._output()}
        for initializer in self.proto.initializer:
            if initializer.name in used:
                self.values[initializer.name] = self._weights(initializer, initializer.name)
        self.builder = self._input(dtype)

    def _output(self) -> str:
        if len(self.proto.output) != 1:
            names = ", ".join(output.name for output in self.proto.output)
            raise NetworkError(f"{self.name}: one output is supported, not {len(self.proto.output)} ({names})")
        return self.proto.output[0].name

    def _needed(self) -> list[onnx.NodeProto]:
        """The nodes that the output depends on."""
        needed, nodes = {self._output()}, []
        for node in reversed(self.proto.node):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        return nodes[::-1]

    def _weights(self, tensor: TensorProto, what: str) -> np.ndarray:
        if tensor.data_type not in _NUMBERS:
            kind = TensorProto.DataType.Name(tensor.data_type).lower()
            raise NetworkError(f"{self.name}: {what} is of type {kind}; convert the network to float32")
        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise NetworkError(f"{self.name}: {what} is damaged ({error})") from None
        if not np.isfinite(array).all():
            raise NetworkError(f"{self.name}: {what} holds NaN or infinity")
        self._check_numbers(array, what)
        return array

    def _check_numbers(self, array: np.ndarray, what: str) -> None:
        """See that a constant of a network in double precision was not rounded to single precision."""
        # The exporter that reads the code makes doubles of single numbers in it by way of single precision.
        single = array.dtype == np.float32 or (
            not array.ndim and array.dtype == np.float64 and array == np.float32(array)
        )
        if self.double and single and was_rounded(array):
            raise NetworkError(
                f"{self.name}: {what} was made in single precision, but the module is in double precision; "
                "keep its numbers in tensors of double precision"
            )

    def _input(self, dtype: torch.dtype) -> Builder:
        constants = {tensor.name for tensor in self.proto.initializer}
        inputs = [x for x in self.proto.input if x.name not in constants]
        if len(inputs) != 1:
            names = ", ".join(x.name for x in inputs)
            raise NetworkError(f"{self.name}: one input is supported, not {len(inputs)} ({names})")
        kind = inputs[0].type.tensor_type
        if kind.elem_type not in {TensorProto.FLOAT, TensorProto.DOUBLE}:
            given = TensorProto.DataType.Name(kind.elem_type).lower()
            raise NetworkError(f"{self.name}: its input is of type {given}; float32 or float64 is supported")
        if not kind.HasField("shape"):
            raise NetworkError(f"{self.name}: its input has no shape")
        shape = tuple(dim.dim_value if dim.dim_value > 0 else 1 for dim in kind.shape.dim)
        # Recurrent operators take time first.
        sequence = any(
            node.op_type in {"LSTM", "GRU", "RNN"} and node.input[0] == inputs[0].name for node in self.nodes
        )
        if len(shape) > 1 and shape[0] != 1 and not sequence:
            raise NetworkError(f"{self.name}: its batch, the first dimension of its input, is {shape[0]}; it must be 1")
        builder = Builder(shape, dtype, inputs[0].name, patterns.PRODUCTS)
        self.values[inputs[0].name] = builder.input
        return builder

    def graph(self) -> Graph:
        """Build it."""
        for node in self.nodes:
            for name, value in zip(node.output, self._outputs(node), strict=False):
                if name:
                    self.values[name] = value
        if self.unsupported:
            listed = "; ".join(self.unsupported.values())
            raise UnsupportedOperatorError(f"{self.name}: not supported: {listed}")
        output = self._get(self._output(), "the output")
        if isinstance(output, np.ndarray):
            # It does not depend on the input.
            zeros = cast("Variable", self.builder.select(self.builder.input, np.full(output.shape, -1)))
            output = self.builder.shift(zeros, output)
        return self.builder.graph(cast("Variable", output))

    def _get(self, name: str, node: str) -> Value | _Unknown | None:
        if name not in self.values:
            raise NetworkError(f"{self.name}: {node} takes {name!r}, which nothing gives")
        return self.values[name]

    def _outputs(self, node: onnx.NodeProto) -> Iterable[Value | _Unknown]:
        label = f"{node.op_type} ({node.name or next(iter(node.output), '')})"
        inputs = [self._get(name, label) for name in node.input]
        unknown = [_Unknown() for _ in node.output]
        known = node.domain in {"", "ai.onnx"}
        if any(isinstance(x, _Unknown) for x in inputs):
            if node.op_type not in CONVERTERS or not known:
                self._refuse(node, label)
            return unknown
        call = Call(node, tuple(cast("list[Value | None]", inputs)), self.opset, self.double)
        self.builder.name = node.name or next(iter(node.output), "")
        try:
            if node.op_type == "Constant":
                return [self._constant(node, label)]
            if known and not any(isinstance(x, Variable) for x in inputs):
                return call.evaluate()
            if node.op_type not in CONVERTERS or not known:
                self._refuse(node, label)
                return unknown
            result = CONVERTERS[node.op_type](self.builder, call)
        except UnsupportedCaseError as error:
            self.unsupported[label] = f"{label}: {error}"
            return unknown
        except (ValueError, TypeError, IndexError, RuntimeError, ZeroDivisionError) as error:
            if isinstance(error, NetworkError):
                raise
            raise NetworkError(f"{self.name}: {label}: {str(error).splitlines()[0]}") from error
        results = result if isinstance(result, tuple) else (result,)
        return [x if isinstance(x, Variable) else np.asarray(x) for x in results]

    def _refuse(self, node: onnx.NodeProto, label: str) -> None:
        self.unsupported[label] = f"{node.domain}.{label}" if node.domain else label

    def _constant(self, node: onnx.NodeProto, label: str) -> np.ndarray:
        (attribute,) = node.attribute
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            return self._weights(value, label)
        integers = attribute.name in {"value_int", "value_ints"}
        array = np.array(value, np.int64 if integers else np.float32)
        self._check_numbers(array, label)
        return array
