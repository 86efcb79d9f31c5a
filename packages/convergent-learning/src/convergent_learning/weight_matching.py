"""Matching units by their weights, without data: a yardstick (Ainsworth et al. 2023, "Git Re-Basin", algorithm 1)."""

import torch
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from .graph import read_axes


def weight_matching(
    a: nn.Module, b: nn.Module, *, seed: int = 0, max_rounds: int = 100
) -> dict[str, Int[Tensor, " n"]]:
    """Orders of the units of b, for `permute_model`, that bring its weights closest to those of a.

    Coordinate descent: the best order of one group of units, given those of the others, until none changes.

    Args:
        a: The network whose order is kept.
        b: One of the same architecture.
        seed: Draws the order in which groups are visited.
        max_rounds: Visits of each group at most.

    Raises:
        ValueError: if the parameters of the two differ in names or shapes, or they cannot be traced.
    """
    first, second = dict(a.named_parameters()), dict(b.named_parameters())
    if {name: p.shape for name, p in first.items()} != {name: p.shape for name, p in second.items()}:
        raise ValueError("weights can only be matched between networks of the same architecture")
    axes = read_axes(a)
    layers = {axes.find(group): name for name, group in axes.layers}
    free = [group for group in layers if group not in axes.reason]
    orders = {group: torch.arange(axes.size[group]) for group in free}
    generator = torch.Generator().manual_seed(seed)
    for _ in range(max_rounds):
        has_changed = False
        for at in torch.randperm(len(free), generator=generator).tolist():
            group, gain = free[at], torch.zeros(axes.size[free[at]], axes.size[free[at]], dtype=torch.float64)
            for (name, dim), segments in axes.bound.items():
                if name not in first or all(axes.find(s.group) != group for s in segments):
                    continue
                moved = second[name].detach().cpu().double()
                for (other, axis), along in axes.bound.items():
                    if other == name and axis != dim:
                        moved = moved.index_select(axis, axes.order(along, orders))
                kept, offset = first[name].detach().cpu().double(), 0
                for segment in segments:
                    n = axes.size[segment.group] * segment.block
                    if axes.find(segment.group) == group:
                        rows = [
                            one.narrow(dim, offset, n).movedim(dim, 0).reshape(len(gain), -1) for one in (kept, moved)
                        ]
                        gain += rows[0] @ rows[1].T
                    offset += n
            best = torch.from_numpy(linear_sum_assignment(gain.numpy(), maximize=True)[1])
            now = torch.arange(len(gain))
            if gain[now, best].sum() > gain[now, orders[group]].sum() + 1e-9:
                orders[group], has_changed = best, True
        if not has_changed:
            break
    return {layers[group]: order for group, order in orders.items()}
