"""Routes that leave points out, mixed with what they leave out, so that windows of both can be cut."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.conquerors.prizes import LEFT_OUT
from udc_solver.graphs import gather_nodes


def mix(
    solution: Int[Tensor, "rows length"], n_nodes: int, generator: torch.Generator
) -> tuple[Int[Tensor, "rows nodes"], Bool[Tensor, "rows nodes"]]:
    """All nodes in random order, but those of the route, the depot among them, in its order; and which these are."""
    n_rows = len(solution)
    is_visited = torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=solution.device)
    is_visited.scatter_(1, solution, value=True)
    noise = torch.rand(n_rows, n_nodes, generator=generator).to(solution.device)
    mixed = noise.argsort(1)
    flags = is_visited.gather(1, mixed)
    is_stop = solution != 0
    is_stop[:, 0] = True
    mixed[flags] = solution[is_stop]
    return mixed, flags


def unmixed(mixed: Int[Tensor, "rows nodes"], is_visited: Bool[Tensor, "rows nodes"]) -> Int[Tensor, "rows length"]:
    """The route of the visited nodes from the depot on, filled up with zeros."""
    n_nodes = mixed.shape[1]
    depot = (mixed == 0).long().argmax(1, keepdim=True)
    behind = (torch.arange(n_nodes, device=mixed.device) - depot) % n_nodes
    order = behind.masked_fill(~is_visited, n_nodes).argsort(dim=1, stable=True)
    route = mixed.gather(1, order).masked_fill(~is_visited.gather(1, order), 0)
    return torch.nn.functional.pad(route, (0, 1))


def listed(visited: Bool[Tensor, "subs size"]) -> Int[Tensor, "subs size"]:
    """The places that are visited, in order, and `LEFT_OUT` behind them."""
    order = (~visited).long().argsort(dim=1, stable=True)
    return order.masked_fill(~visited.gather(1, order), LEFT_OUT)


def with_ends_outside(
    visited: Bool[Tensor, "subs size"],
) -> tuple[Int[Tensor, "subs size"], Bool[Tensor, "subs size"]]:
    """The places of a window, the first visited one first and the last one last; and which of them are visited."""
    size = visited.shape[1]
    places = torch.arange(size, device=visited.device).expand(visited.shape)
    first = places.masked_fill(~visited, size).amin(1, keepdim=True)
    last = places.masked_fill(~visited, -1).amax(1, keepdim=True)
    order = places.masked_fill(places == first, -1).masked_fill(places == last, size).argsort(1)
    return order, visited.gather(1, order)


def halved(prizes: Float[Tensor, "batch nodes"]) -> Float[Tensor, "batch nodes"]:
    """Prizes of a mean of one half, as uniform ones have."""
    return prizes / (2 * prizes.mean(1, keepdim=True)).clamp(min=torch.finfo(prizes.dtype).tiny)


def route_length(
    points: Float[Tensor, "batch nodes 2"], solution: Int[Tensor, "rows length"]
) -> Float[Tensor, " rows"]:
    """Length of routes, which begin and end at the depot."""
    ordered = gather_nodes(points, solution.view(len(points), -1)).view(*solution.shape, 2)
    return (ordered[:, 1:] - ordered[:, :-1]).norm(dim=-1).sum(1)


def check_route(solution: Int[Tensor, "rows length"], n_nodes: int) -> None:
    """Refuse sequences that are no closed route from the depot through different points.

    Raises:
        ValueError: in one sentence.
    """
    if solution.shape[1] != n_nodes + 1 or (solution < 0).any() or (solution >= n_nodes).any():
        raise ValueError(f"a route is a row of {n_nodes + 1} nodes from 0 to {n_nodes - 1}")
    if (solution[:, 0] != 0).any() or (solution[:, -1] != 0).any():
        raise ValueError("a route begins and ends at the depot, 0")
    if ((solution[:, 1:-1] == 0) & (solution[:, 2:] != 0)).any():
        raise ValueError("a route comes back to the depot only at its end")
    counts = torch.zeros(len(solution), n_nodes, dtype=torch.long, device=solution.device)
    counts.scatter_add_(1, solution, torch.ones_like(solution))
    if (counts[:, 1:] > 1).any():
        raise ValueError("a route visits a point twice")
