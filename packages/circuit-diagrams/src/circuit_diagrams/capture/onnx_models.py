"""ONNX models, as graphs of PyTorch operators."""

import ast
import json
import operator
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from circuit_diagrams.arguments import resolve

from .emitting import Emitter
from .graphs import Source
from .onnx_operators import OPERATORS, TYPES, Node, Value

CLOSED = "circuit_diagrams.closed.default"


def read_onnx(path: Path, args: Sequence[Tensor]) -> tuple[fx.Graph, dict[str, Source]]:
    """The graph of an ONNX model, and what its placeholders are.

    Args:
        path: The file. Weights that lie beside it are read too.
        args: Inputs, of which only the shapes are used; none are needed where the file gives all sizes.

    Raises:
        ValueError: if it is no ONNX model, leaves a size open, or holds what has no place in a diagram.
        OSError: if it cannot be read.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise ValueError("ONNX files need the package onnx: pip install 'circuit-diagrams[onnx]'") from None
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - errors of many kinds, of the package and of protobuf
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is no valid ONNX model: {reason[:200]}") from None
    return _Reader(onnx, model, path).read(args)


class _Reader:
    """Writes the nodes of a model as PyTorch operators."""

    def __init__(self, onnx: Any, model: Any, path: Path) -> None:  # noqa: ANN401 - the package and its objects
        self.onnx, self.path = onnx, path
        self.model = onnx.inliner.inline_local_functions(model) if model.functions else model
        self.graph = fx.Graph()
        self.sources: dict[str, Source] = {}
        self.values: dict[str, Value] = {}
        self.attributes: dict[str, fx.Node] = {}
        self.shapes: dict[str, tuple[list[int], int]] = {}

    def read(self, args: Sequence[Tensor]) -> tuple[fx.Graph, dict[str, Source]]:
        graph = self.model.graph
        for one in graph.initializer:
            self.values[one.name] = self.onnx.numpy_helper.to_array(one, base_dir=str(self.path.parent))
        self._inputs([one for one in graph.input if one.name not in self.values], args)
        self._infer()
        for node in graph.node:
            self._node(node)
        self.graph.output(tuple(self._tensor(one.name) for one in graph.output))
        return self.graph, self.sources

    def _inputs(self, inputs: Sequence[Any], args: Sequence[Tensor]) -> None:
        if args and len(args) != len(inputs):
            raise ValueError(f"{self.path} takes {len(inputs)} inputs, not {len(args)}")
        for i, one in enumerate(inputs):
            kind = one.type.tensor_type
            sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in kind.shape.dim]
            told = ",".join(map(str, sizes))
            if kind.elem_type not in TYPES:
                raise ValueError(f"{self.path} takes {one.name}, which is no tensor of numbers")
            if args:
                shape = list(args[i].shape)
                if len(shape) != len(sizes) or any(
                    isinstance(a, int) and a != b for a, b in zip(sizes, shape, strict=True)
                ):
                    raise ValueError(f"{self.path} takes {one.name} of the shape {told}, not {shape}")
                for dim, size in zip(kind.shape.dim, shape, strict=True):
                    dim.dim_value = size
            elif not all(isinstance(size, int) for size in sizes):
                raise ValueError(
                    f"{self.path} leaves sizes of {one.name} open ({told}); give inputs of the sizes to be drawn"
                )
            else:
                shape = [int(size) for size in sizes]
            node = self.graph.placeholder("".join(c if c.isalnum() else "_" for c in one.name) or "x")
            node.meta["val"] = torch.empty(shape, dtype=TYPES[kind.elem_type], device="meta")
            self.sources[node.name] = Source(one.name, "data")
            self.values[one.name] = node

    def _infer(self) -> None:
        """Shapes of what operators give, as far as ONNX knows them: those of closed boxes."""
        try:
            found = self.onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        except Exception:  # noqa: BLE001 - a model too large for it, or an operator that it does not know
            found = self.model.graph
        for one in (*found.value_info, *found.output):
            dims = one.type.tensor_type.shape.dim
            if one.type.tensor_type.elem_type in TYPES and all(d.HasField("dim_value") for d in dims):
                self.shapes[one.name] = [d.dim_value for d in dims], one.type.tensor_type.elem_type

    def _tensor(self, name: str) -> fx.Node:
        """The node of a value; what is written in the file gets one at its first use."""
        value = self.values[name]
        if isinstance(value, fx.Node):
            return value
        if value is None:
            raise ValueError(f"{self.path} reads {name or 'an array'}, which nothing gives")
        if name not in self.attributes:
            kept = torch.from_numpy(np.array(value, dtype=value.dtype if value.dtype.kind in "fiub" else np.float32))
            clean = "".join(c if c.isalnum() else "_" for c in name)
            node = self.attributes[name] = self.graph.create_node("get_attr", f"w_{clean}")
            node.meta["val"] = kept
            role = "parameter" if kept.dtype.is_floating_point and kept.ndim else "constant"
            self.sources[node.name] = Source(name, role, kept)  # type: ignore[arg-type]
        return self.attributes[name]

    def _node(self, node: Any) -> None:  # noqa: ANN401 - a node of ONNX
        attributes = {a.name: _attribute(self.onnx.helper.get_attribute_value(a)) for a in node.attribute}
        inputs = [self.values.get(name) if name else None for name in node.input]
        outputs = [name for name in node.output if name]
        if self._is_known(node, inputs):
            self._folded(node, inputs)
            return
        emit = Emitter(self.graph, {"nn_module_stack": _stack(node)})
        names = {id(value): name for name, value in zip(node.input, inputs, strict=True)}
        one = Node(emit, inputs, attributes, lambda value: self._tensor(names[id(value)]), len(outputs))
        reason = "its meaning is not known"
        if node.domain in ("", "ai.onnx") and node.op_type in OPERATORS:
            before = list(self.graph.nodes)
            try:
                found = OPERATORS[node.op_type](one)
                given = [found] if isinstance(found, fx.Node) else list(found)
                self.values.update(zip(outputs, given, strict=False))
                return
            except (ValueError, KeyError, IndexError, RuntimeError, TypeError) as error:
                reason = str(error).splitlines()[0]
                for left in reversed([n for n in self.graph.nodes if n not in before and n.op == "call_function"]):
                    self.graph.erase_node(left)
        self._closed(node, inputs, outputs, emit, reason)

    def _is_known(self, node: Any, inputs: Sequence[Value]) -> bool:  # noqa: ANN401
        """Whether a node computes on sizes, or on what is written in the file, alone."""
        if node.op_type == "Shape" and isinstance(inputs[0], fx.Node):
            return True
        return all(value is None or isinstance(value, np.ndarray) for value in inputs) and not node.op_type.startswith(
            "Random"
        )

    def _folded(self, node: Any, inputs: Sequence[Value]) -> None:  # noqa: ANN401
        given = {}
        for name, value in zip(node.input, inputs, strict=True):
            if name:
                given[name] = np.empty(value.meta["val"].shape, np.bool_) if isinstance(value, fx.Node) else value
        try:
            found = self.onnx.reference.ReferenceEvaluator(node).run(None, given)
        except Exception as error:  # noqa: BLE001 - whatever the reference raises
            raise ValueError(f"{self.path}: {node.op_type} cannot be computed: {str(error).splitlines()[0]}") from None
        self.values.update({name: np.asarray(x) for name, x in zip(node.output, found, strict=False)})

    def _closed(
        self,
        node: Any,  # noqa: ANN401 - a node of ONNX
        inputs: Sequence[Value],
        outputs: Sequence[str],
        emit: Emitter,
        reason: str,
    ) -> None:
        missing = [name for name in outputs if name not in self.shapes]
        if missing:
            raise ValueError(
                f"{self.path} has the operator {node.op_type}, and what it gives has no known shape ({reason})"
            )
        warnings.warn(f"the ONNX operator {node.op_type} is drawn as a closed box: {reason}", stacklevel=4)
        tensors = [self._tensor(name) for name, value in zip(node.input, inputs, strict=True) if value is not None]
        told = json.dumps([(shape, str(TYPES[kind])) for shape, kind in (self.shapes[name] for name in outputs)])
        made = emit(resolve(CLOSED), tensors, node.op_type, told)
        for i, name in enumerate(outputs):
            self.values[name] = self.graph.call_function(operator.getitem, (made, i))
            self.values[name].meta["val"] = made.meta["val"][i]  # type: ignore[union-attr]


def _attribute(value: Any) -> Any:  # noqa: ANN401
    return value.decode() if isinstance(value, bytes) else value


def _stack(node: Any) -> Mapping[str, tuple[str, str]]:  # noqa: ANN401
    """The modules in which a node stood, as far as the exporter noted them."""
    noted = {one.key: one.value for one in getattr(node, "metadata_props", [])}
    try:
        paths = [str(path) for path in ast.literal_eval(noted["pkg.torch.onnx.name_scopes"])][:-1]
        kinds = [str(kind) for kind in ast.literal_eval(noted["pkg.torch.onnx.class_hierarchy"])]
        return dict(zip(paths, zip(paths, kinds, strict=False), strict=False))
    except (KeyError, ValueError, SyntaxError, TypeError):
        parts = node.name.strip("/").split("/")[:-1] if node.name.startswith("/") else []
    found = {}
    for i in range(len(parts)):
        path = ".".join(parts[: i + 1])
        found[path] = path, ""
    return found
