"""What experiments repeat over seeds: trainings of solvers of one problem, and their costs on test instances."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .answers import answer_of, judge
from .baselines.independent_set import minimum_degree_greedy, random_order_greedy
from .baselines.insertion import random_insertion_tour
from .baselines.knapsack import knapsack_milp, ratio_greedy
from .baselines.nearest import nearest_neighbor_tour
from .baselines.two_opt import two_opt
from .configs import SolverConfig, TrainConfig
from .conquering import conquer
from .construction import construct
from .dividers import RuleDivider
from .evaluation import InfeasibleError
from .instances import Instance
from .problems import get_problem
from .problems.problem import AnyProblem
from .solver import UDC, make_solver
from .training import Trainer

Training = Literal["joint", "no-reunion", "no-reunion-steps", "separate", "none"]
TEST = 1_000_003
"""Offset of the seeds of test instances from those of trainings."""


@dataclass(frozen=True)
class Trial:
    """A training, and its test.

    Args:
        solver: What is trained.
        train: The joint training; its seed does not count.
        training: How its parts are used: `joint`, `no-reunion` with twice as many steps of one round,
            `no-reunion-steps` with as many, `separate` with
            the conqueror first and then the divider, or `none`.
        n_nodes: Of the test instances.
        n_test: Test instances.
        n_samples: Solutions of each.
        rounds: Conquering rounds.
        seed: Of training and test instances.
    """

    solver: SolverConfig = field(default_factory=SolverConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    training: Training = "joint"
    n_nodes: int = 100
    n_test: int = 32
    n_samples: int = 8
    rounds: int = 10
    seed: int = 0


def run_trial(trial: Trial, device: str) -> dict[str, Any]:
    """Train a solver and test it.

    Returns:
        Objectives, means over the test instances: `udc` after all rounds, `divided` before the first, `untrained` with
        the divider and an untrained conqueror; of TSP, `nearest` and `insertion` with other dividers. And `curve`,
        after each round; `seconds` of the training.
    """
    solver = make_solver(trial.solver, trial.seed).to(device)
    begin = time.process_time()
    for config in stages(trial):
        Trainer(solver, config).fit()
    seconds = time.process_time() - begin
    problem = solver.problem
    instances = problem.generate(trial.n_nodes, trial.n_test, torch.Generator().manual_seed(TEST + trial.seed))
    found, curve = _test(solver, instances, trial)
    untrained = UDC(problem, solver.divider, make_solver(trial.solver, TEST + trial.seed).conqueror, solver.window)
    results: dict[str, Any] = {
        "udc": found,
        "divided": curve[0],
        "curve": curve,
        "seconds": seconds,
        "untrained": _test(untrained.to(device), instances, trial)[0],
    }
    if problem.name == "tsp":
        ruled = UDC(problem, RuleDivider(problem, config=trial.solver.divider), solver.conqueror, solver.window)
        results["nearest"] = _test(ruled.to(device), instances, trial)[0]
        results["insertion"] = _test(solver, instances, trial, start=_insertion_start)[0]
    return results


def assess(problem: AnyProblem, instances: Instance, solution: Tensor) -> list[float]:
    """The objective of a solution of each instance, by the independent evaluator.

    Raises:
        InfeasibleError: if one is not feasible.
    """
    return [judge(problem, instances[i : i + 1], answer_of(problem, row)) for i, row in enumerate(solution)]


def stages(trial: Trial) -> list[TrainConfig]:
    """The trainings of a trial, one after the other."""
    config = replace(trial.train, seed=trial.seed)
    match trial.training:
        case "joint":
            return [config]
        case "no-reunion":
            return [replace(config, n_steps=2 * config.n_steps, rounds=1)]
        case "no-reunion-steps":
            return [replace(config, rounds=1)]
        case "separate":
            return [replace(config, freeze="divider"), replace(config, freeze="conqueror")]
    return []


def _test(solver: UDC, instances: Instance, trial: Trial, **settings: Any) -> tuple[float, list[float]]:  # noqa: ANN401 - of `solve`
    """The mean objective by the independent evaluator, and its course by the solver itself."""
    generator = torch.Generator().manual_seed(trial.seed)
    solution = solver.solve(instances, trial.n_samples, trial.rounds, generator, **settings)
    objectives = assess(solver.problem, instances, solution.solution)
    sign = -1 if solver.problem.is_maximized else 1
    return float(np.mean(objectives)), [sign * point.cost for point in solution.trace]


def _insertion_start(problem: AnyProblem, instance: Any, samples: int, generator: torch.Generator) -> Tensor:  # noqa: ANN401, ARG001 - any `Start`
    seeds = torch.randint(2**31, (len(instance), samples), generator=generator).tolist()
    points = instance.points.cpu().numpy()
    tours = [random_insertion_tour(points[i], seed) for i, row in enumerate(seeds) for seed in row]
    return torch.as_tensor(np.stack(tours)).to(instance.device)


def run_rules(trial: Trial, device: str) -> dict[str, float]:  # noqa: ARG001 - rules have no device
    """Mean objectives of simple rules on the test instances: the best of as many starts as the solver has samples."""
    problem = get_problem(trial.solver.problem)
    instances = problem.generate(trial.n_nodes, trial.n_test, torch.Generator().manual_seed(TEST + trial.seed))
    seeds = range(trial.seed, trial.seed + trial.n_samples)
    rules: dict[str, Callable[[int, int], Any]] = RULES[problem.name](instances)
    best = max if problem.is_maximized else min
    means = {}
    for name, rule in rules.items():
        scores = [
            [assess(problem, instances[i : i + 1], torch.as_tensor(rule(i, seed))[None])[0] for seed in seeds]
            for i in range(trial.n_test)
        ]
        means[name] = float(np.mean([best(some) for some in scores]))
    return means


def _tour_rules(instances: Any) -> dict[str, Callable[[int, int], Any]]:  # noqa: ANN401 - Coordinates
    points = instances.points.numpy().astype(np.float64)
    n_nodes = points.shape[1]
    return {
        "nearest": lambda i, seed: nearest_neighbor_tour(points[i], seed % n_nodes),
        "insertion": lambda i, seed: random_insertion_tour(points[i], seed),
        "two_opt": lambda i, seed: two_opt(points[i], nearest_neighbor_tour(points[i], seed % n_nodes)).tour,
    }


def _knapsack_rules(instances: Any) -> dict[str, Callable[[int, int], Any]]:  # noqa: ANN401 - Items
    weights, values = (part.numpy().astype(np.float64) for part in (instances.weights, instances.values))
    capacity = instances.capacity.tolist()

    def at_random(i: int, seed: int) -> np.ndarray:
        # The greedy rule takes items in the order of ratios, which are random here.
        order = np.random.default_rng(seed).random(len(weights[i]))
        chosen = np.zeros(len(order), dtype=bool)
        left = capacity[i]
        for item in order.argsort():
            if weights[i, item] <= left:
                chosen[item], left = True, left - weights[i, item]
        return chosen

    exact = [knapsack_milp(weights[i], values[i], capacity[i]) for i in range(len(instances))]
    return {
        "ratio": lambda i, _: ratio_greedy(weights[i], values[i], capacity[i]),
        "exact": lambda i, _: exact[i],
        "random": at_random,
    }


def _graph_rules(instances: Any) -> dict[str, Callable[[int, int], Any]]:  # noqa: ANN401 - Networks
    edges = [one[(one >= 0).all(1)].numpy() for one in instances.edges]
    n_nodes = instances.n_nodes
    return {
        "random_order": lambda i, seed: random_order_greedy(n_nodes, edges[i], seed),
        "min_degree": lambda i, seed: minimum_degree_greedy(n_nodes, edges[i], seed),
    }


RULES = {"tsp": _tour_rules, "kp": _knapsack_rules, "mis": _graph_rules}


@dataclass(frozen=True)
class FeasibilityTrial:
    """Solutions of random instances by untrained networks, in the eyes of the independent evaluator.

    Args:
        solver: Its problem and networks.
        n_nodes: Of each instance.
        n_instances: How many.
        rounds: Conquering rounds.
        seed: Of networks and instances.
    """

    solver: SolverConfig
    n_nodes: int = 60
    n_instances: int = 100
    rounds: int = 3
    seed: int = 0


def run_feasibility(trial: FeasibilityTrial, device: str) -> dict[str, float]:
    """Shares of instances with a solution that passes: `feasible`, and `damaged` of solutions damaged on purpose."""
    solver = make_solver(trial.solver, trial.seed).to(device)
    instances = solver.problem.generate(
        trial.n_nodes, trial.n_instances, torch.Generator().manual_seed(TEST + trial.seed)
    )
    solution = solver.solve(instances, 2, trial.rounds, torch.Generator().manual_seed(trial.seed)).solution
    problem, rows = solver.problem, range(trial.n_instances)
    return {
        "feasible": float(np.mean([_passes(problem, instances[i : i + 1], solution[i : i + 1]) for i in rows])),
        "damaged": float(np.mean([_passes(problem, instances[i : i + 1], _damaged(solution[i])[None]) for i in rows])),
    }


def _passes(problem: AnyProblem, instance: Instance, solution: Tensor) -> bool:
    try:
        assess(problem, instance, solution)
    except InfeasibleError:
        return False
    return True


def _damaged(row: Tensor) -> Tensor:
    """A mask that selects everything, or a sequence in which one node stands in another's place."""
    if row.dtype == torch.bool:
        return torch.ones_like(row)
    first, second = row.nonzero()[:2, 0].tolist()
    broken = row.clone()
    broken[first] = broken[second]
    return broken


