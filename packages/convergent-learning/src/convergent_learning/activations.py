"""Reading what the units of a layer answer, by the name of the layer."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

CHANNELS_FIRST = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d)
"""Layers whose outputs of three axes are (batch, channels, length); those of all others are (batch, tokens, units)."""


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

    Raises:
        ValueError: if a layer is not there, does not run, runs more than once, or answers no array of units.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    with ExitStack() as stack:
        for name, outputs in found.items():
            stack.enter_context(_hooked(find_layer(net, name), outputs))
        with torch.no_grad():
            net(x)
    read = {}
    for name, outputs in found.items():
        if not outputs or (len(outputs) > 1 and not repeated):
            raise ValueError(
                f"layer {name} ran {len(outputs)} times in a forward pass; name a module that runs exactly once"
            )
        channels_first = isinstance(find_layer(net, name), CHANNELS_FIRST)
        units = torch.cat([_by_position(output, channels_first, name) for output in outputs], 1)
        read[name] = units.relu() if after == "relu" else units
    return read


@contextmanager
def _hooked(module: nn.Module, outputs: list[Tensor]) -> Iterator[None]:
    def keep(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001 - the signature of a hook
        first = output[0] if isinstance(output, (tuple, list)) else output
        if isinstance(first, Mapping):
            first = next(iter(first.values()))
        if isinstance(first, Tensor):
            outputs.append(first.detach().clone())

    handle = module.register_forward_hook(keep)
    try:
        yield
    finally:
        handle.remove()


def _by_position(output: Tensor, channels_first: bool, name: str) -> Float[Tensor, "batch positions units"]:
    if output.ndim < 2 or not output.is_floating_point():
        raise ValueError(f"layer {name} answers {tuple(output.shape)} {output.dtype}, which are no units of a batch")
    if output.ndim == 2:
        return output[:, None]
    if output.ndim == 3 and not channels_first:
        return output
    return output.flatten(2).transpose(1, 2)


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
