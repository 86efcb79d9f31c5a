"""Packed networks on disk: safetensors with the bits as bytes, and a header of JSON that says what the layers are."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from separata import configs, files

from .configs import DataShape, ModelConfig
from .layers import BinaryLayer
from .networks import make_float_network
from .packed_layers import PackedLayer, PackedSpec, Threshold
from .packing import PackedModel, packed_layers

FORMAT, VERSION = "biper-packed", 1
HEADER = "biper"
"""Where the header stands in the metadata of the file."""


def save_packed(
    packed: PackedModel,
    path: Path | str,
    network: tuple[ModelConfig, DataShape] | None = None,
    classes: tuple[str, ...] = (),
) -> int:
    """Write a packed network, whole or not at all.

    Args:
        packed: The network.
        path: File to write, .safetensors.
        network: What `make_network` made it of, so that `load_packed` needs nothing else; for a network of one's own,
            none.
        classes: Names of the classes.

    Returns:
        Bytes of the file.

    Raises:
        ValueError: if the name does not end in .safetensors.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a packed network is written as .safetensors, not as {path.name}")
    modules = dict(packed.network.named_modules())
    header = {
        "format": FORMAT,
        "version": VERSION,
        "network": None if network is None else {"model": network[0], "shape": network[1]},
        "classes": list(classes),
        "layers": {name: layer.spec for name, layer in packed_layers(packed.network)},
        "sums": [name for name, layer in packed_layers(packed.network) if layer.counts_only],
        "thresholds": {name: len(one.at) for name, one in modules.items() if isinstance(one, Threshold)},
    }
    tensors = packed.network.state_dict()
    files.save_tensors(path, tensors, {HEADER: json.dumps(configs.plain(header))})
    return path.stat().st_size


def is_packed(path: Path) -> bool:
    """Whether a file is a packed network, of any version.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole safetensors file.
    """
    return HEADER in files.load_tensors(path)[1]


def load_packed(
    path: Path | str, model: nn.Module | None = None
) -> tuple[PackedModel, DataShape | None, tuple[str, ...]]:
    """A packed network, on the CPU, what images it takes where that is known, and the names of its classes.

    Args:
        path: A file that `save_packed` wrote.
        model: A network of the same architecture, real or binary, whose layers are replaced in a copy; not needed for
            the networks of the paper.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no packed network or of another version, is damaged, or does not fit the model.
    """
    path = Path(path)
    tensors, metadata = files.load_tensors(path)
    header = _header(path, metadata)
    shape = None
    if header["network"] is not None:
        known = header["network"]
        shape = configs.from_plain(DataShape, known.get("shape"), path)
        config = configs.from_plain(ModelConfig, known.get("model"), path)
        model = make_float_network(config, shape) if model is None else model
    if model is None:
        raise ValueError(f"{path} holds a network of an architecture of its own; give one of the same to load it into")
    network = copy.deepcopy(model).cpu().float().eval()
    for name, plain in header["layers"].items():
        spec = configs.from_plain(PackedSpec, plain, path)
        layer = PackedLayer(spec, counts_only=name in header["sums"])
        network = _put(network, name, layer, path, _check_layer)
    for name, n in header["thresholds"].items():
        if not isinstance(n, int) or not 0 < n < 2**24:
            raise ValueError(f"{path} is damaged: its threshold {name} has {n} channels")
        network = _put(network, name, Threshold(n), path, _check_norm)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network: {_first(error)}") from None
    return PackedModel(network), shape, tuple(map(str, header["classes"]))


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header of a packed network, whose entries are of the right kinds."""
    if HEADER not in metadata:
        raise ValueError(f"{path} is not a packed network; make one with biper export RUN --format packed")
    try:
        header = json.loads(metadata[HEADER])
    except ValueError:
        raise ValueError(f"{path} is damaged: its header is not JSON") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"{path} is not a packed network: its format is not {FORMAT}")
    if header.get("version") != VERSION:
        raise ValueError(
            f"{path} is of version {header.get('version')} of the format, and this program reads version {VERSION}; "
            "export the network again"
        )
    kinds = {"layers": dict, "thresholds": dict, "sums": list, "classes": list}
    if wrong := [key for key, kind in kinds.items() if not isinstance(header.get(key), kind)]:
        raise ValueError(f"{path} is damaged: its header has no {wrong[0]}")
    if not isinstance(header.get("network"), (dict, type(None))):
        raise ValueError(f"{path} is damaged: its header has no network")
    return header


def _put(network: nn.Module, name: str, made: nn.Module, path: Path, check: Any) -> nn.Module:  # noqa: ANN401 - a function
    """Set a module at its place, if what stands there is what it can replace."""
    try:
        there = network.get_submodule(name)
    except AttributeError:
        raise ValueError(f"{path} does not fit the network: it has no layer {name}") from None
    check(there, made, name, path)
    if not name:
        return made
    parent, _, last = name.rpartition(".")
    network.get_submodule(parent)._modules[last] = made
    return network


def _check_layer(there: nn.Module, made: PackedLayer, name: str, path: Path) -> None:
    if isinstance(there, BinaryLayer):
        expected = (*there.weight.shape[:1], *there.weight.shape[1:])
    elif isinstance(there, (nn.Conv2d, nn.Linear)):
        expected = tuple(there.weight.shape)
    else:
        raise ValueError(f"{path} does not fit the network: {name} is a {type(there).__name__} there")
    spec = made.spec
    given = (spec.n_out, spec.n_in // spec.groups, *(spec.kernel if spec.kind == "conv" else ()))
    if given != expected:
        raise ValueError(f"{path} does not fit the network: {name} has weights of {given}, not {tuple(expected)}")


def _check_norm(there: nn.Module, made: Threshold, name: str, path: Path) -> None:
    if not isinstance(there, nn.modules.batchnorm._BatchNorm) or there.num_features != len(made.at):
        raise ValueError(f"{path} does not fit the network: {name} is no normalization of {len(made.at)} channels")


def _first(error: RuntimeError) -> str:
    """What PyTorch says of the first thing that does not fit, in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 else lines[0]
