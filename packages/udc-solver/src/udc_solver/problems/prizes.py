"""Routes that need not visit every point: orienteering, and prize-collecting TSPs with certain or uncertain prizes."""

# ruff: noqa: ARG002 - methods have the arguments that `Problem` gives them

from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from udc_solver.configs import ConquerorConfig
from udc_solver.conquerors.path import normalize_windows
from udc_solver.conquerors.prizes import (
    LEFT_OUT,
    CollectingEpisode,
    LimitedEpisode,
    PrizeConqueror,
    PrizeEpisode,
    PrizePaths,
    is_listed,
    listed_length,
)
from udc_solver.graphs import NeighborGraph, nearest_points, normalized
from udc_solver.selection_generators import orienteering, prize_collecting, stochastic_prizes
from udc_solver.selections import Orienteering, PrizeCollecting, StochasticPrizes

from .mixing import check_route, halved, listed, mix, route_length, unmixed, with_ends_outside
from .problem import Division, Problem, State, owners
from .sequences import Windows, cut

FEWEST = 2
"""Visited points that a window must have to be a sub-problem."""
TOLERANCE = 1e-5
"""By how much a route may exceed a limit, relative to it: sums are in single precision."""

Prizes = TypeVar("Prizes", bound=Orienteering | PrizeCollecting)


@dataclass(frozen=True)
class _Plan:
    """How windows of a mixed sequence, in which points that are not visited stand among those that are, go back.

    Args:
        windows: Of the mixed sequence.
        flags: Which places of the windows are visited.
        active: Windows that are sub-problems.
        order: Of these, the place in the window of each local point.
    """

    windows: Windows
    flags: Windows
    active: Bool[Tensor, " windows"]
    order: Int[Tensor, "subs size"]


@dataclass(frozen=True)
class _Used:
    """What the paths of windows use up.

    Args:
        length: In the unit of each window.
        length_unit: This unit.
        prize: In the units of the instance.
        prize_unit: In which each window has its prizes.
    """

    length: Float[Tensor, " subs"]
    length_unit: Float[Tensor, " subs"]
    prize: Float[Tensor, " subs"]
    prize_unit: Float[Tensor, " subs"]


