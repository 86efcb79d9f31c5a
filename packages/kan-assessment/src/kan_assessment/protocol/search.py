"""Random search with the same number of trials for every family, on validation data alone."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kan_assessment.configs import By, SearchConfig
from kan_assessment.costs.matching import BudgetError, Match, match_settings
from kan_assessment.models.family import ModelFamily

from .trials import Trial, values_of

TRIES = 50
"""Draws of settings after which a family is taken to have no more that fit the budget."""


def learning_rates(config: SearchConfig, n: int) -> list[float]:
    """So many learning rates, the same for all families: one in each of equal parts of the logarithmic range.

    That of the middle part comes first, then the others in a random order.
    """
    rng = random.Random(n)  # noqa: S311 - no secret
    shares = [(i + 0.5) / n for i in range(n)]
    middle = shares.pop(n // 2) if n else 0.5
    rng.shuffle(shares)
    span = math.log(config.lr_high / config.lr_low)
    return [config.lr_low * math.exp(span * share) for share in [middle, *shares][:n]]


def draw_settings(family: ModelFamily, rng: random.Random) -> dict[str, Any]:
    """Random settings of a family."""
    return {name: rng.choice(list(values)) for name, values in family.space.items()}


def plan(
    family: ModelFamily,
    n_inputs: int,
    n_outputs: int,
    budget: float,
    by: By,
    config: SearchConfig,
    base: Trial,
) -> list[tuple[Trial, Match]]:
    """The trials of a family at a task, each with a network that costs what it may.

    Half of them have the family's usual settings, the other half random ones; in each half, learning rates are spread
    over the whole range. Settings with which even the narrowest network is too costly are drawn again.

    Args:
        family: The family.
        n_inputs: Features.
        n_outputs: Outputs.
        budget: What a network may cost.
        by: In what.
        config: How many trials.
        base: A trial with everything that all have in common.

    Raises:
        BudgetError: if no setting fits the budget.
    """
    rng = random.Random(f"{family.name} {n_inputs} {n_outputs}")  # noqa: S311 - no secret
    planned: list[tuple[Trial, Match]] = []
    refusal: BudgetError | None = None
    n_usual = config.trials - config.trials // 2
    rates = [*learning_rates(config, n_usual), *learning_rates(config, config.trials - n_usual)]
    for number, lr in enumerate(rates):
        settings: dict[str, Any] = family.usual if number < n_usual else draw_settings(family, rng)
        for _ in range(TRIES):
            try:
                found = match_settings(family, n_inputs, n_outputs, budget, by, settings)
            except BudgetError as error:
                refusal = refusal or error
                settings = draw_settings(family, rng)
                continue
            trial = replace(base, model=base.model, hidden=found.hidden, settings=tuple(settings.items()), lr=lr)
            planned.append((trial, found))
            break
        else:
            raise refusal or BudgetError(f"{family.name} has no network within the budget")
    return planned


def best_of(results: Sequence[dict[str, Any]], *, is_lower_better: bool) -> int:
    """The number of the result with the best mean validation value; what diverged with a seed is never the best."""

    def key(number: int) -> float:
        values = values_of(results[number], "validation")
        mean = sum(values) / len(values)
        return math.inf if math.isnan(mean) else mean if is_lower_better else -mean

    return min(range(len(results)), key=key)
