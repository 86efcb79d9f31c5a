"""The asymmetric traveling salesman problem."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.matrix import MatrixConqueror, MatrixPaths, matrix_path_length
from udc_solver.generators import asymmetric_matrices
from udc_solver.graphs import NeighborGraph, nearest
from udc_solver.instances import Matrix

from .problem import Division, Problem, State, owners
from .sequences import cut, reordered
from .tours import advance_tour, check_tours, feasible_in_tour, start_tours


class ATSP(Problem[Matrix]):
    """The cheapest closed tour through all nodes, where the way back may cost something else than the way there."""

    name = "atsp"
    title = "Asymmetric traveling salesman problem"
    instance_type = Matrix
    n_node_features = 2
    n_edge_features = 2
    window = 50
    n_neighbors = 50

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Matrix:
        """Random costs that obey the triangle inequality."""
        return Matrix(asymmetric_matrices(batch, n_nodes, generator))

    def graph(self, instance: Matrix, k: int) -> NeighborGraph:
        """Nodes without features, and for the cheapest edges from each node their negative costs."""
        costs = instance.costs / _largest(instance.costs)
        neighbors, values = nearest(instance.n_nodes, k, lambda first, last: costs[:, first:last], len(instance))
        x = torch.ones(*costs.shape[:2], 2, device=costs.device)
        return NeighborGraph(x, neighbors, -torch.stack([values, values], -1))

    def start(self, instance: Matrix, samples: int, generator: torch.Generator) -> State:
        """Tours that begin at random nodes."""
        return start_tours(len(instance), instance.n_nodes, samples, generator, instance.device)

    def feasible(
        self,
        instance: Matrix,  # noqa: ARG002 - as in all problems
        state: State,
        candidates: Int[Tensor, "rows some"],
    ) -> Bool[Tensor, "rows some"]:
        """Nodes that are not on the tour yet."""
        return feasible_in_tour(state, candidates)

    def remote(self, instance: Matrix, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The cheaper, the better."""
        return -instance.costs[state.owner[rows], state.current[rows]]

    def advance(self, instance: Matrix, state: State, chosen: Int[Tensor, " rows"]) -> None:  # noqa: ARG002 - as in all problems
        """Go there."""
        advance_tour(state, chosen)

    def finish(self, instance: Matrix, state: State) -> Int[Tensor, "rows nodes"]:  # noqa: ARG002 - as in all problems
        """The nodes in the order of the tour."""
        return state.sequence

    def split(
        self,
        instance: Matrix,
        solution: Int[Tensor, "rows nodes"],
        window: int,
        roll: int,
        generator: torch.Generator,
    ) -> Division:
        """Windows of the tour with the costs between their nodes; in each, the cheapest path is sought."""
        windows = cut(solution, window, roll)
        owner = owners(len(solution), len(instance), instance.device).repeat_interleave(windows.n_windows)
        nodes = windows.parts
        costs = instance.costs[owner[:, None, None], nodes[:, :, None], nodes[:, None, :]]
        costs = costs / _largest(costs)
        seeds = torch.rand(nodes.shape, generator=generator).argsort(1).to(nodes.device)
        current = torch.arange(windows.size, device=nodes.device).expand(len(nodes), -1)
        return Division(MatrixPaths(current, matrix_path_length(costs, current), costs, seeds), windows)

    def merge(self, instance: Matrix, division: Division, answers: Tensor) -> Int[Tensor, "rows nodes"]:  # noqa: ARG002 - as in all problems
        """The tours with each window in its new order."""
        return reordered(division.plan, answers)

    def cost(self, instance: Matrix, solution: Int[Tensor, "rows nodes"]) -> Float[Tensor, " rows"]:
        """Cost of the closed tours."""
        owner = owners(len(solution), len(instance), instance.device)[:, None]
        return instance.costs[owner, solution, solution.roll(-1, 1)].sum(1)

    def check(self, instance: Matrix, solution: Int[Tensor, "rows nodes"]) -> None:
        """Refuse what does not visit every node once."""
        check_tours(solution, instance.n_nodes)

    def make_conqueror(self, config: ConquerorConfig) -> MatrixConqueror:
        """MatNet for open paths."""
        return MatrixConqueror(config)


def _largest(costs: Float[Tensor, "some nodes nodes"]) -> Float[Tensor, "some 1 1"]:
    """The largest of each matrix, by which costs are divided for the networks."""
    return costs.amax((1, 2), keepdim=True).clamp(min=torch.finfo(costs.dtype).tiny)