class PrizeProblem(Problem[Prizes]):
    """What the problems share: a closed route from the depot, 0, as a sequence that begins and is filled up with zeros.

    A subclass says when a route may end, what it costs, and how much of a budget each window gets.
    """

    has_depot = True
    n_edge_features = 1
    n_sampled = 3

    episode_type: type[PrizeEpisode]
    """How the conqueror builds paths."""

    def worth(self, instance: Prizes) -> Float[Tensor, "batch nodes"]:
        """The prizes that plans are made with."""
        return instance.prizes

    def penalties(self, instance: Prizes) -> Float[Tensor, "batch nodes"]:
        """What it costs to leave points out."""
        return torch.zeros_like(instance.prizes)

    def features(self, instance: Prizes) -> Float[Tensor, "batch nodes features"]:
        """What the divider sees of the points, but for where they are."""
        return halved(self.worth(instance))[..., None]

    bound_name: str
    """What the budget of a route is called."""

    def bound(self, instance: Prizes) -> Float[Tensor, " batch"]:
        """The budget of a route."""
        raise NotImplementedError

    def spare(self, instance: Prizes, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """What routes leave of their budget; negative by rounding alone, which the next round then makes good."""
        raise NotImplementedError

    def budget(self, used: _Used, spare: Float[Tensor, " subs"]) -> Float[Tensor, " subs"]:
        """The budget of windows, in their units, of which each may use so much of what is spare."""
        raise NotImplementedError

    def graph(self, instance: Prizes, k: int) -> NeighborGraph:
        """Prizes and penalties, and for each edge to a near point or the depot its negative length."""
        points = normalized(instance.points)
        neighbors, distances = nearest_points(points, k)
        # The depot takes the place of the farthest neighbor where it is none itself, so that routes can end.
        far = ~(neighbors == 0).any(-1)
        neighbors = torch.cat([neighbors[..., :-1], neighbors[..., -1:].masked_fill(far[..., None], 0)], -1)
        home = (points - points[:, :1]).norm(dim=-1)
        distances = torch.cat([distances[..., :-1], torch.where(far, home, distances[..., -1])[..., None]], -1)
        return NeighborGraph(self.features(instance), neighbors, -distances[..., None])

    def start(self, instance: Prizes, samples: int, generator: torch.Generator) -> State:
        """Routes that are at the depot."""
        n_rows, n_nodes = len(instance) * samples, instance.n_nodes
        device = instance.device
        zeros = torch.zeros(n_rows, dtype=torch.long, device=device)
        held = {name: torch.zeros(n_rows, device=device) for name in ("length", "prize")}
        taken = torch.zeros(n_rows, n_nodes, dtype=torch.bool, device=device)
        sequence = torch.zeros(n_rows, n_nodes + 1, dtype=torch.long, device=device)
        done = torch.zeros(n_rows, dtype=torch.bool, device=device)
        return State(owners(n_rows, len(instance), device), zeros, zeros, taken, sequence, done, held=held)

    def remote(self, instance: Prizes, state: State, rows: Int[Tensor, " some"]) -> Float[Tensor, "some nodes"]:
        """The nearer, the better."""
        points = instance.points[state.owner[rows]]
        here = points.gather(1, state.current[rows, None, None].expand(-1, -1, 2))
        return -(points - here).norm(dim=-1)

    def advance(self, instance: Prizes, state: State, chosen: Int[Tensor, " rows"]) -> None:
        """Go there; a route is done when it is back at the depot."""
        here, there = (instance.points[state.owner, node] for node in (state.current, chosen))
        state.held["length"] = state.held["length"] + (there - here).norm(dim=-1)
        state.held["prize"] = state.held["prize"] + self.worth(instance)[state.owner, chosen]
        state.record(chosen)
        state.taken.scatter_(1, chosen[:, None], value=True)
        state.taken[:, 0] = False
        state.done = state.done | (chosen == 0)

    def finish(self, instance: Prizes, state: State) -> Int[Tensor, "rows length"]:
        """The routes."""
        return state.sequence

    def split(
        self,
        instance: Prizes,
        solution: Int[Tensor, "rows length"],
        window: int,
        roll: int,
        generator: torch.Generator,
    ) -> Division:
        """Put the points that are not visited at random places of the route, and cut it into windows.

        In each window with at least `FEWEST` visited points, the first and the last of them stay the ends of a path.
        """
        owner = owners(len(solution), len(instance), solution.device)
        mixed, is_visited = mix(solution, instance.n_nodes, generator)
        windows, flags = cut(mixed, window, roll), cut(is_visited, window, roll)
        visited = flags.parts
        active = visited.sum(1) >= FEWEST
        order, visited = with_ends_outside(visited[active])
        nodes = windows.parts[active].gather(1, order)
        row = torch.arange(len(solution), device=solution.device).repeat_interleave(windows.n_windows)[active]
        at = owner[row, None]
        points, scale = normalize_windows(instance.points[at, nodes])
        current, prizes = listed(visited), self.worth(instance)[at, nodes]
        unit = (2 * prizes.mean(1)).clamp(min=torch.finfo(prizes.dtype).tiny)
        # What the whole route leaves of its budget is divided equally among the windows.
        n_active = torch.zeros_like(self.spare(instance, solution)).index_add(0, row, torch.ones_like(scale))
        spare = (self.spare(instance, solution) / n_active.clamp(min=1))[row]
        used = _Used(listed_length(points, current), scale, (prizes * visited).sum(1), unit)
        is_depot, last = nodes == 0, nodes.shape[1] - 1
        # A depot at an end is visited anyway.
        is_depot[:, 0] = is_depot[:, last] = False
        via = torch.where(is_depot.any(1), is_depot.long().argmax(1), last)
        penalties = self.penalties(instance)[at, nodes] / scale[:, None]
        budget = self.budget(used, spare)
        sub = PrizePaths(current, budget, points, prizes / unit[:, None], penalties, budget, via)
        sub = replace(sub, cost=self.episode_type.value(sub, current[:, None])[:, 0])
        return Division(sub, _Plan(windows, flags, active, order))

    def merge(self, instance: Prizes, division: Division, answers: Tensor) -> Int[Tensor, "rows length"]:
        """The routes with the visited points of each window replaced."""
        plan: _Plan = division.plan
        parts = plan.windows.parts.clone()
        visited = plan.flags.parts.clone()
        listed = is_listed(answers)
        # Those on the path in its order, then the others.
        size = answers.shape[1]
        rank = torch.full((len(answers), size + 1), size, device=answers.device)
        places = torch.arange(size, device=answers.device).expand_as(answers)
        rank.scatter_(1, answers.where(answers != LEFT_OUT, size), places)
        order = rank[:, :-1].masked_fill(~listed, size).argsort(dim=1, stable=True)
        nodes = parts[plan.active].gather(1, plan.order)
        parts[plan.active] = nodes.gather(1, order)
        visited[plan.active] = listed.gather(1, order)
        return unmixed(plan.windows.replaced(parts), plan.flags.replaced(visited))

    def check(self, instance: Prizes, solution: Int[Tensor, "rows length"]) -> None:
        """Refuse what is no route, or breaks its budget."""
        check_route(solution, instance.n_nodes)
        size = self.bound(instance)[owners(len(solution), len(instance), solution.device)]
        short = -self.spare(instance, solution) - TOLERANCE * size
        if (short > 0).any():
            row = int(short.argmax())
            raise ValueError(
                f"the route in row {row} breaks its {self.bound_name} of {size[row]:g} by {short[row]:.3g}"
            )

    def make_conqueror(self, config: ConquerorConfig) -> PrizeConqueror:
        """POMO for paths that collect prizes."""
        return PrizeConqueror(self.episode_type, config)

    def collected(self, instance: Prizes, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """The prizes of the points on routes, by which plans are made."""
        prizes = self.worth(instance).clone()
        # The depot stands behind the end of a route, too.
        prizes[:, 0] = 0
        return prizes[owners(len(solution), len(instance), solution.device)].gather(1, solution).sum(1)


class OP(PrizeProblem[Orienteering]):
    """The most prize on a closed route of limited length (orienteering)."""

    name = "op"
    title = "Orienteering problem"
    instance_type = Orienteering
    n_node_features = 1
    is_maximized = True
    episode_type = LimitedEpisode
    bound_name = "limit"

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> Orienteering:
        """Uniform points, whose prizes grow with their distance from the depot."""
        return orienteering(n_nodes, batch, generator)

    def feasible(
        self, instance: Orienteering, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Points from which the depot is within reach; the depot, where all points are candidates and none is."""
        owner = state.owner
        there = instance.points[owner[:, None], candidates]
        here, home = (instance.points[owner, node][:, None] for node in (state.current, torch.zeros_like(owner)))
        ahead = state.held["length"][:, None] + (there - here).norm(dim=-1) + (there - home).norm(dim=-1)
        fits = ~state.taken.gather(1, candidates) & (candidates != 0) & (ahead <= instance.limit[owner, None])
        if candidates.shape[1] < instance.n_nodes:
            return fits
        return fits | ((candidates == 0) & ~fits.any(1, keepdim=True))

    def cost(self, instance: Orienteering, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """The negative prize."""
        return -self.collected(instance, solution)

    def bound(self, instance: Orienteering) -> Float[Tensor, " batch"]:
        """The limit of the length."""
        return instance.limit

    def spare(self, instance: Orienteering, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """By how much routes are shorter than they may be."""
        limit = instance.limit[owners(len(solution), len(instance), solution.device)]
        return limit - route_length(instance.points, solution)

    def budget(self, used: _Used, spare: Float[Tensor, " subs"]) -> Float[Tensor, " subs"]:
        """The present length and what is spare."""
        return used.length + spare / used.length_unit


class PCTSP(PrizeProblem[PrizeCollecting]):
    """The shortest closed route that collects a minimum, with penalties for what is left out (prize-collecting TSP)."""

    name = "pctsp"
    title = "Prize-collecting TSP"
    instance_type: type[PrizeCollecting] = PrizeCollecting
    n_node_features = 2
    episode_type = CollectingEpisode
    bound_name = "minimum"

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> PrizeCollecting:
        """Uniform points, prizes and penalties."""
        return prize_collecting(n_nodes, batch, generator)

    def penalties(self, instance: PrizeCollecting) -> Float[Tensor, "batch nodes"]:
        """What it costs to leave points out."""
        return instance.penalties

    def features(self, instance: PrizeCollecting) -> Float[Tensor, "batch nodes features"]:
        """Prizes and penalties, both of a mean of about one half."""
        return torch.stack([halved(self.worth(instance)), halved(instance.penalties)], -1)

    def feasible(
        self, instance: PrizeCollecting, state: State, candidates: Int[Tensor, "rows some"]
    ) -> Bool[Tensor, "rows some"]:
        """Points that are not visited; the depot, with enough collected or with all visited."""
        is_enough = state.held["prize"] >= instance.minimum[state.owner]
        may_end = is_enough | (state.step == instance.n_nodes)
        return (~state.taken.gather(1, candidates) & (candidates != 0)) | ((candidates == 0) & may_end[:, None])

    def cost(self, instance: PrizeCollecting, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """The length, and the penalties of what is left out."""
        owner = owners(len(solution), len(instance), solution.device)
        paid = instance.penalties[owner].scatter(1, solution, 0.0)
        return route_length(instance.points, solution) + paid.sum(1)

    def bound(self, instance: PrizeCollecting) -> Float[Tensor, " batch"]:
        """The minimum to be collected: no more than all that there is to plan with."""
        return torch.minimum(instance.minimum, self.worth(instance).sum(1))

    def spare(self, instance: PrizeCollecting, solution: Int[Tensor, "rows length"]) -> Float[Tensor, " rows"]:
        """By how much routes collect more than they must."""
        owner = owners(len(solution), len(instance), solution.device)
        return self.collected(instance, solution) - self.bound(instance)[owner]

    def budget(self, used: _Used, spare: Float[Tensor, " subs"]) -> Float[Tensor, " subs"]:
        """The present prize without what is spare."""
        return ((used.prize - spare) / used.prize_unit).clamp(min=0)


class SPCTSP(PCTSP):
    """The PCTSP whose prizes are known only on the spot (stochastic PCTSP).

    A plan is made with the expected prizes, and meets the minimum with them. `execute` follows it, finds the prizes
    that there are, and goes on to the nearest points while they are too few.

    Args:
        sees_realized: Plan with the prizes that will be found, which nobody can know: a bound on what a plan can reach.
    """

    name = "spctsp"
    title = "Stochastic prize-collecting TSP"
    instance_type = StochasticPrizes

    def __init__(self, *, sees_realized: bool = False) -> None:
        self.sees_realized = sees_realized

    def generate(self, n_nodes: int, batch: int, generator: torch.Generator) -> StochasticPrizes:
        """As of the PCTSP; realized prizes are uniform between 0 and twice the expected ones."""
        return stochastic_prizes(n_nodes, batch, generator)

    def worth(self, instance: PrizeCollecting) -> Float[Tensor, "batch nodes"]:
        """The expected prizes, unless the realized ones are seen."""
        if self.sees_realized and isinstance(instance, StochasticPrizes):
            return instance.realized
        return instance.prizes

    def execute(self, instance: StochasticPrizes, solution: Int[Tensor, "rows length"]) -> Int[Tensor, "rows length"]:
        """The routes that come of plans: while the prizes found are too few, on to the nearest point before the end."""
        owner = owners(len(solution), len(instance), solution.device)
        route, rows = solution.clone(), torch.arange(len(solution), device=solution.device)
        realized, points = instance.realized[owner], instance.points[owner]
        is_left = torch.ones_like(realized, dtype=torch.bool).scatter(1, solution, value=False)
        found = realized.scatter(1, torch.zeros_like(solution[:, :1]), 0.0).gather(1, solution).sum(1)
        n_stops = (solution != 0).sum(1)
        while (going := (found < instance.minimum[owner]) & is_left.any(1)).any():
            here = points[rows, route[rows, n_stops]][:, None]
            gaps = (points - here).norm(dim=-1).masked_fill(~is_left, torch.inf)
            nearest = gaps.argmin(1)
            n_stops = n_stops + going.long()
            route[rows[going], n_stops[going]] = nearest[going]
            is_left[rows[going], nearest[going]] = False
            found = found + realized[rows, nearest] * going
        return route
