"""What the commands do."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from separata import files
from separata.output import Output
from separata.progress import Reporter
from separata.run import Compute

from .configs import By, LayerConfig, RunConfig, SearchConfig, Suite
from .costs.counting import count_family
from .costs.matching import match
from .costs.timing import profile_step
from .models.family import check_outputs
from .models.registry import get_family
from .protocol.comparison import Comparison, check_models, compare
from .protocol.growth import grow, growth_trials
from .protocol.trials import Trial
from .protocol.verdicts import judge
from .report import folder as folders
from .report.writing import table_rows, text_table, verdict_texts
from .tasks.suites import load_task, names_of


def names_in(text: str) -> list[str]:
    """Names that are joined by commas.

    Raises:
        ValueError: if there is none.
    """
    if not (names := [name.strip() for name in text.split(",") if name.strip()]):
        raise ValueError("give one or more names, joined by commas")
    return names


def numbers_in(text: str) -> list[int]:
    """Positive whole numbers that are joined by commas.

    Raises:
        ValueError: if there is anything else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"expected positive whole numbers that are joined by commas, such as 784,16,10, not '{text}'")
    return list(map(int, words))


def task_names(data: Path | None, suite: Suite | None, tasks: str) -> list[str]:
    """The names of the tasks that are asked for.

    Raises:
        ValueError: if there is none, or data together with others.
    """
    named = [*(names_of(suite) if suite else ()), *(names_in(tasks) if tasks else ())]
    if data is not None and named:
        raise ValueError("give either --data or built-in tasks, not both")
    if data is None and not named:
        raise ValueError("say what to compare on: --data FILE, --suite or --tasks")
    if data is not None and data.suffix.lower() not in {".csv", ".npz"}:
        raise ValueError(f"data is a .csv or .npz file, not {data.name}")
    return [str(data)] if data is not None else list(dict.fromkeys(named))


def run(
    tasks: Sequence[str],
    models: Sequence[str],
    by: Sequence[str],
    config: RunConfig,
    target: str | None,
    out: Path | None,
    *,
    device: str,
    resume: bool,
) -> Output:
    """Compare models on tasks.

    Raises:
        FileNotFoundError: if data is not there.
        ValueError: if a name, a setting or a file is wrong, or the folder holds another assessment.
    """
    kinds = [_kind(one) for one in by]
    check_models(models)
    families = [get_family(name) for name in models]
    loaded = [load_task(name, target) for name in tasks]
    if target is not None and not tasks[0].endswith(".csv"):
        raise ValueError("--target is for a table that is given with --data")
    place = Compute(device).torch_device
    prints = [hashlib.sha256(Path(name).read_bytes()).hexdigest() if Path(name).is_file() else "" for name in tasks]
    begun = None
    if out is not None:
        begun = folders.begin(out, tasks, models, kinds, config, "".join(prints), resume=resume)
    elif resume:
        raise ValueError("--resume needs the folder, --out")
    reporter = Reporter()
    runner = folders.Trials(reporter, str(place), begun)
    comparisons = []

    def work() -> None:
        for name, task, sha in zip(tasks, loaded, prints, strict=True):
            base = Trial(name, models[0], (), target=target, data=sha)
            comparisons.append(compare(task, models, kinds, config, runner=runner, base=base))
            reporter.say(f"  {name}: done")

    if begun is None:
        work()
    else:
        with begun.training(reporter):
            work()
            folders.write(begun.path, comparisons, kinds)
    labels = {family.name: family.label or family.name for family in families}
    return Output({"comparisons": [one.to_json() for one in comparisons]}, _text(comparisons, labels, kinds, out))


def _kind(name: str) -> By:
    if name not in get_args(By):
        raise ValueError(f"what is equal is one of {', '.join(get_args(By))}, not {name}")
    return name  # type: ignore[return-value] # checked


def _text(comparisons: Sequence[Comparison], labels: dict[str, str], by: Sequence[By], out: Path | None) -> str:
    parts = []
    for one in comparisons:
        parts += [f"{one.task} ({one.domain})", text_table(table_rows(one, labels)), *one.notes, ""]
    parts += verdict_texts(comparisons, by) or [_why_none(comparisons)]
    return "\n".join(parts + ([f"Report: {out}"] if out else []))


def _why_none(comparisons: Sequence[Comparison]) -> str:
    """Why there are no verdicts."""
    if any(len(entry.values) > 1 for one in comparisons for entry in one.entries):
        return "There are no verdicts, since too few trainings ended with a number; lower the learning rates."
    return "There are no verdicts with a single seed; ask for --seeds 2 or more."


def count(model: str, widths: Sequence[int], layer: LayerConfig) -> Output:
    """What a model costs.

    Raises:
        ValueError: if there is no such model, or it does not know a setting.
    """
    if len(widths) < 2:
        raise ValueError("a model needs two or more widths, inputs first and outputs last")
    family = get_family(model)
    given = {name: value for name, value in asdict(layer).items() if value is not None}
    cost = count_family(family, widths[0], widths[1:-1], widths[-1], **given)
    value = {
        "model": family.name,
        "widths": list(widths),
        **given,
        **cost.to_json(),
        "published": cost.published_params,
    }
    lines = [
        f"parameters      {cost.published_params:,}"
        + (f", {cost.fixed:,} of them a mask that is not trained" if cost.fixed else ""),
        f"FLOPs, naive    {cost.flops_naive:,.0f}",
        f"FLOPs, shared   {cost.flops_shared:,.0f}",
        f"FLOPs, measured {cost.flops_measured:,.0f}, {cost.flops_matmul:,.0f} of them in matrix products",
    ]
    if family.flops is None:
        lines[1:3] = []
    return Output(value, "\n".join(lines))


