"""Weights of float networks as latent weights of binary ones."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from separata import files

from .configs import Arch, DataShape, ModelConfig
from .networks import ResNet, VGGSmall, make_network

TORCHVISION = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^fc\.", "classifier."),
    (r"\.downsample\.", ".shortcut."),
)
"""Names of torchvision's residual networks, and ours."""
BLOCK = re.compile(r"^layer(\d+)\.(\d+)\.(.*)$")
"""A block of torchvision's: its stage, its place in it, and what follows."""
FIRST = {"vgg-small": "features.0.weight"}
BASE_WIDTH = {"vgg-small": 128, "resnet8": 16, "resnet20": 16}
PICKLES = (".pt", ".pth")
MAY_MISS = ("norm.", "alpha", "omega", "stage", "num_batches_tracked")
"""What a float network need not have."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state of a network from a .safetensors, .pt or .pth file; nothing in it is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is anything else than a state of tensors.
    """
    if path.suffix not in PICKLES:
        return files.load_tensors(path)[0]
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        held: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - torch.load raises whatever a damaged or forbidden file makes it run into
        raise ValueError(f"{path} is not a file of tensors alone; save model.state_dict()") from None
    if isinstance(held, Mapping) and isinstance(held.get("state_dict"), Mapping):
        held = held["state_dict"]
    if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
        raise ValueError(f"{path} is not a file of tensors alone; save model.state_dict()")
    return {str(key).removeprefix("module."): value for key, value in held.items()}


def network_from_float(
    path: Path, arch: Arch, omega: float, *, real_activations: bool = False, size: int = 32
) -> tuple[VGGSmall | ResNet, ModelConfig, DataShape, list[str]]:
    """A binary network in its first stage, with the weights of a float one as latent weights.

    The width, the channels of the images and the number of classes are those of the file. Names may be this package's
    or, of residual networks, torchvision's.

    Args:
        path: The file of the weights.
        arch: The architecture.
        omega: Angular frequency.
        real_activations: Leave activations real.
        size: Height and width of the images, for residual networks, whose weights do not tell.

    Returns:
        The network, what it is made of, the images that it takes, and what was not in the file and begins anew.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or not of this architecture; the sentence names the first weight that does not
            fit.
    """
    tensors = _renamed(read_weights(path))
    first, last = tensors.get(FIRST.get(arch, "stem.0.weight")), tensors.get("classifier.weight")
    if first is None or last is None or first.ndim != 4 or last.ndim != 2:
        missing = FIRST.get(arch, "stem.0.weight") if first is None or first.ndim != 4 else "classifier.weight"
        raise ValueError(f"{path} does not hold the weights of {arch}: there is no {missing}; it has {_few(tensors)}")
    if not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise ValueError(f"{path} holds weights that are not finite")
    width = first.shape[0] / BASE_WIDTH.get(arch, 64)
    if arch == "vgg-small":
        side = round((last.shape[1] / max(1, round(512 * width))) ** 0.5)
        size = size if size // 8 == side else 8 * side
    shape = DataShape(first.shape[1], size, last.shape[0])
    config = ModelConfig(arch, "biper", omega, width, real_activations)
    network = make_network(config, shape)
    expected = network.state_dict()
    if unknown := [name for name in tensors if name not in expected]:
        raise ValueError(f"{path} does not hold the weights of {arch}: there is no {unknown[0]} in it")
    if wrong := [name for name, value in tensors.items() if value.shape != expected[name].shape]:
        given, wanted = tuple(tensors[wrong[0]].shape), tuple(expected[wrong[0]].shape)
        raise ValueError(f"{path} does not hold the weights of {arch}: {wrong[0]} is {given}, not {wanted}")
    fresh = [name for name in expected if name not in tensors]
    if missed := [name for name in fresh if not any(part in name for part in MAY_MISS)]:
        raise ValueError(f"{path} does not hold the weights of {arch}: it has no {missed[0]}")
    network.load_state_dict({**expected, **tensors})
    return network, config, shape, [name for name in fresh if not name.endswith(("omega", "stage", "tracked"))]


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same under this package's names; the stages' blocks of torchvision are counted through."""
    places = sorted({(int(one[1]), int(one[2])) for name in tensors if (one := BLOCK.match(name))})
    number = {place: i for i, place in enumerate(places)}
    found = {}
    for name, value in tensors.items():
        block = BLOCK.match(name)
        renamed = f"blocks.{number[int(block[1]), int(block[2])]}.{block[3]}" if block else name
        for pattern, replacement in TORCHVISION:
            renamed = re.sub(pattern, replacement, renamed)
        found[renamed] = value.float()
    return found


def _few(tensors: Mapping[str, Tensor]) -> str:
    names = sorted(tensors)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "nothing"
