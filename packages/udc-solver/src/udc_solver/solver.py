"""The solver: divide with one network, conquer with the other."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.run import Compute
from separata.runs import RunFolder

from .configs import ConquerorConfig, SolverConfig
from .conquering import conquer, roll_of
from .conquerors.conqueror import Conqueror
from .construction import construct
from .divider import Divider, DividingPolicy
from .instances import Instance
from .problems import get_problem
from .problems.problem import AnyProblem, Solutions

MAX_ELEMENTS = 2**26
"""Numbers that the heat maps of instances that are solved together may have."""

Track = Callable[[Iterable[int], str], Iterable[int]]
Start = Callable[[AnyProblem, Instance, int, torch.Generator], Solutions]
"""A divider that is no network: solutions of instances, so many samples of each."""


@dataclass(frozen=True)
class TracePoint:
    """How far a solver was after a round.

    Args:
        rounds: Conquering rounds done; 0 after the construction.
        seconds: Since it began.
        cost: Mean over the instances of the best cost.
    """

    rounds: int
    seconds: float
    cost: float


@dataclass(frozen=True)
class Solution:
    """The best solution of each instance.

    Args:
        solution: In the problem's form.
        cost: What is minimized.
        trace: Progress of the first group of instances that were solved together, round by round.
    """

    solution: Solutions
    cost: Float[Tensor, " batch"]
    trace: tuple[TracePoint, ...]


class UDC(nn.Module):
    """Unified neural divide-and-conquer.

    The divider builds several solutions of each instance. In every round, each of them is cut into windows, the
    conqueror solves all windows at once, and answers that are better take their places.

    Args:
        problem: What is solved.
        divider: Predicts the heat map; a new network of the paper's size by default.
        conqueror: Solves the sub-problems; likewise.
        window: Nodes of a sub-problem; the paper's number by default.
    """

    def __init__(
        self,
        problem: AnyProblem,
        divider: DividingPolicy | None = None,
        conqueror: Conqueror | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.problem = problem
        self.window = window or problem.window
        self.divider: DividingPolicy = divider or Divider(problem)
        self.conqueror: Conqueror = conqueror or problem.make_conqueror(ConquerorConfig())

    @property
    def config(self) -> SolverConfig:
        """The settings it is made of."""
        conqueror = getattr(self.conqueror, "config", ConquerorConfig())
        return SolverConfig(self.problem.name, self.window, self.divider.config, conqueror)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.parameters()).device

    @torch.no_grad()
    def solve(
        self,
        instances: Instance,
        samples: int = 50,
        rounds: int = 2,
        generator: torch.Generator | None = None,
        *,
        time_limit: float | None = None,
        start: Start | None = None,
        track: Track | None = None,
    ) -> Solution:
        """Solve instances.

        Args:
            instances: They may be on another device.
            samples: Solutions that are built of each, of which the best one is kept in the end.
            rounds: Conquering rounds.
            generator: Seed 0 by default.
            time_limit: Seconds after which no further round begins.
            start: Builds the first solutions in place of the divider's network.
            track: Shows progress over rounds.

        Raises:
            ValueError: if instances are of another problem or make no sense, or there are no samples.
        """
        if not isinstance(instances, self.problem.instance_type):
            kind = self.problem.instance_type.__name__
            raise ValueError(f"{self.problem.name} has instances of the type {kind}, not {type(instances).__name__}")
        if samples < 1 or rounds < 0:
            raise ValueError(f"there must be at least one sample and no negative rounds, not {samples} and {rounds}")
        instances.check()
        generator = generator or torch.Generator().manual_seed(0)

        def build(group: Instance) -> Solutions:
            if start is not None:
                return start(self.problem, group, samples, generator)
            return construct(self.problem, self.divider, group, samples, self.window, generator).solution

        return self._solve(instances, build, rounds, generator, time_limit, track)

    @torch.no_grad()
    def improve(
        self,
        instances: Instance,
        solution: Solutions,
        rounds: int = 10,
        generator: torch.Generator | None = None,
        *,
        time_limit: float | None = None,
        track: Track | None = None,
    ) -> Solution:
        """Improve given solutions by conquering rounds. The result is never worse.

        Args:
            instances: What is solved.
            solution: One or more rows for each instance, as in `problems.problem`.
            rounds: Conquering rounds.
            generator: Seed 0 by default.
            time_limit: Seconds after which no further round begins.
            track: Shows progress over rounds.

        Raises:
            ValueError: if a solution is not feasible.
        """
        instances.check()
        if len(solution) % len(instances):
            raise ValueError(f"{len(solution)} solutions cannot be those of {len(instances)} instances")
        self.problem.check(instances, solution)
        generator = generator or torch.Generator().manual_seed(0)
        given = iter(solution.reshape(len(instances), -1, solution.shape[1]))

        def build(group: Instance) -> Solutions:
            return torch.cat([next(given) for _ in range(len(group))]).to(group.device)

        return self._solve(instances, build, rounds, generator, time_limit, track)

    def _solve(
        self,
        instances: Instance,
        build: Callable[[Instance], Solutions],
        rounds: int,
        generator: torch.Generator,
        time_limit: float | None,
        track: Track | None,
    ) -> Solution:
        was_training = self.training
        self.eval()
        try:
            groups = self._groups(instances)
            until = [None if time_limit is None else time_limit * (i + 1) / len(groups) for i in range(len(groups))]
            begin = time.perf_counter()
            found = [
                self._solve_group(group.to(self.device), build, rounds, generator, begin, limit, track)
                for group, limit in zip(groups, until, strict=True)
            ]
        finally:
            self.train(was_training)
        solution = torch.cat(_padded([one.solution for one in found])).to(instances.device)
        return Solution(solution, torch.cat([one.cost for one in found]).to(instances.device), found[0].trace)

    def _groups(self, instances: Instance) -> list[Instance]:
        per_instance = instances.n_nodes * self.divider.n_neighbors * self.divider.config.units
        size = max(1, MAX_ELEMENTS // per_instance)
        return [instances[first : first + size] for first in range(0, len(instances), size)]

    def _solve_group(
        self,
        group: Instance,
        build: Callable[[Instance], Solutions],
        rounds: int,
        generator: torch.Generator,
        begin: float,
        limit: float | None,
        track: Track | None,
    ) -> Solution:
        solution = build(group)
        cost = self.problem.cost(group, solution)

        def point(done: int) -> TracePoint:
            return TracePoint(done, time.perf_counter() - begin, float(cost.view(len(group), -1).amin(1).mean()))

        trace = [point(0)]
        numbers: Iterable[int] = range(rounds)
        for number in track(numbers, "rounds") if track else numbers:
            if limit is not None and time.perf_counter() - begin > limit:
                break
            roll = roll_of(number, self.window, generator)
            solution, cost = conquer(
                self.problem,
                self.conqueror,
                group,
                solution,
                cost,
                window=self.window,
                roll=roll,
                generator=generator,
            )
            trace.append(point(number + 1))
        costs, which = cost.view(len(group), -1).min(1)
        rows = solution.reshape(len(group), -1, solution.shape[1])
        return Solution(rows[torch.arange(len(group)), which], costs, tuple(trace))


def make_solver(config: SolverConfig, seed: int = 0) -> UDC:
    """An untrained solver with weights drawn by a seed.

    Raises:
        ValueError: if there is no such problem.
    """
    problem = get_problem(config.problem)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        conqueror = problem.make_conqueror(config.conqueror)
        return UDC(problem, Divider(problem, config.divider), conqueror, config.window)


def save(solver: UDC, path: Path | str) -> None:
    """Write a solver as a folder: its settings, and its weights.

    Raises:
        ValueError: if the folder already holds one, or the divider is none of this package's networks.
        PermissionError: if it cannot be written to.
    """
    if not isinstance(solver.divider, Divider):
        raise ValueError(f"only a solver whose divider is a network can be saved, not one with {solver.divider}")
    RunFolder.save(path, {"solver": solver.config}, solver)


def load(path: Path | str, device: str = "auto") -> UDC:
    """A solver from the folder of a training, or one that `save` wrote.

    Raises:
        FileNotFoundError: if there is none, or its training has not ended.
        ValueError: if a file is damaged.
    """
    folder = RunFolder.open(path)
    solver = make_solver(folder.config(SolverConfig, "solver"))
    folder.load_weights(solver)
    return solver.to(device_of(device)).eval()


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is a GPU if there is one.

    Raises:
        ValueError: if it is not `auto`, `cpu` or `cuda`, or there is no GPU where one is asked for.
    """
    return Compute(device=name).torch_device


def _padded(solutions: list[Tensor]) -> list[Tensor]:
    """Sequences of one length, with depots behind the shorter ones."""
    length = max(one.shape[1] for one in solutions)
    return [nn.functional.pad(one, (0, length - one.shape[1])) for one in solutions]
