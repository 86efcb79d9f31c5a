"""Numbers of arrays and axes in the order in which they are first met, so that equal diagrams are equal."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .elements import Array, Axis, Link
from .ir import Diagram


class _Numbers:
    def __init__(self) -> None:
        self.axes: dict[int, Axis] = {}
        self.arrays: dict[int, Array] = {}

    def axis(self, axis: Axis) -> Axis:
        return self.axes.setdefault(axis.id, replace(axis, id=len(self.axes)))

    def array(self, array: Array) -> Array:
        if array.id not in self.arrays:
            axes = tuple(map(self.axis, array.axes))
            self.arrays[array.id] = replace(array, id=len(self.arrays), axes=axes)
        return self.arrays[array.id]

    def all(self, arrays: Iterable[Array]) -> tuple[Array, ...]:
        return tuple(map(self.array, arrays))

    def argument(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [self.argument(one) for one in value]
        if isinstance(value, dict) and "array" in value:
            return {"array": self.arrays[value["array"]].id}
        return value


def renumbered(diagram: Diagram) -> Diagram:
    """The same diagram with numbers in order: inputs first, then operation by operation."""
    numbers = _Numbers()
    inputs = numbers.all(diagram.inputs)
    ops = []
    for i, op in enumerate(diagram.ops):
        ins, own, outs = numbers.all(op.inputs), numbers.all(op.parameters), numbers.all(op.outputs)
        links = tuple(Link(numbers.axis(x.axis), x.inputs, x.outputs) for x in op.broadcast)
        arguments = {key: numbers.argument(value) for key, value in op.arguments.items()}
        ops.append(replace(op, id=i, inputs=ins, parameters=own, outputs=outs, broadcast=links, arguments=arguments))
    outputs = numbers.all(diagram.outputs)
    values = {numbers.arrays[i].id: value for i, value in diagram.values.items() if i in numbers.arrays}
    return replace(diagram, inputs=inputs, ops=tuple(ops), outputs=outputs, values=values)
