"""State dicts of conventional networks as those of the quadratic networks that compute the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor

from separata import files

from .configs import Form
from .layer import GATING, REFERENCE

NESTED = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts keep the state dict."""
SMALLEST, LARGEST = 2, 5
"""Axes of the weights of dense layers, and of convolutions of up to three axes."""


@dataclass(frozen=True)
class ConvertedState:
    """The state of a quadratic network.

    Attributes:
        state: Tensors by name.
        converted: Names of the layers that are quadratic now.
        left: Names of other modules with a weight, and why each was left as it is.
    """

    state: dict[str, Tensor]
    converted: tuple[str, ...]
    left: dict[str, str]


def load_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors file, or in one that `torch.save` wrote; nothing in it is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds anything but tensors by name.
    """
    if path.suffix == ".safetensors":
        return files.load_tensors(path)[0]
    if path.suffix not in (".pt", ".pth", ".bin"):
        raise ValueError(f"a state dict is a .safetensors, .pt, .pth or .bin file, not {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - damaged files raise errors of many kinds
        raise ValueError(
            f"{path} is not a file of tensors alone; save the state_dict of the network with torch.save"
        ) from None
    for key in NESTED:
        if isinstance(held, Mapping) and isinstance(held.get(key), Mapping):
            held = held[key]
    if not isinstance(held, Mapping) or not held or not all(isinstance(one, Tensor) for one in held.values()):
        raise ValueError(f"{path} does not hold a state dict, tensors by name; save that of the network")
    return {str(key): value for key, value in held.items()}


def quadratic_state(
    state: Mapping[str, Tensor],
    form: Form = "full",
    *,
    targets: Sequence[str] = ("*",),
    skip: Sequence[str] = (),
    bias: bool | None = None,
) -> ConvertedState:
    """The state of the quadratic network that `quadratize` makes of a conventional one with this state.

    A state does not tell the kinds of layers: whatever has a weight of two to five axes is taken as a dense layer or a
    convolution. Name embeddings and transposed convolutions in `skip`.

    Args:
        state: Of the conventional network.
        form: Of the neurons.
        targets: Globs over the dotted names of layers.
        skip: Globs of those that stay conventional.
        bias: As of `quadratize`.

    Raises:
        ValueError: if nothing is converted, a glob matches no layer, or layers are quadratic already.
    """
    names = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    names += [""] if "weight" in state else []
    if any(key.rpartition(".")[2] == "weight_r" for key in state):
        raise ValueError("the state already is that of a network with quadratic layers")
    for pattern in (*targets, *skip):
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches no layer of the state; there are {', '.join(names[:12]) or 'none'}")
    left: dict[str, str] = {}
    for name in names:
        if reason := _reason(name, state, targets, skip):
            left[name] = reason
    converted = [name for name in names if name not in left]
    if not converted:
        told = ", ".join(f"{name} ({reason})" for name, reason in list(left.items())[:6])
        raise ValueError(f"there is nothing to convert: {told or 'the state has no weight'}")
    found: dict[str, Tensor] = {}
    chosen = set(converted)
    for key, value in state.items():
        name, _, last = key.rpartition(".")
        if name in chosen and last == "weight":
            found |= _layer(name, value, state.get(_key(name, "bias")), form, bias)
        elif name not in chosen or last != "bias":
            found[key] = value
    return ConvertedState(found, tuple(converted), left)


def _reason(name: str, state: Mapping[str, Tensor], targets: Sequence[str], skip: Sequence[str]) -> str:
    """Why a module stays as it is, or nothing."""
    weight = state[_key(name, "weight")]
    if not SMALLEST <= weight.ndim <= LARGEST or not weight.is_floating_point():
        return f"a weight of shape {tuple(weight.shape)}"
    if _key(name.rpartition(".")[0], "in_proj_weight") in state:
        return "inside nn.MultiheadAttention"
    if not any(fnmatchcase(name, pattern) for pattern in targets):
        return "not among the targets"
    return "skipped" if any(fnmatchcase(name, pattern) for pattern in skip) else ""


def _layer(name: str, weight: Tensor, bias: Tensor | None, form: Form, has_bias: bool | None) -> dict[str, Tensor]:
    """The parameters of a quadratic layer, which computes what the conventional one does."""
    has_bias = bias is not None if has_bias is None else has_bias
    found = {"weight_r": weight}
    if has_bias:
        found["bias_r"] = weight.new_zeros(len(weight)) if bias is None else bias
    for key, value in REFERENCE.items():
        is_absent = (key in GATING and form == "compact") or (key == "bias_b" and not has_bias)
        if not is_absent:
            shape = weight.shape if key.startswith("weight") else weight.shape[:1]
            found[key] = weight.new_full(shape, value)
    return {_key(name, key): value for key, value in found.items()}


def _key(name: str, last: str) -> str:
    return f"{name}.{last}" if name else last
