"""The knapsack problem."""

# ruff: noqa: ARG002 - methods have the arguments that `Problem` gives them

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.knapsack import GroupConqueror, Groups
from udc_solver.graphs import NeighborGraph
from udc_solver.selection_generators import items
from udc_solver.selections import Items

from .problem import Division, Problem, State, owners

TOLERANCE = 1e-5
"""By how much chosen items may exceed the capacity, relative to it: sums are in single precision."""


@dataclass(frozen=True)
class _Plan:
    solution: Bool[Tensor, "rows items"]
    members: Int[Tensor, "rows groups size"]


class KP(Problem[Items]):
    """The most valuable items that a knapsack holds.

    Node 0 of the divider's graph is a dummy that choices begin with; item i is node i + 1.
    """

    name = "kp"
    title = "Knapsack problem"
    instance_type = Items
    n_node_features = 2
    n_edge_features = 2
    n_sampled = 5
    is_maximized = True
    rounds = 1

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Items:
        """Uniform weights and values."""
        return items(n_nodes, batch, generator)

    def graph(self, instance: Items, k: int) -> NeighborGraph:
        """Weights and values; edges to the items that are next to one in the order of value per weight.

        Features of an edge from i to j are (v_i + v_j) / (w_i + w_j), and by how much j is worth more than i.
        """
        weights, values = _with_dummy(instance)
        worth = values / weights
        n_nodes = weights.shape[1]
        k = min(k, n_nodes)
        ranked = worth.argsort(1, descending=True)
        rank = ranked.argsort(1)
        first = (rank - k // 2).clamp(0, n_nodes - k)
        near = first[..., None] + torch.arange(k, device=worth.device)
        neighbors = ranked.gather(1, near.flatten(1)).view(*near.shape)
        # The dummy comes first and is nobody's neighbor: the best item takes its place.
        neighbors = torch.where(neighbors == 0, ranked[:, 1:2, None], neighbors)
        there = [part.gather(1, neighbors.flatten(1)).view(*neighbors.shape) for part in (weights, values, worth)]
        pair = (values[..., None] + there[1]) / (weights[..., None] + there[0])
        edges = torch.stack([_squashed(pair), _squashed(there[2]) - _squashed(worth)[..., None]], -1)
        return NeighborGraph(torch.stack([weights, values], -1), neighbors, edges)

    def start(self, instance: Items, samples: int, generator: torch.Generator) -> State:
        """Empty knapsacks."""
        n_rows, n_nodes, device = len(instance) * samples, instance.n_nodes, instance.device
        owner = owners(n_rows, len(instance), device)
        zeros = torch.zeros(n_rows, dtype=torch.long, device=device)
        taken = torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=device)
        taken[:, 0] = True
        sequence = torch.zeros(n_rows, n_nodes, dtype=torch.long, device=device)
        done = torch.zeros(n_rows, dtype=torch.bool, device=device)
        return State(owner, zeros, zeros, taken, sequence, done, held={"left": instance.capacity[owner]})

    def feasible(
        self, instance: Items, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Items that are not in and fit."""
        weights = _padded(instance.weights)[state.owner].gather(1, candidates)
        return ~state.taken.gather(1, candidates) & (weights <= state.held["left"][:, None])

    def remote(self, instance: Items, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The closer in value per weight, the better."""
        weights, values = _with_dummy(instance)
        worth = _squashed(values / weights)[state.owner[rows]]
        return -(worth - worth.gather(1, state.current[rows, None])).abs()

    def advance(self, instance: Items, state: State, chosen: Int[Tensor, " rows"]) -> None:
        """Put the items in; a knapsack is done when nothing more fits."""
        weights = _padded(instance.weights)[state.owner]
        state.record(chosen)
        state.taken.scatter_(1, chosen[:, None], value=True)
        state.held["left"] = state.held["left"] - weights.gather(1, chosen[:, None])[:, 0]
        state.done = ~(~state.taken & (weights <= state.held["left"][:, None])).any(1)

    def finish(self, instance: Items, state: State) -> Bool[Tensor, "rows items"]:
        """Which items are in."""
        return state.taken[:, 1:]

    def split(
        self,
        instance: Items,
        solution: Bool[Tensor, "rows items"],
        window: int,
        roll: int,
        generator: torch.Generator,
    ) -> Division:
        """Random groups of items, each with the capacity that it uses now; one also with what is left over."""
        n_rows, n_items = solution.shape
        size = min(window, n_items)
        n_groups = n_items // size
        owner = owners(n_rows, len(instance), solution.device)
        order = torch.rand(n_rows, n_items, generator=generator).argsort(1).to(solution.device)
        members = order[:, : n_groups * size].view(n_rows, n_groups, size)
        weights, values = (
            part[owner].gather(1, members.flatten(1)).view(-1, size) for part in (instance.weights, instance.values)
        )
        current = solution.gather(1, members.flatten(1)).view(-1, size)
        used = (weights * current).sum(1).view(n_rows, n_groups)
        spare = instance.capacity[owner] - (instance.weights[owner] * solution).sum(1)
        lucky = torch.randint(n_groups, (n_rows, 1), generator=generator).to(solution.device)
        capacity = used.scatter_add(1, lucky, spare[:, None]).flatten()
        sub = Groups(current, -(values * current).sum(1), weights, values, capacity)
        return Division(sub, _Plan(solution, members))

    def merge(self, instance: Items, division: Division, answers: Tensor) -> Bool[Tensor, "rows items"]:
        """The knapsacks with other items of each group."""
        plan: _Plan = division.plan
        return plan.solution.scatter(1, plan.members.flatten(1), answers.view(len(plan.solution), -1))

    def cost(self, instance: Items, solution: Bool[Tensor, "rows items"]) -> Float[Tensor, " rows"]:
        """The negative value."""
        return -(instance.values[owners(len(solution), len(instance), solution.device)] * solution).sum(1)

    def check(self, instance: Items, solution: Bool[Tensor, "rows items"]) -> None:
        """Refuse what is too heavy."""
        if solution.shape[1] != instance.weights.shape[1]:
            raise ValueError(f"a solution says of each of {instance.weights.shape[1]} items whether it is in")
        owner = owners(len(solution), len(instance), solution.device)
        weight, capacity = (instance.weights[owner] * solution).sum(1), instance.capacity[owner]
        if (over := weight > capacity * (1 + TOLERANCE)).any():
            row = int(over.nonzero()[0])
            raise ValueError(f"the items in row {row} weigh {weight[row]:g}, more than {capacity[row]:g}")

    def make_conqueror(self, config: ConquerorConfig) -> GroupConqueror:
        """ICAM for groups of items."""
        return GroupConqueror(config)


def _padded(values: Float[Tensor, "batch items"]) -> Float[Tensor, "batch nodes"]:
    """With 0 for the dummy."""
    return torch.nn.functional.pad(values, (1, 0))


def _with_dummy(instance: Items) -> tuple[Float[Tensor, "batch nodes"], Float[Tensor, "batch nodes"]]:
    """Weights and values of a mean of one half, the dummy worth most: choices begin at the best items."""
    unit = [2 * part.mean(1, keepdim=True) for part in (instance.weights, instance.values)]
    tiny = torch.finfo(instance.weights.dtype).eps
    weights, values = (
        part / one.clamp(min=tiny) for part, one in zip((instance.weights, instance.values), unit, strict=True)
    )
    weights = weights.clamp(min=tiny)
    best = (values / weights).amax(1, keepdim=True)
    return torch.cat([torch.ones_like(best), weights], 1), torch.cat([2 * best + 1, values], 1)


def _squashed(worth: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Value per weight from 0 to 1; the median item of a uniform instance has one half."""
    return worth / (1 + worth)
