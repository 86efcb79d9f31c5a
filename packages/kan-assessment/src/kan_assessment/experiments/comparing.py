"""What experiments share: comparisons whose trials the run keeps, and settings."""

import math
from collections.abc import Sequence

from kan_assessment.configs import By, RunConfig, SearchConfig, TrainConfig
from kan_assessment.protocol.comparison import Comparison, compare
from kan_assessment.protocol.trials import Trial, run_trial
from kan_assessment.tasks.suites import load_task
from separata import Run


def searched(trials: int, epochs: int = 0, batch_size: int = 128) -> RunConfig:
    """Settings with so many trials for each family."""
    return RunConfig(train=TrainConfig(epochs, batch_size), search=SearchConfig(trials))


def compared(
    run: Run, name: str, models: Sequence[str], by: Sequence[By], config: RunConfig, n_train: int
) -> Comparison:
    """A comparison whose trials are kept by the run."""
    base = Trial(name, models[0], (), n_train=n_train)
    return compare(
        load_task(name),
        models,
        by,
        config,
        seeds=run.seeds,
        runner=lambda trials: run.map(run_trial, list(trials), name),
        base=base,
    )


def value_of(comparison: Comparison, model: str, number: int, by: By = "params") -> float:
    """A model's test value with one of the seeds."""
    entry = comparison.entry(model, by)
    return math.nan if entry is None else entry.values[number]
