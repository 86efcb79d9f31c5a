"""Finished networks in plain PyTorch: constant weights of -1 and +1."""

import copy
from typing import Any

import torch
from jaxtyping import Int8
from torch import Tensor, nn

from .binarizers import sgn
from .layers import BinaryConv2d, BinaryLayer, BinaryLinear, binary_layers


class Sign(nn.Module):
    """sgn(x) with sgn(0) = +1, or 0 if `zero_is_one` is false; without a gradient."""

    def __init__(self, *, zero_is_one: bool = True) -> None:
        super().__init__()
        self.zero_is_one = zero_is_one

    def forward(self, x: Tensor) -> Tensor:
        """The signs."""
        return sgn(x, zero_is_one=self.zero_is_one)


class Scale(nn.Module):
    """Multiplies each output by a constant."""

    factor: Tensor

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        """The scaled outputs."""
        return x * self.factor


class ByteWeights(nn.Module):
    """A convolution or a linear map whose weights are kept as bytes, for files that are four times as small.

    Args:
        plain: The layer, with weights of -1 and +1; it loses them.
    """

    weight: Int8[Tensor, "..."]

    def __init__(self, plain: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", plain.weight.detach().to(torch.int8))
        del plain.weight
        self.plain = plain

    def forward(self, x: Tensor) -> Tensor:
        """What the layer computes."""
        weight = self.weight.to(x.dtype)
        if isinstance(self.plain, nn.Linear):
            return nn.functional.linear(x, weight, self.plain.bias)
        return self.plain._conv_forward(x, weight, self.plain.bias)


def check_finished(model: nn.Module) -> None:
    """See that a network has binary layers, and that all of them have binary weights.

    Raises:
        ValueError: if not; the sentence names the first layer that has none.
    """
    layers = dict(binary_layers(model))
    if not layers:
        raise ValueError("the network has no binary layers; make some with binarize(model)")
    for name, layer in layers.items():
        if not layer.has_binary_weights:
            raise ValueError(
                f"{name or 'the layer'} still has the sine weights of the first stage; call to_stage2(model), and then "
                "train on"
            )


def freeze_layer(layer: BinaryLayer, *, merge: bool = False, as_bytes: bool = False) -> nn.Module:
    """A binary layer as `Sign`, a plain layer of -1 and +1, and `Scale`.

    Args:
        layer: The layer, in its second stage.
        merge: Multiply the scale into the weights and the bias, so that less is left; sums are then rounded otherwise.
        as_bytes: Keep the weights as bytes.

    Raises:
        ValueError: if bytes are to hold merged weights.
    """
    if merge and as_bytes:
        raise ValueError("merged weights are not -1 and +1, which bytes could hold; give one of merge and as_bytes")
    weight = layer.binary_weight().to(layer.weight.dtype)
    scale = layer.scale()
    bias = None if layer.bias is None else layer.bias.detach().clone()
    if scale is not None and merge:
        scale = scale.detach()
        weight = weight * scale.view(-1, *[1] * (weight.ndim - 1))
        bias = None if bias is None else bias * scale
        scale = None
    plain: nn.Conv2d | nn.Linear
    settings: dict[str, Any] = {"bias": bias is not None, "device": weight.device, "dtype": weight.dtype}
    if isinstance(layer, BinaryConv2d):
        plain = nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type] # a pair, as it was given
            stride=layer.stride,  # type: ignore[arg-type]
            padding=layer.padding,  # type: ignore[arg-type]
            dilation=layer.dilation,  # type: ignore[arg-type]
            groups=layer.groups,
            padding_mode=layer.padding_mode,
            **settings,
        )
    elif isinstance(layer, BinaryLinear):
        plain = nn.Linear(layer.in_features, layer.out_features, **settings)
    else:
        raise TypeError(f"a {type(layer).__name__} is neither a convolution nor a linear map")
    plain.weight = nn.Parameter(weight, requires_grad=False)
    plain.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    parts = [Sign(zero_is_one=layer.zero_is_one)] if layer.binarize_input else []
    ends = [] if scale is None else [Scale(layer.per_output(scale.detach()).clone())]
    made = ByteWeights(plain) if as_bytes else plain
    return nn.Sequential(*parts, made, *ends) if parts or ends else made


def freeze(model: nn.Module, *, merge: bool = False, as_bytes: bool = False) -> nn.Module:
    """A copy of a network whose binary layers are plain PyTorch with constant weights; it computes the same.

    This is what other programs understand: exporters, compilers, verifiers.

    Args:
        model: A network with binary layers in their second stage; it stays as it is.
        merge: Multiply scales into weights: each layer is then one plain layer, after `Sign` if its input is binary.
            Sums are rounded otherwise, which may turn a sign whose argument is next to zero.
        as_bytes: Keep weights as bytes, which are converted with each call: slower, and a quarter of the size.

    Returns:
        The copy, in evaluation mode.

    Raises:
        ValueError: if there are no binary layers, some are in the first stage, or both options are given.
    """
    check_finished(model)
    return _replaced(copy.deepcopy(model), {}, merge=merge, as_bytes=as_bytes).eval()


def _replaced(module: nn.Module, made: dict[int, nn.Module], *, merge: bool, as_bytes: bool) -> nn.Module:
    """The module with plain layers; what stands at several places stays one."""
    if isinstance(module, BinaryLayer):
        return made.setdefault(id(module), freeze_layer(module, merge=merge, as_bytes=as_bytes))
    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = _replaced(child, made, merge=merge, as_bytes=as_bytes)
    return module
