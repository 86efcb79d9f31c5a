"""Errors of networks of growing size on targets of growing dimension."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kan_assessment.configs import SearchConfig, TrainConfig
from kan_assessment.costs.matching import BudgetError, match_settings
from kan_assessment.models.registry import get_family
from kan_assessment.tasks.suites import load_task

from .comparison import Runner
from .scaling import Scaling, scaling_exponent
from .search import best_of, learning_rates
from .trials import Trial, values_of


@dataclass
class Growth:
    """Errors of a model on a kind of target in a dimension.

    Attributes:
        kind: generic or compositional.
        n_dimensions: Variables of the target.
        model: Name of the family.
        errors: For each number of parameters, the test error of each seed.
    """

    kind: str
    n_dimensions: int
    model: str
    errors: dict[float, list[float]] = field(default_factory=dict)

    def exponent(self, seed: int | None = None) -> Scaling:
        """The exponent of the errors' geometric means, or of one seed by its number."""
        sizes = list(self.errors)
        values = [errors if seed is None else [errors[seed]] for errors in self.errors.values()]
        means = [math.exp(sum(map(math.log, some)) / len(some)) for some in values]
        return scaling_exponent(sizes, means)


Planned = dict[tuple[str, int, str, float], list[Trial]]
"""By kind, dimension, model and parameters: the same network at several learning rates."""


def growth_trials(
    models: Sequence[str],
    kinds: Sequence[str],
    dimensions: Sequence[int],
    sizes: Sequence[int],
    search: SearchConfig,
    seeds: Sequence[int],
    *,
    epochs: int,
    n_train: int = 0,
) -> Planned:
    """The trials of a scaling study, with each family's usual settings, all at the same learning rates.

    Sizes that are too small for a family are left out for it.

    Args:
        models: Names of families.
        kinds: Kinds of targets.
        dimensions: Their dimensions.
        sizes: Numbers of parameters.
        search: How many learning rates are tried.
        seeds: The seeds.
        epochs: Passes over the training data.
        n_train: Points for training; 0 for all.

    Raises:
        ValueError: if there is no such family or kind of target.
    """
    planned: Planned = {}
    for kind in kinds:
        for d in dimensions:
            load_task(f"scaling/{kind}/{d}")  # refuses what is none
            for model in models:
                family = get_family(model)
                for size in sizes:
                    try:
                        found = match_settings(family, d, 1, size, "params", family.usual)
                    except BudgetError:
                        continue
                    base = Trial(
                        f"scaling/{kind}/{d}",
                        model,
                        found.hidden,
                        tuple(family.usual.items()),
                        train=TrainConfig(epochs=epochs),
                        seeds=tuple(seeds),
                        n_train=n_train,
                    )
                    key = (kind, d, model, float(found.cost.params))
                    planned[key] = [replace(base, lr=lr) for lr in learning_rates(search, search.trials)]
    return planned


def grow(planned: Planned, runner: Runner) -> list[Growth]:
    """Do the trials, and keep for each network the learning rate that is best on validation data.

    Raises:
        ValueError: if a training diverged at all learning rates.
    """
    results = iter(runner([trial for trials in planned.values() for trial in trials]))
    found: dict[tuple[str, int, str], Growth] = {}
    for (kind, d, model, params), trials in planned.items():
        of_this = [next(results) for _ in trials]
        errors = values_of(of_this[best_of(of_this, is_lower_better=True)], "test")
        if any(math.isnan(error) for error in errors):
            raise ValueError(f"{model} with {params:,.0f} parameters diverged at every learning rate")
        found.setdefault((kind, d, model), Growth(kind, d, model)).errors[params] = errors
    return list(found.values())
