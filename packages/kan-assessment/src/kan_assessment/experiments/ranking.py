"""Whether kinds of KANs can be ranked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from kan_assessment.configs import RunConfig
from kan_assessment.protocol.comparison import Comparison
from separata import Run, experiment, plots

from .comparing import compared, searched, value_of
from .domains import GPU_DOMAINS


@dataclass(frozen=True)
class RankingConfig:
    """Kinds of KANs at one budget."""

    tasks: tuple[str, ...]
    run: RunConfig
    n_train: int = 0


RANKED = ("mlp", "bspline_kan", "af_kan", "s_kan")
SMOKE_RANKING = RankingConfig(("symbolic/gelu", "tabular/iris"), searched(1, epochs=1), 64)
QUICK_RANKING = RankingConfig(("symbolic/ellipkinc", "symbolic/exp-sin", "tabular/digits"), searched(6, epochs=50))
GPU_RANKING = RankingConfig(
    (*(f"symbolic/{name}" for name in GPU_DOMAINS.functions), "tabular/digits", "vision/mnist"), searched(6)
)


@experiment("ranking", smoke=SMOKE_RANKING, quick=QUICK_RANKING, gpu=GPU_RANKING)
def ranking(config: RankingConfig, run: Run) -> None:
    found = [compared(run, name, RANKED, ("params",), config.run, config.n_train) for name in config.tasks]
    # By seed, task and model.
    ranks = [[_ranks(one, number) for one in found] for number, _ in enumerate(run.seeds)]
    for number, of_seed in enumerate(ranks):
        others = [other for i, other in enumerate(ranks) if i != number]
        means = {model: fmean(of_task[i] for of_task in of_seed) for i, model in enumerate(RANKED)}
        agreement = _agreement(of_seed, others) if others else math.nan
        run.measure("ranking", agreement=agreement, **means)
    run.note("ranking", f"On {', '.join(one.task for one in found)}, with the parameters that each task proposes.")
    run.figure(
        "ranks",
        plots.claim(run, "ranking", list(RANKED), ylabel="mean rank (1 is best)"),
        caption="Mean rank over tasks at equal parameters.",
    )


def _ranks(comparison: Comparison, number: int) -> list[float]:
    """Rank of each model at a task with a seed; equal values share theirs, what is missing is last."""
    from scipy.stats import rankdata

    sign = 1 if comparison.is_lower_better else -1
    values = [sign * value_of(comparison, model, number) for model in RANKED]
    ranks: list[float] = rankdata([math.inf if math.isnan(v) else v for v in values]).tolist()
    return ranks


def _agreement(of_seed: Sequence[Sequence[float]], others: Sequence[Sequence[Sequence[float]]]) -> float:
    """Mean over tasks of the correlation of a seed's ranks with the mean ranks of the other seeds."""
    return fmean(
        _correlation(ranks, [fmean(other[task][i] for other in others) for i in range(len(ranks))])
        for task, ranks in enumerate(of_seed)
    )


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Correlation of ranks; 0 where one side has no differences."""
    x, y = ([value - fmean(some) for value in some] for some in (a, b))
    norm = math.sqrt(sum(v * v for v in x) * sum(v * v for v in y))
    return sum(v * w for v, w in zip(x, y, strict=True)) / norm if norm > 0 else 0.0
