"""Reading what the units of a layer answer, by the name of the layer."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from .graph import BATCH_NORMS, CONVOLUTIONS, ENTRYWISE, SPATIAL, TRANSPOSED, read_axes

Axis = Literal["channels", "last"]
LENGTHS = (nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d)
CHANNELS = (*CONVOLUTIONS, *TRANSPOSED, *BATCH_NORMS, *SPATIAL, nn.GroupNorm)
"""Layers whose units are axis 1."""
LAST = (nn.Linear, nn.Embedding, nn.MultiheadAttention)
"""Layers whose units are the last axis, as are those of LayerNorm."""


def find_layer(net: nn.Module, name: str) -> nn.Module:
    """The module of a name, as `net.named_modules()` has it.

    Raises:
        ValueError: if there is none; near names are listed.
    """
    modules = dict(net.named_modules())
    if name in modules and name:
        return modules[name]
    near = difflib.get_close_matches(name, list(modules), 3, 0.3) or [one for one in modules if one][:3]
    raise ValueError(f"the network has no layer {name!r}; near names are {', '.join(near) or 'none'}")


def read_activations(
    net: nn.Module,
    x: Tensor,
    layers: Sequence[str],
    *,
    after: Literal["relu"] | None = None,
    repeated: bool = False,
    axis: Axis | None = None,
) -> dict[str, Float[Tensor, "batch positions units"]]:
    """The activations of layers for a batch.

    Outputs are copied as they are made, so that an operation in place that follows does not reach them. A convolution
    has a position for each pixel, a transformer one for each token, and a vector has one.

    Args:
        net: The network, in evaluation mode.
        x: The batch.
        layers: Names of modules. For activations after a ReLU, name the module of the ReLU.
        after: "relu" rectifies the outputs, for networks that call `relu` as a function.
        repeated: Take what a module answers each time that it runs, as further positions, instead of refusing it.
        axis: Where units stand in arrays of three or more axes: "channels" is axis 1, "last" the last. By default as
            the layer's kind tells, such as a convolution's or an affine layer's, or that of the layer before an
            activation; images of an unknown kind have channels, and all else has tokens.

    Raises:
        ValueError: if a layer is not there, does not run, runs more than once, answers no array of units, or one of
            which the axis must be given.
    """
    found: dict[str, list[tuple[Tensor, Axis | None]]] = {name: [] for name in layers}
    with ExitStack() as stack:
        axes = stack.enter_context(_axes_of_outputs(net))
        for name, outputs in found.items():
            stack.enter_context(_hooked(find_layer(net, name), outputs, axes))
        with torch.no_grad():
            net(x)
    read = {}
    for name, outputs in found.items():
        if not outputs or (len(outputs) > 1 and not repeated):
            raise ValueError(
                f"layer {name} ran {len(outputs)} times in a forward pass; name a module that runs exactly once"
            )
        units = torch.cat([_by_position(output, net, name, axis or known) for output, known in outputs], 1)
        read[name] = units.relu() if after == "relu" else units
    return read


@contextmanager
def _axes_of_outputs(net: nn.Module) -> Iterator[Mapping[Tensor, Axis]]:
    """Where units stand in the arrays that modules answer: told by their kind, and kept by activations."""
    axes: Any = WeakTensorKeyDictionary()

    def note(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        first = _first_of(output)
        if first is None:
            return
        if isinstance(module, CHANNELS):
            axes[first] = "channels"
        elif isinstance(module, LAST) or (type(module) is nn.LayerNorm and len(module.normalized_shape) == 1):
            axes[first] = "last"
        elif isinstance(module, (*ENTRYWISE, nn.PReLU)) and (given := _first_of(inputs)) is not None and given in axes:
            axes[first] = axes[given]

    handles = [module.register_forward_hook(note) for module in net.modules()]
    try:
        yield axes
    finally:
        for handle in handles:
            handle.remove()


def _first_of(output: object) -> Tensor | None:
    first = output[0] if isinstance(output, (tuple, list)) and output else output
    if isinstance(first, Mapping) and first:
        first = next(iter(first.values()))
    return first if isinstance(first, Tensor) else None


@contextmanager
def _hooked(
    module: nn.Module, outputs: list[tuple[Tensor, Axis | None]], axes: Mapping[Tensor, Axis]
) -> Iterator[None]:
    def keep(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001 - the signature of a hook
        if (first := _first_of(output)) is not None:
            outputs.append((first.detach().clone(), axes.get(first)))

    handle = module.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()


def _by_position(
    output: Tensor, net: nn.Module, name: str, axis: Axis | None
) -> Float[Tensor, "batch positions units"]:
    if output.ndim < 2 or not output.is_floating_point():
        raise ValueError(f"layer {name} answers {tuple(output.shape)} {output.dtype}, which are no units of a batch")
    if output.ndim == 2:
        return output[:, None]
    if axis is None:
        axis = "channels" if output.ndim > 3 else _axis_of_three(net, name)
    return output.flatten(2).transpose(1, 2) if axis == "channels" else output.flatten(1, -2)


def _axis_of_three(net: nn.Module, name: str) -> Axis:
    """Tokens, unless the network has convolutions over a length: then what its graph says."""
    if not any(isinstance(module, LENGTHS) for module in net.modules()):
        return "last"
    try:
        known = read_axes(net).axis.get(name)
    except ValueError:
        known = None
    if known is None:
        raise ValueError(
            f"layer {name} answers three axes, and its units may be axis 1 or the last; say so with axis='channels' or "
            "'last'"
        )
    return known


def choose_positions(
    shape: tuple[int, int], n: int | None, generator: torch.Generator
) -> Int[Tensor, "batch chosen"] | None:
    """Random positions of each sample, to be read in every network; None where all are.

    Args:
        shape: Number of samples, and of positions.
        n: How many of each sample; None for all.
        generator: Draws them.
    """
    batch, positions = shape
    if n is None or n >= positions:
        return None
    return torch.rand(batch, positions, generator=generator).argsort(1)[:, :n]


def take_positions(
    units: Float[Tensor, "batch positions units"], chosen: Int[Tensor, "batch chosen"] | None
) -> Float[Tensor, "rows units"]:
    """The rows of a layer at chosen positions, sample by sample."""
    if chosen is None:
        return units.flatten(0, 1)
    at = torch.arange(len(units), device=units.device)[:, None]
    return units[at, chosen.to(units.device)].flatten(0, 1)
