"""An assessment as a table for a person, and as Markdown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kan_assessment.configs import By
from kan_assessment.protocol.comparison import Comparison, Entry
from kan_assessment.protocol.verdicts import EQUAL, judge


def table_rows(comparison: Comparison, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each model at each budget, as people read it.

    Args:
        comparison: The comparison.
        labels: What models are called.
    """
    return [
        {
            "model": labels.get(one.model, one.model),
            "equal": one.by,
            "hidden": "-".join(map(str, one.hidden)),
            "params": f"{one.cost['params']:,}",
            "FLOPs": f"{one.cost['flops_naive']:,.0f}",
            comparison.metric: spread(one.values),
            "against the first": told(one, is_lower_better=comparison.is_lower_better),
            "verdict": one.outcome or "",
        }
        for one in comparison.entries
    ]


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    mean = sum(values) / len(values)
    if math.isnan(mean):
        return "diverged"
    if len(values) < 2:
        return f"{mean:.4g}"
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return f"{mean:.4g} ± {deviation:.2g}"


def told(entry: Entry, *, is_lower_better: bool) -> str:
    """The paired difference with its interval: of errors in percent, of accuracies in points."""
    found = entry.advantage
    if found is None:
        return ""
    if is_lower_better:
        mean, low, high = (100 * (math.exp(-value) - 1) for value in (found.mean, found.high, found.low))
        return f"{mean:+.1f} % [{low:+.1f}, {high:+.1f}]"
    return f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as columns that line up."""
    if not rows:
        return ""
    cells = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table in Markdown."""
    if not rows:
        return ""
    heads = list(rows[0])
    lines = [heads, [":---"] * len(heads), *([str(cell) for cell in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict_texts(comparisons: Sequence[Comparison], by: Sequence[By]) -> list[str]:
    """A verdict for each model and kind of budget for which there is one."""
    models = dict.fromkeys(
        entry.model for one in comparisons for entry in one.entries if entry.advantage and entry.model != one.reference
    )
    return [
        judge(comparisons, model, one).text()
        for one in by
        for model in models
        if any((entry := c.entry(model, one)) and entry.outcome for c in comparisons)
    ]


def markdown(
    comparisons: Sequence[Comparison], labels: Mapping[str, str], by: Sequence[By], figures: Sequence[str]
) -> str:
    """The report as Markdown.

    Args:
        comparisons: The comparisons.
        labels: What models are called.
        by: The kinds of budgets.
        figures: Names of the figures beside it.
    """
    lines = ["# Assessment", ""]
    for text in verdict_texts(comparisons, by):
        lines += [f"- {text}"]
    lines += [""] + [f"![{name.removesuffix('.svg')}]({name})" for name in figures if name.startswith("advantages")]
    for number, one in enumerate(comparisons):
        budgets = "; ".join(f"{EQUAL[kind]}: {e.budget:,.6g}" for kind in by if (e := one.entry(one.reference, kind)))
        lines += ["", f"## {one.domain}: {one.task}", "", f"Metric: {one.metric}. Budgets: {budgets}.", ""]
        lines += [markdown_table(table_rows(one, labels)), "", *(f"- {note}" for note in one.notes)]
        lines += [f"![{name}]({name})" for name in figures if name == f"pareto-{number}.svg"]
    return "\n".join(lines) + "\n"
