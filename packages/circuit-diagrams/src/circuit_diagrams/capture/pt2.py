"""Files of `torch.export.save`, read as data: `torch.export.load` may unpickle, and so run, what a file holds."""

import json
import operator
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from circuit_diagrams.arguments import resolve
from circuit_diagrams.elements import Role

from .graphs import Source

DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
    30: "float8_e5m2", 34: "uint32", 35: "uint64",
}  # fmt: skip
"""Types of elements by their number in the file."""
FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    3: torch.channels_last_3d,
    4: torch.preserve_format,
}
KINDS: dict[str, tuple[str, Role]] = {
    "parameter": ("parameter_name", "parameter"),
    "buffer": ("buffer_name", "buffer"),
    "tensor_constant": ("tensor_constant_name", "constant"),
}


def read_pt2(path: Path) -> tuple[fx.Graph, dict[str, Source], str]:
    """The graph of an exported program, what its placeholders are, and the name of its class.

    Nothing in the file is executed or unpickled; its operators must be known to PyTorch.

    Raises:
        ValueError: if it is no such file, or holds what can only be unpickled.
        OSError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(_Archive(archive, path)).read()
    except zipfile.BadZipFile:
        raise ValueError(f"{path} is no file of torch.export.save: it is no zip archive") from None
    except (KeyError, TypeError, IndexError, AttributeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a .pt2 file: {type(error).__name__} {error}") from None


class _Archive:
    """Members of a .pt2 file."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        self.members = {name.partition("/")[2]: name for name in archive.namelist()}
        if "byteorder" in self.members and self.bytes("byteorder").strip() != b"little":
            raise ValueError(f"{path} was written on a machine of another byte order")
        models = [name for name in self.members if name.startswith("models/") and name.endswith(".json")]
        if len(models) != 1:
            raise ValueError(
                f"{path} holds {len(models)} exported programs; one is drawn, as torch.export.save of PyTorch 2.9 or "
                "later writes it"
            )
        self.model = models[0].removeprefix("models/").removesuffix(".json")

    def bytes(self, name: str) -> bytes:
        """The content of a member."""
        return self.archive.read(self.members[name])

    def json(self, name: str) -> Any:  # noqa: ANN401 - whatever it holds
        """The content of a member that is JSON."""
        return json.loads(self.bytes(name))

    def tensors(self, folder: str) -> dict[str, Tensor]:
        """Tensors that lie in a folder as plain bytes, by name."""
        config = f"data/{folder}/{self.model}_{folder}_config.json"
        if config not in self.members:
            raise ValueError(f"{self.path} has no {config}; write it again with torch.export.save of PyTorch 2.9")
        return {name: self._tensor(name, folder, one) for name, one in self.json(config)["config"].items()}

    def _tensor(self, name: str, folder: str, one: Mapping[str, Any]) -> Tensor:
        if one["use_pickle"]:
            raise ValueError(
                f"{self.path} holds {name} as a pickle, which could run code as it is read; trace the module instead"
            )
        meta = one["tensor_meta"]
        dtype, shape = _dtype(meta["dtype"]), [_size(s) for s in meta["sizes"]]
        stride, offset = [_size(s) for s in meta["strides"]], _size(meta["storage_offset"])
        if len(stride) != len(shape) or min([offset, *shape, *stride], default=0) < 0:
            raise ValueError(f"{self.path} says that {name} has the shape {shape} and the strides {stride}")
        content = self.bytes(f"data/{folder}/{one['path_name']}")
        size = torch.Size(shape).numel()
        if not content and size:
            return torch.empty(shape, dtype=dtype, device="meta")
        needed = offset + 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if size else 0
        flat = torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
        if len(flat) < needed:
            raise ValueError(f"{self.path} is cut off: {name} has {len(flat)} elements, but {needed} are needed")
        return flat.as_strided(shape, stride, offset)


