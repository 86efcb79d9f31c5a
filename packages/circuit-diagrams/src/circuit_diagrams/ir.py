"""The intermediate representation: a diagram, and its form as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

from torch import Tensor

from .elements import Array, Axis, Kind, Link, Op, Role
from .execution import execute
from .resizing import resized
from .symbols import Symbols

SCHEMA = 1
"""Version of the form as JSON."""


@dataclass(frozen=True)
class Diagram:
    """A network: operations between arrays, in an order in which they can be computed.

    Called with tensors, it computes what they give.

    Args:
        name: Its name.
        inputs: Arrays that it is given.
        outputs: Arrays that it returns.
        ops: Operations.
        is_single: Whether it returns one tensor rather than a tuple.
        classes: Class of the module at each path, "stages.0".
        values: Tensors of parameters, buffers and constants by the number of their array; absent ones must be given.
        symbols: How sizes depend on those that the user named, if it was traced with `symbolic=True`.
        is_complete: Whether all arguments of its operations are known, so that it can be computed.
    """

    name: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    ops: tuple[Op, ...]
    is_single: bool = True
    classes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[int, Tensor] = field(default_factory=dict, compare=False, repr=False)
    symbols: Symbols | None = field(default=None, compare=False, repr=False)
    is_complete: bool = field(default=True, compare=False, repr=False)

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - a tensor or a tuple of them
        """What the network computes.

        Raises:
            ValueError: if there are too few or too many inputs, one is of another shape, or a value is missing.
        """
        return execute(self, *inputs)

    @property
    def parameters(self) -> tuple[Array, ...]:
        """Arrays of the module, each once, in the order of their first use."""
        return tuple({a.id: a for op in self.ops for a in op.parameters}.values())

    @property
    def arrays(self) -> dict[int, Array]:
        """All arrays by number."""
        found = {a.id: a for a in self.inputs}
        for op in self.ops:
            found.update({a.id: a for a in (*op.inputs, *op.parameters, *op.outputs)})
        found.update({a.id: a for a in self.outputs})
        return found

    @property
    def regions(self) -> dict[tuple[str, ...], tuple[int, ...]]:
        """Numbers of the operations in each module, at any depth, by its path."""
        found: dict[tuple[str, ...], list[int]] = {}
        for op in self.ops:
            for depth in range(1, len(op.region) + 1):
                found.setdefault(op.region[:depth], []).append(op.id)
        return {path: tuple(ids) for path, ids in found.items()}

    def at(self, **sizes: int) -> "Diagram":
        """The diagram for inputs of other sizes, of one that was traced with `symbolic=True`.

        Args:
            sizes: Sizes by the names of axes; the others stay.

        Raises:
            ValueError: if it has no such symbols, or none of these sizes.
        """
        return replace(self, **resized(self, sizes))

    def to_json(self) -> str:
        """The diagram without the values of its parameters, as JSON."""
        return to_json(self)


def to_json(diagram: Diagram) -> str:
    """A diagram without the values of its parameters, as JSON that `from_json` reads back exactly."""
    arrays = diagram.arrays
    axes = {axis.id: axis for a in arrays.values() for axis in a.axes}

    def ids(found: tuple[Array, ...]) -> list[int]:
        return [a.id for a in found]

    value = {
        "schema": SCHEMA,
        "name": diagram.name,
        "axes": [asdict(axis) for axis in axes.values()],
        "arrays": [
            {"id": a.id, "axes": [x.id for x in a.axes], "dtype": a.dtype, "role": a.role, "name": a.name}
            for a in arrays.values()
        ],
        "inputs": ids(diagram.inputs),
        "outputs": ids(diagram.outputs),
        "is_single": diagram.is_single,
        "classes": dict(diagram.classes),
        "ops": [
            {
                **{key: getattr(op, key) for key in ("id", "name", "kind", "signature", "einsum", "target")},
                **{key: ids(getattr(op, key)) for key in ("inputs", "outputs", "parameters")},
                "broadcast": [[x.axis.id, list(x.inputs), list(x.outputs)] for x in op.broadcast],
                "attributes": dict(op.attributes),
                "region": list(op.region),
                "arguments": dict(op.arguments),
            }
            for op in diagram.ops
        ],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Diagram:
    """The diagram of a JSON text.

    Raises:
        ValueError: if it is none.
    """
    try:
        value = json.loads(text)
        return _diagram(value)
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"this JSON is not a diagram: {type(error).__name__} {error}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON: {error.msg} at line {error.lineno}") from None


def _diagram(value: dict[str, Any]) -> Diagram:
    if value["schema"] != SCHEMA:
        raise ValueError(f"this diagram is of schema {value['schema']}, but {SCHEMA} is read")
    axes = {one["id"]: Axis(int(one["id"]), int(one["size"]), str(one["label"])) for one in value["axes"]}
    arrays = {}
    for one in value["arrays"]:
        if one["role"] not in get_args(Role):
            raise ValueError(f"array {one['id']} has the role {one['role']}, which is none of {get_args(Role)}")
        own = tuple(axes[i] for i in one["axes"])
        arrays[one["id"]] = Array(int(one["id"]), own, str(one["dtype"]), one["role"], str(one["name"]))

    def of(ids: list[int]) -> tuple[Array, ...]:
        return tuple(arrays[i] for i in ids)

    ops, known = [], set(value["inputs"])
    for one in value["ops"]:
        if one["kind"] not in get_args(Kind):
            raise ValueError(f"operation {one['id']} has the kind {one['kind']}, which is none of {get_args(Kind)}")
        if missing := [i for i in one["inputs"] if i not in known]:
            raise ValueError(f"operation {one['id']} takes array {missing[0]}, which nothing before it makes")
        known.update(one["outputs"])
        ops.append(
            Op(
                int(one["id"]),
                str(one["name"]),
                one["kind"],
                of(one["inputs"]),
                of(one["outputs"]),
                of(one["parameters"]),
                signature=str(one["signature"]),
                einsum=one["einsum"],
                target=str(one["target"]),
                broadcast=tuple(Link(axes[i], tuple(ins), tuple(outs)) for i, ins, outs in one["broadcast"]),
                attributes=dict(one["attributes"]),
                region=tuple(one["region"]),
                arguments=dict(one["arguments"]),
            )
        )
    name = str(value["name"])
    classes = {str(path): str(name) for path, name in value["classes"].items()}
    return Diagram(name, of(value["inputs"]), of(value["outputs"]), tuple(ops), bool(value["is_single"]), classes)
