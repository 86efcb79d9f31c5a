"""A diagram is a program: what it computes."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from .arguments import decode, resolve
from .elements import Array, Op
from .symbols import Symbols


@runtime_checkable
class Program(Protocol):
    """What can be executed: a diagram."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def inputs(self) -> tuple[Array, ...]:
        """What it is given."""

    @property
    def outputs(self) -> tuple[Array, ...]:
        """What it returns."""

    @property
    def ops(self) -> tuple[Op, ...]:
        """What it does."""

    @property
    def is_single(self) -> bool:
        """Whether it returns one tensor."""

    @property
    def symbols(self) -> Symbols | None:
        """How its sizes depend on those that the user named."""

    @property
    def is_complete(self) -> bool:
        """Whether all arguments of its operations are known."""

    @property
    def values(self) -> Mapping[int, Tensor]:
        """Tensors by the number of their array."""


def execute(diagram: Program, *inputs: Tensor) -> Any:  # noqa: ANN401 - a tensor or a tuple of them
    """What a diagram computes.

    Raises:
        ValueError: if there are too few or too many inputs, one is of another shape, or a value is missing.
    """
    known = run(diagram, *inputs)
    found = tuple(known[a.id] for a in diagram.outputs)
    return found[0] if diagram.is_single else found


def run(diagram: Program, *inputs: Tensor, keeps_all: bool = False) -> dict[int, Tensor]:
    """The tensors of a diagram by the number of their array: its outputs, or all of them.

    Raises:
        ValueError: if there are too few or too many inputs, one is of another shape, or a value is missing.
    """
    known: dict[int, Tensor] = {**diagram.values, **_bound(diagram, inputs)}
    last = {a.id: op.id for op in diagram.ops for a in op.inputs}
    kept = {a.id for a in diagram.outputs}
    for op in diagram.ops:
        known.update(zip((a.id for a in op.outputs), compute(op, known), strict=True))
        if not keeps_all:
            for a in op.inputs:
                if last[a.id] == op.id and a.id not in kept:
                    known.pop(a.id, None)
    return known


def _bound(diagram: Program, inputs: tuple[Tensor, ...]) -> dict[int, Tensor]:
    if not diagram.is_complete:
        raise ValueError(
            f"{diagram.name} scales by something for which no number is known at these sizes; trace it at them to "
            "compute it"
        )
    takes = ", ".join(f"{a.name or 'x'}: {_shape(a)}" for a in diagram.inputs) or "nothing"
    if len(inputs) != len(diagram.inputs):
        raise ValueError(f"{diagram.name} takes {len(diagram.inputs)} tensors ({takes}), not {len(inputs)}")
    for array, tensor in zip(diagram.inputs, inputs, strict=True):
        if tuple(tensor.shape) != array.shape:
            given = "×".join(map(str, tensor.shape)) or "scalar"
            raise ValueError(f"{diagram.name} takes {takes}, but {array.name or 'an input'} is {given}")
    return {array.id: tensor for array, tensor in zip(diagram.inputs, inputs, strict=True)}


def _shape(array: Array) -> str:
    return "×".join(map(str, array.shape)) or "scalar"


def compute(op: Op, known: dict[int, Tensor]) -> tuple[Tensor, ...]:
    """What one operation gives.

    Raises:
        ValueError: if a value is missing or the operator refuses its arguments.
    """

    def tensor(number: int) -> Tensor:
        if number not in known:
            name = next((a.name for a in (*op.parameters, *op.inputs) if a.id == number), "") or f"array {number}"
            raise ValueError(f"operation {op.id}, {op.name}, needs the value of {name}, which is not there")
        return known[number]

    target = resolve(op.target)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for argument in target._schema.arguments:
        if argument.name not in op.arguments:
            continue
        value = decode(op.arguments[argument.name], tensor)
        if argument.kwarg_only or len(positional) < target._schema.arguments.index(argument):
            named[argument.name] = value
        else:
            positional.append(value)
    try:
        found = target(*positional, **named)
    except (RuntimeError, TypeError, IndexError, NotImplementedError) as error:
        raise ValueError(f"operation {op.id}, {op.name}: {str(error).splitlines()[0]}") from error
    return (found,) if isinstance(found, Tensor) else tuple(t for t in found if isinstance(t, Tensor))
