"""What diagrams are made of: axes, arrays and operations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["linear", "elementwise", "reduce", "rearrange", "index", "join", "opaque"]
Role = Literal["data", "parameter", "buffer", "constant"]


@dataclass(frozen=True)
class Axis:
    """One axis. Two arrays share an axis if and only if they hold the same one; equal sizes mean nothing.

    Args:
        id: Its number in the diagram.
        size: Its length.
        label: What is written on its wire.
    """

    id: int
    size: int
    label: str


@dataclass(frozen=True)
class Array:
    """One tensor between two operations: an ordered list of axes.

    Args:
        id: Its number in the diagram.
        axes: Its axes; none for a scalar.
        dtype: Type of its elements, "float32".
        role: Whether it is computed, learned, kept by a module, or a constant.
        name: The user's or the module's name for it; may be empty.
    """

    id: int
    axes: tuple[Axis, ...]
    dtype: str = "float32"
    role: Role = "data"
    name: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(axis.size for axis in self.axes)


@dataclass(frozen=True)
class Link:
    """An axis over which an operation is broadcast (Definition 2.14).

    It is an outer broadcast if it stands in all inputs, and an inner one if in some.

    Args:
        axis: The axis.
        inputs: Places, among the inputs and then the parameters, in which it is broadcast.
        outputs: Places among the outputs.
    """

    axis: Axis
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Op:
    """One operation.

    Args:
        id: Its number in the diagram.
        name: What it is called, "linear".
        kind: How it treats its axes.
        inputs: Computed arrays that it takes.
        outputs: Arrays that it gives.
        parameters: Arrays of the module that it takes: learned ones, buffers and constants.
        broadcast: Axes over which it is broadcast.
        signature: Its axes in letters, "* i, O I -> * O": `*` is what is broadcast, capitals are learned.
        einsum: The formula of a linear operation that is one Einstein sum of its inputs and parameters.
        attributes: What else determines it, under the names of its arguments.
        region: Path of the module in which it stands.
        target: The PyTorch operator, "aten.linear.default".
        arguments: All arguments by name, as JSON; a tensor is `{"array": id}`.
    """

    id: int
    name: str
    kind: Kind
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    parameters: tuple[Array, ...] = ()
    broadcast: tuple[Link, ...] = ()
    signature: str = ""
    einsum: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    region: tuple[str, ...] = ()
    target: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


def operands(op: Op) -> list[Array]:
    """Tensors of an operation in the order of its arguments."""
    arrays = {a.id: a for a in (*op.inputs, *op.parameters)}
    found: list[Array] = []

    def walk(value: Any) -> None:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, Mapping) and "array" in value:
            found.append(arrays[value["array"]])

    for value in op.arguments.values():
        walk(value)
    return found
