"""Finished networks in plain PyTorch: constant weights of -1 and +1."""

import copy
from typing import Any

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


def freeze_layer(layer: BinaryLayer, *, merge: bool = False) -> nn.Module:
    """A binary layer as `Sign`, a plain layer of -1 and +1, and `Scale`.

    Args:
        layer: The layer, in its second stage.
        merge: Multiply the scale into the weights and the bias, so that less is left; sums are then rounded otherwise.
    """
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
    return nn.Sequential(*parts, plain, *ends) if parts or ends else plain


def freeze(model: nn.Module, *, merge: bool = False) -> nn.Module:
    """A copy of a network whose binary layers are plain PyTorch with constant weights; it computes the same.

    This is what other programs understand: exporters, compilers, verifiers.

    Args:
        model: A network with binary layers in their second stage; it stays as it is.
        merge: Multiply scales into weights: each layer is then one plain layer, after `Sign` if its input is binary.
            Sums are rounded otherwise, which may turn a sign whose argument is next to zero.

    Returns:
        The copy, in evaluation mode.

    Raises:
        ValueError: if there are no binary layers, or some are in the first stage.
    """
    check_finished(model)
    return _replaced(copy.deepcopy(model), {}, merge=merge).eval()


def _replaced(module: nn.Module, made: dict[int, nn.Module], *, merge: bool) -> nn.Module:
    """The module with plain layers; what stands at several places stays one."""
    if isinstance(module, BinaryLayer):
        return made.setdefault(id(module), freeze_layer(module, merge=merge))
    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = _replaced(child, made, merge=merge)
    return module
