"""The traveling salesman problem in the plane."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.path import PathConqueror, Paths, normalize_windows, path_length
from udc_solver.generators import uniform_points
from udc_solver.graphs import NeighborGraph, gather_nodes, nearest_points, normalized
from udc_solver.instances import Coordinates

from .problem import Division, Problem, State
from .sequences import cut, reordered
from .tours import advance_tour, check_tours, feasible_in_tour, start_tours


class TSP(Problem[Coordinates]):
    """The shortest closed tour through all points."""

    name = "tsp"
    title = "Traveling salesman problem"
    instance_type = Coordinates
    n_node_features = 2
    n_edge_features = 2

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Coordinates:
        """Points drawn uniformly from the unit square."""
        return Coordinates(uniform_points(batch, n_nodes, generator))

    def graph(self, instance: Coordinates, k: int) -> NeighborGraph:
        """Coordinates, and for each edge to a near point its negative length, twice."""
        points = normalized(instance.points)
        neighbors, distances = nearest_points(points, k)
        return NeighborGraph(points, neighbors, -torch.stack([distances, distances], -1))

    def start(self, instance: Coordinates, samples: int, generator: torch.Generator) -> State:
        """Tours that begin at random points."""
        return start_tours(len(instance), instance.n_nodes, samples, generator, instance.device)

    def feasible(
        self,
        instance: Coordinates,  # noqa: ARG002 - as in all problems
        state: State,
        candidates: Int[Tensor, "rows some"],
    ) -> Bool[Tensor, "rows some"]:
        """Points that are not on the tour yet."""
        return feasible_in_tour(state, candidates)

    def remote(self, instance: Coordinates, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The nearer, the better."""
        points = instance.points[state.owner[rows]]
        here = points.gather(1, state.current[rows, None, None].expand(-1, -1, 2))
        return -(points - here).norm(dim=-1)

    def advance(self, instance: Coordinates, state: State, chosen: Int[Tensor, " rows"]) -> None:  # noqa: ARG002 - as in all problems
        """Go there."""
        advance_tour(state, chosen)

    def finish(self, instance: Coordinates, state: State) -> Int[Tensor, "rows nodes"]:  # noqa: ARG002 - as in all problems
        """The points in the order of the tour."""
        return state.sequence

    def split(
        self,
        instance: Coordinates,
        solution: Int[Tensor, "rows nodes"],
        window: int,
        roll: int,
        generator: torch.Generator,  # noqa: ARG002 - as in all problems
    ) -> Division:
        """Windows of the tour; in each, the shortest path between its ends is sought."""
        windows = cut(solution, window, roll)
        n_rows = len(solution)
        points = self._ordered(instance, windows.parts.reshape(n_rows, -1)).view(-1, windows.size, 2)
        points, _ = normalize_windows(points)
        current = torch.arange(windows.size, device=solution.device).expand(len(points), -1)
        return Division(Paths(current, path_length(points, current), points), windows)

    def merge(self, instance: Coordinates, division: Division, answers: Tensor) -> Int[Tensor, "rows nodes"]:  # noqa: ARG002 - as in all problems
        """The tours with each window in its new order."""
        return reordered(division.plan, answers)

    def cost(self, instance: Coordinates, solution: Int[Tensor, "rows nodes"]) -> Float[Tensor, " rows"]:
        """Length of the closed tours."""
        points = self._ordered(instance, solution)
        return (points - points.roll(-1, 1)).norm(dim=-1).sum(1)

    def check(self, instance: Coordinates, solution: Int[Tensor, "rows nodes"]) -> None:
        """Refuse what does not visit every point once."""
        check_tours(solution, instance.n_nodes)

    def make_conqueror(self, config: ConquerorConfig) -> PathConqueror:
        """ICAM for open paths."""
        return PathConqueror(config)

    def _ordered(self, instance: Coordinates, sequence: Int[Tensor, "rows length"]) -> Float[Tensor, "rows length 2"]:
        """The points of a sequence."""
        batch = len(instance)
        return gather_nodes(instance.points, sequence.reshape(batch, -1)).view(*sequence.shape, 2)
