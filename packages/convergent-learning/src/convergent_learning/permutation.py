"""Reordering the units of a network without changing what it computes."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from .axes import Axes
from .graph import read_axes

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class PermutationGroup:
    """Units that can only be permuted together, such as all layers of a residual stream.

    Attributes:
        layers: Modules that answer these units, in the order in which they run.
        size: Number of units.
        parameters: Names of the parameters and buffers with these units along an axis, and the axis.
        fixed: Why they cannot be permuted; empty where they can.
    """

    layers: tuple[str, ...]
    size: int
    parameters: tuple[tuple[str, int], ...]
    fixed: str = ""


def permutation_groups(model: nn.Module) -> list[PermutationGroup]:
    """The groups of units of a network, in the order in which they run.

    Known are affine layers, convolutions (depthwise ones, too), normalization, activations, pooling, flattening,
    residual additions, concatenation, and their functional forms. Units that pass through anything else are fixed, with
    the reason. `torch.fx` must be able to trace the network. It knows no shapes: BatchNorm1d and PReLU after an affine
    layer are taken to read vectors (batch, units), not tokens.

    Raises:
        ValueError: if it cannot be traced.
    """
    axes = read_axes(model)
    layers: dict[int, list[str]] = {}
    for name, group in axes.layers:
        layers.setdefault(axes.find(group), []).append(name)
    return [
        PermutationGroup(
            tuple(dict.fromkeys(names)), axes.size[group], _parameters(axes, group), axes.reason.get(group, "")
        )
        for group, names in layers.items()
    ]


def _parameters(axes: Axes, group: int) -> tuple[tuple[str, int], ...]:
    return tuple(at for at, segments in axes.bound.items() if any(axes.find(s.group) == group for s in segments))


def permute_model(model: Net, orders: Mapping[str, Int[Tensor, " units"]]) -> Net:
    """A copy of a network with units in another order, which computes the same.

    New unit i of a layer is the old unit `orders[layer][i]`; with the index of a bipartite matching of network A to
    network B, B's units come into A's order. All that reads or writes the units follows: weights, biases, BatchNorm's
    statistics, columns of the next layers (in blocks after flattening), and every layer of a residual stream.

    Args:
        model: The network; it is not changed.
        orders: For each layer, by name, a permutation of its units. One layer of a group suffices.

    Raises:
        ValueError: if the network cannot be traced or copied, a layer is unknown or fixed, an order is no permutation,
            or two layers of one group are given different orders.
    """
    axes = read_axes(model)
    groups = {name: axes.find(group) for name, group in axes.layers}
    chosen: dict[int, Tensor] = {}
    for name, order in orders.items():
        if name not in groups:
            raise ValueError(f"layer {name!r} has no units to permute; those that do are {', '.join(groups) or 'none'}")
        group = groups[name]
        units = torch.as_tensor(order).cpu()
        if sorted(units.tolist()) != list(range(axes.size[group])):
            raise ValueError(f"the order of layer {name} must be a permutation of its {axes.size[group]} units")
        if group in axes.reason and not torch.equal(units, torch.arange(len(units))):
            raise ValueError(f"the units of layer {name} cannot be permuted: {axes.reason[group]}")
        if group in chosen and not torch.equal(chosen[group], units):
            raise ValueError(f"layer {name} shares its units with another layer that is given another order")
        chosen[group] = units
    try:
        permuted = copy.deepcopy(model)
    except RuntimeError as error:  # weights that pruning or a normalization computes
        raise ValueError(f"the network cannot be copied; make its weights parameters again: {error}") from None
    tensors = {**dict(permuted.named_parameters()), **dict(permuted.named_buffers())}
    with torch.no_grad():
        for (name, dim), segments in axes.bound.items():
            tensor = tensors[name]
            tensor.copy_(tensor.index_select(dim, axes.order(segments, chosen).to(tensor.device)))
    return permuted
