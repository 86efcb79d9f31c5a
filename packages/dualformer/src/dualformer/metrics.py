"""Planning metrics: quality of plans and length of traces."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .astar import SearchTask, astar
from .planner import Response
from .records import Record
from .tokenizer import TaskTokenizer, tokenizer_from_task


@dataclass(frozen=True)
class PlanningReport:
    """Metrics of the responses to a set of tasks.

    Args:
        one_optimal: Share of tasks with at least one optimal plan among the samples (1-Optimal-k).
        three_optimal: Share with at least three.
        one_solved: Share with at least one correct plan.
        three_solved: Share with at least three.
        optimal_rate: Share of single responses that are optimal.
        solved_rate: Share of single responses that are correct.
        swc: Success weighted by cost: the mean of c·l*/max(l, l*), l the length of the shortest correct plan, l* of an
            optimal one, and c whether there is a correct one.
        ilr_solved: Improved length ratio: the mean of c·t*/t, t the mean trace length of a task's correct responses and
            t* that of A*. Tasks whose correct responses have no trace are excluded; NaN if no correct response has one.
        ilr_optimal: The same over optimal responses.
        trace_length: Mean tokens of the traces, over all responses.
        trace_length_solved: Mean tokens of the traces, over correct responses; NaN if there are none.
        trace_clauses: Mean number of search steps in a trace, over all responses.
        slow_share: Share of responses with a trace.
        diversity: Distinct correct plans of a task, the mean over tasks.
        tokens: Mean tokens written, traces and plans.
        n_tasks: Number of tasks.
        n_samples: Responses for each task.
        n_optimal: Optimal responses of each task.
    """

    one_optimal: float
    three_optimal: float
    one_solved: float
    three_solved: float
    optimal_rate: float
    solved_rate: float
    swc: float
    ilr_solved: float
    ilr_optimal: float
    trace_length: float
    trace_length_solved: float
    trace_clauses: float
    slow_share: float
    diversity: float
    tokens: float
    n_tasks: int
    n_samples: int
    n_optimal: tuple[int, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, float | None]:
        """The metrics by name, without those of single tasks; None for NaN."""
        values = {key: value for key, value in asdict(self).items() if key != "n_optimal"}
        return {key: None if math.isnan(value) else value for key, value in values.items()}


def at_least_one_of(k: int, n_right: Sequence[int], n_samples: int) -> float:
    """Probability that at least one of k samples of a task is right, mean over tasks (unbiased pass@k).

    Args:
        k: Samples drawn without replacement from all of a task.
        n_right: Right samples of each task.
        n_samples: Samples of each task.

    Raises:
        ValueError: if there are no tasks or not 1 ≤ k ≤ n_samples.
    """
    if not n_right or not 1 <= k <= n_samples:
        raise ValueError(f"expected tasks, and k from 1 to {n_samples}, not {len(n_right)} tasks and k = {k}")
    return float(np.mean([1 - math.comb(n_samples - right, k) / math.comb(n_samples, k) for right in n_right]))


def distinct_among(k: int, counts: Sequence[int]) -> float:
    """Expected number of different plans among k correct responses of a task (rarefaction, Hurlbert 1971).

    A model that solves more of its samples finds more different plans by that alone; among equally many correct
    responses, models can be compared.

    Args:
        k: Correct responses that are drawn without replacement.
        counts: How often each plan occurs among all correct responses.

    Raises:
        ValueError: if there are fewer than k correct responses.
    """
    n = sum(counts)
    if not 0 <= k <= n:
        raise ValueError(f"expected k from 0 to the {n} correct responses, not {k}")
    return sum(1 - math.comb(n - count, k) / math.comb(n, k) for count in counts)


def reference_trace_length(
    task: SearchTask[Any], rng: np.random.Generator, n_runs: int = 8, tokenizer: TaskTokenizer | None = None
) -> float:
    """Mean tokens of the trace of nondeterministic A*, over several runs: t* of the improved length ratio.

    Args:
        task: The task.
        rng: Source of randomness.
        n_runs: Number of runs.
        tokenizer: For tasks of your own, what writes their traces.
    """
    tokenizer = tokenizer or tokenizer_from_task(task)
    return float(np.mean([len(tokenizer.trace(astar(task, rng=rng).steps, task)) for _ in range(n_runs)]))


def evaluate(
    responses: Sequence[Sequence[Response]],
    records: Sequence[Record],
    *,
    reference: Sequence[float] | None = None,
) -> PlanningReport:
    """Evaluate responses against A* (section 5 of the paper).

    A plan is correct if it leads from start to goal by allowed moves inside the maze (or pushes every box onto a dock),
    and optimal if it is also as short as that of A*.

    Args:
        responses: For each task its responses, equally many.
        records: The tasks with the plans and traces of A*.
        reference: For each task the mean trace length of A*; that of the record if it is not given.

    Raises:
        ValueError: if there are no tasks, or not equally many responses for each.
    """
    counts = {len(of_task) for of_task in responses}
    if not records or len(responses) != len(records) or len(counts) != 1 or not min(counts):
        raise ValueError(f"expected equally many responses for each of {len(records)} tasks, at least one")
    if reference is not None and len(reference) != len(records):
        raise ValueError(f"expected a reference length for each of {len(records)} tasks, not {len(reference)}")
    lengths = reference if reference is not None else [float(len(record.reasoning)) for record in records]
    solved = np.array([[r.solves(t.task) for r in of] for of, t in zip(responses, records, strict=True)])
    plan_lengths = np.array([[len(r.plan or ()) for r in of] for of in responses])
    best = np.array([record.plan_length for record in records])
    optimal = solved & (plan_lengths == best[:, None])
    traces = np.array([[r.trace_length for r in of] for of in responses], float)
    shortest = np.where(solved, plan_lengths, np.iinfo(np.int64).max).min(1)
    found = solved.any(1)
    plans = [{r.plan for r, ok in zip(of, row, strict=True) if ok} for of, row in zip(responses, solved, strict=True)]
    return PlanningReport(
        one_optimal=_share(optimal.sum(1) >= 1),
        three_optimal=_share(optimal.sum(1) >= 3),
        one_solved=_share(found),
        three_solved=_share(solved.sum(1) >= 3),
        optimal_rate=_share(optimal),
        solved_rate=_share(solved),
        swc=float(np.where(found, best / np.maximum(shortest, best), 0.0).mean()),
        ilr_solved=_ilr(traces, solved, np.array(lengths)),
        ilr_optimal=_ilr(traces, optimal, np.array(lengths)),
        trace_length=float(traces.mean()),
        trace_length_solved=float(traces[solved].mean()) if solved.any() else math.nan,
        trace_clauses=float(np.mean([[r.trace_clauses for r in of] for of in responses])),
        slow_share=_share(traces > 0),
        diversity=float(np.mean([len(distinct) for distinct in plans])),
        tokens=float(np.mean([[len(r.tokens) for r in of] for of in responses])),
        n_tasks=len(records),
        n_samples=solved.shape[1],
        n_optimal=tuple(optimal.sum(1).tolist()),
    )


def _share(flags: np.ndarray | np.bool) -> float:
    return float(np.mean(flags))


def _ilr(traces: np.ndarray, chosen: np.ndarray, reference: np.ndarray) -> float:
    """Mean over tasks of t*/t, 0 where nothing was chosen; tasks with only empty traces are excluded."""
    ratios, has_trace = [], False
    for row, flags, length in zip(traces, chosen, reference, strict=True):
        if not flags.any():
            ratios.append(0.0)
        elif (mean := row[flags].mean()) > 0:
            ratios.append(length / mean)
            has_trace = True
    return float(np.mean(ratios)) if has_trace else math.nan
