"""The traveling salesman problem with several salesmen, whose longest tour is to be short."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.path import normalize_windows
from udc_solver.conquerors.salesmen import SalesmanConqueror, SalesmanWindows, longest_route
from udc_solver.generators import salesmen_instances
from udc_solver.graphs import NeighborGraph, nearest_points, normalized
from udc_solver.instances import Salesmen

from .problem import Division, Problem, State, owners
from .routes import check_routes, merge_routes, ranked_routes, routes_of, rows_of, sequence_of, sums_at_borders
from .sequences import cut


class MTSP(Problem[Salesmen]):
    """Tours of several salesmen from a depot through all customers and back, the longest of them as short as can be."""

    name = "mtsp"
    title = "Min-max multiple traveling salesman problem"
    instance_type = Salesmen
    n_node_features = 2
    n_edge_features = 2
    has_depot = True
    n_sampled = 3

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Salesmen:
        """Uniform points, and 30 to 50 salesmen."""
        return salesmen_instances(n_nodes, batch, generator)

    def graph(self, instance: Salesmen, k: int) -> NeighborGraph:
        """Coordinates, edges to the nearest nodes with their negative lengths, and one edge of each node to the depot.

        All depots are one node: copies would have the same features and edges.
        """
        points = normalized(instance.points)
        neighbors, distances = nearest_points(points, k)
        to_depot = (points - points[:, :1]).norm(dim=-1)
        # The farthest neighbor gives way to the depot, unless that is a neighbor anyway.
        has_depot = (neighbors == 0).any(-1)
        neighbors[..., -1] = torch.where(has_depot, neighbors[..., -1], 0)
        distances[..., -1] = torch.where(has_depot, distances[..., -1], to_depot)
        return NeighborGraph(points, neighbors, -torch.stack([distances, distances], -1))

    def start(self, instance: Salesmen, samples: int, generator: torch.Generator) -> State:  # noqa: ARG002 - as in all problems
        """The first salesman is at the depot."""
        batch, n_nodes, _ = instance.points.shape
        n_rows, device = batch * samples, instance.device
        owner, depot = owners(n_rows, batch, device), torch.zeros(n_rows, dtype=torch.long, device=device)
        left = instance.n_salesmen[owner] - 1
        held = {"salesmen": left.clamp(max=n_nodes - 2), "customers": torch.full_like(depot, n_nodes - 1)}
        return State(
            owner,
            depot,
            depot,
            torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=device),
            torch.zeros(n_rows, 2 * n_nodes, dtype=torch.long, device=device),
            torch.zeros(n_rows, dtype=torch.bool, device=device),
            held=held,
        )

    def feasible(
        self,
        instance: Salesmen,  # noqa: ARG002 - as in all problems
        state: State,
        candidates: Int[Tensor, "rows some"],
    ) -> Bool[Tensor, "rows some"]:
        """Customers, unless all that are left are needed for one salesman each; the depot, if a salesman is left."""
        salesmen, customers = state.held["salesmen"], state.held["customers"]
        is_customer = candidates > 0
        goes_on = is_customer & ~state.taken.gather(1, candidates) & (salesmen < customers)[:, None]
        may_return = (state.current > 0) & (salesmen > 0)
        return goes_on | (~is_customer & may_return[:, None])

    def remote(self, instance: Salesmen, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The nearer, the better."""
        points = instance.points[state.owner[rows]]
        here = points.gather(1, state.current[rows, None, None].expand(-1, -1, 2))
        return -(points - here).norm(dim=-1)

    def advance(self, instance: Salesmen, state: State, chosen: Int[Tensor, " rows"]) -> None:  # noqa: ARG002 - as in all problems
        """Go there; at the depot, the next salesman begins."""
        state.record(chosen)
        state.taken.scatter_(1, chosen[:, None], value=True)
        goes_on = ~state.done
        state.held["salesmen"] = state.held["salesmen"] - ((chosen == 0) & goes_on).long()
        state.held["customers"] = state.held["customers"] - ((chosen > 0) & goes_on).long()
        state.done = state.held["customers"] == 0

    def finish(self, instance: Salesmen, state: State) -> Int[Tensor, "rows length"]:
        """Tours with the depot behind each."""
        return sequence_of(*routes_of(state.sequence, instance.n_nodes - 1))

    def split(
        self,
        instance: Salesmen,
        solution: Int[Tensor, "rows length"],
        window: int,
        roll: int,
        generator: torch.Generator,  # noqa: ARG002 - as in all problems
    ) -> Division:
        """Windows of customers, with the tours sorted by angle.

        Each knows how long the tours that its borders cut are outside.
        """
        customers, ends = ranked_routes(instance, instance.points, solution)
        parts, flags = cut(customers, window, roll), cut(ends, window, roll)
        n_rows, n_windows, size = len(solution), parts.n_windows, parts.size
        depot = instance.points[owners(n_rows, len(instance), instance.device), :1]
        before, after = _outside(rows_of(instance.points, parts.rolled), depot, flags.rolled, size, n_windows)
        in_windows = rows_of(instance.points, parts.parts.reshape(n_rows, -1)).view(-1, size, 2)
        points, scale = normalize_windows(torch.cat([depot.repeat_interleave(n_windows, 0), in_windows], 1))
        order = torch.arange(1, size + 1, device=instance.device).expand(len(points), -1)
        sub = SalesmanWindows(
            current=torch.stack([order, flags.parts.long()], 1),
            cost=torch.zeros_like(scale),
            points=points,
            is_closed=flags.parts[:, -1],
            before=before / scale,
            after=after / scale,
            n_depots=flags.parts[:, :-1].sum(1),
        )
        return Division(replace(sub, cost=longest_route(sub, order, flags.parts)), (parts, flags))

    def merge(self, instance: Salesmen, division: Division, answers: Tensor) -> Int[Tensor, "rows length"]:
        """The tours with the answers in their windows.

        Two windows that share a tour may both make it longer, each within what it knows. Where the longest tour gets
        longer, only every other window is replaced.
        """
        parts, flags = division.plan
        current = division.sub.current
        merged = merge_routes(parts, flags, answers)
        worse = self.cost(instance, merged) > self.cost(instance, merge_routes(parts, flags, current))
        if not bool(worse.any()):
            return merged
        n_windows = parts.n_windows
        number = torch.arange(n_windows, device=answers.device)
        # In a circle of an odd number of windows, the last one is beside the first.
        alternate = (number % 2 == 0) & (number + 1 < max(2, n_windows))
        chosen = alternate.repeat(len(parts.rolled))[:, None, None]
        fewer = merge_routes(parts, flags, torch.where(chosen, answers, current))
        return torch.where(worse[:, None], fewer, merged)

    def cost(self, instance: Salesmen, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """Length of the longest tour."""
        depot = instance.points[owners(len(solution), len(instance), instance.device), :1]
        path = torch.cat([depot, rows_of(instance.points, solution), depot], 1)
        legs = (path[:, 1:] - path[:, :-1]).norm(dim=-1)
        tour = torch.nn.functional.pad((solution == 0).long().cumsum(1), (1, 0))
        return torch.zeros_like(legs).scatter_add(1, tour, legs).amax(1)

    def check(self, instance: Salesmen, solution: Int[Tensor, "rows length"]) -> None:
        """Refuse what does not visit every customer once, or needs more salesmen than there are."""
        check_routes(solution, instance.n_nodes - 1)
        _, ends = routes_of(solution, instance.n_nodes - 1)
        available = instance.n_salesmen[owners(len(solution), len(instance), instance.device)]
        if (over := ends.sum(1) > available).any():
            row = int(over.nonzero()[0])
            raise ValueError(f"there are {int(ends[row].sum())} tours, but only {int(available[row])} salesmen")

    def make_conqueror(self, config: ConquerorConfig) -> SalesmanConqueror:
        """ICAM's decoder with the lengths of tours in its query."""
        return SalesmanConqueror(config)


def _outside(
    points: Float[Tensor, "rows customers 2"],
    depot: Float[Tensor, "rows 1 2"],
    ends: Bool[Tensor, "rows customers"],
    size: int,
    n_windows: int,
) -> tuple[Float[Tensor, " subs"], Float[Tensor, " subs"]]:
    """For each window, the way from the depot to its first customer, and from its last one back if it is not closed."""
    to_depot = (points - depot).norm(dim=-1)
    to_next = (points - points.roll(-1, 1)).norm(dim=-1)
    leaving = torch.where(ends, to_depot, to_next)
    entering = torch.where(ends, to_depot.roll(-1, 1), to_next).roll(1, 1)
    first = torch.arange(n_windows, device=points.device) * size
    last = first + size - 1
    before, _ = sums_at_borders(entering, ends, (first - 1) % points.shape[1])
    _, after = sums_at_borders(leaving, ends, last)
    after = torch.where(ends[:, last], 0, after + leaving[:, last])
    return (before + entering[:, first]).reshape(-1), after.reshape(-1)
