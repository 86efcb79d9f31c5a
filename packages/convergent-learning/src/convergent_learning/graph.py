"""Reading from a network's graph which units can be permuted together (torch.fx)."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import jaxtyping
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.parametrize import is_parametrized

from .axes import FIXED, Axes, Segment, Value

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ENTRYWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid),
    *(nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Softplus, nn.Softsign, nn.Identity, nn.Dropout),
)
SPATIAL = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.Upsample),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.ZeroPad2d, nn.Dropout1d, nn.Dropout2d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
ENTRYWISE_CALLS = {
    *("relu", "relu_", "relu6", "gelu", "silu", "elu", "selu", "leaky_relu", "tanh", "sigmoid", "softplus", "mish"),
    *("hardswish", "hardsigmoid", "dropout", "contiguous", "clone", "detach", "neg", "abs", "square", "clamp"),
    *("float", "double", "to"),
}
SPATIAL_CALLS = {
    *("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"),
    *("adaptive_max_pool2d", "interpolate", "dropout2d"),
}
BINARY = {"add", "add_", "iadd", "sub", "sub_", "isub", "mul", "mul_", "imul", "truediv", "div", "div_"}
SHAPES = {"size", "dim"}
ATTRIBUTES = {"shape", "ndim", "dtype", "device", "is_cuda", "requires_grad"}
"""What a tensor says of itself; its other attributes, such as `T` and `mT`, are tensors."""


def read_axes(model: nn.Module) -> Axes:
    """The groups of units of a network, from its graph.

    Raises:
        ValueError: if torch.fx cannot trace the network.
    """
    was_disabled = jaxtyping.config.jaxtyping_disable
    try:
        # A proxy is no tensor of the shapes that a checked network asks for.
        jaxtyping.config.update("jaxtyping_disable", True)  # noqa: FBT003 - the signature of the library
        graph = fx.Tracer().trace(model)
    except Exception as error:  # noqa: BLE001 - whatever the user's forward pass does with a proxy
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"torch.fx cannot trace the network, so that its units cannot be permuted: {reason}") from None
    finally:
        jaxtyping.config.update("jaxtyping_disable", was_disabled)
    return _Reader(model).read(graph)


class _Reader:
    """Follows units through the nodes of a graph."""

    def __init__(self, model: nn.Module) -> None:
        self.modules = dict(model.named_modules())
        self.axes = Axes()
        self.values: dict[fx.Node, Value | None] = {}
        self.names: dict[int, str] = {}
        everything = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
        for name, tensor in everything:
            self.names.setdefault(id(tensor), name)

    def read(self, graph: fx.Graph) -> Axes:
        for node in graph.nodes:
            self.values[node] = self._value(node)
        return self.axes

    def _value(self, node: fx.Node) -> Value | None:
        """What a node answers: None for what is no tensor of more than one number."""
        if node.op == "placeholder":
            return FIXED
        if node.op == "get_attr":
            held: Any = self.modules[""]
            for part in str(node.target).split("."):
                held = getattr(held, part)
            return self._own(node, held) if isinstance(held, Tensor) and held.numel() > 1 else None
        if node.op == "output":
            return self._fixed(node, "its units are the network's outputs")
        if node.op == "call_module":
            name = str(node.target)
            value = self._module(node, name, self.modules[name])
            if not value.is_flat and len(value.segments) == 1 and value.segments[0].block == 1:
                self.axes.layers.append((name, value.segments[0].group))
                self.axes.axis[name] = value.axis
            return value
        return self._call(node)

    def _inputs(self, node: fx.Node) -> list[Value]:
        return [value for one in node.all_input_nodes if (value := self.values[one]) is not None]

    def _fixed(self, node: fx.Node, reason: str) -> Value:
        for value in self._inputs(node):
            self.axes.fix(value, reason)
        return FIXED

    def _own(self, node: fx.Node, tensor: Tensor) -> Value:
        """A parameter or buffer that the forward pass reads by itself: layers that hold it, too, keep their order."""
        if name := self.names.get(id(tensor)):
            self._bind_fixed(name, tensor, f"{node.target} is read by itself")
        return FIXED

    def _bind_fixed(self, name: str, tensor: Tensor, reason: str) -> None:
        for dim in range(tensor.ndim):
            self.axes.bind(name, dim, self._fixed_segments(tensor.shape[dim], reason))

    # ---- modules

    def _module(self, node: fx.Node, name: str, module: Any) -> Value:  # noqa: ANN401, PLR0911 - one case a line
        inputs = self._inputs(node)
        unknown = f"it passes through {name} ({type(module).__name__})"
        # Pruning and the older normalizations of weights put a computed tensor in the place of a parameter.
        is_computed = any(
            isinstance(held := getattr(module, key, None), Tensor) and id(held) not in self.names
            for key in ("weight", "bias")
        )
        if len(inputs) != 1 or is_parametrized(module) or is_computed:
            return self._produced_fixed(node, unknown)
        (x,) = inputs
        kind = type(module)
        if kind is nn.Linear:
            return self._affine(module, (x, "last", 1), (0, 0), unknown)
        if kind in CONVOLUTIONS:
            return self._convolution(node, module, x, unknown)
        if kind in TRANSPOSED and module.groups == 1:
            return self._affine(module, (x, "channels", 0), (1, len(module.kernel_size)), unknown)
        if kind in ENTRYWISE or (kind in SPATIAL and (not x.segments or _has_pixels(x, kind.__name__))):
            return x
        if kind is nn.Flatten and module.start_dim == 1 and module.end_dim == -1:
            return _flattened(x)
        if kind in BATCH_NORMS and (kind is nn.BatchNorm1d or x.axis == "channels"):
            return self._per_unit(node, module, x, module.num_features, unknown)
        if kind is nn.LayerNorm and len(module.normalized_shape) == 1 and x.axis == "last":
            return self._per_unit(node, module, x, module.normalized_shape[0], unknown)
        if kind is nn.GroupNorm and module.num_groups == 1 and x.axis == "channels":
            return self._per_unit(node, module, x, module.num_channels, unknown)
        if kind is nn.PReLU:
            return x if module.num_parameters == 1 else self._per_unit(node, module, x, module.num_parameters, unknown)
        return self._produced_fixed(node, unknown)

    def _produced_fixed(self, node: fx.Node, reason: str) -> Value:
        """What a layer that is not understood answers; parameters that it shares with others stay in order, too."""
        module = self.modules[str(node.target)]
        for tensor in module.parameters():
            self._bind_fixed(self.names[id(tensor)], tensor, reason)
        return self._fixed(node, reason)

    def _affine(
        self,
        module: Any,  # noqa: ANN401 - an affine layer or a convolution
        read: tuple[Value, str, int],
        made: tuple[int, int],
        unknown: str,
    ) -> Value:
        """A layer that mixes all units of its input: a group of its own for its output."""
        x, axis, dim = read
        weight, (out_dim, pixels) = module.weight, made
        if x.segments:
            segments = self.axes.resolve(x, weight.shape[dim]) if x.axis == axis else None
            if segments is None:
                self.axes.fix(x, unknown)
                segments = self._fixed_segments(weight.shape[dim], unknown)
        else:
            segments = self._fixed_segments(weight.shape[dim], "its units are inputs")
        self.axes.bind(self.names[id(weight)], dim, segments)
        new = (Segment(self.axes.new(weight.shape[out_dim]), 1),)
        self.axes.bind(self.names[id(weight)], out_dim, new)
        if module.bias is not None:
            self.axes.bind(self.names[id(module.bias)], 0, new)
        return Value(new, pixels)

    def _fixed_segments(self, size: int, reason: str) -> tuple[Segment, ...]:
        group = self.axes.new(size)
        self.axes.reason[group] = reason
        return (Segment(group, 1),)

    def _convolution(self, node: fx.Node, module: Any, x: Value, unknown: str) -> Value:  # noqa: ANN401
        if module.groups == 1:
            return self._affine(module, (x, "channels", 1), (0, len(module.kernel_size)), unknown)
        is_depthwise = module.groups == module.in_channels == module.out_channels
        if is_depthwise and x.axis == "channels":
            return self._per_unit(node, module, x, module.in_channels, unknown)
        return self._produced_fixed(node, unknown)

    def _per_unit(self, node: fx.Node, module: nn.Module, x: Value, n: int, unknown: str) -> Value:
        """A layer that has parameters for each unit and mixes none."""
        segments = self.axes.resolve(x, n) if x.segments else None
        if segments is None:
            return self._produced_fixed(node, unknown)
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if tensor.ndim:
                self.axes.bind(self.names[id(tensor)], 0, segments)
        return x

    # ---- functions and methods

    def _call(self, node: fx.Node) -> Value | None:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        inputs = self._inputs(node)
        if not inputs or name in SHAPES or (node.target is getattr and node.args[1] in ATTRIBUTES):
            return None
        known: dict[str, Callable[[fx.Node, list[Value]], Value | None]] = {
            "flatten": self._flatten,
            "view": self._view,
            "reshape": self._view,
            "mean": self._mean,
            "cat": self._cat,
            "concat": self._cat,
        }
        found: Value | None = None
        if name in known:
            found = known[name](node, inputs)
        elif name in BINARY and len(inputs) == 1 and len(node.all_input_nodes) == 1 and _is_plain(node):
            found = inputs[0]
        elif name in BINARY and len(inputs) == 2:
            found = self.axes.join(inputs[0], inputs[1], node.name)
        elif node.target is operator.getitem:
            found = _spatial_slice(node, inputs[0])
        elif len(inputs) == 1 and (name in ENTRYWISE_CALLS or _is_spatial(node, name, inputs[0])):
            found = inputs[0]
        return found or self._fixed(node, f"it passes through {name}")

    def _flatten(self, node: fx.Node, inputs: list[Value]) -> Value | None:
        given = [*node.args[1:], *(node.kwargs[key] for key in ("start_dim", "end_dim") if key in node.kwargs)]
        return _flattened(inputs[0]) if given in ([1], [1, -1]) else None

    def _view(self, node: fx.Node, inputs: list[Value]) -> Value | None:
        """`x.view(len(x), -1)`: like flatten(1)."""
        shape = node.args[1:]
        if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = tuple(shape[0])
        return _flattened(inputs[0]) if len(shape) == 2 and shape[1] == -1 and self._is_batch(shape[0]) else None

    def _is_batch(self, size: Any) -> bool:  # noqa: ANN401 - a number or a node
        """Whether a size is `x.size(0)` or `x.shape[0]`."""
        if not isinstance(size, fx.Node):
            return False
        if size.target == "size":
            return (*size.args[1:], *size.kwargs.values()) == (0,)
        whole = size.args[0] if size.target is operator.getitem else None
        return isinstance(whole, fx.Node) and bool(size.args[1] == 0) and self.values[whole] is None

    def _mean(self, node: fx.Node, inputs: list[Value]) -> Value | None:
        (x,) = inputs
        dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        keep = node.args[2] if len(node.args) > 2 else node.kwargs.get("keepdim", False)
        over = {dims} if isinstance(dims, int) else set(dims) if isinstance(dims, (tuple, list)) else set()
        if not x.pixels or {dim % (2 + x.pixels) for dim in over} != set(range(2, 2 + x.pixels)):
            return None
        return x if keep else Value(x.segments)

    def _cat(self, node: fx.Node, inputs: list[Value]) -> Value | None:  # noqa: ARG002 - as the others
        parts: Any = node.args[0] if node.args else node.kwargs.get("tensors")
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        values = [self.values[part] for part in parts]
        if any(value is None or not value.segments or value.is_flat for value in values):
            return None
        pixels = {value.pixels for value in values if value}
        if len(pixels) != 1 or dim != (-1 if pixels == {0} else 1):
            return None
        return Value(tuple(s for value in values if value for s in value.segments), pixels.pop())


def _flattened(x: Value) -> Value:
    """After flatten(1): channels become blocks of as many entries as they had pixels."""
    return Value(x.segments, 0, x.pixels > 0 or x.is_flat)


def _spatial_slice(node: fx.Node, x: Value) -> Value | None:
    """A slice of pixels leaves the channels as they are."""
    index = node.args[1]
    is_whole = isinstance(index, tuple) and len(index) > 2 and index[:2] == (slice(None), slice(None))
    is_slices = isinstance(index, tuple) and all(isinstance(one, slice) for one in index)
    return x if is_whole and is_slices and x.axis == "channels" and not x.is_flat else None


def _is_plain(node: fx.Node) -> bool:
    """Whether the other operand is a number, or the same tensor again."""
    return all(isinstance(one, (fx.Node, int, float)) for one in node.args)


def _is_spatial(node: fx.Node, name: str, x: Value) -> bool:
    name = _POOLS.get(node.target, name)
    return name in SPATIAL_CALLS and _has_pixels(x, name)


def _has_pixels(x: Value, name: str) -> bool:
    """Whether an operation on pixels has as many axes of them as a tensor; MaxPool3d after Conv2d would mix units."""
    digit = name[-2:-1]
    return x.pixels == int(digit) if digit.isdigit() else x.pixels > 0


_POOLS: Mapping[Any, str] = {
    functional.max_pool1d: "max_pool1d",
    functional.max_pool2d: "max_pool2d",
    functional.adaptive_max_pool2d: "adaptive_max_pool2d",
}
"""Functions that do not know their own names."""
