"""From a graph of PyTorch operators to a diagram: what is what, and which axes are one."""

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from circuit_diagrams.arguments import encode
from circuit_diagrams.axes import AxisTable
from circuit_diagrams.elements import Array, Kind, Link, Op, Role
from circuit_diagrams.ir import Diagram
from circuit_diagrams.numbering import renumbered
from circuit_diagrams.signatures.call import Call, Operand, Rule
from circuit_diagrams.signatures.notation import signature_of
from circuit_diagrams.signatures.registry import OWN, rule_for

SAME = {"contiguous", "clone", "detach", "alias", "lift_fresh_copy", "lift_fresh", "dropout", "dropout1d", "dropout2d"}
SAME |= {
    "feature_dropout",
    "alpha_dropout",
    "native_dropout",
    "view_as_real_copy",
    "detach_",
    "positive",
    "to",
    "_to_copy",
}
"""Operators that change nothing in evaluation."""
VIEWS = {torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default}
NAMES = {
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "_safe_softmax": "softmax",
    "_unsafe_view": "reshape",
    "view": "reshape",
    "numpy_T": "transpose",
}


@dataclass(frozen=True)
class Source:
    """What a graph is given: an input, or a tensor of the module."""

    name: str
    role: Role
    value: Tensor | None = None


@dataclass
class _Raw:
    """An operation whose axes may still be united."""

    target: torch._ops.OpOverload
    name: str
    rule: Rule
    operands: list[int]
    outputs: list[int]
    arguments: dict[str, Any]
    region: tuple[str, ...]


@dataclass
class _RawArray:
    axes: list[int]
    dtype: str
    role: Role
    name: str


