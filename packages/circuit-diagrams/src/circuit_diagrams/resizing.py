"""A diagram for inputs of other sizes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .elements import Array, Axis, Link, Op
from .execution import Program
from .signatures.notation import signature_of
from .sizes import Polynomial
from .symbols import Symbols


def symbols_of(program: Program) -> Symbols:
    """The symbols of a diagram.

    Raises:
        ValueError: if it was not traced with them.
    """
    if program.symbols is None:
        raise ValueError(f"{program.name} has no symbols; trace it with symbolic=True and names of axes")
    return program.symbols


def resized(program: Program, sizes: Mapping[str, int]) -> dict[str, Any]:
    """What changes in a diagram at other sizes of its inputs, by the names of its fields.

    Raises:
        ValueError: if it was not traced with symbols, or these are none of its sizes.
    """
    symbols = symbols_of(program)
    complete = symbols.complete(sizes)
    made = _Resizer(complete, symbols.axes, symbols.numbers)
    ops = tuple(made.op(op) for op in program.ops)
    inputs, outputs = tuple(map(made.array, program.inputs)), tuple(map(made.array, program.outputs))
    values = {
        i: value for i, value in program.values.items() if i not in made.arrays or made.arrays[i].shape == value.shape
    }
    return {
        "ops": ops,
        "inputs": inputs,
        "outputs": outputs,
        "values": values,
        "symbols": replace(symbols, base=complete),
        "is_complete": program.is_complete and (symbols.is_exact or complete == symbols.base),
    }


class _Resizer:
    def __init__(
        self,
        sizes: Mapping[str, int],
        axes: Mapping[int, Polynomial],
        numbers: Mapping[tuple[int | str, ...], Polynomial],
    ) -> None:
        self.sizes, self.polynomials, self.numbers = sizes, axes, numbers
        self.axes: dict[int, Axis] = {}
        self.arrays: dict[int, Array] = {}

    def _value(self, polynomial: Polynomial) -> int:
        found = polynomial(**self.sizes)
        if found.denominator != 1 or found < 0:
            told = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
            raise ValueError(f"an axis would have the size {found} at {told}")
        return int(found)

    def axis(self, axis: Axis) -> Axis:
        if axis.id not in self.polynomials:
            return axis
        if axis.id not in self.axes:
            polynomial = self.polynomials[axis.id]
            label = str(polynomial) if axis.label == str(axis.size) else axis.label
            self.axes[axis.id] = Axis(axis.id, self._value(polynomial), label)
        return self.axes[axis.id]

    def array(self, array: Array) -> Array:
        if array.id not in self.arrays:
            self.arrays[array.id] = replace(array, axes=tuple(map(self.axis, array.axes)))
        return self.arrays[array.id]

    def op(self, op: Op) -> Op:
        arguments = {key: self._argument((op.id, key), value) for key, value in op.arguments.items()}
        attributes = {key: arguments.get(key, value) for key, value in op.attributes.items()}
        found = replace(
            op,
            inputs=tuple(map(self.array, op.inputs)),
            outputs=tuple(map(self.array, op.outputs)),
            parameters=tuple(map(self.array, op.parameters)),
            broadcast=tuple(Link(self.axis(x.axis), x.inputs, x.outputs) for x in op.broadcast),
            arguments=arguments,
            attributes=attributes,
        )
        return replace(found, signature=signature_of(found))

    def _argument(self, path: tuple[int | str, ...], value: Any) -> Any:  # noqa: ANN401 - JSON
        if path in self.numbers:
            return self._value(self.numbers[path])
        if isinstance(value, list):
            return [self._argument((*path, i), one) for i, one in enumerate(value)]
        return value
