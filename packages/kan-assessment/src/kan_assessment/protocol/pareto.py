"""Pareto fronts: the best value at each cost."""

import math
from collections.abc import Sequence

N_BINS = 20


def pareto_front(costs: Sequence[float], values: Sequence[float], *, is_lower_better: bool) -> list[int]:
    """Numbers of the points that no other beats in both cost and value, by rising cost.

    Args:
        costs: Cost of each point.
        values: Its value.
        is_lower_better: Whether less is better among the values.
    """
    sign = 1.0 if is_lower_better else -1.0
    order = sorted(range(len(costs)), key=lambda i: (costs[i], sign * values[i]))
    front: list[int] = []
    best = math.inf
    for i in order:
        if sign * values[i] < best:
            front.append(i)
            best = sign * values[i]
    return front


def best_per_bin(
    costs: Sequence[float], values: Sequence[float], *, is_lower_better: bool, n_bins: int = N_BINS
) -> list[int]:
    """Numbers of the best points in bins of equal width in the logarithm of the cost, by rising cost.

    This is how the published comparison draws its fronts.

    Args:
        costs: Cost of each point, positive.
        values: Its value.
        is_lower_better: Whether less is better among the values.
        n_bins: Bins between the lowest and the highest cost.
    """
    if not costs:
        return []
    low, high = math.log(min(costs)), math.log(max(costs))
    width = (high - low) / n_bins or 1.0
    best: dict[int, int] = {}
    sign = 1.0 if is_lower_better else -1.0
    for i, cost in enumerate(costs):
        number = min(n_bins - 1, int((math.log(cost) - low) / width))
        if number not in best or sign * values[i] < sign * values[best[number]]:
            best[number] = i
    return [best[number] for number in sorted(best)]
