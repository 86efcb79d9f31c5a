"""States of a training on disk: nested dicts, lists, arrays, tensors and plain values, in one safetensors file.

`torch.save` keeps the same things, but in a format that can hold more than data. Here the tensors are those of a
safetensors file, under names that say where they belong, and a tree of JSON in its metadata holds everything else.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import files

if TYPE_CHECKING:
    from torch import Tensor

TREE = "state"
RESERVED = ("", "__metadata__")
"""Names that no tensor in a safetensors file has."""


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all.

    Args:
        path: A .safetensors file.
        state: Nested dicts (with keys that are strings or integers), lists, tuples, tensors, NumPy arrays of numbers,
            and what JSON holds; integers of any size, and floats that are not finite, too.

    Raises:
        TypeError: if there is anything else in it.
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_plant(state, "", tensors))
    files.save_tensors(path, tensors, {TREE: tree})


def load(path: Path) -> dict[str, Any]:
    """A state that `save` wrote; its tensors are on the CPU.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole file of this kind.
    """
    tensors, metadata = files.load_tensors(path)
    try:
        return dict(_harvest(json.loads(metadata[TREE]), tensors))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path} does not hold the state of a training") from None


def _plant(value: Any, name: str, tensors: "dict[str, Tensor]") -> Any:  # noqa: ANN401 - whatever a state holds
    """The value as JSON: every collection and tensor as an object of one entry that says what it is."""
    import numpy as np
    import torch

    if isinstance(value, (torch.Tensor, np.ndarray)):
        while name in {*tensors, *RESERVED}:
            name += "_"
        # A copy: tensors that share memory cannot be in one file.
        if isinstance(value, np.ndarray):
            tensors[name] = torch.as_tensor(np.array(value))
            return {"array": name}
        tensors[name] = value.detach().cpu().clone()
        return {"tensor": name}
    if isinstance(value, Mapping):
        if not all(type(key) in {str, int} for key in value):
            raise TypeError(f"the keys of {name or 'a state'} must be strings or integers")
        return {"dict": [[key, _plant(item, _below(name, key), tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [_plant(item, _below(name, index), tensors) for index, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a state cannot hold a {type(value).__name__}, as {name} is")


def _below(name: str, key: object) -> str:
    """The name of an entry of what has a name."""
    return f"{name}.{key}" if name else str(key)


def _harvest(node: Any, tensors: "Mapping[str, Tensor]") -> Any:  # noqa: ANN401 - whatever a state holds
    """The value of a node of the tree."""
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "array":
            return tensors[content].numpy()
        case "dict":
            return {key: _harvest(item, tensors) for key, item in content}
        case "list" | "tuple":
            items: Sequence[Any] = [_harvest(item, tensors) for item in content]
            return items if kind == "list" else tuple(items)
    raise ValueError(f"unknown kind of node {kind}")
