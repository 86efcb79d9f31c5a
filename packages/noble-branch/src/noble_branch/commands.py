"""What the commands do."""

import runpy
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from separata import files, plots
from separata.conversion import Targets
from separata.output import Output, listing, table
from separata.progress import Reporter
from separata.run import Compute

from . import runs
from .activations import ACTIVATIONS
from .configs import MethodConfig, RunConfig, TaskConfig, TrainConfig, TransformerConfig
from .conversion import add_branches, in_blocks
from .cost import overhead as measure_overhead
from .curves import read_log
from .speedup import step_speedup
from .tasks import make_task
from .training import make_model, n_parameters
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
    logs = {"baseline": read_log(baseline, step=step, loss=loss), "other": read_log(other, step=step, loss=loss)}
    names = [log.loss for log in logs.values()]
    if names[0] != names[1] and "loss" in names:
        raise ValueError(
            f"the losses are {names[0]} and {names[1]}, which may be of other data; name the one to compare with --loss"
        )
    found = step_speedup(logs["baseline"].curve, logs["other"].curve, step_time_ratio=step_time_ratio)
    if plot is not None:
        rows = [{"step": s, "loss": y, "run": name} for name, log in logs.items() for s, y in log.curve]
        plots.save(
            plots.curves(rows, "loss", by="run", ylabel="loss", reference={"baseline's best": found.target}), plot
        )
    value = {
        "loss": logs["baseline"].loss,
        "target": found.target,
        "baseline_step": found.baseline_step,
        "step": found.step,
        "speedup": found.speedup,
        "fewer_percent": found.fewer_percent,
        "net_speedup": found.net_speedup,
    }
    return Output(value, str(found))


def overhead(model: str, rank: int, activation: str, targets: str, n_tokens: int, repeats: int, device: str) -> Output:
    """What branches cost a block of a transformer, or a network of the user's."""
    if min(n_tokens, repeats) < 1:
        raise ValueError(f"n-tokens and repeats must be positive, not {n_tokens} and {repeats}")
    place = Compute(device=device).torch_device
    if ":" in model:
        network, sample = _yours(model, place)
        chosen: Targets = tuple(targets.split(",")) if targets else in_blocks
    else:
        width, heads = _width(model)
        network, sample = Block(width, heads, causal=True).to(place), torch.randn(1, n_tokens, width, device=place)
        chosen = tuple(targets.split(",")) if targets else "*"
    network = add_branches(network, rank, targets=chosen, activation=activation).model
    return listing(measure_overhead(network, sample, repeats=repeats).as_dict())


def _yours(text: str, place: torch.device) -> tuple[nn.Module, Any]:
    """The network and the batch that a function of the user's gives, on a device."""
    source, _, name = text.rpartition(":")
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"there is no Python file {source}; expected file.py:function, not {text!r}")
    # As when Python runs the file: what lies beside it can be imported.
    sys.path.insert(0, str(path.resolve().parent))
    try:
        found = runpy.run_path(str(path))[name]()
    except Exception as error:
        raise ValueError(f"{text} cannot be called: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], nn.Module)):
        raise ValueError(f"{text} must return a network and a batch, a tensor or a mapping of arguments")
    network, sample = found
    if isinstance(sample, Mapping):
        return network.to(place), {key: one.to(place) if hasattr(one, "to") else one for key, one in sample.items()}
    if not isinstance(sample, torch.Tensor):
        raise ValueError(f"{text} must return a network and a batch, a tensor or a mapping of arguments")
    return network.to(place), sample.to(place)


def _width(model: str) -> tuple[int, int]:
    if model in WIDTHS:
        return WIDTHS[model]
    path = Path(model, "config.json")
    if not path.is_file():
        raise ValueError(
            f"the model must be one of {', '.join(WIDTHS)}, a folder with a config.json, or "
            f"file.py:function, not {model!r}"
        )
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
    variants = {"plain": MethodConfig("plain"), **_variants(method, axis, shape.width)}
    network = make_task(task, config.seed).network
    for one in variants.values():
        # What cannot be is told before anything is trained.
        make_model(network, shape, one, config.seed)
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


def _variants(method: MethodConfig, axis: str, width: int) -> dict[str, MethodConfig]:
    one = replace(method, kind="branch")
    if axis == "activation":
        branches = {name: replace(method.branch, activation=name) for name in ACTIVATIONS}
        return {name: replace(one, branch=branch) for name, branch in branches.items()}
    if axis == "rank":
        return {str(rank): replace(one, rank=rank) for rank in (4, 8, 16, 32) if rank <= width}
    targets = {"all": "", "attention": "*attention*", "mlp": "*.up,*.down"}
    return {name: replace(one, targets=globs) for name, globs in targets.items()}
