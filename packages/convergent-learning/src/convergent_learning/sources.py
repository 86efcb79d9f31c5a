"""What commands read: networks of the user's own code, their weights, and data."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata import files, models
from separata.arrays import load_npy, load_npz
from separata.labeled import load_splits

from .networks import small_convnet

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "small-convnet": small_convnet,
    "mlp": models.MLP,
    "small-cnn": models.SmallCNN,
    "resnet": models.ResNet,
}


def make_model(arch: str, arguments: str = "") -> nn.Module:
    """A network with fresh weights.

    Args:
        arch: `small-convnet`, `mlp`, `small-cnn`, `resnet`, or `module:name` of something in the current folder or
            installed that makes a network when it is called. Its code runs: name only what you trust.
        arguments: Its keyword arguments as a JSON object; none by default.

    Raises:
        ValueError: if there is no such thing, or it makes no network from these arguments.
    """
    make = NETWORKS.get(arch) or _imported(arch)
    try:
        given: Any = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ValueError(f'the arguments of a network are a JSON object such as {{"n_classes": 10}}, not {arguments}')
    try:
        model = make(**given)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        raise ValueError(f"{arch} made no network from {given}: {type(error).__name__}: {error}") from None
    if not isinstance(model, nn.Module):
        raise ValueError(f"{arch} makes a {type(model).__name__}, not a torch.nn.Module")
    return model


def _imported(arch: str) -> Callable[..., Any]:
    module, colon, name = arch.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"an architecture is one of {', '.join(NETWORKS)} or module:name, not {arch!r}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - importing runs the user's code
        raise ValueError(f"{arch} cannot be imported: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise ValueError(f"{arch} is a {type(found).__name__}, not something that makes a network")
    return found


def load_network(path: Path, arch: str, arguments: str = "") -> nn.Module:
    """A network with the weights of a .safetensors file, or of a .pt file that holds only a state_dict.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, holds more than tensors, or does not fit the architecture exactly.
    """
    model = make_model(arch, arguments)
    if path.suffix in {".pt", ".pth"}:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - torch raises whatever a damaged file makes it run into
            raise ValueError(f"{path} is not a whole file of nothing but tensors; save model.state_dict()") from None
    else:
        state, _ = files.load_tensors(path)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in state.items()
    ):
        raise ValueError(f"{path} does not hold a state_dict: names and tensors")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split(":", 1)[-1].split())
        raise ValueError(f"{path} does not fit {arch}: {reason}") from None
    if wrong := next((name for name, one in state.items() if not bool(one.isfinite().all())), None):
        raise ValueError(f"{path}: {wrong} is NaN or infinite")
    return model.eval()


def load_inputs(source: str, limit: int | None = None, part: str = "test") -> Float[Tensor, "n *sample"]:
    """Inputs for networks.

    Args:
        source: An .npy file, an .npz file with `x` and no other arrays, or all that `separata.labeled` knows: names
            such as mnist5k, folders of images, .npz files with labels, tables.
        limit: How many are taken, from the first on.
        part: "train" or "test", where the source has two parts.

    Raises:
        ValueError: if the source is damaged, or holds no finite numbers.
        FileNotFoundError: if it is not there.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"the number of samples must be at least 1, not {limit}")
    path = Path(source)
    if path.suffix == ".npy":
        x = _tensor(load_npy(path), path)
    elif path.suffix == ".npz" and "y" not in (held := load_npz(path)) and "x" in held:
        x = _tensor(held["x"], path)
    else:
        splits = load_splits(source)
        x = (splits.train if part == "train" else splits.test).x
    return x[:limit]


def _tensor(array: Any, path: Path) -> Float[Tensor, "n *sample"]:  # noqa: ANN401 - whatever a file holds
    if array.ndim < 2 or not array.size or array.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers of shape (samples, ...), not {array.dtype} {array.shape}")
    x = torch.from_numpy(array).float()
    if array.dtype.kind == "u" and array.dtype.itemsize == 1:
        x = x / 255
    if not bool(x.isfinite().all()):
        raise ValueError(f"{path} has a number that is NaN or infinite")
    return x