class _Reader:
    """Turns the JSON of a program into a graph."""

    def __init__(self, archive: _Archive) -> None:
        self.archive = archive
        value = archive.json(f"models/{archive.model}.json")["graph_module"]
        self.value, self.signature = value["graph"], value["signature"]
        self.graph = fx.Graph()
        self.nodes: dict[str, fx.Node] = {}
        self.name = archive.model

    def read(self) -> tuple[fx.Graph, dict[str, Source], str]:
        sources = self._sources()
        for node in self.value["nodes"]:
            self._call(node)
        outputs = []
        for spec in self.signature["output_specs"]:
            if "user_output" in spec:
                argument = spec["user_output"]["arg"]
                if "as_tensor" not in argument and "as_none" not in argument:
                    raise ValueError(f"{self.archive.path} returns something else than tensors")
                outputs.append(self._value(argument))
        self.graph.output(tuple(outputs))
        return self.graph, sources, self.name

    def _sources(self) -> dict[str, Source]:
        values = {**self.archive.tensors("constants"), **self.archive.tensors("weights")}
        found = {}
        for spec in self.signature["input_specs"]:
            ((kind, content),) = spec.items()
            argument = content["arg"]
            name = argument["name"] if "name" in argument else argument.get("as_tensor", {}).get("name")
            if name is None:
                continue
            node = self.nodes[name] = self.graph.placeholder(name)
            node.meta["val"] = self._meta(name)
            if kind == "user_input":
                found[node.name] = Source(name, "data")
            elif kind in KINDS:
                key, role = KINDS[kind]
                label = str(content[key])
                found[node.name] = Source(label, role, values.get(label))
            else:
                raise ValueError(f"{self.archive.path} has an input that is no tensor: {kind.replace('_', ' ')}")
        return found

    def _meta(self, name: str) -> Tensor:
        meta = self.value["tensor_values"][name]
        return torch.empty([_size(s) for s in meta["sizes"]], dtype=_dtype(meta["dtype"]), device="meta")

    def _call(self, node: Mapping[str, Any]) -> None:
        outputs = node["outputs"]
        if outputs and not {"as_tensor", "as_tensors", "as_optional_tensors"} & set(outputs[0]):
            return  # A number that is computed from sizes: the file says what it was.
        target = resolve(str(node["target"]).removeprefix("torch.ops."))
        arguments = {one["name"]: self._value(one["arg"]) for one in node["inputs"]}
        plain: list[Any] = []
        for argument in target._schema.arguments:
            if argument.kwarg_only or argument.name not in arguments:
                break
            plain.append(arguments.pop(argument.name))
        made = self.graph.call_function(target, tuple(plain), arguments)
        made.meta["nn_module_stack"] = _stack(node["metadata"].get("nn_module_stack", ""))
        self._results(made, outputs)
        if not self.name.isidentifier() or self.name == self.archive.model:
            top = made.meta["nn_module_stack"].get("", ("", ""))[1]
            self.name = top.rpartition(".")[2] or self.name

    def _results(self, made: fx.Node, outputs: Sequence[Mapping[str, Any]]) -> None:
        """Names of what an operator gives: one array, or several."""
        names = [str(one.get("name", "")) for out in outputs for one in _named(out)]
        returns = made.target._schema.returns  # type: ignore[union-attr]
        if len(returns) == 1 and str(returns[0].type) == "Tensor":
            made.meta["val"] = self._meta(names[0])
            self.nodes[names[0]] = made
            return
        made.meta["val"] = [self._meta(name) if name else None for name in names]
        for place, name in enumerate(names):
            if name:
                self.nodes[name] = self.graph.call_function(operator.getitem, (made, place))
                self.nodes[name].meta["val"] = self._meta(name)

    def _value(self, argument: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an argument
        ((kind, value),) = argument.items()
        readers: dict[str, Callable[[Any], Any]] = {
            "as_none": lambda _: None,
            "as_tensor": lambda x: self.nodes[x["name"]],
            "as_tensors": lambda x: [self.nodes[one["name"]] for one in x],
            "as_optional_tensors": lambda x: [self._value(one) for one in x],
            "as_float": float,
            "as_floats": lambda x: [float(one) for one in x],
            "as_sym_int": self._number,
            "as_sym_ints": lambda x: [self._number(one) for one in x],
            "as_scalar_type": _dtype,
            "as_memory_format": FORMATS.__getitem__,
            "as_layout": lambda _: torch.strided,
            "as_device": lambda x: torch.device(x["type"]),
            "as_complex": lambda x: complex(x["real"], x["imag"]),
        }
        if kind in ("as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings"):
            return value
        if kind not in readers:
            raise ValueError(f"{self.archive.path} has an argument that has no place in a diagram: {kind[3:]}")
        return readers[kind](value)

    def _number(self, value: Mapping[str, Any]) -> int:
        return _size(self.value["sym_int_values"][value["as_name"]] if "as_name" in value else value)


def _named(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arrays among the outputs; those that are absent are empty."""
    if "as_tensor" in output:
        return [output["as_tensor"]]
    if "as_tensors" in output:
        return list(output["as_tensors"])
    return [one.get("as_tensor", {}) for one in output.get("as_optional_tensors", [])]


def _size(value: Mapping[str, Any]) -> int:
    """A size; of one that may vary, what it was when the program was exported."""
    if "as_int" in value:
        return int(value["as_int"])
    return int(value["as_expr"]["hint"]["as_int"])


def _dtype(number: int) -> torch.dtype:
    if number not in DTYPES:
        raise ValueError(f"arrays of the type {number} are not known")
    found: torch.dtype = getattr(torch, DTYPES[number])
    return found


def _stack(text: str) -> dict[str, tuple[str, str]]:
    """Modules in which an operator stands, from the outermost, with their classes."""
    found = {}
    for part in filter(None, text.split(";")):
        _, path, kind = part.split(",")[:3]
        found[path] = path, kind
    return found
