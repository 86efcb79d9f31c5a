"""PyTorch's own layers as graphs, without ONNX."""

from collections.abc import Callable
from math import prod
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from bab_verify.graph import Graph, Operator, Shape
from bab_verify.operators.gelu import Gelu, TanhGelu
from bab_verify.operators.s_shaped import Sigmoid, Tanh

from . import activations, layers, patterns
from .builder import Builder, Value, Variable
from .windows import Sizes, Window

_Conversion: TypeAlias = Callable[..., Value]
"""Takes the builder, the layer and its input."""
_CONVERSIONS: dict[type[nn.Module], _Conversion] = {}
"""How each layer is built; only objects of exactly these classes are."""
_PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's names and NumPy's."""
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


class NoConversionError(Exception):
    """A layer cannot be converted directly."""


def graph_from_layers(module: nn.Module, shape: Shape, dtype: torch.dtype) -> Graph | None:
    """A module made of PyTorch's own layers as a graph, in evaluation mode.

    Args:
        module: The network.
        shape: Of its input, with the batch of 1.
        dtype: Type of the constants of the graph.

    Returns:
        The graph, or `None` where the module has other layers, a hook, a forward method of its own, or a setting that
        only the exporter knows.

    Raises:
        ValueError: if a weight is NaN or infinite.
    """
    if not is_fixed(module):
        return None
    builder = Builder(shape, dtype, rules=patterns.PRODUCTS)
    try:
        return builder.graph(_built(builder, module, "", builder.input))
    except NoConversionError:
        return None


def is_fixed(module: nn.Module) -> bool:
    """Whether a module is made of layers with conversions only, as PyTorch defines them: without hooks or overrides."""
    return all(
        type(one) in _CONVERSIONS and not {"forward", "__call__"} & vars(one).keys() and not _hooks(one)
        for one in module.modules()
    )


def _hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _built(builder: Builder, module: nn.Module, name: str, x: Variable) -> Variable:
    builder.name = name
    value = _CONVERSIONS[type(module)](builder, module, x)
    if not isinstance(value, Variable):
        raise NoConversionError
    return value


def _layer(*kinds: type[nn.Module]) -> Callable[[_Conversion], _Conversion]:
    """Register a function as the way to build layers."""

    def register(function: _Conversion) -> _Conversion:
        _CONVERSIONS.update(dict.fromkeys(kinds, function))
        return function

    return register


def _needs(condition: bool) -> None:
    if not condition:
        raise NoConversionError


def _array(x: Tensor) -> np.ndarray:
    """A parameter, in double precision."""
    return x.detach().to("cpu", torch.float64).numpy()


def _optional(x: Tensor | None) -> np.ndarray | None:
    return None if x is None else _array(x)


def _sizes(value: int | tuple[int, ...], d: int) -> Sizes:
    """A setting for each dimension."""
    return (value,) * d if isinstance(value, int) else tuple(value)


# Containers, and layers that move elements or do nothing.


@_layer(nn.Sequential)
def _sequential(builder: Builder, module: nn.Sequential, x: Variable) -> Value:
    name = builder.name
    # A layer that occurs twice is applied twice.
    for key, child in module._modules.items():
        if child is not None:
            x = _built(builder, child, f"{name}.{key}" if name else key, x)
    return x


@_layer(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
def _nothing(builder: Builder, module: nn.Module, x: Variable) -> Value:
    del builder, module
    return x


@_layer(nn.Flatten)
def _flatten(builder: Builder, module: nn.Flatten, x: Variable) -> Value:
    start, end = module.start_dim % len(x.shape), module.end_dim % len(x.shape)
    return builder.reshape(x, (*x.shape[:start], prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@_layer(nn.Unflatten)
def _unflatten(builder: Builder, module: nn.Unflatten, x: Variable) -> Value:
    _needs(isinstance(module.dim, int) and all(isinstance(n, int) for n in module.unflattened_size))
    dim = int(module.dim) % len(x.shape)
    wanted = torch.empty(x.shape[dim]).reshape([int(n) for n in module.unflattened_size]).shape
    return builder.reshape(x, (*x.shape[:dim], *wanted, *x.shape[dim + 1 :]))


# Layers with parameters.


@_layer(nn.Linear)
def _linear(builder: Builder, module: nn.Linear, x: Variable) -> Value:
    return layers.linear(builder, x, _array(module.weight), _optional(module.bias))


@_layer(nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _convolution(builder: Builder, module: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Variable) -> Value:
    d = len(module.kernel_size)
    _needs(len(x.shape) == d + 2 and module.padding_mode in _PADDING_MODES)
    if module.padding == "same":
        total = [s * (k - 1) for s, k in zip(module.dilation, module.kernel_size, strict=True)]
        begin, end = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    else:
        begin = end = (0,) * d if isinstance(module.padding, str) else tuple(module.padding)
    window = Window(x.shape[2:], module.kernel_size, module.stride, module.dilation, begin, end)
    if module.padding_mode != "zeros":
        x = builder.chosen(x, window.padded(x, _PADDING_MODES[module.padding_mode]))
        window = Window(x.shape[2:], module.kernel_size, module.stride, module.dilation, (0,) * d, (0,) * d)
    return layers.convolution(builder, x, _array(module.weight), _optional(module.bias), window, module.groups)


@_layer(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
def _transposed_convolution(
    builder: Builder, module: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d, x: Variable
) -> Value:
    _needs(len(x.shape) == len(module.kernel_size) + 2 and not isinstance(module.padding, str))
    padding = tuple(int(n) for n in module.padding)
    spread = layers.Spread(module.stride, module.dilation, module.groups, padding, padding, module.output_padding)
    return layers.transposed_convolution(builder, x, _array(module.weight), _optional(module.bias), spread)


@_layer(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
def _batch_norm(builder: Builder, module: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: Variable) -> Value:
    # Without running statistics it takes those of the batch.
    mean, variance = _optional(module.running_mean), _optional(module.running_var)
    if mean is None or variance is None or len(x.shape) < 2:
        raise NoConversionError
    scale = np.ones_like(mean) if module.weight is None else _array(module.weight)
    shift = np.zeros_like(mean) if module.bias is None else _array(module.bias)
    return layers.batch_norm(builder, x, (scale, shift), (mean, variance), module.eps)


@_layer(nn.LayerNorm)
def _layer_norm(builder: Builder, module: nn.LayerNorm, x: Variable) -> Value:
    scale, shift = _optional(module.weight), _optional(module.bias)
    return layers.layer_norm(builder, x, len(module.normalized_shape), scale, shift, module.eps)


# Pooling.


@_layer(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _max_pool(builder: Builder, module: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d, x: Variable) -> Value:
    _needs(not module.return_indices)
    window = _window(module, x, _dimensions(type(module)), module.dilation)
    return layers.max_pool(builder, x, window, ceil=module.ceil_mode)


@_layer(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _average_pool(builder: Builder, module: nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d, x: Variable) -> Value:
    window = _window(module, x, _dimensions(type(module)), 1)
    counts: np.ndarray | int | None = getattr(module, "divisor_override", None)
    if counts is None:
        counts = window.counts(x, ceil=module.ceil_mode, padding=module.count_include_pad)
    return layers.average_pool(builder, x, window, counts, ceil=module.ceil_mode)


@_layer(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
def _adaptive_pool(
    builder: Builder, module: nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool3d, x: Variable
) -> Value:
    d = _dimensions(type(module))
    _needs(len(x.shape) == d + 2)
    given = module.output_size
    wanted = (given,) * d if given is None or isinstance(given, int) else tuple(given)
    out = [n if o is None else o for n, o in zip(x.shape[2:], wanted, strict=True)]
    # Elsewhere windows differ in size.
    _needs(all(n % o == 0 for n, o in zip(x.shape[2:], out, strict=True)))
    if prod(out) == 1:
        return layers.mean(builder, x, range(2, len(x.shape)))
    kernel, zeros = tuple(n // o for n, o in zip(x.shape[2:], out, strict=True)), (0,) * d
    window = Window(x.shape[2:], kernel, kernel, (1,) * d, zeros, zeros)
    return layers.average_pool(builder, x, window, prod(kernel), ceil=False)


def _dimensions(kind: type[nn.Module]) -> int:
    """How many dimensions a layer is for, which its name ends with."""
    return int(kind.__name__[-2])


def _window(
    module: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d | nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d,
    x: Variable,
    d: int,
    dilation: int | tuple[int, ...],
) -> Window:
    _needs(len(x.shape) == d + 2)
    padding = _sizes(module.padding, d)
    kernel, strides = _sizes(module.kernel_size, d), _sizes(module.stride, d)
    return Window(x.shape[2:], kernel, strides, _sizes(dilation, d), padding, padding)


# Activations.


_FUNCTIONS: dict[type[nn.Module], type[Operator]] = {nn.Sigmoid: Sigmoid, nn.Tanh: Tanh}


@_layer(*_FUNCTIONS)
def _function(builder: Builder, module: nn.Module, x: Variable) -> Value:
    return builder.apply(_FUNCTIONS[type(module)](), x)


@_layer(nn.ReLU)
def _relu(builder: Builder, module: nn.ReLU, x: Variable) -> Value:
    del module
    return builder.relu(x)


@_layer(nn.LeakyReLU)
def _leaky_relu(builder: Builder, module: nn.LeakyReLU, x: Variable) -> Value:
    return activations.leaky_relu(builder, x, np.array(module.negative_slope))


@_layer(nn.PReLU)
def _p_relu(builder: Builder, module: nn.PReLU, x: Variable) -> Value:
    slope = _array(module.weight)
    _needs(slope.size == 1 or len(x.shape) > 1)
    return activations.leaky_relu(builder, x, slope if slope.size == 1 else layers.by_channel(slope, len(x.shape)))


@_layer(nn.Hardtanh, nn.ReLU6)
def _hardtanh(builder: Builder, module: nn.Hardtanh, x: Variable) -> Value:
    return activations.clip(builder, x, module.min_val, module.max_val)


@_layer(nn.Hardsigmoid)
def _hardsigmoid(builder: Builder, module: nn.Hardsigmoid, x: Variable) -> Value:
    del module
    return activations.hard_sigmoid(builder, x, 1 / 6, 0.5)


@_layer(nn.Hardswish)
def _hardswish(builder: Builder, module: nn.Hardswish, x: Variable) -> Value:
    del module
    return activations.hard_swish(builder, x)


@_layer(nn.ELU)
def _elu(builder: Builder, module: nn.ELU, x: Variable) -> Value:
    return activations.elu(builder, x, module.alpha)


@_layer(nn.SELU)
def _selu(builder: Builder, module: nn.SELU, x: Variable) -> Value:
    del module
    return activations.elu(builder, x, SELU_ALPHA, SELU_SCALE)


@_layer(nn.CELU)
def _celu(builder: Builder, module: nn.CELU, x: Variable) -> Value:
    return activations.elu(builder, x, module.alpha, input_scale=1 / module.alpha)


@_layer(nn.SiLU)
def _silu(builder: Builder, module: nn.SiLU, x: Variable) -> Value:
    del module
    return activations.silu(builder, x)


@_layer(nn.GELU)
def _gelu(builder: Builder, module: nn.GELU, x: Variable) -> Value:
    return builder.apply(TanhGelu() if module.approximate == "tanh" else Gelu(), x)


@_layer(nn.Softmax, nn.LogSoftmax)
def _softmax(builder: Builder, module: nn.Softmax | nn.LogSoftmax, x: Variable) -> Value:
    if module.dim is None:
        raise NoConversionError
    return activations.softmax(builder, x, module.dim % len(x.shape), log=isinstance(module, nn.LogSoftmax))
