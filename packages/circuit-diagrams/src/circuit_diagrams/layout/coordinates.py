"""Heights: each array stands at one height as long as it lives, so that its wires are straight."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from circuit_diagrams.regions import View

from .columns import Columns

ROW = 18.0
"""Distance of two wires."""
GAP = 12.0
"""Further distance of two arrays, in which their separator stands."""
SWEEPS = 6


def heights_of(
    view: View, columns: Columns, orders: Sequence[Sequence[int]], n_rows: Mapping[int, int]
) -> dict[int, float]:
    """The top of each array: as near to what it is made of as its neighbors allow.

    Neighbors of any column keep their distance. Since no array changes its place among those that live with it, these
    bounds have no circle; a first pass packs everything to the top, and sweeps then draw arrays together.
    """
    above: dict[int, set[int]] = {i: set() for i in columns.arrays}
    below: dict[int, set[int]] = {i: set() for i in columns.arrays}
    for order in orders:
        for a, b in pairwise(order):
            above[b].add(a)
            below[a].add(b)
    extent = {i: n_rows[i] * ROW + GAP for i in columns.arrays}
    sequence = _sorted(above, below)
    top: dict[int, float] = {}
    for i in sequence:
        top[i] = max((top[j] + extent[j] for j in above[i]), default=0.0)
    near = _neighbors(view, columns)
    for _ in range(SWEEPS):
        for turn in (sequence, sequence[::-1]):
            for i in turn:
                if not near[i]:
                    continue
                least = max((top[j] + extent[j] for j in above[i]), default=float("-inf"))
                most = min((top[j] - extent[i] for j in below[i]), default=float("inf"))
                top[i] = min(max(_median([top[j] for j in near[i]], top[i]), least), most)
    return top


def _sorted(above: Mapping[int, set[int]], below: Mapping[int, set[int]]) -> list[int]:
    """Arrays in an order in which each comes after those above it."""
    left = {i: len(found) for i, found in above.items()}
    ready = [i for i, n in left.items() if n == 0]
    found: list[int] = []
    while ready:
        i = ready.pop(0)
        found.append(i)
        for j in sorted(below[i]):
            left[j] -= 1
            if left[j] == 0:
                ready.append(j)
    return found


def _neighbors(view: View, columns: Columns) -> dict[int, list[int]]:
    """For each array those to which it is drawn: the main input of what makes it, and what its readers make."""
    near: dict[int, list[int]] = {i: [] for i in columns.arrays}
    for cell in view.cells:
        for output in cell.outputs:
            if cell.inputs and output.id in near:
                main = cell.inputs[0].id
                near[output.id].append(main)
                near[main].append(output.id)
    return near


def _median(values: list[float], now: float) -> float:
    """The median; of an even number, the middle value that is nearer to the present one."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return min(max(now, low), high)