def profile(
    models: Sequence[str], widths: Sequence[int], equal: str, *, batch_size: int, steps: int, plot: Path | None
) -> Output:
    """Times and memory of training steps.

    Raises:
        ValueError: if a name or a number is wrong.
    """
    files.check_figure(plot)
    if len(widths) < 2:
        raise ValueError("a model needs two or more widths, inputs first and outputs last")
    n_in, hidden, n_out = widths[0], list(widths[1:-1]), widths[-1]
    families = [get_family(name) for name in models]
    budget = count_family(families[0], n_in, hidden, n_out).params
    rows: list[dict[str, Any]] = []
    for family in families:
        of_this = hidden
        if equal == "params" and family is not families[0]:
            of_this = list(match(family, n_in, n_out, budget, depth=len(hidden)).hidden)
        network = family.build(n_in, of_this, n_out)
        check_outputs(network, family.name, n_in, n_out)
        found = profile_step(network, n_in, batch_size, steps)
        rows.append(
            {
                "model": family.name,
                "hidden": of_this,
                "params": sum(p.numel() for p in network.parameters() if p.requires_grad),
                "forward_ms": 1e3 * found.forward.median,
                "step_ms": 1e3 * found.step.median,
                "step_low_ms": 1e3 * found.step.low,
                "step_high_ms": 1e3 * found.step.high,
                "kept_mb": found.memory / 1e6,
                "ratio": found.step.median / rows[0]["step_ms"] * 1e3 if rows else 1.0,
            }
        )
    shown = [
        {
            "model": row["model"],
            "hidden": "-".join(map(str, row["hidden"])),
            "params": f"{row['params']:,}",
            "forward": f"{row['forward_ms']:.3f} ms",
            "step": f"{row['step_ms']:.3f} ms ({row['step_low_ms']:.3f}-{row['step_high_ms']:.3f})",
            "kept": f"{row['kept_mb']:.2f} MB",
            "ratio": f"{row['ratio']:.2f}",
        }
        for row in rows
    ]
    if plot is not None:
        from separata import plots

        bars = {families[i].label or families[i].name: row["ratio"] for i, row in enumerate(rows)}
        plots.save(plots.bars(bars, ylabel="step time relative to the first", reference=1.0), plot)
    return Output({"batch_size": batch_size, "rows": rows}, text_table(shown))


def scaling(
    models: Sequence[str],
    dims: Sequence[int],
    sizes: Sequence[int],
    kind: str,
    search: SearchConfig,
    *,
    epochs: int,
    plot: Path | None,
    device: str,
) -> Output:
    """Exponents of errors in the number of parameters.

    Raises:
        ValueError: if a name or a number is wrong, or there are fewer than two sizes.
    """
    files.check_figure(plot)
    if len(set(sizes)) < 2:
        raise ValueError("an exponent needs two different --sizes or more")
    kinds = ["generic", "compositional"] if kind == "both" else [kind]
    seeds = tuple(range(search.seeds))
    runner = folders.Trials(Reporter(), str(Compute(device).torch_device))
    planned = growth_trials(models, kinds, dims, sizes, search, seeds, epochs=epochs)
    found = grow(planned, runner)
    rows = [{"target": one.kind, "d": one.n_dimensions, "model": one.model, **one.exponent().__dict__} for one in found]
    shown = [
        {
            "target": row["target"],
            "d": row["d"],
            "model": row["model"],
            "alpha": f"{row['alpha']:.2f}",
            "95 % interval": f"{row['low']:.2f} to {row['high']:.2f}",
            "r2": f"{row['r2']:.2f}",
        }
        for row in rows
    ]
    if plot is not None:
        from separata import plots

        from .report.drawing import draw_scaling

        series = {f"{one.model}, {one.kind}, d={one.n_dimensions}": one.errors for one in found}
        plots.save(draw_scaling(series), plot)
    return Output({"rows": rows}, text_table(shown))


def verdict(report: Path) -> Output:
    """What a report says, in words.

    Raises:
        FileNotFoundError: if there is no report.
        ValueError: if it is damaged, or has no interval.
    """
    comparisons = folders.load(report)
    kinds: list[By] = list(dict.fromkeys(entry.by for one in comparisons for entry in one.entries))
    texts = verdict_texts(comparisons, kinds)
    if not texts:
        raise ValueError(f"{report} has no comparison with two seeds or more, and so no verdict")
    found = []
    for by in kinds:
        for model in dict.fromkeys(e.model for one in comparisons for e in one.entries if e.advantage and e.by == by):
            one = judge(comparisons, model, by)
            found.append({**asdict(one), "lines": list(one.lines), "text": one.text()})
    lines = [line for one in found for line in ["", one["text"], *(f"  {task}" for task in one["lines"])]]
    return Output({"verdicts": found}, "\n".join(lines[1:]))
