"""Models at equal cost on one task: searched alike, trained alike, compared in pairs of the same seed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kan_assessment.configs import By, RunConfig
from kan_assessment.costs.matching import BudgetError, Match, match_settings
from kan_assessment.models.registry import get_family
from kan_assessment.tasks.task import Task
from separata.output import finite

from .search import best_of, plan
from .statistics import Difference, Outcome, advantage, band, outcome
from .trials import Trial, run_on, values_of

Runner = Callable[[Sequence[Trial]], list[dict[str, Any]]]
"""Does trials: results as `run_trial` gives them, in order."""
YARDSTICK = "bspline_kan"
"""The family whose FLOPs and seconds at equal parameters are the budgets of the other measures."""


@dataclass(frozen=True)
class Entry:
    """The best network of a family at a task and a budget.

    Attributes:
        by: What is equal.
        model: Name of the family.
        budget: What networks may cost.
        hidden: Widths of the hidden layers.
        settings: Its settings.
        lr: Its learning rate.
        cost: Its costs by name, as of `Cost`.
        off: How far its cost is from the budget, as a share.
        values: The task's metric on test samples, a number for each seed.
        n_trials: Settings that were tried.
        advantage: How much better it is than the reference; None for the reference itself, or for a single seed.
        outcome: Whether that is a win, a tie or a loss.
    """

    by: By
    model: str
    budget: float
    hidden: tuple[int, ...]
    settings: dict[str, Any]
    lr: float
    cost: dict[str, float]
    off: float
    values: tuple[float, ...]
    n_trials: int
    advantage: Difference | None = None
    outcome: Outcome | None = None

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Comparison:
    """What came of a task.

    Attributes:
        task: Name of the task.
        domain: Where it comes from.
        metric: By what models are compared.
        reference: The family with which the others are compared.
        traits: Numbers that describe the task: inputs, outputs, samples for training, whether it is a regression, and
            the metric of the best constant answer (trivial).
        entries: The best of each family at each budget.
        trials: Every trial, with its costs, validation value and test value.
        notes: What a reader should know, such as families that did not fit the budget.
    """

    task: str
    domain: str
    metric: str
    reference: str
    traits: dict[str, float]
    entries: tuple[Entry, ...]
    trials: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def is_lower_better(self) -> bool:
        """Whether the metric is an error."""
        return self.metric != "accuracy"

    def entry(self, model: str, by: By = "params") -> Entry | None:
        """The best of a family at a budget, if it was compared there."""
        return next((one for one in self.entries if (one.model, one.by) == (model, by)), None)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it; a number that is none is null."""
        found: dict[str, Any] = _plain(asdict(self))
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Comparison":
        """What `to_json` gave.

        Raises:
            ValueError: if it is something else.
        """
        try:
            entries = [
                Entry(
                    **{
                        **one,
                        "hidden": tuple(one["hidden"]),
                        "values": tuple(math.nan if value is None else value for value in one["values"]),
                        "advantage": one["advantage"] and Difference(**one["advantage"]),
                    }
                )
                for one in value["entries"]
            ]
            rest = {**value, "entries": tuple(entries), "trials": tuple(value["trials"])}
            return cls(**{**rest, "notes": tuple(value["notes"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not the result of a comparison: {error}") from None


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return finite(value) if isinstance(value, float) else value


def check_models(models: Sequence[str]) -> None:
    """See that models can be compared.

    Raises:
        ValueError: if there are fewer than two, one twice, or no such model.
    """
    if len(models) < 2 or len(set(models)) < len(models):
        raise ValueError(f"a comparison needs two or more different models, not {', '.join(models)}")
    for name in models:
        get_family(name)


def compare(
    task: Task,
    models: Sequence[str],
    by: Sequence[By] = ("params",),
    config: RunConfig = RunConfig(),  # noqa: B008 - immutable
    *,
    seeds: Sequence[int] | None = None,
    runner: Runner | None = None,
    base: Trial | None = None,
) -> Comparison:
    """Compare models at a task, each at the same cost.

    Every family tries the same number of settings; the best by the mean validation value over the seeds counts, and its
    test values are compared with those of the first model in pairs of the same seed.

    Args:
        task: The task.
        models: Names of families, the reference first.
        by: What is equal; several in turn.
        config: Budgets, training and search.
        seeds: The seeds, instead of as many as the search has from 0 on.
        runner: Does the trials; here, one after another, if not given.
        base: A trial with what all have in common, for a runner that loads the task by its name.

    Raises:
        ValueError: if there are fewer than two models, one twice, no such model, or one that gives wrong outputs.
        BudgetError: if the reference has no network within the budget.
    """
    check_models(models)
    chosen = tuple(seeds if seeds is not None else range(config.search.seeds))
    base = base or Trial(task.name, models[0], ())
    base = replace(base, train=config.train, seeds=chosen)
    run = runner or (lambda trials: [run_on(task, trial) for trial in trials])
    budgets = {one: _budget(task, one, config) for one in by}
    planned: dict[tuple[By, str], list[tuple[Trial, Match]]] = {}
    notes = list(task.notes)
    for one in by:
        for name in models:
            try:
                planned[one, name] = plan(
                    get_family(name),
                    task.n_inputs,
                    task.n_outputs,
                    budgets[one],
                    one,
                    config.search,
                    replace(base, model=name),
                )
            except BudgetError as error:
                if name == models[0]:
                    raise
                notes.append(str(error))
    found = iter(run([trial for some in planned.values() for trial, _ in some]))
    results = {key: [next(found) for _ in some] for key, some in planned.items()}
    entries = [_entry(task, key, planned[key], results[key], config) for key in planned]
    rows = [row for key in planned for row in _rows(key, planned[key], results[key])]
    references = {one.by: one for one in entries if one.model == models[0]}
    samples = task.draw(chosen[0])
    return Comparison(
        task.name,
        task.domain,
        task.metric,
        models[0],
        {
            "inputs": task.n_features,
            "outputs": task.n_outputs,
            "samples": sum(map(len, samples.stages)),
            "regression": float(task.is_regression),
            "trivial": task.trivial(chosen[0]),
        },
        tuple(_judged(one, references[one.by], is_lower_better=task.is_regression) for one in entries),
        tuple(rows),
        tuple(notes),
    )


def _budget(task: Task, by: By, config: RunConfig) -> float:
    """What networks may cost, by a measure."""
    params = config.budget.params or task.budget
    given = {"params": float(params), "flops": config.budget.flops, "time": config.budget.step_ms / 1000}
    if value := given.get(by, config.budget.flops):
        return value
    family = get_family(YARDSTICK)
    found = match_settings(family, task.n_inputs, task.n_outputs, params, "params", family.usual)
    if by == "time":
        from kan_assessment.costs.timing import step_seconds

        settings = {name: value for name, value in family.usual.items() if name != "depth"}
        model = family.build(task.n_inputs, found.hidden, task.n_outputs, **settings)
        return step_seconds(model, task.n_inputs, config.train.batch_size).median
    return found.cost.flops_naive if by == "flops" else found.cost.flops_shared


def _entry(
    task: Task,
    key: tuple[By, str],
    planned: Sequence[tuple[Trial, Match]],
    results: Sequence[dict[str, Any]],
    config: RunConfig,
) -> Entry:
    number = best_of(results, is_lower_better=task.is_regression)
    trial, found = planned[number]
    reported = "best_test" if config.search.selection == "best-test" else "test"
    values = tuple(values_of(results[number], reported))
    by, model = key
    return Entry(
        by,
        model,
        found.budget,
        trial.hidden,
        dict(trial.settings),
        trial.lr,
        found.cost.to_json(),
        found.off,
        values,
        len(planned),
    )


def _rows(
    key: tuple[By, str], planned: Sequence[tuple[Trial, Match]], results: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Every trial as a row of a table."""
    by, model = key

    def mean(result: dict[str, Any], name: str) -> float | None:
        values = result[name]
        return None if None in values else sum(values) / len(values)

    return [
        {
            "by": by,
            "model": model,
            "hidden": list(trial.hidden),
            "settings": dict(trial.settings),
            "lr": trial.lr,
            "params": found.cost.params,
            "flops": found.cost.flops_naive,
            "flops_shared": found.cost.flops_shared,
            "validation": mean(result, "validation"),
            "test": mean(result, "test"),
        }
        for (trial, found), result in zip(planned, results, strict=True)
    ]


def _judged(entry: Entry, reference: Entry, *, is_lower_better: bool) -> Entry:
    is_whole = all(value == value for value in [*entry.values, *reference.values])  # noqa: PLR0124
    if entry.model == reference.model or len(entry.values) < 2 or not is_whole:
        return entry
    difference = advantage(entry.values, reference.values, is_lower_better=is_lower_better)
    return replace(entry, advantage=difference, outcome=outcome(difference, band(is_lower_better=is_lower_better)))
