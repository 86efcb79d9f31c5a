"""A user's own network made binary, and from one stage to the next."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from separata.conversion import Conversion, Targets, convert

from .binarizers import check_omega
from .layers import SQUARE, BinaryLayer, PeriodicLayer, binary_layers
from .methods import METHODS, make_layer

KINDS = (nn.Conv2d, nn.Linear)


def binarize(
    model: nn.Module,
    method: str = "biper",
    omega: float = 20.0,
    targets: Targets = "*",
    skip: str | Sequence[str] = ("first", "last"),
    *,
    binarize_input: bool = True,
    zero_is_one: bool = True,
    init_b: float | None = None,
) -> Conversion:
    """Give a network binary convolutions and linear maps in the place of its own, whose weights become latent weights.

    The first and the last layer stay real unless `skip` says otherwise, as is usual for binary networks. BiPer's layers
    begin in the first stage. Convert before making an optimizer and before wrapping in `DistributedDataParallel`.

    Args:
        model: The network; changed in place.
        method: `biper`, or a baseline: `ste`, `xnor`, `bireal`, `recu`.
        omega: Angular frequency of BiPer's square wave.
        targets: Globs over the names of modules, or a function of name and module: what becomes binary.
        skip: Globs of what stays as it is; `"first"` and `"last"` are the first and last layer.
        binarize_input: Make activations binary, too (1w1a); false leaves them real (1w32a).
        zero_is_one: Let sgn(0) be +1, so that a weight takes one bit; the official code has 0.
        init_b: Scale the latent weights of each layer to this mean magnitude b; ω b decides the quantization error with
            which training begins.

    Returns:
        The network, what was converted, and what was left and why.

    Raises:
        ValueError: if there is nothing to convert, the method is unknown, or omega or init_b is not positive.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; the methods are {', '.join(METHODS)}")
    settings: dict[str, Any] = {"binarize_input": binarize_input, "zero_is_one": zero_is_one}
    check_omega(omega)
    if method == "biper":
        settings["omega"] = omega
    if init_b is not None and not 0 < init_b < float("inf"):
        raise ValueError(f"init_b, the mean magnitude of latent weights, must be positive, not {init_b}")
    found = convert(
        model,
        lambda _, module: make_layer(method, module, **settings),
        KINDS,
        targets=targets,
        skip=skip,
        opaque=(BinaryLayer,),
    )
    if init_b is not None:
        with torch.no_grad():
            for name in found.converted:
                weight = found.model.get_parameter(f"{name}.weight" if name else "weight")
                weight.mul_(init_b / weight.abs().mean().clamp(min=torch.finfo(weight.dtype).tiny))
    return found


def to_stage2(model: nn.Module) -> nn.Module:
    """Switch BiPer's layers to binary weights, in place, and return the network.

    Then train on with a smaller learning rate and a new optimizer.

    Raises:
        ValueError: if the network has no layer of BiPer's.
    """
    layers = [layer for _, layer in binary_layers(model) if isinstance(layer, PeriodicLayer)]
    if not layers:
        raise ValueError("the network has no layer of BiPer's; make some with binarize(model)")
    for layer in layers:
        layer.set_stage(SQUARE)
    return model
