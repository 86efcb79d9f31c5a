"""Which ONNX operators are supported, and how each is built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypeVar, cast

import numpy as np
import onnx
from onnx import helper

from .builder import Builder, Value, Variable
from .onnx_runtime import RUNTIME_ERRORS, session


class NetworkError(ValueError):
    """A file is not a network that can be verified."""


class UnsupportedOperatorError(NetworkError):
    """A network has operators that are not supported."""


class UnsupportedCaseError(ValueError):
    """An operator is used in a way that is not supported."""


@dataclass(frozen=True)
class Call:
    """One node of an ONNX graph, with the values that it takes.

    Args:
        proto: The node.
        inputs: Its inputs; `None` for those left out.
        opset: Version of the operators.
        double: Whether the network comes from a module in double precision.
    """

    proto: onnx.NodeProto
    inputs: tuple[Value | None, ...]
    opset: int
    double: bool = False

    @cached_property
    def attributes(self) -> dict[str, object]:
        """Its attributes."""
        return {a.name: helper.get_attribute_value(a) for a in self.proto.attribute}

    def number(self, name: str, default: float) -> float:
        """A numeric attribute, which is a number of single precision, as is its default.

        Raises:
            UnsupportedCaseError: if the network is in double precision, and the attribute may have been rounded.
        """
        value = float(np.float32(cast("float", self.attributes.get(name, default))))
        if self.double and was_rounded(np.array(value)):
            raise UnsupportedCaseError(
                f"its {name}, {value:.6g}, passes through ONNX in single precision, but the module is in double "
                "precision; take the layer of torch.nn instead of the function, or a tensor instead of the number"
            )
        return value

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return cast("int", self.attributes.get(name, default))

    def integers(self, name: str, default: Sequence[int]) -> list[int]:
        """A list of integers."""
        return list(cast("Sequence[int]", self.attributes.get(name, default)))

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else cast("str", value)

    def input(self, index: int) -> Value | None:
        """An input; `None` where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def value(self, index: int) -> Value:
        """An input that must be there."""
        value = self.input(index)
        if value is None:
            raise ValueError(f"input {index} is missing")
        return value

    def variable(self, index: int) -> Variable:
        """An input that must depend on the network's input."""
        value = self.value(index)
        if not isinstance(value, Variable):
            raise UnsupportedCaseError(f"input {index} is a constant")
        return value

    def constant(self, index: int) -> np.ndarray:
        """An input that must be a constant."""
        value = self.value(index)
        if isinstance(value, Variable):
            raise UnsupportedCaseError(f"input {index} depends on the network's input")
        return value

    def optional(self, index: int) -> np.ndarray | None:
        """An input that must be a constant, if there is one."""
        return None if self.input(index) is None else self.constant(index)

    def evaluate(self, *first: np.ndarray) -> list[np.ndarray]:
        """The node's outputs by ONNX Runtime.

        Args:
            first: What to take for the first inputs.

        Raises:
            UnsupportedCaseError: if ONNX Runtime cannot compute it, or a number was rounded, as for `number`.
        """
        for attribute in self.proto.attribute:
            if attribute.type == onnx.AttributeProto.FLOAT:
                self.number(attribute.name, 0.0)
        given = [*first, *(self.optional(i) for i in range(len(first), len(self.inputs)))]
        node = onnx.NodeProto()
        node.CopyFrom(self.proto)
        del node.input[:], node.output[:]
        node.input.extend("" if x is None else f"x{i}" for i, x in enumerate(given))
        node.output.extend(f"y{i}" if name else "" for i, name in enumerate(self.proto.output))
        feeds = {f"x{i}": x for i, x in enumerate(given) if x is not None}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in feeds.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], "node", inputs, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        try:
            results = iter(session(model.SerializeToString()).run(None, feeds))
        except RUNTIME_ERRORS as error:
            raise UnsupportedCaseError(str(error).strip().splitlines()[0][:200]) from None
        return [np.asarray(next(results)) if name else np.empty(0) for name in node.output]


def was_rounded(values: np.ndarray) -> bool:
    """Whether numbers of single precision may stand for others: any with more than 11 significant bits."""
    fractions = np.frexp(values.astype(np.float64))[0] * 2**11
    return bool((fractions != np.round(fractions)).any())


Converter: TypeAlias = Callable[[Builder, Call], Value | tuple[Value, ...]]
"""Builds the outputs of a node."""


CONVERTERS: dict[str, Converter] = {}
"""How each ONNX operator is built, by its name."""


_AnyConverter = TypeVar("_AnyConverter", bound=Converter)


def converter(*operators: str) -> Callable[[_AnyConverter], _AnyConverter]:
    """Register a function as the way to build operators of ONNX.

    The function takes the builder and the node, and gives the value of its output, or a tuple for several outputs.
    It is called only for nodes that depend on the network's input; the others are constants.
    """

    def register(function: _AnyConverter) -> _AnyConverter:
        CONVERTERS.update(dict.fromkeys(operators, function))
        return function

    return register
