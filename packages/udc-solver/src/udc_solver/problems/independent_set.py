"""The maximum independent set."""

# ruff: noqa: ARG002 - methods have the arguments that `Problem` gives them

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.independent_set import SubgraphConqueror, Subgraphs
from udc_solver.graphs import EdgeGraph
from udc_solver.selection_generators import random_graphs
from udc_solver.selections import Networks

from .problem import Division, Problem, State, owners


@dataclass(frozen=True)
class _Plan:
    solution: Bool[Tensor, "rows nodes"]
    members: Int[Tensor, "rows size"]


class MIS(Problem[Networks]):
    """The most nodes of a graph no two of which are adjacent."""

    name = "mis"
    title = "Maximum independent set"
    instance_type = Networks
    n_node_features = 1
    n_edge_features = 1
    heat = "nodes"
    is_maximized = True
    window = 200

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Networks:
        """Erdos-Renyi graphs."""
        return random_graphs(n_nodes, batch, generator)

    def graph(self, instance: Networks, k: int) -> EdgeGraph:
        """The graph itself; nodes and edges have nothing to tell them apart but where they are."""
        index = instance.directed()
        x = torch.ones(len(instance), instance.n_nodes, 1, device=instance.device)
        return EdgeGraph(x, index, x.new_ones(index.shape[1], 1))

    def start(self, instance: Networks, samples: int, generator: torch.Generator) -> State:
        """Sets of one random node."""
        n_rows, n_nodes, device = len(instance) * samples, instance.n_nodes, instance.device
        owner = owners(n_rows, len(instance), device)
        first = torch.randint(n_nodes, (n_rows,), generator=generator).to(device)
        source, target = instance.directed()
        counts = torch.bincount(source, minlength=len(instance) * n_nodes)
        none = torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=device)
        held = {
            "neighbors": target % n_nodes,
            "begins": counts.cumsum(0) - counts,
            "degrees": counts,
            "selected": none.clone(),
        }
        sequence = torch.zeros(n_rows, n_nodes, dtype=torch.long, device=device)
        sequence[:, 0] = first
        state = State(owner, first, first, none, sequence, none[:, 0].clone(), held=held)
        self._select(state, first)
        return state

    def feasible(
        self, instance: Networks, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Nodes that are neither selected nor adjacent to one that is."""
        return ~state.taken.gather(1, candidates)

    def remote(self, instance: Networks, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """None is better: all nodes are candidates, so that this is never asked."""
        return torch.zeros(len(rows), instance.n_nodes, device=instance.device)

    def advance(self, instance: Networks, state: State, chosen: Int[Tensor, " rows"]) -> None:
        """Select the nodes; a set is complete when no node is left."""
        state.record(chosen)
        self._select(state, chosen)

    def _select(self, state: State, chosen: Int[Tensor, " rows"]) -> None:
        rows = (~state.done).nonzero()[:, 0]
        nodes, n_nodes = chosen[rows], state.taken.shape[1]
        state.held["selected"][rows, nodes] = True
        state.taken[rows, nodes] = True
        # The neighbors of all of them, one list behind the other.
        flat = state.owner[rows] * n_nodes + nodes
        counts = state.held["degrees"][flat]
        behind = torch.arange(int(counts.sum()), device=rows.device)
        within = behind - (counts.cumsum(0) - counts).repeat_interleave(counts)
        neighbors = state.held["neighbors"][state.held["begins"][flat].repeat_interleave(counts) + within]
        state.taken[rows.repeat_interleave(counts), neighbors] = True
        state.done = state.taken.all(1)

    def finish(self, instance: Networks, state: State) -> Bool[Tensor, "rows nodes"]:
        """Which nodes are selected."""
        return state.held["selected"]

    def split(
        self,
        instance: Networks,
        solution: Bool[Tensor, "rows nodes"],
        window: int,
        roll: int,
        generator: torch.Generator,
    ) -> Division:
        """A random part of each graph; its nodes are free that have no selected neighbor outside of it."""
        n_rows, n_nodes = solution.shape
        size = min(window, n_nodes)
        device = solution.device
        members = torch.rand(n_rows, n_nodes, generator=generator).argsort(1)[:, :size].to(device)
        local = torch.full((n_rows, n_nodes), size, device=device)
        local.scatter_(1, members, torch.arange(size, device=device).expand(n_rows, -1))
        row, source, target = self._edges(instance, n_rows)
        there, is_inside = local[row, target], local[row, source] < size
        # Whatever is not inside is written behind the last place.
        blocks = ~is_inside & solution[row, source] & (there < size)
        free = torch.ones(n_rows, size, dtype=torch.bool, device=device)
        free[row[blocks], there[blocks]] = False
        both = is_inside & (there < size)
        adjacency = torch.zeros(n_rows, size, size, dtype=torch.bool, device=device)
        adjacency[row[both], local[row, source][both], there[both]] = True
        current = solution.gather(1, members)
        sub = Subgraphs(current, -current.sum(1).float(), adjacency, free)
        return Division(sub, _Plan(solution, members))

    def _edges(self, instance: Networks, n_rows: int) -> Int[Tensor, "3 each"]:
        """For each row all edges of its graph in both directions: the row and the two nodes."""
        source, target = instance.directed()
        samples = n_rows // len(instance)
        row = (source // instance.n_nodes)[:, None] * samples + torch.arange(samples, device=source.device)
        pairs = (part[:, None].expand_as(row) % instance.n_nodes for part in (source, target))
        return torch.stack([row, *pairs]).flatten(1)

    def merge(self, instance: Networks, division: Division, answers: Tensor) -> Bool[Tensor, "rows nodes"]:
        """The sets with other nodes of the part."""
        plan: _Plan = division.plan
        return plan.solution.scatter(1, plan.members, answers)

    def cost(self, instance: Networks, solution: Bool[Tensor, "rows nodes"]) -> Float[Tensor, " rows"]:
        """The negative number of nodes."""
        return -solution.sum(1).float()

    def check(self, instance: Networks, solution: Bool[Tensor, "rows nodes"]) -> None:
        """Refuse adjacent nodes."""
        if solution.shape[1] != instance.n_nodes:
            raise ValueError(f"a solution says of each of {instance.n_nodes} nodes whether it is selected")
        row, source, target = self._edges(instance, len(solution))
        if (bad := solution[row, source] & solution[row, target]).any():
            one = int(bad.nonzero()[0])
            raise ValueError(f"the nodes {int(source[one])} and {int(target[one])} are adjacent, but both selected")

    def make_conqueror(self, config: ConquerorConfig) -> SubgraphConqueror:
        """A second graph neural network."""
        return SubgraphConqueror(config)
