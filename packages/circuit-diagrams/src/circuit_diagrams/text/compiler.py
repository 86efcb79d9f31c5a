"""From statements to a diagram: names are resolved, shapes computed, axes found by the rules of the operations."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from circuit_diagrams.arguments import DTYPES, decode, resolve
from circuit_diagrams.capture.graphs import Builder, Source
from circuit_diagrams.elements import Role
from circuit_diagrams.ir import Diagram

from .lexer import TextError, Token
from .syntax import Call, Declaration, Module, Name


class Compiler:
    """Turns statements into a graph of operators with shapes, of which a diagram is built as of any other.

    Args:
        module: The statements.
        expand: What a short call stands for.
    """

    def __init__(self, module: Module, expand: Callable[["Compiler", Call], fx.Node]) -> None:
        self.module, self.expand, self.graph = module, expand, fx.Graph()
        self.nodes: dict[str, fx.Node] = {}
        self.axes: dict[fx.Node, list[str]] = {}
        self.sizes: dict[str, tuple[int, Token | None]] = {n: (s, None) for n, s in module.sizes.items()}
        self.sources: dict[str, Source] = {}
        self.named: dict[str, str] = {}

    def diagram(self) -> Diagram:
        """What the statements say.

        Raises:
            TextError: if they are wrong.
        """
        for one in self.module.declared:
            self._declare(one)
        for call in self.module.calls:
            self._call(call)
        end = self.module.token
        if not self.module.outputs:
            raise TextError("the text returns nothing; end it with: return name", end.line if end else 1, 1)
        found = tuple(self._node(name) for name in self.module.outputs)
        self.graph.output(found[0] if self.module.is_single else found)
        builder = Builder(self.module.name, self.sources, self.named)
        for node, labels in self.axes.items():
            builder.name_axes(node, labels)
        return builder.build(self.graph)

    def _size(self, name: str, size: int | None, token: Token) -> int:
        """The size of an axis, which must be what it was before."""
        if name.isdigit():
            return int(name)
        known = self.sizes.get(name)
        if known is None:
            if size is None:
                raise TextError(
                    f"the size of {name} is not known; write {name}=8, or size {name}=8 before",
                    token.line,
                    token.column,
                )
            self.sizes[name] = size, token
            return size
        if size is not None and size != known[0]:
            raise TextError(f"{name}={size} meets {name}={known[0]}", token.line, token.column)
        return known[0]

    def _declare(self, one: Declaration) -> None:
        """An input or a tensor of the module."""
        shape = [self._size(*axis) for axis in one.axes]
        dtype = self._dtype(one)
        label = one.label or one.name
        node = self._new(one, self.graph.placeholder(f"p{len(self.sources)}"))
        node.meta["val"] = torch.empty(shape, dtype=dtype, device="meta")
        role: Role = one.role  # type: ignore[assignment]
        self.sources[node.name] = Source(label, role)
        names = ["" if name.isdigit() else name for name, _, _ in one.axes]
        if one.role == "data":
            if label in self.named:
                raise TextError(f"two inputs are called {label}", one.token.line, one.token.column)
            self.axes[node] = names

    def _dtype(self, one: Declaration) -> torch.dtype:
        name = one.dtype or "float32"
        if name not in DTYPES:
            raise TextError(f"there is no type {name}", one.token.line, one.token.column)
        return DTYPES[name]

    def _new(self, one: Declaration, node: fx.Node) -> fx.Node:
        if one.name in self.nodes:
            raise TextError(f"{one.name} is there already", one.token.line, one.token.column)
        self.nodes[one.name] = node
        return node

    def _node(self, name: Name) -> fx.Node:
        if name.name not in self.nodes:
            near = ", ".join(list(self.nodes)[-5:])
            raise TextError(f"there is no {name.name} here; the last are {near}", name.token.line, name.token.column)
        return self.nodes[name.name]

    def _call(self, call: Call) -> None:
        token = call.token
        if call.name.startswith("aten.") or call.name.count(".") > 1:
            node = self._operator(call.name, self._resolved(call.positional), self._named(call), token)
        else:
            node = self.expand(self, call)
        self._stack(node, call.region)
        values = node.meta["val"]
        results = [values] if isinstance(values, Tensor) else [v for v in values if isinstance(v, Tensor)]
        if len(results) != len(call.outputs):
            raise TextError(
                f"{call.name} gives {len(results)} arrays, not {len(call.outputs)}", token.line, token.column
            )
        for place, (one, value) in enumerate(zip(call.outputs, results, strict=True)):
            own = node
            if not isinstance(values, Tensor):
                own = self.graph.call_function(operator.getitem, (node, place))
                own.meta["val"] = value
            self._new(one, own)
            self._compare(one, own, value)

    def _compare(self, one: Declaration, node: fx.Node, value: Tensor) -> None:
        """The axes that are written must be those that are computed."""
        if not one.axes and value.ndim:
            return
        if len(one.axes) != value.ndim:
            raise TextError(
                f"{one.name} is written with {len(one.axes)} axes but has {value.ndim}: {tuple(value.shape)}",
                one.token.line,
                one.token.column,
            )
        for (name, size, token), actual in zip(one.axes, value.shape, strict=True):
            known = self._size(name, size if size is not None or name in self.sizes else actual, token)
            if known != actual:
                raise TextError(f"{name}={known} meets an axis of size {actual}", token.line, token.column)
        self.axes[node] = ["" if name.isdigit() else name for name, _, _ in one.axes]

    def parameter(self, call: Call, name: str, axes: list[str]) -> fx.Node:
        """A learned tensor that a call brings with it."""
        declared = Declaration(
            "parameter", f"{name}", tuple((a, None, call.token) for a in axes), None, name, call.token
        )
        shape = [self._size(a, None, call.token) for a in axes]
        with self.graph.inserting_before(next(iter(self.graph.nodes))):
            node = self.graph.placeholder(f"p{len(self.sources)}")
        node.meta["val"] = torch.empty(shape, device="meta")
        self.sources[node.name] = Source(name, "parameter")
        return self._new(declared, node)

    def operator(self, target: str, args: tuple[Any, ...], call: Call, **kwargs: Any) -> fx.Node:  # noqa: ANN401
        """A node for an operator."""
        return self._operator(target, args, kwargs, call.token)

    def place(self, value: Any, axis: str, token: Token) -> int:  # noqa: ANN401 - a node
        """Where an axis of a name stands in an array."""
        node = value if isinstance(value, fx.Node) else None
        labels = self.axes.get(node, []) if node is not None else []
        if axis in labels:
            return labels.index(axis)
        raise TextError(
            f"the array has no axis {axis}; its axes are {' '.join(labels) or 'not written'}", token.line, token.column
        )

    def arguments(self, call: Call) -> tuple[Any, ...]:
        """Arguments of a call with arrays as nodes."""
        return self._resolved(call.positional)

    def _named(self, call: Call) -> dict[str, Any]:
        return {key: self._resolved([value])[0] for key, value in call.named.items()}

    def _resolved(self, values: Any) -> tuple[Any, ...]:  # noqa: ANN401
        def one(value: Any) -> Any:  # noqa: ANN401
            if isinstance(value, Name):
                return self._node(value)
            if isinstance(value, list):
                return [one(v) for v in value]
            return decode(value, lambda _: None) if isinstance(value, dict) else value

        return tuple(one(v) for v in values)

    def _operator(self, target: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], token: Token) -> fx.Node:
        try:
            found = resolve(target)
        except ValueError as error:
            raise TextError(str(error), token.line, token.column) from None

        def value(x: Any) -> Any:  # noqa: ANN401
            return x.meta["val"] if isinstance(x, fx.Node) else x

        names = [argument.name for argument in found._schema.arguments]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        places = {a.name: i for i, a in enumerate(found._schema.arguments) if not a.kwarg_only}
        plain: list[Any] = []
        named = dict(given)
        for name in names:
            if name in named and places.get(name) == len(plain):
                plain.append(named.pop(name))
        # Nothing is computed: what an operator makes from nothing has no elements either.
        here = {"device": torch.device("meta")} if any(a.name == "device" for a in found._schema.arguments) else {}
        try:
            result = found(*fx.map_arg(tuple(plain), value), **{**fx.map_arg(named, value), **here})
        except (RuntimeError, TypeError, IndexError, ValueError, NotImplementedError) as error:
            reason = str(error).strip().splitlines()[0]
            raise TextError(f"{target} refuses its arguments: {reason}", token.line, token.column) from None
        node = self.graph.call_function(found, tuple(plain), named)
        node.meta["val"] = result
        return node

    def _stack(self, node: fx.Node, region: str) -> None:
        path: list[str] = []
        stack: dict[str, tuple[str, str]] = {}
        for part in filter(None, region.split(".")):
            path.append(part)
            name = ".".join(path)
            stack[name] = name, self.module.classes.get(name, "")
        node.meta["nn_module_stack"] = stack
