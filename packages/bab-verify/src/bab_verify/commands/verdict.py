"""A verdict as it is shown, and its exit code."""

from pathlib import Path
from typing import Any

from bab_verify.properties.counterexamples import Counterexample, write_counterexample
from bab_verify.search.results import Result
from separata.output import Output, finite
from separata.progress import Reporter

EXIT_CODES = {"unsat": 0, "sat": 10, "unknown": 20}


def shown_verdict(result: Result, save: Path | None, reporter: Reporter) -> Output:
    """A result, as it is shown; its counterexample goes to a file if there is one."""
    text = result.status
    if result.counterexample is not None:
        text += "\n" + write_counterexample(result.counterexample.x, result.counterexample.y, save)
    value = {
        "status": result.status,
        "reason": result.reason,
        "seconds": result.seconds,
        "visited": result.visited,
        "cuts": result.cuts,
        "margin": None if result.margin is None else finite(result.margin),
        "error_bound": None if result.error_bound is None else finite(result.error_bound),
        "lower_bounds": [[finite(bound) for bound in bounds] for bounds in result.lower_bounds],
        "counterexample": _counterexample(result.counterexample),
    }
    reporter.say(
        f"{result.status} by {result.reason or 'bounds'} after {result.seconds:.1f} s: {result.visited} branches, "
        f"{result.cuts} cuts"
        if result.status != "unknown"
        else f"unknown ({result.reason}) after {result.seconds:.1f} s: {result.visited} branches, {result.cuts} cuts"
    )
    return Output(value, text, EXIT_CODES[result.status])


def _counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    """A counterexample as JSON."""
    if found is None:
        return None
    return {"x": found.x.tolist(), "y": found.y.tolist(), "violation": finite(found.violation)}
