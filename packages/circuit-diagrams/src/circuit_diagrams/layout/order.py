"""The order of the arrays in each data column, from top to bottom, with few crossings."""

from circuit_diagrams.regions import View

from .columns import Columns

SWEEPS = 2
"""Times that neighbors are exchanged."""


def orders_of(view: View, columns: Columns) -> list[list[int]]:
    """Arrays of each data column from top to bottom.

    What lives on keeps its place. New arrays are put where the fewest arrays stand between them and what they are made
    of, or what they will meet, and as near as possible to these arrays' barycenter.
    """
    partners = _partners(view)
    order = [a.id for a in view.inputs] + [i for i in columns.alive(0) if i not in {a.id for a in view.inputs}]
    orders = [order]
    for column in range(1, len(columns)):
        order = _next(view, columns, column, orders[-1], partners)
        orders.append(order)
    return _swept(view, columns, orders)


def _swept(view: View, columns: Columns, orders: list[list[int]]) -> list[list[int]]:
    """Neighbors are exchanged, for as long as both live, wherever that makes fewer crossings."""
    fixed = {a.id for a in view.inputs}
    for _ in range(SWEEPS):
        is_better = False
        for column in range(len(columns)):
            for place in range(len(orders[column]) - 1):
                a, b = orders[column][place : place + 2]
                first, last = max(columns.born[a], columns.born[b]), min(columns.dies[a], columns.dies[b])
                if column != first or {a, b} <= fixed:
                    continue
                shared = range(first, last + 1)
                if any(abs(orders[k].index(a) - orders[k].index(b)) != 1 for k in shared):
                    continue
                around = [k for k in range(first, last + 2) if 0 < k < len(columns)]
                before = sum(_crossings(view, columns, orders, k) for k in around)
                _exchange(orders, shared, a, b)
                if sum(_crossings(view, columns, orders, k) for k in around) < before:
                    is_better = True
                else:
                    _exchange(orders, shared, a, b)
        if not is_better:
            break
    return orders


def _exchange(orders: list[list[int]], columns: range, a: int, b: int) -> None:
    for k in columns:
        orders[k] = [b if i == a else a if i == b else i for i in orders[k]]


def _partners(view: View) -> dict[int, list[int]]:
    """For each array, those which one of its readers takes together with it."""
    found: dict[int, list[int]] = {}
    for cell in view.cells:
        ids = [a.id for a in cell.inputs]
        for i in ids:
            found.setdefault(i, []).extend(j for j in ids if j != i)
    return found


def _next(view: View, columns: Columns, column: int, before: list[int], partners: dict[int, list[int]]) -> list[int]:
    place = {array: float(i) for i, array in enumerate(before)}
    alive = [i for i in before if columns.dies[i] >= column]
    # Each array of the next column with the height at which it stands, in places of the column before.
    height = {i: place[i] for i in alive}
    inside = {i: [place[a.id] for a in view.cells[i].inputs if a.id in place] for i in columns.cells[column]}
    cells = sorted(columns.cells[column], key=lambda i: (sum(inside[i]) / len(inside[i]) if inside[i] else 0, i))
    for number in cells:
        cell, sources = view.cells[number], inside[number]
        for k, output in enumerate(cell.outputs):
            if columns.dies[output.id] < column:
                continue
            meets = [height[j] for j in partners.get(output.id, []) if j in height]
            best = _best(list(height.values()), sources, meets)
            height[output.id] = best + 1e-3 * (k + 1)
    return sorted(height, key=lambda i: height[i])


def _best(taken: list[float], sources: list[float], meets: list[float]) -> float:
    """The height with the fewest arrays between it and its sources and partners."""
    candidates = sorted({*sources, *(x - 0.4 for x in taken), *(x + 0.4 for x in taken)}) or [0.0]
    free = [x for x in candidates if all(abs(x - y) > 1e-9 for y in taken)] or [max(candidates) + 0.4]
    anchor = min(sources) if sources else 0.0

    def cost(x: float) -> tuple[float, float, float]:
        ends = [*sources, *meets]
        between = sum(min(x, end) < y < max(x, end) for end in ends for y in taken)
        # Of equals the lower one: what goes on unchanged, as the skip of a residual block, stays above.
        return between, abs(x - anchor), -x

    return min(free, key=cost)


def n_crossings(view: View, columns: Columns, orders: list[list[int]]) -> int:
    """How often an array's way into a cell, or on, crosses that of another."""
    return sum(_crossings(view, columns, orders, column) for column in range(1, len(columns)))


def _crossings(view: View, columns: Columns, orders: list[list[int]], column: int) -> int:
    """Crossings in one function column."""
    left = {i: k for k, i in enumerate(orders[column - 1])}
    right = {i: k for k, i in enumerate(orders[column])}
    ways = [(left[i], right[i]) for i in left if i in right]
    for number in columns.cells[column]:
        cell = view.cells[number]
        ways += [(left[a.id], right[b.id]) for a in cell.inputs for b in cell.outputs if a.id in left and b.id in right]
    return sum((a - c) * (b - d) < 0 for k, (a, b) in enumerate(ways) for c, d in ways[:k])
