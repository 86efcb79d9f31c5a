"""From a diagram to text, which `parse` reads back."""

import json
from typing import Any

from circuit_diagrams.elements import Array, Op
from circuit_diagrams.ir import Diagram

KEYWORDS = {
    "diagram",
    "size",
    "input",
    "parameter",
    "buffer",
    "constant",
    "return",
    "returns",
    "module",
    "true",
    "false",
}


def to_text(diagram: Diagram) -> str:
    """A diagram in the text language, without the values of its parameters."""
    return _Writer(diagram).text()


class _Writer:
    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        taken: dict[str, int] = {}
        for array in diagram.arrays.values():
            for axis in array.axes:
                taken.setdefault(axis.label, axis.id)
        # A name stands for one axis alone; others of the same label are written as their size.
        self.owner = {label: i for label, i in taken.items() if _is_name(label)}
        self.names: dict[int, str] = {}
        for array in diagram.inputs:
            plain = array.name if _is_name(array.name) and array.name not in KEYWORDS else f"x{array.id}"
            self.names[array.id] = plain if plain not in self.names.values() else f"x{array.id}"

    def text(self) -> str:
        diagram = self.diagram
        lines = [f"diagram {json.dumps(diagram.name, ensure_ascii=False)}"]
        lines += [f"module {json.dumps(path)} {name}" for path, name in diagram.classes.items()]
        sizes = {
            axis.label: axis.size
            for a in diagram.arrays.values()
            for axis in a.axes
            if self.owner.get(axis.label) == axis.id
        }
        if sizes:
            lines.append("size " + ", ".join(f"{name}={size}" for name, size in sizes.items()))
        lines += [f"input {self._declared(a)}" for a in diagram.inputs]
        lines += [f"{a.role} {self._declared(a)}" for a in diagram.parameters]
        lines += [self._call(op) for op in diagram.ops]
        returned = ", ".join(self._name(a) for a in diagram.outputs)
        lines.append(f"return {returned}" + ("" if diagram.is_single or len(diagram.outputs) > 1 else ","))
        return "\n".join(lines) + "\n"

    def _name(self, array: Array) -> str:
        letter = "v" if array.role == "data" else "p"
        return self.names.setdefault(array.id, f"{letter}{array.id}")

    def _axes(self, array: Array) -> str:
        own = [x.label if self.owner.get(x.label) == x.id else str(x.size) for x in array.axes]
        return ": " + " ".join(own) if own else ""

    def _declared(self, array: Array) -> str:
        dtype = "" if array.dtype == "float32" else f" {{{array.dtype}}}"
        name = self._name(array)
        label = "" if array.name in ("", name) else " " + json.dumps(array.name, ensure_ascii=False)
        return f"{name}{self._axes(array)}{dtype}{label}"

    def _call(self, op: Op) -> str:
        outputs = ", ".join(f"{self._name(a)}{self._axes(a)}" for a in op.outputs)
        arguments = ", ".join(f"{key}={self._value(value)}" for key, value in op.arguments.items())
        region = f" @ {json.dumps('.'.join(op.region))}" if op.region else ""
        return f"{outputs} = {op.target}({arguments}){region}"

    def _value(self, value: Any) -> str:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if isinstance(value, dict):
            ((kind, found),) = value.items()
            if kind == "array":
                return self._name(self.diagram.arrays[found]) if found not in self.names else self.names[found]
            return f"{kind}({json.dumps(str(found))})"
        if value is None:
            return "none"
        return json.dumps(value, ensure_ascii=False)


def _is_name(label: str) -> bool:
    return bool(label) and label.isidentifier() and label.isascii() and label not in KEYWORDS
