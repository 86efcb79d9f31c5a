"""One conquering round: divide solutions, solve all sub-problems at once, and put better answers in their places."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from .conquerors.conqueror import Conqueror, Rollout, SubProblems
from .instances import Instance
from .problems.problem import AnyProblem, Division, Solutions

MAX_ELEMENTS = 2**25
"""Numbers that a batch of sub-problems may need at once while it is solved."""


def roll_of(round_number: int, window: int, generator: torch.Generator) -> int:
    """By how much the borders are shifted in a round, from where the solution begins.

    Half a window in the first round (number 0), and as much again in the second, whose windows thus have the borders of
    the first in their middle; then at random.
    """
    if round_number < 2:
        return (1 + round_number) * (window // 2)
    return int(torch.randint(1, window + 1, (), generator=generator))


def chunks(n_subs: int, n_elements: int) -> Iterator[slice]:
    """Slices of so many sub-problems that each needs at most `MAX_ELEMENTS` numbers."""
    size = max(1, MAX_ELEMENTS // n_elements)
    for first in range(0, n_subs, size):
        yield slice(first, first + size)


def solve_sub_problems(
    conqueror: Conqueror,
    sub: SubProblems,
    n_starts: int,
    generator: torch.Generator | None = None,
    *,
    record: bool = False,
) -> list[tuple[slice, Rollout]]:
    """Answers to all sub-problems, a chunk at a time; see `Conqueror.rollout`."""
    n_nodes = sub.current.shape[-1]
    # Distances, feedforward layers, and what each start needs.
    n_elements = n_nodes * (n_nodes + 600 + 4 * n_starts)
    return [
        (part, conqueror.rollout(sub[part], n_starts, generator, record=record))
        for part in chunks(len(sub), n_elements)
    ]


def better_answers(sub: SubProblems, rollouts: list[tuple[slice, Rollout]]) -> Tensor:
    """For each sub-problem the best answer if it is better than what the solution holds, and that if not."""
    answers = sub.current.clone()
    for part, rollout in rollouts:
        best, costs = rollout.best()
        is_better = (costs < sub.cost[part]).view(-1, *[1] * (best.ndim - 1))
        answers[part] = torch.where(is_better, best, answers[part])
    return answers


def merge_if_better(
    problem: AnyProblem,
    instance: Instance,
    division: Division,
    rollouts: list[tuple[slice, Rollout]],
    solution: Solutions,
    cost: Float[Tensor, " rows"],
) -> tuple[Solutions, Float[Tensor, " rows"]]:
    """Solutions with the better answers, and their costs, which never rise.

    Sub-problems are compared in units of their own, and two of them may share a route: a row whose cost rises for these
    reasons stays as it was.
    """
    merged = problem.merge(instance, division, better_answers(division.sub, rollouts))
    new_cost = problem.cost(instance, merged)
    # Also where the cost is not a number.
    rises = ~(new_cost <= cost)
    return torch.where(rises[:, None], solution, merged), torch.where(rises, cost, new_cost)


def conquer(
    problem: AnyProblem,
    conqueror: Conqueror,
    instance: Instance,
    solution: Solutions,
    cost: Float[Tensor, " rows"],
    *,
    window: int,
    roll: int,
    generator: torch.Generator,
    n_starts: int | None = None,
) -> tuple[Solutions, Float[Tensor, " rows"]]:
    """One round with greedy answers.

    Args:
        problem: Divides and merges.
        conqueror: Solves the sub-problems.
        instance: Instances.
        solution: Complete solutions.
        cost: Their costs.
        window: Nodes of a sub-problem.
        roll: By how much the borders are shifted.
        generator: For what the division draws.
        n_starts: Answers to each sub-problem; the conqueror's own number by default.

    Returns:
        Solutions that cost at most as much, and their costs.
    """
    division = problem.split(instance, solution, window, roll, generator)
    rollouts = solve_sub_problems(conqueror, division.sub, n_starts or conqueror.default_starts)
    return merge_if_better(problem, instance, division, rollouts, solution, cost)
