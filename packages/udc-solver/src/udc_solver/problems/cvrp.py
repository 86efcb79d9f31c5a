"""Capacitated vehicle routing, with or without the way back to the depot."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.path import normalize_windows
from udc_solver.conquerors.routes import TOLERANCE, VehicleConqueror, VehicleWindows, route_legs
from udc_solver.generators import routing_instances
from udc_solver.graphs import NeighborGraph, nearest, normalized
from udc_solver.instances import Routing

from .problem import Division, Problem, State, owners
from .routes import check_routes, merge_routes, ranked_routes, routes_of, rows_of, sequence_of, sums_at_borders
from .sequences import Windows, cut


class CVRP(Problem[Routing]):
    """The shortest routes from a depot to all customers and back, whose demands the vehicles can carry.

    There are as many vehicles as a solution needs.
    """

    name = "cvrp"
    title = "Capacitated vehicle routing"
    instance_type = Routing
    n_node_features = 3
    n_edge_features = 2
    has_depot = True
    n_sampled = 3
    returns = True
    """Whether the way back to the depot counts."""

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Routing:
        """Uniform points, demands from 1 to 9, and a capacity drawn from 100 to 200."""
        return routing_instances(n_nodes, batch, generator)

    def graph(self, instance: Routing, k: int) -> NeighborGraph:
        """Demand, distance and angle as seen from the depot; edges to the nodes in the most similar direction."""
        points = normalized(instance.points)
        vectors = points - points[:, :1]
        distance = vectors.norm(dim=-1)
        angle = torch.atan2(vectors[..., 1], vectors[..., 0])
        unit = vectors / (distance[..., None] + 1e-10)
        neighbors, negative = nearest(
            instance.n_nodes, k, lambda first, last: -(unit[:, first:last] @ unit.mT), len(instance)
        )
        x = torch.stack([instance.demands / instance.capacity[:, None], distance, angle], -1)
        return NeighborGraph(x, neighbors, -torch.stack([negative, negative], -1))

    def start(self, instance: Routing, samples: int, generator: torch.Generator) -> State:  # noqa: ARG002 - as in all problems
        """All routes begin at the depot."""
        batch, n_nodes = instance.demands.shape
        n_rows, device = batch * samples, instance.device
        owner, depot = owners(n_rows, batch, device), torch.zeros(n_rows, dtype=torch.long, device=device)
        n_vehicles = (instance.demands.sum(1) / instance.capacity).ceil() + 1
        held = {
            "load": instance.capacity[owner],
            "remaining": instance.demands.sum(1)[owner],
            "vehicles": n_vehicles[owner],
        }
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
        self, instance: Routing, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Customers whose demands fit, and the depot.

        Not the depot, if the vehicle is there, or would leave too much to the other vehicles while some candidate fits.
        """
        capacity = instance.capacity[state.owner]
        room = state.held["load"] + TOLERANCE * capacity
        demand = instance.demands.view(-1)[state.owner[:, None] * instance.n_nodes + candidates]
        is_customer = candidates > 0
        fits = is_customer & ~state.taken.gather(1, candidates) & (demand <= room[:, None])
        enough = state.held["remaining"] <= state.held["vehicles"] * capacity
        may_return = (state.current > 0) & (enough | ~fits.any(1))
        return fits | (~is_customer & may_return[:, None])

    def remote(self, instance: Routing, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The depot; if it is not feasible, the nearest customer."""
        points = instance.points[state.owner[rows]]
        here = points.gather(1, state.current[rows, None, None].expand(-1, -1, 2))
        wishes = -(points - here).norm(dim=-1)
        wishes[:, 0] = math.inf
        return wishes

    def advance(self, instance: Routing, state: State, chosen: Int[Tensor, " rows"]) -> None:
        """Go there, and load its demand."""
        state.record(chosen)
        state.taken.scatter_(1, chosen[:, None], value=True)
        demand, capacity = instance.demands[state.owner, chosen], instance.capacity[state.owner]
        is_back = (chosen == 0) & ~state.done
        held = state.held
        held["load"] = torch.where(is_back, capacity, held["load"] - demand)
        held["remaining"] = held["remaining"] - demand
        held["vehicles"] = held["vehicles"] - is_back.to(held["vehicles"])
        state.done = state.taken[:, 1:].all(1)

    def finish(self, instance: Routing, state: State) -> Int[Tensor, "rows length"]:
        """Routes with the depot behind each."""
        return sequence_of(*routes_of(state.sequence, instance.n_nodes - 1))

    def split(
        self,
        instance: Routing,
        solution: Int[Tensor, "rows length"],
        window: int,
        roll: int,
        generator: torch.Generator,  # noqa: ARG002 - as in all problems
    ) -> Division:
        """Windows of customers, with the routes sorted by angle.

        Where a border cuts a route, both sides get shares of the vehicle that add up to its capacity: a half each, or
        what they hold now where that is more.
        """
        customers, ends = ranked_routes(instance, instance.points, solution)
        parts, flags = cut(customers, window, roll), cut(ends, window, roll)
        owner = owners(len(solution), len(instance), instance.device)
        capacity = instance.capacity[owner]
        demands = rows_of(instance.demands, parts.rolled)
        shares = share_capacity(demands, flags, capacity)
        n_windows, n_rows = parts.n_windows, len(solution)
        depot = instance.points[owner, :1].repeat_interleave(n_windows, 0)
        in_windows = rows_of(instance.points, parts.parts.reshape(n_rows, -1)).view(-1, parts.size, 2)
        points, _ = normalize_windows(torch.cat([depot, in_windows], 1))
        order = torch.arange(1, parts.size + 1, device=instance.device).expand(len(points), -1)
        sub = VehicleWindows(
            current=torch.stack([order, flags.parts.long()], 1),
            cost=route_legs(points, order, flags.parts, returns=self.returns).sum(-1),
            points=points,
            is_closed=flags.parts[:, -1],
            demands=demands[:, : n_windows * parts.size].reshape(-1, parts.size),
            capacity=capacity.repeat_interleave(n_windows),
            used=shares.roll(1, 1)[:, :n_windows].reshape(-1),
            limit=shares[:, :n_windows].reshape(-1),
        )
        return Division(sub, (parts, flags))

    def merge(self, instance: Routing, division: Division, answers: Tensor) -> Int[Tensor, "rows length"]:  # noqa: ARG002 - as in all problems
        """The routes with the customers of each window in their new order, and with its ends of routes."""
        parts, flags = division.plan
        return merge_routes(parts, flags, answers)

    def cost(self, instance: Routing, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """Length of all routes; of open ones, without the way back."""
        points = rows_of(instance.points, solution)
        depot = instance.points[owners(len(solution), len(instance), instance.device), :1]
        path = torch.cat([depot, points, depot], 1)
        legs = (path[:, 1:] - path[:, :-1]).norm(dim=-1)
        if not self.returns:
            legs = legs * torch.nn.functional.pad(solution > 0, (0, 1))
        return legs.sum(1)

    def check(self, instance: Routing, solution: Int[Tensor, "rows length"]) -> None:
        """Refuse what does not visit every customer once, or loads a vehicle above its capacity."""
        check_routes(solution, instance.n_nodes - 1)
        demands = rows_of(instance.demands, solution).double()
        route = (solution == 0).long().cumsum(1)
        loads = torch.zeros_like(demands).scatter_add(1, route.clamp(max=solution.shape[1] - 1), demands)
        capacity = instance.capacity[owners(len(solution), len(instance), instance.device)].double()
        if (over := loads > capacity[:, None] * (1 + 3 * TOLERANCE)).any():
            row, number = over.nonzero()[0].tolist()
            raise ValueError(
                f"a route holds {loads[row, number]:g}, which is above the capacity {capacity[row]:g} of a vehicle"
            )

    def make_conqueror(self, config: ConquerorConfig) -> VehicleConqueror:
        """ICAM for windows of routes."""
        return VehicleConqueror(config, returns=self.returns)


class OVRP(CVRP):
    """Open vehicle routing: as CVRP, but vehicles do not come back."""

    name = "ovrp"
    title = "Open vehicle routing"
    returns = False


def share_capacity(
    demands: Float[Tensor, "rows customers"], flags: Windows, capacity: Float[Tensor, " rows"]
) -> Float[Tensor, "rows segments"]:
    """How much of a vehicle belongs to the customers before the border behind each segment; 0 where no route is cut.

    Segments are the windows, and the rest if there is any. The share is a half,
    unless one side holds more: then as much as that. Where a route runs through a whole segment, it is exactly what is
    before the border.
    """
    n_rows, n_customers = demands.shape
    last = torch.arange(1, flags.n_windows + 1, device=demands.device) * flags.size - 1
    if n_customers > flags.n_windows * flags.size:
        last = torch.cat([last, last.new_tensor([n_customers - 1])])
    before, after = sums_at_borders(demands, flags.rolled, last)
    share = torch.minimum(torch.maximum(capacity[:, None] / 2, before), capacity[:, None] - after)
    has_end = flags.parts.view(n_rows, flags.n_windows, -1).any(-1)
    if len(last) > flags.n_windows:
        has_end = torch.cat([has_end, flags.rest.any(1, keepdim=True)], 1)
    is_exact = ~(has_end & has_end.roll(-1, 1))
    return torch.where(flags.rolled[:, last], 0, torch.where(is_exact, before, share))
