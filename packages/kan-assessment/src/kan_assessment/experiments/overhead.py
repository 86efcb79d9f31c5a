"""How much slower KANs are."""

from dataclasses import dataclass, field
from statistics import fmean, median

from kan_assessment.protocol.overhead import Overhead, measure_overhead
from kan_assessment.report.drawing import draw_ratios
from separata import Run, experiment


@dataclass(frozen=True)
class OverheadConfig:
    """Step times of several implementations over widths."""

    overhead: Overhead = field(default_factory=Overhead)


SMOKE_OVERHEAD = OverheadConfig(Overhead(widths=(4, 8), n_steps=3, batch_size=16, n_inputs=8))
QUICK_OVERHEAD = OverheadConfig(Overhead(widths=(16, 32, 64, 128), n_steps=20, batch_size=64))
PAPER_OVERHEAD = OverheadConfig(
    Overhead(widths=(32, 64, 128, 256, 512, 1024), n_steps=50, batch_size=256, n_inputs=784)
)


@experiment(
    "overhead",
    smoke=SMOKE_OVERHEAD,
    quick=QUICK_OVERHEAD,
    gpu=PAPER_OVERHEAD,
    paper=PAPER_OVERHEAD,
)
def overhead(config: OverheadConfig, run: Run) -> None:
    shown: dict[str, dict[int, list[float]]] = {}
    for seed in run.track(run.seeds, "step times"):
        # In this process, one after another: what else runs would be measured, too.
        found = run.once(measure_overhead, config.overhead.repeated(seed), str(run.device))
        steps = {name: {int(width): ratio for width, ratio in one.items()} for name, one in found["step"].items()}
        forward = [ratio for one in found["forward"].values() for ratio in one.values()]
        every = [ratio for one in steps.values() for ratio in one.values()]
        run.measure(
            "overhead",
            smallest=min(every),
            largest=max(every),
            efficient=median(steps["B-spline KAN"].values()),
            per_edge=median(steps["B-spline KAN, edge by edge"].values()),
            rbf=median(steps["RBF KAN (FastKAN)"].values()),
            equal_params=median(steps["B-spline KAN, equal parameters"].values()),
            inference_smallest=min(forward),
            inference_largest=max(forward),
        )
        for name, one in steps.items():
            for width, ratio in one.items():
                shown.setdefault(name, {}).setdefault(width, []).append(ratio)
    setting = config.overhead
    run.note(
        "overhead",
        f"Networks {setting.n_inputs}-width-{setting.n_outputs}, widths {', '.join(map(str, setting.widths))}, batches "
        f"of {setting.batch_size}, {run.compute.threads} thread; medians of {setting.n_steps} steps of Adam.",
    )
    means = {name: {width: fmean(ratios) for width, ratios in one.items()} for name, one in shown.items()}
    run.figure(
        "step-times",
        draw_ratios(means, (1.36, 100.0)),
        caption="Time of a training step relative to an MLP's of the same width; the grey band is what is claimed.",
    )
