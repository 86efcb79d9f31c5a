"""One call of an operator, as rules see it, and what they say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circuit_diagrams.axes import AxisTable
from circuit_diagrams.elements import Kind

End = tuple[int, int]
"""An axis of one of several tensors: number of the tensor, place of the axis."""


@dataclass(frozen=True)
class Operand:
    """A tensor among the arguments.

    Args:
        name: Name of the argument.
        axes: Its axes.
        is_data: Whether it is computed, rather than a parameter of the module.
    """

    name: str
    axes: Sequence[int]
    is_data: bool


@dataclass(frozen=True)
class Call:
    """One call of an operator.

    Args:
        name: Name of the operator without namespace and overload.
        operands: Tensors among the arguments, in the order of the operator's schema.
        arguments: All arguments by name; tensors are None.
        shapes: Shapes of the outputs.
        table: Axes of the diagram.
    """

    name: str
    operands: Sequence[Operand]
    arguments: Mapping[str, Any]
    shapes: Sequence[Sequence[int]]
    table: AxisTable

    def shape(self, i: int) -> list[int]:
        """Shape of an operand."""
        return [self.table.size[a] for a in self.operands[i].axes]

    def of(self, name: str) -> int | None:
        """Number of the operand that is given as an argument; none if it is not given."""
        return next((i for i, one in enumerate(self.operands) if one.name == name), None)

    def new(self, output: int = 0) -> list[int]:
        """New axes for an output."""
        return [self.table.new(size) for size in self.shapes[output]]


@dataclass
class Rule:
    """What an operation does to its axes.

    Args:
        kind: How it treats them.
        outputs: Axes of each output.
        groups: Axes over which it is broadcast: where they stand in operands and in outputs.
        einsum: The formula of its operands, if it is one Einstein sum.
        name: What it is called, if not as its operator.
    """

    kind: Kind
    outputs: list[list[int]]
    groups: list[tuple[list[End], list[End]]] = field(default_factory=list)
    einsum: str | None = None
    name: str | None = None

    def passes(self, call: Call, source: int, place: int, output: int, target: int) -> None:
        """Let an axis of an operand be an axis of an output, over which the operation is broadcast."""
        self.outputs[output][target] = call.operands[source].axes[place]
        self.groups.append(([(source, place)], [(output, target)]))


def wrap(dim: int, rank: int) -> int:
    """The place of an axis that may be counted from the end."""
    return dim + rank if dim < 0 else dim


def dims_of(value: Any, rank: int) -> list[int]:  # noqa: ANN401 - an argument of an operator
    """Places of axes, given as one number, several or none, which is all."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return list(range(rank))
    return [wrap(d, rank) for d in (value if isinstance(value, list | tuple) else [value])]
