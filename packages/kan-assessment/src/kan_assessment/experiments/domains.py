"""In which domains KANs are better, what of them it is, and when: the claims about accuracy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from kan_assessment.configs import By, RunConfig
from kan_assessment.models.registry import get_family
from kan_assessment.protocol.comparison import Comparison
from kan_assessment.protocol.statistics import BAND_POINTS, BAND_SHARE, band
from kan_assessment.protocol.verdicts import Case, fit_rule, left_out_hits
from kan_assessment.published import beside_published
from kan_assessment.report.drawing import draw_advantages
from kan_assessment.tasks.suites import load_task
from separata import Run, experiment, plots

from .comparing import compared, searched, value_of

LEARNED = 0.3
"""Share of a constant's error below which a function counts as learned."""
DOMAINS = ("tabular", "vision", "text")
BUDGETS: dict[By, str] = {"params": "params", "flops": "flops", "flops-shared": "shared"}


@dataclass(frozen=True)
class DomainsConfig:
    """MLP and B-spline KAN in all domains, and the ablation on functions."""

    functions: tuple[str, ...]
    tabular: tuple[str, ...]
    vision: tuple[str, ...]
    text: tuple[str, ...]
    of_functions: RunConfig
    of_others: RunConfig
    by: tuple[By, ...] = ("params", "flops", "flops-shared")
    """What is equal outside of the functions; there, parameters."""
    n_train: int = 0
    """Samples for training; 0 for all."""


SMOKE_DOMAINS = DomainsConfig(
    ("ellipkinc", "gelu"),
    ("iris", "wine"),
    ("digits",),
    ("stdlib",),
    searched(1, epochs=2),
    searched(1, epochs=1),
    n_train=128,
)
QUICK_DOMAINS = DomainsConfig(
    ("ellipkinc", "ellipeinc", "lpmv0", "sphharm02", "j0-20x", "exp-sin"),
    ("breast_cancer", "wine", "digits", "iris", "diabetes"),
    ("mnist5k",),
    ("stdlib",),
    searched(6, epochs=200),
    searched(6),
)
GPU_DOMAINS = DomainsConfig(
    ("ellipkinc", "ellipeinc", "lpmv0", "lpmv1", "lpmv2", "sphharm01", "sphharm02", "poisson", "gelu", "j0-20x"),
    ("breast_cancer", "wine", "digits", "iris", "diabetes"),
    ("mnist", "fashion-mnist"),
    ("stdlib",),
    searched(8, epochs=500),
    searched(6),
)
PAPER_DOMAINS = DomainsConfig(
    GPU_DOMAINS.functions,
    (*GPU_DOMAINS.tabular, "wine-quality", "abalone", "adult", "bank-marketing", "dry-bean", "spambase", "telescope"),
    ("mnist", "fashion-mnist", "kmnist", "emnist", "cifar10", "cifar100", "svhn"),
    ("stdlib",),
    searched(27, epochs=500),
    searched(27),
)


@experiment(
    "symbolic-only",
    "underperforms",
    "spline-not-architecture",
    "conditions",
    smoke=SMOKE_DOMAINS,
    quick=QUICK_DOMAINS,
    gpu=GPU_DOMAINS,
    paper=PAPER_DOMAINS,
)
def domains(config: DomainsConfig, run: Run) -> None:
    names = [f"{domain}/{name}" for domain in DOMAINS for name in getattr(config, domain)]
    functions = {
        name: compared(
            run, f"symbolic/{name}", ("mlp", "bspline_kan", "bspline_mlp"), ("params",), config.of_functions, 0
        )
        for name in config.functions
    }
    others = {
        name: compared(run, name, ("mlp", "bspline_kan"), config.by, config.of_others, config.n_train) for name in names
    }
    trivial = {name: load_task(f"symbolic/{name}").trivial(0) for name in functions}
    for number, _ in enumerate(run.seeds):
        _measure_wins(run, number, functions, others, trivial)
        _measure_accuracies(run, number, others, config.by)
        _measure_ablation(run, number, functions)
        _measure_conditions(run, number, [*functions.values(), *others.values()])
    _draw_domains(run, functions, others, config)


def _wins(comparison: Comparison, number: int) -> float:
    kan, mlp = (value_of(comparison, model, number) for model in ("bspline_kan", "mlp"))
    if math.isnan(kan) or math.isnan(mlp):
        return math.nan
    return float(kan < (1 - BAND_SHARE) * mlp if comparison.is_lower_better else kan > mlp + BAND_POINTS)