@dataclass(frozen=True)
class ScalingTrial:
    """Seconds and numbers of one instance of some size.

    Args:
        solver: Its networks.
        n_nodes: Of the instance.
        n_samples: Solutions.
        repeats: Times that the conquering round is measured.
        seed: Of networks and instance.
    """

    solver: SolverConfig
    n_nodes: int
    n_samples: int = 2
    repeats: int = 3
    seed: int = 0


def run_scaling(trial: ScalingTrial, device: str) -> dict[str, float]:
    """CPU seconds to `divide` and to `conquer` once (the fastest of the repeats), and numbers of the `heat_map`."""
    solver = make_solver(trial.solver, trial.seed).to(device).eval()
    generator = torch.Generator().manual_seed(trial.seed)
    instance = solver.problem.generate(trial.n_nodes, 1, generator).to(device)
    with torch.no_grad():
        begin = time.process_time()
        built = construct(solver.problem, solver.divider, instance, trial.n_samples, solver.window, generator)
        divide = time.process_time() - begin
        cost = solver.problem.cost(instance, built.solution)
        conquer_seconds = math.inf
        for _ in range(trial.repeats):
            begin = time.process_time()
            conquer(
                solver.problem,
                solver.conqueror,
                instance,
                built.solution,
                cost,
                window=solver.window,
                roll=0,
                generator=generator,
            )
            conquer_seconds = min(conquer_seconds, time.process_time() - begin)
    held = sum(value.numel() for value in vars(built.heat).values() if isinstance(value, Tensor))
    return {"divide": divide, "conquer": conquer_seconds, "heat_map": float(held), "nodes": float(trial.n_nodes)}
