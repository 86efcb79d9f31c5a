"""Pruned networks as plain ones, without pools: faster, and for other programs."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .baselines.kan import KANConv2d, KANLinear
from .convolution import SKANConv2d
from .layer import Member, SelectableLayer
from .pool import Pool


class Compact(nn.Module):
    """A pruned layer: nodes grouped by their family, each group one product, and then put in order.

    The nodes are the last dimension of a dense layer's values, and the second of a convolution's.

    Args:
        normalize: What is done to the inputs first.
        groups: A plain layer for each family.
        order: Where each node is among the nodes of all groups; None where they are in order already.
    """

    order: Tensor

    def __init__(self, normalize: nn.Module, groups: Sequence[nn.Module], order: Tensor | None) -> None:
        super().__init__()
        self.normalize = normalize
        self.groups = nn.ModuleList(groups)
        self.is_ordered = order is None
        self.nodes = 1 if isinstance(groups[0], KANConv2d) else -1
        if order is not None:
            self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's values."""
        x = self.normalize(x)
        parts = [group(x) for group in self.groups]
        y = parts[0] if len(parts) == 1 else torch.cat(parts, self.nodes)
        return y if self.is_ordered else y.index_select(self.nodes, self.order)


def to_compact(model: nn.Module) -> nn.Module:
    """A copy of a pruned network with plain layers in the place of those that could choose.

    A family is computed once in each layer, and only where a node has kept it. The outputs are the same. Where edges
    choose, or nodes keep several families, a layer is one product over all families that are kept.

    Args:
        model: Any module; all its layers whose units choose among families must be pruned.

    Raises:
        ValueError: if one is not.
    """
    if isinstance(model, SelectableLayer):
        return _compact(model)
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, SelectableLayer):
                setattr(parent, name, _compact(child))
    return model


def _compact(layer: SelectableLayer) -> Compact:
    if not layer.is_pruned:
        raise ValueError("only a pruned network can be made compact; prune it first")
    members = [one for one in layer.members if isinstance(one, Member)]
    is_disjoint = layer.unit != "edge" and bool((layer.kept.sum(0) == 1).all())
    with torch.no_grad():
        if not is_disjoint:
            return Compact(copy.deepcopy(layer.normalize), [_together(layer, members)], None)
        groups = [_group(layer, one.basis, one.weight(), one.nodes) for one in members]
        nodes = torch.cat([one.nodes for one in members])
        is_ordered = bool((nodes == torch.arange(len(nodes), device=nodes.device)).all())
        return Compact(copy.deepcopy(layer.normalize), groups, None if is_ordered else nodes.argsort())


def _together(layer: SelectableLayer, members: Sequence[Member]) -> nn.Module:
    """One product over all families."""
    parts = []
    for one in members:
        weight = one.weight()
        dense = weight.new_zeros(layer.n_out, *weight.shape[1:])
        nodes = torch.arange(layer.n_out, device=weight.device) if one.is_by_edge else one.nodes
        parts.append(dense.index_copy(0, nodes, weight))
    basis = members[0].basis if len(members) == 1 else Pool([one.basis for one in members])
    return _group(layer, basis, torch.cat(parts, 2), torch.arange(layer.n_out, device=parts[0].device))


def _group(layer: SelectableLayer, basis: nn.Module, weight: Tensor, nodes: Tensor) -> nn.Module:
    """A plain layer of some nodes."""
    basis, kind = copy.deepcopy(basis), layer.base.kind
    plain: KANLinear | KANConv2d
    if isinstance(layer, SKANConv2d):
        height, width = layer.kernel
        plain = KANConv2d(layer.n_in, len(nodes), (height, width), layer.stride, layer.padding, basis=basis, base=kind)
    else:
        plain = KANLinear(layer.n_in, len(nodes), basis, base=kind)
    plain = plain.to(weight)
    plain.coefficients.copy_(weight)
    if plain.base_weight is not None and layer.base_weight is not None:
        plain.base_weight.copy_(layer.base_weight[nodes])
    return plain
