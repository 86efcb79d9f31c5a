"""Arguments of operators as JSON, and back."""

import math
from collections.abc import Callable
from typing import Any

import torch

DTYPES = {str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
LAYOUTS = {str(value): value for value in (torch.strided, torch.sparse_coo)}
FORMATS = {
    str(value): value
    for value in (torch.contiguous_format, torch.channels_last, torch.preserve_format, torch.channels_last_3d)
}
REFUSED = {"from_file", "save", "record_stream", "_cuda_getCurrentRawStream"}
"""Operators that reach outside the computation."""


def encode(value: Any, tensor: Callable[[Any], dict[str, Any] | None]) -> Any:  # noqa: ANN401 - an argument
    """An argument as JSON.

    Args:
        value: The argument.
        tensor: What stands for a tensor; None if the value is none.

    Raises:
        ValueError: if JSON cannot hold it.
    """
    if (found := tensor(value)) is not None:
        return found
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, list | tuple):
        return [encode(one, tensor) for one in value]
    for name, kind in (("dtype", torch.dtype), ("device", torch.device), ("layout", torch.layout)):
        if isinstance(value, kind):
            return {name: str(value).removeprefix("torch.") if name == "dtype" else str(value)}
    if isinstance(value, torch.memory_format):
        return {"memory_format": str(value)}
    raise ValueError(f"an argument of the type {type(value).__name__} cannot be written down")


def decode(value: Any, tensor: Callable[[int], Any]) -> Any:  # noqa: ANN401 - an argument
    """The argument that `encode` wrote.

    Args:
        value: JSON.
        tensor: The tensor of an array's number.

    Raises:
        ValueError: if it stands for nothing.
    """
    if isinstance(value, list):
        return [decode(one, tensor) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"{value} stands for no argument")
    ((kind, found),) = value.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "float": float,
        "complex": lambda parts: complex(*parts),
        "dtype": DTYPES.__getitem__,
        "device": torch.device,
        "layout": LAYOUTS.__getitem__,
        "memory_format": FORMATS.__getitem__,
    }
    if kind == "array":
        return tensor(found)
    try:
        return readers[kind](found)
    except (KeyError, TypeError, RuntimeError, ValueError):
        raise ValueError(f"{value} stands for no argument") from None


def resolve(target: str) -> torch._ops.OpOverload:
    """An operator by its name, "aten.linear.default".

    Raises:
        ValueError: if there is none, or it reaches outside the computation.
    """
    parts = target.split(".")
    if parts[0] == "circuit_diagrams":
        from . import closed  # noqa: F401 - it defines the operator
    if len(parts) == 2:
        parts.append("default")
    if len(parts) == 3 and parts[1] not in REFUSED and not parts[1].startswith("__"):
        packet = getattr(getattr(torch.ops, parts[0], None), parts[1], None)
        found = getattr(packet, parts[2], None) if packet is not None else None
        if isinstance(found, torch._ops.OpOverload):
            return found
    raise ValueError(f"there is no operator {target}; import the library that defines it")
