"""How many units it takes to predict one: between local and distributed codes (section 4 of the paper)."""

import torch
from jaxtyping import Int
from torch import Tensor

from .sparse import THRESHOLD, SparsePath
from .statistics import ActivationStats


def units_needed(
    stats: ActivationStats, layer: str, path: SparsePath, src: int = 0, dst: int = 1, *, share: float = 0.9
) -> Int[Tensor, " q"]:
    """The fewest units along a path that reach a share of the dense R², refitted by least squares.

    Refitting keeps the shrinkage of the penalty out of the count. Where no support of the path suffices, the number is
    that of all units. The best single unit counts as a support, too. Dead targets need none.

    Args:
        stats: The statistics that the path was computed from.
        layer: The layer.
        path: Its sparse mappings; the finer the path, the sharper the count.
        src: The network that predicts.
        dst: The one that is predicted.
        share: Part of the dense R² that must be reached.

    Raises:
        ValueError: if the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share of the dense R² must be above 0 and at most 1, not {share}")
    gram, cross = stats[layer].correlation(src, src).cpu(), stats[layer].correlation(src, dst).cpu()
    goal = share * path.dense_r2
    needed = torch.full((cross.shape[1],), len(gram))
    for target in range(cross.shape[1]):
        r = cross[:, target]
        supports = {tuple(torch.nonzero(one[target].abs() > THRESHOLD)[:, 0].tolist()) for one in path.weights}
        supports |= {(int(r.abs().argmax()),), ()}
        for units in sorted(supports, key=len):
            chosen = list(units)
            solution = torch.linalg.lstsq(gram[chosen][:, chosen], r[chosen, None], driver="gelsd").solution
            if not chosen or float(r[chosen] @ solution[:, 0]) >= goal[target] - 1e-12:
                if not chosen and goal[target] > 1e-12:
                    continue
                needed[target] = len(chosen)
                break
    return needed