def _measure_wins(
    run: Run,
    number: int,
    functions: Mapping[str, Comparison],
    others: Mapping[str, Comparison],
    trivial: Mapping[str, float],
) -> None:
    run.measure(
        "symbolic-only",
        symbolic_wins=fmean(_wins(one, number) for one in functions.values()),
        other_wins=fmean(_wins(one, number) for one in others.values()),
        mlp_learned=fmean(value_of(one, "mlp", number) < LEARNED * trivial[name] for name, one in functions.items()),
    )


def _measure_accuracies(run: Run, number: int, others: Mapping[str, Comparison], by: Sequence[By]) -> None:
    """Differences of accuracies; regressions have none."""
    found: dict[str, float] = {}
    above = []
    for domain in DOMAINS:
        of_domain = [one for one in others.values() if one.domain == domain and not one.is_lower_better]
        for budget, key in BUDGETS.items():
            gaps = [
                value_of(one, "mlp", number, budget) - value_of(one, "bspline_kan", number, budget) for one in of_domain
            ]
            found[f"{domain}_{key}"] = fmean(gaps) if budget in by else math.nan
        above += [value_of(one, "mlp", number) - one.traits["trivial"] for one in of_domain]
    run.measure("underperforms", mlp_over_chance=fmean(above), **found)


def _measure_ablation(run: Run, number: int, functions: Mapping[str, Comparison]) -> None:
    errors = {
        model: [value_of(one, model, number) for one in functions.values()]
        for model in ("mlp", "bspline_kan", "bspline_mlp")
    }
    run.measure(
        "spline-not-architecture",
        bspline_kan=_geometric(errors["bspline_kan"], errors["mlp"]),
        bspline_mlp=_geometric(errors["bspline_mlp"], errors["mlp"]),
        close=fmean(
            math.nan if math.isnan(a + b) else float(a <= 1.5 * b)
            for a, b in zip(errors["bspline_mlp"], errors["bspline_kan"], strict=True)
        ),
    )


def _geometric(errors: Sequence[float], of: Sequence[float]) -> float:
    """Geometric mean of ratios."""
    return math.exp(fmean(math.log(a / b) for a, b in zip(errors, of, strict=True)))


def _measure_conditions(run: Run, number: int, comparisons: Sequence[Comparison]) -> None:
    cases = [Case(one.traits, _margin(one, number)) for one in comparisons]
    wins = [float(case.margin > 0) for case in cases]
    is_whole = not any(math.isnan(case.margin) for case in cases)
    run.measure(
        "conditions",
        rule=left_out_hits(cases) / len(cases) if is_whole else math.nan,
        always_mlp=1 - fmean(wins) if is_whole else math.nan,
        always_kan=fmean(wins) if is_whole else math.nan,
    )
    if is_whole and number == 0:
        rule = fit_rule(cases)
        run.note("conditions", f"Fitted to all tasks of the first seed: the KAN is the better choice {rule.words()}.")


def _margin(comparison: Comparison, number: int) -> float:
    """The KAN's advantage with a seed, in tie bands."""
    kan, mlp = (value_of(comparison, model, number) for model in ("bspline_kan", "mlp"))
    if comparison.is_lower_better:
        return math.log(mlp / kan) / band(is_lower_better=True)
    return (kan - mlp) / band(is_lower_better=False)


def _draw_domains(
    run: Run, functions: Mapping[str, Comparison], others: Mapping[str, Comparison], config: DomainsConfig
) -> None:
    labels = {name: get_family(name).label for name in ("mlp", "bspline_kan", "bspline_mlp")}
    parameters = [f"{load_task(f'symbolic/{name}').budget}" for name in config.functions[:1]]
    run.note(
        "symbolic-only",
        f"{parameters[0]} parameters and {config.of_functions.train.epochs} epochs on functions; every model tries "
        f"{config.of_functions.search.trials} settings on functions and {config.of_others.search.trials} elsewhere, "
        "each at a learning rate of its own, chosen on validation data.",
    )
    told = [
        f"{one.task} {budget} {entry.budget:,.0f}"
        for one in others.values()
        for budget in config.by
        if (entry := one.entry("mlp", budget))
    ]
    run.note("underperforms", f"Budgets: {'; '.join(told)}.")
    if beside := beside_published(others.values()):
        run.note("underperforms", beside)
    whole = [*functions.values(), *others.values()]
    if len(run.seeds) > 1 and any(entry.advantage for one in whole for entry in one.entries):
        run.figure(
            "advantages",
            draw_advantages(whole, labels, config.by),
            ["symbolic-only", "underperforms", "conditions"],
            caption="Advantage over the MLP by task with 95 % intervals over seeds; the grey band is a tie.",
        )
    run.figure(
        "ablation",
        plots.claim(run, "spline-not-architecture", ["bspline_kan", "bspline_mlp"], reference={"MLP": 1.0}, log=True),
        ["spline-not-architecture"],
        caption="Errors relative to the MLP's on functions, geometric mean, at equal parameters.",
    )
