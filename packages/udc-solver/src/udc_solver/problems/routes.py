"""Routes from a depot: solutions as customers in a row, each with a flag that says whether its route ends there.

In a solution of a problem, the routes stand one after another with the depot, 0, behind each: `3 1 0 2 4 0 0 0`. Every
row then has as many customers, and windows of customers are parts of equal length. The sequence of routes is taken as a
circle.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.graphs import gather_nodes
from udc_solver.instances import Instance

from .sequences import Windows


def routes_of(
    solution: Int[Tensor, "rows length"], n_customers: int
) -> tuple[Int[Tensor, "rows customers"], Bool[Tensor, "rows customers"]]:
    """Customers in their order, and whether a route ends at each.

    Args:
        solution: Feasible sequences with the depot between routes.
        n_customers: Of each instance.
    """
    following = torch.nn.functional.pad(solution[:, 1:], (0, 1))
    is_customer = solution > 0
    shape = (len(solution), n_customers)
    return solution[is_customer].view(shape), (following == 0)[is_customer].view(shape)


def sequence_of(
    customers: Int[Tensor, "rows customers"], ends: Bool[Tensor, "rows customers"]
) -> Int[Tensor, "rows length"]:
    """Solutions of twice as many places as there are customers; they begin where a route does."""
    n_rows, n_customers = customers.shape
    places = torch.arange(n_customers, device=customers.device)
    last_end = torch.where(ends, places, -1).amax(1, keepdim=True)
    turned = (places + last_end + 1) % n_customers
    customers, ends = customers.gather(1, turned), ends.gather(1, turned)
    n_before = ends.long().cumsum(1) - ends.long()
    sequence = customers.new_zeros(n_rows, 2 * n_customers)
    return sequence.scatter(1, places + n_before, customers)


def sort_by_angle(
    vectors: Float[Tensor, "rows customers 2"], ends: Bool[Tensor, "rows customers"]
) -> Int[Tensor, "rows customers"]:
    """An order of the places in which routes are sorted by the angle of their centers, so that neighbors are windows.

    Args:
        vectors: From the depot to each customer.
        ends: Whether a route ends there; the first route begins at the first place.
    """
    route = ends.long().cumsum(1) - ends.long()
    sums = torch.zeros_like(vectors).scatter_add(1, route[..., None].expand_as(vectors), vectors)
    x, y = sums.gather(1, route[..., None].expand_as(vectors)).unbind(-1)
    return torch.atan2(y, x).argsort(dim=1, stable=True)


def ranked_routes(
    instance: Instance, points: Float[Tensor, "batch nodes 2"], solution: Int[Tensor, "rows length"]
) -> tuple[Int[Tensor, "rows customers"], Bool[Tensor, "rows customers"]]:
    """Customers and ends of routes, with the routes sorted by angle."""
    customers, ends = routes_of(solution, instance.n_nodes - 1)
    places = rows_of(points, customers) - rows_of(points, torch.zeros_like(customers[:, :1]))
    order = sort_by_angle(places, ends)
    return customers.gather(1, order), ends.gather(1, order)


def rows_of(
    values: Float[Tensor, "batch nodes *features"], sequence: Int[Tensor, "rows length"]
) -> Float[Tensor, "rows length *features"]:
    """What each instance holds of the nodes in the sequences of its rows."""
    batch, n_nodes = values.shape[:2]
    found = gather_nodes(values.reshape(batch, n_nodes, -1), sequence.reshape(batch, -1))
    return found.view(*sequence.shape, *values.shape[2:])


def sums_at_borders(
    values: Float[Tensor, "rows places"], ends: Bool[Tensor, "rows places"], borders: Int[Tensor, " some"]
) -> tuple[Float[Tensor, "rows some"], Float[Tensor, "rows some"]]:
    """Sums over the route that a border behind some places cuts, before and behind it, in a circle of routes.

    Args:
        values: Of each place.
        ends: Whether a route ends behind it; at least one in each row.
        borders: Places behind which there is a border.

    Returns:
        Both sums; 0 and 0 where a route ends at the border.
    """
    n_places = values.shape[1]
    # Two turns of the circle, so that a route that runs over the seam is in one piece.
    doubled, flags = values.repeat(1, 2), ends.repeat(1, 2)
    places = torch.arange(2 * n_places, device=values.device).expand(len(values), -1)
    total = doubled.cumsum(1)
    last_end = torch.where(flags, places, -1).cummax(1).values
    next_end = torch.where(flags, places, 2 * n_places - 1).flip(1).cummin(1).values.flip(1)
    behind, here = borders + n_places, borders
    before = total[:, behind] - total.gather(1, last_end[:, behind])
    after = total.gather(1, next_end[:, here]) - total[:, here]
    is_cut = ~ends[:, borders]
    return before * is_cut, after * is_cut


def merge_routes(parts: Windows, flags: Windows, answers: Int[Tensor, "subs 2 customers"]) -> Tensor:
    """The solutions with the answers in the windows of customers and of ends of routes."""
    order, ends = answers.unbind(1)
    return sequence_of(parts.replaced(parts.parts.gather(1, order - 1)), flags.replaced(ends.bool()))


def check_routes(solution: Int[Tensor, "rows length"], n_customers: int) -> None:
    """Refuse sequences that do not visit every customer once.

    Raises:
        ValueError: in one sentence.
    """
    if (solution < 0).any() or (solution > n_customers).any():
        raise ValueError(f"a solution holds the depot, 0, and the customers 1 to {n_customers}, nothing else")
    counts = torch.zeros(len(solution), n_customers + 1, dtype=torch.long, device=solution.device)
    counts.scatter_add_(1, solution, torch.ones_like(solution))
    if (wrong := counts[:, 1:] != 1).any():
        row, customer = wrong.nonzero()[0].tolist()
        times = int(counts[row, customer + 1])
        raise ValueError(f"customer {customer + 1} is visited {times} times instead of once")
