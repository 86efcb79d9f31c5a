"""What the commands do."""

from pathlib import Path

from separata import files, plots
from separata.output import Output

from .curves import read_curve
from .speedup import step_speedup


def compare(
    baseline: Path, other: Path, step: str, loss: str | None, step_time_ratio: float, plot: Path | None
) -> Output:
    """Speedup of a training over another, from their logs."""
    curves = {"baseline": read_curve(baseline, step=step, loss=loss), "other": read_curve(other, step=step, loss=loss)}
    found = step_speedup(curves["baseline"], curves["other"], step_time_ratio=step_time_ratio)
    if plot is not None:
        rows = [{"step": s, "loss": y, "run": name} for name, curve in curves.items() for s, y in curve]
        figure = plots.curves(rows, "loss", by="run", ylabel="loss")
        with files.replacing(plot) as part:
            figure.savefig(part, format=plot.suffix.lstrip(".") or "svg")
    value = {
        "target": found.target,
        "baseline_step": found.baseline_step,
        "step": found.step,
        "speedup": found.speedup,
        "fewer_percent": found.fewer_percent,
        "net_speedup": found.net_speedup,
    }
    return Output(value, str(found))
