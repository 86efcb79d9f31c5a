"""Diagrams as PyTorch source code."""

import keyword
from typing import Any

from .arguments import resolve
from .elements import Array, Op
from .ir import Diagram

FUNCTIONS = {
    "aten.linear.default": "F.linear", "aten.einsum.default": "torch.einsum", "aten.relu.default": "torch.relu",
    "aten.softmax.int": "torch.softmax", "aten.conv2d.default": "F.conv2d", "aten.conv1d.default": "F.conv1d",
    "aten.matmul.default": "torch.matmul", "aten.cat.default": "torch.cat", "aten.gelu.default": "F.gelu",
    "aten.transpose.int": "torch.transpose", "aten.permute.default": "torch.permute", "aten.add.Tensor": "torch.add",
    "aten.mul.Tensor": "torch.mul", "aten.div.Tensor": "torch.div", "aten.sub.Tensor": "torch.sub",
    "aten.reshape.default": "torch.reshape", "aten.flatten.using_ints": "torch.flatten",
    "aten.layer_norm.default": "F.layer_norm", "aten.batch_norm.default": "F.batch_norm",
}  # fmt: skip
"""Functions that people call, where their arguments are in the order of the operator's."""
LONGEST = {"aten.layer_norm.default": 5, "aten.batch_norm.default": 8}
"""Arguments that these functions have in common with their operators."""


def to_torch(diagram: Diagram) -> str:
    """Source code of a module that computes what a diagram does.

    Its parameters and buffers have the names of the traced module's, so that its `state_dict` can be loaded; `strict`
    must be False where the module has some that nothing reads.
    """
    name = _identifier(diagram.name.title().replace(" ", ""), set()) or "Network"
    names = _Names(diagram)
    own = diagram.parameters
    lines = [f'"""{_plain(diagram.name)}."""', "", "import torch", "from torch import nn"]
    if any(FUNCTIONS.get(op.target, "").startswith("F.") for op in diagram.ops):
        lines.append("from torch.nn import functional as F")
    lines += ["", "", f"class {name}(nn.Module):", "    def __init__(self) -> None:", "        super().__init__()"]
    paths = dict.fromkeys(p for a in own for p in _parents(names.path(a)))
    lines += [
        f'        {_attribute(path.rpartition(".")[0])}.add_module("{path.rpartition(".")[2]}", nn.Module())'
        for path in paths
    ]
    lines += [_register(a, names.path(a)) for a in own]
    inputs = ", ".join(["self", *(names.of(a) for a in diagram.inputs)])
    lines += ["", f"    def forward({inputs}):"]
    lines += [f"        {_call(op, names)}" for op in diagram.ops]
    returned = ", ".join(names.of(a) for a in diagram.outputs)
    lines.append(f"        return {returned}" + ("" if diagram.is_single or len(diagram.outputs) > 1 else ","))
    return "\n".join(lines) + "\n"


class _Names:
    """Python's names of arrays."""

    def __init__(self, diagram: Diagram) -> None:
        self.names: dict[int, str] = {}
        self.paths: dict[int, str] = {}
        taken = {"self", "torch", "nn", "F"}
        for a in diagram.inputs:
            self.names[a.id] = _identifier(a.name or f"x{a.id}", taken)
            taken.add(self.names[a.id])
        for a in diagram.parameters:
            parts = [part for part in a.name.split(".") if part.isidentifier() or part.isdigit()]
            path = ".".join(parts) if parts and not parts[-1].isdigit() else f"tensor_{a.id}"
            self.paths[a.id] = path if path not in self.paths.values() else f"tensor_{a.id}"

    def path(self, array: Array) -> str:
        """Where a tensor stands in the module."""
        return self.paths[array.id]

    def of(self, array: Array) -> str:
        """The expression of an array."""
        if array.id in self.paths:
            return _attribute(self.paths[array.id])
        return self.names.setdefault(array.id, f"v{array.id}")


def _identifier(text: str, taken: set[str]) -> str:
    found = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)
    found = f"_{found}" if found[:1].isdigit() or keyword.iskeyword(found) else found
    return found + "_" if found in taken else found


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c not in '"\\')


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _attribute(path: str) -> str:
    """The expression of a module or tensor by its path."""
    if not path:
        return "self"
    if any(part.isdigit() or keyword.iskeyword(part) for part in path.split(".")):
        first, _, last = path.rpartition(".")
        if last.isdigit() or keyword.iskeyword(last):
            return f'self.get_submodule("{path}")'
        return f'self.get_submodule("{first}").{last}'
    return f"self.{path}"


def _register(array: Array, path: str) -> str:
    first, _, last = path.rpartition(".")
    empty = f"torch.empty({list(array.shape)}, dtype=torch.{array.dtype})"
    if array.role == "parameter":
        floats = array.dtype.startswith(("float", "bfloat", "complex"))
        value = f"nn.Parameter({empty}{'' if floats else ', requires_grad=False'})"
        return f'        {_attribute(first)}.register_parameter("{last}", {value})'
    return f'        {_attribute(first)}.register_buffer("{last}", {empty})'


def _call(op: Op, names: _Names) -> str:
    arrays = {a.id: a for a in (*op.inputs, *op.parameters)}

    def written(value: Any) -> str:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return f"[{', '.join(map(written, value))}]"
        if isinstance(value, dict):
            ((kind, found),) = value.items()
            if kind == "array":
                return names.of(arrays[found])
            if kind in ("float", "complex"):
                return f'float("{found}")' if kind == "float" else f"complex({found[0]}, {found[1]})"
            if kind == "device":
                return f'torch.device("{found}")'
            return f"torch.{str(found).removeprefix('torch.')}"
        return repr(value)

    schema = resolve(op.target)._schema.arguments
    plain: list[str] = []
    named: list[str] = []
    for place, argument in enumerate(schema):
        if argument.name not in op.arguments:
            continue
        text = written(op.arguments[argument.name])
        if argument.kwarg_only or place != len(plain):
            named.append(f"{argument.name}={text}")
        else:
            plain.append(text)
    function = FUNCTIONS.get(op.target)
    if function is None or named:
        function = f"torch.ops.{op.target}"
    elif op.target == "aten.batch_norm.default":
        # The function takes the statistics before the weights.
        x, weight, bias, mean, variance, *rest = plain
        plain = [x, mean, variance, weight, bias, *rest][:8]
    else:
        plain = plain[: LONGEST.get(op.target, len(plain))]
    outputs = ", ".join(names.of(a) for a in op.outputs) + ("," if len(op.outputs) == 1 and _is_list(op) else "")
    return f"{outputs} = {function}({', '.join([*plain, *named])})"


def _is_list(op: Op) -> bool:
    returns = resolve(op.target)._schema.returns
    return len(returns) > 1 or str(returns[0].type) != "Tensor"
