"""What commands answer: texts and tables of trainings, comparisons and fits."""

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from separata.output import Output, finite, table

from .comparison import ComparisonRow
from .evaluation import EvaluationReport
from .runs import TrainReport


def told(report: EvaluationReport) -> str:
    """What a network does, in words."""
    if report.accuracy is not None:
        return f"accuracy {100 * report.accuracy:.2f} %, macro F1 {report.macro_f1:.4f}"
    return f"root mean squared error {report.rmse:.4g}, R² {report.r2:.4f}"


def of_training(report: TrainReport) -> Output:
    """How a training ended."""
    value = {
        "out": str(report.out),
        "steps": report.steps,
        "n_parameters": report.n_parameters,
        **{f"test_{name}": number for name, number in report.test.to_json().items() if name != "n_samples"},
    }
    return Output(value, f"{report.out}: test {told(report.test)} after {report.steps:,} steps")


def of_comparison(rows: Sequence[ComparisonRow], heads: tuple[str, str], first: str) -> Output:
    """Networks side by side.

    Args:
        rows: What was found of each.
        heads: Names of the score and of the second number.
        first: What the names of the rows are.
    """
    found = [
        {
            first: row.name,
            "hidden": row.config.hidden,
            "lr": row.lr,
            "n_parameters": row.n_parameters,
            "kflop": row.flops / 1e3,
            "seconds_per_epoch": row.seconds_per_epoch,
            heads[0]: finite(row.score),
            "std": finite(stdev(row.scores)) if len(row.scores) > 1 else None,
            heads[1]: finite(row.second),
        }
        for row in rows
    ]
    shown = [{name: _shown(name, value) for name, value in one.items()} for one in found]
    return Output({"rows": found}, table(shown).text)


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - a cell
    if value is None:
        return "-"
    if name == "n_parameters":
        return f"{value:,}"
    if name in {"lr", "kflop"}:
        return f"{value:.4g}" if name == "lr" else f"{value:,.1f}"
    return f"{value:.4f}" if isinstance(value, float) else str(value) or "none"


def of_fit(text: str, variables: Sequence[str], found: Mapping[str, Mapping[str, Any]]) -> Output:
    """How well networks fit a formula."""
    rows = [{"network": name, **numbers} for name, numbers in found.items()]
    shown = [{name: _shown(name, value) for name, value in one.items()} for one in rows]
    return Output({"formula": text, "variables": list(variables), "rows": rows}, table(shown).text)
