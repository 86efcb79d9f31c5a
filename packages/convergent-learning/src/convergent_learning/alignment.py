"""Bringing one network's units into the order of another's, by their activations."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from .matching import Matching, match_units
from .permutation import PermutationGroup, permutation_groups, permute_model
from .statistics import collect

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Alignment(Generic[Net]):
    """A network in another's order.

    Attributes:
        model: The second network, its units reordered; it computes what it did.
        matchings: By layer, the partner in the second network of each unit of the first.
        fixed: By layer, why its units were left where they are.
    """

    model: Net
    matchings: dict[str, Matching]
    fixed: dict[str, str]


def align(
    a: nn.Module, b: Net, loader: Iterable[Any], *, max_positions: int | None = None, seed: int = 0
) -> Alignment[Net]:
    """Reorder the units of b by bipartite matching of their activations' correlations with those of a.

    Each group of units is matched by the last module that answers it, and a residual stream by the mean correlation
    over all modules that add to it.

    Args:
        a: The network whose order is taken.
        b: One of the same architecture; it is not changed.
        loader: Batches, as for `collect`.
        max_positions: Random positions that are read of each sample.
        seed: Draws them.

    Raises:
        ValueError: if the networks have other units, cannot be traced, or have none that can be permuted.
    """
    groups, others = permutation_groups(a), permutation_groups(b)
    if groups != others:
        raise ValueError("only networks of the same architecture can be aligned; compare others with collect")
    free = {group.layers[-1]: group for group in groups if not group.fixed}
    fixed = {group.layers[-1]: group.fixed for group in groups if group.fixed}
    if not free:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in fixed.items())
        raise ValueError(f"no layer of the network can be permuted ({reasons or 'it has none'})")
    layers = {name: _layers_to_match(group) for name, group in free.items()}
    names = sorted({one for some in layers.values() for one in some})
    stats = collect([a, b], loader, names, max_positions=max_positions, repeated=True, seed=seed)
    matchings = {
        name: match_units(torch.stack([stats.cross(one) for one in some]).mean(0)) for name, some in layers.items()
    }
    model = permute_model(b, {name: matching.index for name, matching in matchings.items()})
    return Alignment(model, matchings, fixed)


def _layers_to_match(group: PermutationGroup) -> list[str]:
    """The last module, or for a residual stream all that write to it: BatchNorm only scales what it reads."""
    writers = [
        name
        for name in group.layers
        if (f"{name}.weight", 0) in group.parameters and (f"{name}.running_mean", 0) not in group.parameters
    ]
    return writers if len(writers) > 1 else [group.layers[-1]]
