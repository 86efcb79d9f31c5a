"""Weights of networks in files, those of strangers among them; nothing in a file is ever executed."""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from separata import arrays, files
from separata.runs import MODEL

OWN = ("w_in", "w_out", "w_embed")
MOST_NAMED = 8
"""Arrays of a file that a message names."""


@dataclass(frozen=True)
class NetworkWeights:
    """The weights of a two-layer network on the integers mod p.

    Attributes:
        w_in: Input weights, (M, p), or (M, 2p) where the two numbers have weights of their own.
        w_out: Output weights.
    """

    w_in: Float[Tensor, "width inputs"]
    w_out: Float[Tensor, "p width"]


@dataclass(frozen=True)
class WeightNames:
    """What the weights are called in a file.

    Args:
        w_in: Name of the input weights, (M, p) or (M, 2p); found by their shape by default.
        w_out: Name of the output weights, (p, M); found by their shape by default.
        w_embed: Name of an embedding below the input weights, (d, p) or (p, d), a square one (d, p); none by default.
    """

    w_in: str | None = None
    w_out: str | None = None
    w_embed: str | None = None


def load_weights(path: Path | str, names: WeightNames = WeightNames()) -> NetworkWeights:
    """The weights in a .safetensors, .npz or .pt file, or in the folder of a training.

    Without names, they are `w_in` and `w_out`, or else the only two matrices of the shapes (M, p) and (p, M), or
    (M, 2p) and (p, M).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, has no such matrices, or has more than one such pair; one sentence.
    """
    path = Path(path)
    held = _matrices(path / MODEL if path.is_dir() else path)
    shown = ", ".join(f"{name} {tuple(one.shape)}" for name, one in list(held.items())[:MOST_NAMED]) or "no matrix"
    shown += ", ..." if len(held) > MOST_NAMED else ""
    for name in (names.w_in, names.w_out, names.w_embed):
        if name is not None and name not in held:
            raise ValueError(f"{path} has no matrix {name}; it holds {shown}")
    embed = names.w_embed or ("w_embed" if names.w_in is None and set(OWN) <= held.keys() else None)
    if embed is not None:
        return _embedded(path, held, names, embed, shown)
    first, second = _pair(path, held, names, shown)
    return NetworkWeights(held[first], held[second])


def _embedded(path: Path, held: Mapping[str, Tensor], names: WeightNames, embed: str, shown: str) -> NetworkWeights:
    """Weights through an embedding, whose product with the input weights counts."""
    w_in, w_out, w_embed = held.get(names.w_in or "w_in"), held.get(names.w_out or "w_out"), held[embed]
    if w_in is None or w_out is None:
        raise ValueError(f"{path}: name the weights above the embedding with --w-in and --w-out; it holds {shown}")
    if w_embed.shape[1] != w_out.shape[0]:
        w_embed = w_embed.mT
    if w_embed.shape[1] != w_out.shape[0] or w_in.shape[1] != w_embed.shape[0] or w_in.shape[0] != w_out.shape[1]:
        raise ValueError(
            f"{path}: weights through an embedding must be (M, d), (d, p) and (p, M), not {tuple(w_in.shape)}, "
            f"{tuple(held[embed].shape)} and {tuple(w_out.shape)}"
        )
    return NetworkWeights(w_in @ w_embed, w_out)


def _pair(path: Path, held: Mapping[str, Tensor], names: WeightNames, shown: str) -> tuple[str, str]:
    """Names of the input and the output weights."""
    if names.w_in is None and names.w_out is None and {"w_in", "w_out"} <= held.keys():
        names = WeightNames("w_in", "w_out")
    if names.w_in is not None and names.w_out is not None:
        first, second = held[names.w_in], held[names.w_out]
        if not _fits(first, second):
            raise ValueError(
                f"{path}: weights must be (M, p) or (M, 2p) in and (p, M) out, but {names.w_in} is "
                f"{tuple(first.shape)} and {names.w_out} is {tuple(second.shape)}"
            )
        return names.w_in, names.w_out
    pairs = [
        (one, other)
        for one in held
        for other in held
        if one != other
        and names.w_in in {None, one}
        and names.w_out in {None, other}
        and _fits(held[one], held[other])
        and (_is_plausible(held[one], held[other]) or names != WeightNames())
    ]
    if len(pairs) == 1:
        return pairs[0]
    found = "no two" if not pairs else "more than one pair of"
    raise ValueError(
        f"{path} has {found} matrices of shapes (M, p) or (M, 2p) and (p, M); name them with --w-in and --w-out; it "
        f"holds {shown}"
    )


def _fits(w_in: Tensor, w_out: Tensor) -> bool:
    p, width = w_out.shape
    return w_in.shape[0] == width and w_in.shape[1] in {p, 2 * p}


def _is_plausible(w_in: Tensor, w_out: Tensor) -> bool:
    """Whether the shape tells which is which: of (M, p) and (p, M), the first has more rows."""
    return w_in.shape[1] == 2 * w_out.shape[0] or w_in.shape[0] > w_out.shape[0]


def _matrices(path: Path) -> dict[str, Tensor]:
    """The matrices of numbers in a file, in the order of their names."""
    if path.suffix == ".npz":
        read = arrays.load_npz(path)
        held: Mapping[str, Any] = {name: torch.tensor(one) for name, one in read.items() if _is_matrix(one)}
    elif path.suffix in {".pt", ".pth"}:
        held = _load_torch(path)
    elif path.suffix == ".safetensors":
        held = files.load_tensors(path)[0]
    elif not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    else:
        raise ValueError(f"weights are read from .safetensors, .npz or .pt, not from {path.name}")
    kept = {
        name: one.detach()
        for name, one in sorted(held.items())
        if isinstance(one, Tensor) and one.ndim == 2 and one.is_floating_point()
    }
    # One precision for all, since layers are multiplied with each other.
    dtype = torch.double if any(one.dtype == torch.double for one in kept.values()) else torch.float
    return {name: one.to(dtype) for name, one in kept.items()}


def _is_matrix(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.dtype.kind == "f" and array.dtype.itemsize <= 8


def _load_torch(path: Path) -> dict[str, Any]:
    """A state dict of PyTorch's, also one inside a checkpoint, under `model`, `state_dict` or the like."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} holds more than tensors, which is not read, since it can run code; save its state_dict"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a whole .pt file") from None
    if not isinstance(held, Mapping):
        raise ValueError(f"{path} holds no state_dict")
    flat: dict[str, Any] = {}
    for name, one in held.items():
        if isinstance(one, Mapping):
            flat |= {f"{name}.{key}": value for key, value in one.items()}
        else:
            flat[str(name)] = one
    return flat