class Builder:
    """Builds one diagram.

    Args:
        name: Its name.
        sources: What each placeholder of the graph is.
        axes: Names of the axes of inputs.
    """

    def __init__(self, name: str, sources: Mapping[str, Source], axes: Mapping[str, str]) -> None:
        self.name, self.sources, self.named = name, sources, dict(axes)
        self.table = AxisTable()
        self.arrays: list[_RawArray] = []
        self.raw: list[_Raw] = []
        self.known: dict[fx.Node, Any] = {}
        self.values: dict[int, Tensor] = {}
        self.inputs: list[int] = []
        self.classes: dict[str, str] = {}
        self.computed: dict[fx.Node, Sequence[str]] = {}

    def build(self, graph: fx.Graph) -> Diagram:
        """The diagram of a graph whose nodes carry their shapes.

        Raises:
            ValueError: if the names of axes do not fit, or something else than tensors is returned.
        """
        outputs: list[int] = []
        is_single = True
        for node in graph.nodes:
            if node.op in ("placeholder", "get_attr"):
                self._source(node)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                outputs, is_single = self._output(node.args[0])
        return self._finished(outputs, is_single=is_single)

    def _array(self, value: Tensor, axes: Sequence[int], role: Role = "data", name: str = "") -> int:
        number = len(self.arrays)
        own = self.table.hold(number, axes) if role == "data" else list(axes)
        self.arrays.append(_RawArray(own, str(value.dtype).removeprefix("torch."), role, name))
        return number

    def _source(self, node: fx.Node) -> None:
        value, source = node.meta.get("val"), self.sources.get(node.name)
        if source is None or not isinstance(value, Tensor):
            self.known[node] = value
            return
        number = self._array(value, [self.table.new(size) for size in value.shape], source.role, source.name)
        self.known[node] = number
        if source.role == "data":
            self.inputs.append(number)
        elif source.value is not None and source.value.device.type != "meta" and not _is_fake(source.value):
            self.values[number] = source.value.detach()

    def _names(self) -> None:
        """Write the user's names on the axes of inputs; axes of one name are the same."""
        inputs = {self.arrays[i].name: self.arrays[i] for i in self.inputs}
        seen: dict[str, int] = {}
        for name, words in self.named.items():
            if name not in inputs:
                raise ValueError(f"axes names the input {name}, but the inputs are {', '.join(inputs) or 'none'}")
            labels, array = words.split(), inputs[name]
            if len(labels) != len(array.axes):
                raise ValueError(f"axes gives {name} {len(labels)} axes, {words!r}, but it has {len(array.axes)}")
            own = [label for label in labels if not label.isdigit()]
            if len(set(own)) != len(own):
                raise ValueError(f"axes gives {name} two axes of one name: {words!r}")
            for label, axis in zip(labels, array.axes, strict=True):
                size = self.table.size[axis]
                if label.isdigit():
                    if int(label) != size:
                        raise ValueError(f"axes gives {name} an axis of the size {label}, but it has {size}")
                    continue
                if label in seen and self.table.size[seen[label]] != size:
                    raise ValueError(
                        f"axes calls axes of the sizes {self.table.size[seen[label]]} and {size} {label}; use two names"
                    )
                self.table.label[self.table.find(axis)] = label
                if label in seen:
                    self.table.unite(seen[label], axis)
                seen.setdefault(label, axis)

    def _call(self, node: fx.Node) -> None:
        if node.target is operator.getitem:
            source, place = node.args
            found = self.known[source]  # type: ignore[index]
            self.known[node] = found[int(str(place))] if isinstance(found, list) else found
            return
        if not isinstance(node.target, torch._ops.OpOverload):
            self.known[node] = None
            return
        if not self.raw and self.named:
            self._names()
            self.named = {}
        target, arguments = node.target, self._arguments(node)
        name = target._schema.name.split("::")[1]
        first = arguments.get("self", arguments.get("input"))
        value = node.meta.get("val")
        if value is None or (isinstance(value, list | tuple) and not any(isinstance(v, Tensor) for v in value)):
            return
        if name in SAME and isinstance(first, fx.Node) and isinstance(value, Tensor) and self._is_same(first, value):
            self.known[node] = self.known[first]
            return
        self._op(node, target, name, arguments)

    def _is_same(self, source: fx.Node, value: Tensor) -> bool:
        number = self.known[source]
        return isinstance(number, int) and self.arrays[number].dtype == str(value.dtype).removeprefix("torch.")

    def _arguments(self, node: fx.Node) -> dict[str, Any]:
        """All arguments by the names of the operator's schema, defaults left out."""
        schema = node.target._schema.arguments  # type: ignore[union-attr]
        found = {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
        return {**found, **node.kwargs}

    def _op(self, node: fx.Node, target: torch._ops.OpOverload, name: str, arguments: dict[str, Any]) -> None:
        operands: list[tuple[str, int]] = []

        def tensor(argument: str, value: Any) -> dict[str, Any] | None:  # noqa: ANN401
            if not isinstance(value, fx.Node):
                return None
            number = self.known.get(value)
            if not isinstance(number, int):
                raise ValueError(f"{name} takes a number that depends on the data, which has no place in a diagram")
            operands.append((argument, number))
            return {"array": number}

        written = {key: encode(value, partial(tensor, key)) for key, value in arguments.items()}
        plain = {key: None if isinstance(value, fx.Node) else _plain(value) for key, value in arguments.items()}
        for argument in target._schema.arguments:
            if argument.name not in plain and argument.has_default_value():
                plain[argument.name] = argument.default_value
        value = node.meta["val"]
        results = [value] if isinstance(value, Tensor) else [v for v in value if isinstance(v, Tensor)]
        call = Call(
            name,
            [Operand(key, self.arrays[i].axes, self.arrays[i].role == "data") for key, i in operands],
            plain,
            [list(one.shape) for one in results],
            self.table,
        )
        rule = self._rule(target, call)
        outputs = [self._array(one, axes) for one, axes in zip(results, rule.outputs, strict=True)]
        given = iter(outputs)
        self.known[node] = (
            outputs[0] if isinstance(value, Tensor) else [next(given) if isinstance(v, Tensor) else None for v in value]
        )
        path = self._region(node)
        if target in VIEWS:
            # Memory is not part of a diagram: what was made contiguous before may not be here.
            target, written = torch.ops.aten.reshape.default, {"self": written["self"], "shape": written["size"]}
        self.raw.append(
            _Raw(target, rule.name or NAMES.get(name, name), rule, [i for _, i in operands], outputs, written, path)
        )

    def _region(self, node: fx.Node) -> tuple[str, ...]:
        """The path of the module in which a node stands; notes the classes on the way."""
        path = ""
        for found, kind in (node.meta.get("nn_module_stack") or {}).values():
            path = str(found).removeprefix("L['self']").strip(".").split("@")[0]
            if path and kind:
                name = kind if isinstance(kind, str) else kind.__name__
                self.classes.setdefault(path, name.split(".")[-1])
        return tuple(part for part in path.split(".") if part)

    def _rule(self, target: torch._ops.OpOverload, call: Call) -> Rule:
        found = rule_for(target, call.name)
        reason = "what it does to its axes is not known"
        if found is not None:
            try:
                rule = found(call)
                if [[self.table.size[a] for a in axes] for axes in rule.outputs] == [list(s) for s in call.shapes]:
                    return rule
            except (IndexError, KeyError, ValueError, TypeError) as error:
                reason = str(error) if target._schema.name in OWN else reason
            else:
                reason = "its rule gives axes of other sizes" if target._schema.name in OWN else reason
        warnings.warn(f"{target} is drawn as a closed box: {reason}", stacklevel=2)
        kind: Kind = "opaque"
        return Rule(kind, [call.new(k) for k in range(len(call.shapes))])

    def _output(self, value: Any) -> tuple[list[int], bool]:  # noqa: ANN401
        leaves = [v for v in torch.utils._pytree.tree_leaves(value) if v is not None]
        found = [self.known.get(leaf) if isinstance(leaf, fx.Node) else None for leaf in leaves]
        if not found or not all(isinstance(i, int) for i in found):
            raise ValueError(f"{self.name} returns something else than tensors; a diagram needs tensors")
        is_single = isinstance(value, fx.Node) or (isinstance(value, tuple) and len(leaves) == 1)
        return [i for i in found if isinstance(i, int)], is_single

    def name_axes(self, node: fx.Node, labels: Sequence[str]) -> None:
        """Have the axes of what a node computes called by these names once the graph is built; "" leaves one alone."""
        self.computed[node] = labels

    def _name_computed(self) -> None:
        """Axes of one name are the same, as far as no array holds both."""
        seen = {self.table.label[self.table.find(a)]: a for i in self.inputs for a in self.arrays[i].axes}
        for node, labels in self.computed.items():
            number = self.known.get(node)
            if not isinstance(number, int):
                continue
            for label, axis in zip(labels, self.arrays[number].axes, strict=True):
                root = self.table.find(axis)
                if not label:
                    continue
                if label in seen:
                    self.table.unite(seen[label], root)
                elif not self.table.label[root]:
                    self.table.label[root] = label
                seen.setdefault(label, root)

    def _finished(self, outputs: list[int], *, is_single: bool) -> Diagram:
        if self.named:
            self._names()
        self._name_computed()
        arrays = [
            Array(i, tuple(map(self.table.axis, raw.axes)), raw.dtype, raw.role, raw.name)
            for i, raw in enumerate(self.arrays)
        ]
        read = {i for raw in self.raw for i in raw.operands} | set(outputs)
        needed = self._needed(outputs)
        ops = [self._finish(k, raw, arrays) for k, raw in enumerate(r for r in self.raw if id(r) in needed)]
        values = {i: value for i, value in self.values.items() if i in read}
        found = tuple(arrays[i] for i in outputs)
        inputs = tuple(arrays[i] for i in self.inputs)
        return renumbered(Diagram(self.name, inputs, found, tuple(ops), is_single, self._classes(ops), values))

    def _classes(self, ops: Sequence[Op]) -> dict[str, str]:
        """Classes of the modules in which operations are left."""
        paths = {".".join(op.region[:depth]) for op in ops for depth in range(1, len(op.region) + 1)}
        return {path: name for path, name in sorted(self.classes.items()) if path in paths}

    def _needed(self, outputs: Sequence[int]) -> set[int]:
        """Operations on which an output depends."""
        wanted, found = set(outputs), set()
        for raw in reversed(self.raw):
            if wanted & set(raw.outputs):
                wanted |= set(raw.operands)
                found.add(id(raw))
        return found

    def _finish(self, number: int, raw: _Raw, arrays: Sequence[Array]) -> Op:
        """The operation, once it is known which axes are one."""
        operands = list(dict.fromkeys(raw.operands))
        data = [i for i in operands if arrays[i].role == "data"]
        own = [i for i in operands if arrays[i].role != "data"]
        place = {i: k for k, i in enumerate([*data, *own])}
        links = []
        for ends, outs in raw.rule.groups:
            axis = arrays[raw.outputs[outs[0][0]]].axes[outs[0][1]]
            ins = [place[raw.operands[i]] for i, p in ends if arrays[raw.operands[i]].axes[p] == axis]
            links.append(Link(axis, tuple(dict.fromkeys(ins)), tuple(dict.fromkeys(k for k, _ in outs))))
        attributes = {key: value for key, value in raw.arguments.items() if not _has_array(value)}
        op = Op(
            number,
            raw.name.removesuffix("_"),
            raw.rule.kind,
            tuple(arrays[i] for i in data),
            tuple(arrays[i] for i in raw.outputs),
            tuple(arrays[i] for i in own),
            tuple(links),
            "",
            raw.rule.einsum,
            attributes,
            raw.region,
            str(raw.target),
            raw.arguments,
        )
        return replace(op, signature=signature_of(op))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """An argument for rules, tensors left out of lists."""
    if isinstance(value, list | tuple):
        return [None if v is None else True if isinstance(v, fx.Node) else v for v in value]
    return value


def _has_array(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, list):
        return any(map(_has_array, value))
    return isinstance(value, dict) and "array" in value


def _is_fake(value: Tensor) -> bool:
    return isinstance(value, torch._subclasses.FakeTensor)
