"""What the commands do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from separata import files, plots
from separata.output import Output, listing, table
from separata.progress import Reporter
from separata.run import Compute

from . import runs
from .activations import ACTIVATIONS
from .configs import MethodConfig, RunConfig, TaskConfig, TrainConfig, TransformerConfig
from .conversion import add_branches
from .cost import overhead as measure_overhead
from .curves import read_curve
from .speedup import step_speedup
from .training import n_parameters
from .transformer import Block
from .trials import Trial, best, curve_of, run_trial

WIDTHS = {"gpt2": (768, 12), "gpt2-medium": (1024, 16), "bert-base": (768, 12), "vit-s": (384, 6)}
"""Width and heads of known transformers."""


def train(
    task: TaskConfig,
    shape: TransformerConfig,
    method: MethodConfig,
    config: TrainConfig,
    *,
    out: Path,
    device: str,
    resume: bool,
) -> Output:
    """Train, and keep the model and its log."""
    run = RunConfig(task, shape, method, config)
    report = runs.train(run, out, device=device, resume=resume, reporter=Reporter())
    last = report.history[-1]
    lowest = min(row["eval_loss"] for row in report.history)
    return listing(
        {
            "parameters": n_parameters(report.trained.model),
            "steps": int(last["step"]),
            "eval_loss": last["eval_loss"],
            "best_eval_loss": lowest,
            "seconds": last["seconds"],
        }
    )


def compare(
    baseline: Path, other: Path, step: str, loss: str | None, step_time_ratio: float, plot: Path | None
) -> Output:
    """Speedup of a training over another, from their logs."""
    files.check_figure(plot)
    curves = {"baseline": read_curve(baseline, step=step, loss=loss), "other": read_curve(other, step=step, loss=loss)}
    found = step_speedup(curves["baseline"], curves["other"], step_time_ratio=step_time_ratio)
    if plot is not None:
        rows = [{"step": s, "loss": y, "run": name} for name, curve in curves.items() for s, y in curve]
        plots.save(
            plots.curves(rows, "loss", by="run", ylabel="loss", reference={"baseline's best": found.target}), plot
        )
    value = {
        "target": found.target,
        "baseline_step": found.baseline_step,
        "step": found.step,
        "speedup": found.speedup,
        "fewer_percent": found.fewer_percent,
        "net_speedup": found.net_speedup,
    }
    return Output(value, str(found))


def overhead(model: str, rank: int, activation: str, n_tokens: int, repeats: int, device: str) -> Output:
    """What branches cost a block of a transformer."""
    if min(n_tokens, repeats) < 1:
        raise ValueError(f"n-tokens and repeats must be positive, not {n_tokens} and {repeats}")
    width, heads = _width(model)
    place = Compute(device=device).torch_device
    block = Block(width, heads, causal=True).to(place)
    add_branches(block, rank, targets="*", activation=activation)
    return listing(measure_overhead(block, torch.randn(1, n_tokens, width, device=place), repeats=repeats).as_dict())


def _width(model: str) -> tuple[int, int]:
    if model in WIDTHS:
        return WIDTHS[model]
    path = Path(model, "config.json")
    if not path.is_file():
        raise ValueError(f"the model must be one of {', '.join(WIDTHS)}, or a folder with a config.json, not {model!r}")
    values = files.read_json(path)
    for width, heads in (("n_embd", "n_head"), ("hidden_size", "num_attention_heads")):
        if isinstance(values, dict) and isinstance(values.get(width), int) and isinstance(values.get(heads), int):
            shape = TransformerConfig(values[width], 1, values[heads])
            return shape.width, shape.heads
    raise ValueError(f"{path} names no width and heads (n_embd and n_head, or hidden_size and num_attention_heads)")


def ablate(
    task: TaskConfig, shape: TransformerConfig, method: MethodConfig, config: TrainConfig, axis: str, device: str
) -> Output:
    """Train the plain network and every variant, and compare."""
    place = str(Compute(device=device).torch_device)
    variants = {"plain": MethodConfig("plain"), **_variants(method, axis)}
    rows: list[dict[str, Any]] = []
    base = None
    for name, one in Reporter().track(variants.items(), "variants"):
        found = run_trial(Trial(task, shape, one, config), place)
        base = base or found
        fast = None if found["diverged"] else step_speedup(curve_of(base), curve_of(found)).speedup
        rows.append(
            {
                axis: name,
                "parameters": found["n_parameters"],
                "best_eval_loss": "diverged" if found["diverged"] else best(found),
                "speedup": "not reached" if fast is None else fast,
            }
        )
    return table(rows)


def _variants(method: MethodConfig, axis: str) -> dict[str, MethodConfig]:
    one = replace(method, kind="branch")
    if axis == "activation":
        branches = {name: replace(method.branch, activation=name) for name in ACTIVATIONS}
        return {name: replace(one, branch=branch) for name, branch in branches.items()}
    if axis == "rank":
        return {str(rank): replace(one, rank=rank) for rank in (4, 8, 16, 32)}
    targets = {"all": "", "attention": "*attention*", "mlp": "*.up,*.down"}
    return {name: replace(one, targets=globs) for name, globs in targets.items()}
