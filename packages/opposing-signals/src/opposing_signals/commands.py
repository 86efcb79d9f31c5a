"""What the commands do."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from separata import files, plots
from separata.output import Output, finite, listing, table
from separata.progress import Reporter
from separata.run import Compute
from separata.training import seeded

from . import runs
from .attribution import curvature_shares
from .charts import draw_linear, draw_optimizers
from .configs import Method, OptimizerName, RunConfig, TrainConfig, check_name
from .drawing import draw_gallery, draw_trace
from .groups import OpposingGroups
from .hessian import sharpness
from .linear import LinearOpposingModel
from .networks import make_network
from .page import write_page
from .recorder import Recorder
from .samples import Samples, load_samples, samples_in_order
from .training import Trainer

MOST_SHOWN = 10
"""Examples of a group that a person is told."""


def trace(source: str, out: Path, config: RunConfig, *, plot: Path | None, device: str, resume: bool) -> Output:
    """Train on a data set of the user's own, or by name, and record all losses.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, the training diverges, or the folder holds another one.
    """
    files.check_figure(plot)
    found = runs.trace(source, out, config, device=device, resume=resume, reporter=Reporter())
    record = found.recorder
    if plot is not None:
        _draw(record, _groups(record, Asked()), config.train.lr, plot)
    values = list(record.values.get("sharpness", {}).values())
    return listing(
        {
            "n_steps": config.train.n_steps,
            "n_examples": record.n_examples,
            "loss": float(record.mean_loss[-1]),
            "loss_increases": len(record.spikes()),
            "sharpness": values[-1] if values else None,
            "edge_of_stability": 2 / config.train.lr,
            **{f"{name}_step": step for name, step in found.phases.to_json().items()},
        }
    )


def _draw(record: Recorder, groups: OpposingGroups, lr: float, path: Path) -> None:
    losses = record.losses
    up, down = (losses[:, group].mean(1).tolist() for group in (groups.up, groups.down))
    row = record.steps.index(groups.step)
    is_every_step = record.steps == list(range(len(record.steps)))
    values = sorted(record.values.get("sharpness", {}).items()) if is_every_step else []
    plots.save(draw_trace(record.mean_loss.tolist(), up, down, values, lr, row), path)


@dataclass(frozen=True)
class Asked:
    """Which groups are asked for: the step or `auto`, their size, how they are ranked, the first step that counts."""

    step: str = "auto"
    m: int = 20
    method: Method = "delta"
    after: int = 0


def _groups(record: Recorder, asked: Asked) -> OpposingGroups:
    if asked.step != "auto" and not asked.step.isdecimal():
        raise ValueError(f"the step is a number or auto, not '{asked.step}'")
    step = asked.step if asked.step == "auto" else int(asked.step)
    return record.groups(
        step,
        m=min(asked.m, max(1, record.n_examples // 2)) if asked == Asked() else asked.m,
        method=asked.method,
        after=asked.after,
    )


def groups(run: Path, asked: Asked, *, out: Path | None, source: str | None, device: str) -> Output:
    """The two groups behind a spike, and a page or a figure of them.

    Raises:
        FileNotFoundError: if there is no such training, file or data.
        ValueError: if a file is wrong, or the groups cannot be.
    """
    if out is not None and out.suffix == ".html":
        files.check_writable(out)
    else:
        files.check_figure(out)
    record, data, lr = _opened(run, source, device)
    found = _groups(record, asked)
    if out is not None:
        _show(out, record, found, data, lr)
    value: dict[str, Any] = {
        "step": found.step,
        "up": found.up.tolist(),
        "down": found.down.tolist(),
        "is_opposing": found.is_opposing,
        **{name: finite(getattr(found, name)) for name in ("correlation", "alternation", "flips", "swing")},
    }
    told = [
        f"step         {found.step}",
        f"correlation  {found.correlation:.3f}, of the groups' losses around it",
        f"alternation  {found.alternation:.3f}, of all changes with the next ones",
        f"opposing     {'yes' if found.is_opposing else 'no'}",
    ]
    for name, group in (("loss rises", found.up), ("loss falls", found.down)):
        told.append(
            f"{name}   {', '.join(map(str, group[:MOST_SHOWN].tolist()))}{', ...' if len(group) > MOST_SHOWN else ''}"
        )
    if data is not None:
        for name, counts in zip(
            ("up_classes", "down_classes"), found.histogram(data.y, len(data.classes)), strict=True
        ):
            value[name] = {label: count for label, count in zip(data.classes, counts, strict=True) if count}
            told.append(
                f"{name.replace('_', ' ')}  {', '.join(f'{label} ({count})' for label, count in value[name].items())}"
            )
    return Output(value, "\n".join(told))


def _opened(run: Path, source: str | None, device: str) -> tuple[Recorder, Samples | None, float | None]:
    """The losses, the samples if they are known, and the learning rate."""
    if run.suffix == ".npz" and not run.is_dir():
        data = None if source is None else samples_in_order(source)
        record = Recorder.load(run)
        if data is not None and len(data) != record.n_examples:
            raise ValueError(f"{run} has losses of {record.n_examples} examples, but {source} has {len(data)} samples")
        return record, data, None
    traced = runs.load(run, device, source=source)
    return traced.recorder, traced.data, traced.config.train.lr


def _show(out: Path, record: Recorder, found: OpposingGroups, data: Samples | None, lr: float | None) -> None:
    if out.suffix == ".html":
        write_page(out, record, found, data, lr=lr)
    elif data is not None and data.is_image:
        losses = record.losses
        up, down = (losses[:, group].mean(1).tolist() for group in (found.up, found.down))
        row = record.steps.index(found.step)
        plots.save(draw_gallery(data, found.up.tolist(), found.down.tolist(), up, down, row), out)
    else:
        _draw(record, found, lr or 1.0, out)


def sharpness_of(run: Path, k: int, tol: float, asked: Asked, *, source: str | None, device: str) -> Output:
    """The largest eigenvalues of a trained network's Hessian, and the groups' shares of the first.

    Raises:
        FileNotFoundError: if there is no such training or data.
        ValueError: if a file is wrong or a number out of range.
    """
    traced = runs.load(run, device, source=source)
    train = traced.config.train
    data = traced.data.to(next(traced.network.parameters()).device)
    chunk = train.chunk_size or None
    found = sharpness(traced.network, data.x, data.y, train.loss, k=k, tol=tol, batch_size=chunk)
    groups = _groups(traced.recorder, asked)
    named = {"up": groups.up, "down": groups.down}
    rows = [
        {"eigenvalue": float(value), "residual": float(residual), "relative_to_2_over_lr": float(value) * train.lr / 2}
        for value, residual in zip(found.eigenvalues, found.residuals, strict=True)
    ]
    parts: list[dict[str, Any]] = []
    if traced.config.model.norm != "batch":
        shares = curvature_shares(traced.network, data.x, data.y, found.eigenvectors[0], named, train.loss, chunk)
        parts = [
            {"group": name, **{key: finite(value) for key, value in vars(one).items()}} for name, one in shares.items()
        ]
    value = {"eigenvalues": rows, "n_products": found.n_products, "lr": train.lr, "step": groups.step, "groups": parts}
    shown = [{"rank": i + 1, **row} for i, row in enumerate(rows)]
    text = table(shown).text + (f"\n\n{table(parts).text}" if parts else "")
    return Output(value, text)


def toy(alpha: float, lr: float, steps: int, p: float, n: int, seed: int, *, plot: Path | None) -> Output:
    """The two-layer linear network, trained on the population or on sampled data.

    Raises:
        ValueError: if a number is out of range, or the training diverges.
    """
    files.check_figure(plot)
    if n < 0 or steps < 1 or seed < 0:
        raise ValueError("n and seed must be at least 0, and steps at least 1")
    model = LinearOpposingModel(alpha=alpha, p=p)
    data = model.sample(n, np.random.default_rng(seed)) if n else None
    found = model.run_gd(lr, steps) if data is None else model.run_gd_on(*data, lr, steps)
    if plot is not None:
        some = slice(0, 400)
        series = {name: getattr(found, name)[some].tolist() for name in ("loss", "curvature", "o")}
        plots.save(draw_linear({lr: series}, alpha), plot)
    return listing(
        {
            "edge_of_stability": 2 / lr,
            "predicted_sharpness": model.predicted_sharpness(model.start()),
            "lowest_curvature": float(found.curvature.min()),
            "highest_curvature": float(found.curvature.max()),
            "final_curvature": float(found.curvature[-1]),
            "loss_increases": found.n_increases,
            "largest_outlier_weight": float(np.abs(found.o[50:]).max()) if steps >= 50 else math.nan,
            "final_loss": float(found.loss[-1]),
        }
    )


@dataclass(frozen=True)
class Compared:
    """Optimizers and their candidate rates, as they were typed."""

    kinds: str
    rates: str
    small_rates: str

    def names(self) -> list[OptimizerName]:
        """The optimizers, SGD before SplitSGD."""
        names = [word.strip() for word in self.kinds.split(",") if word.strip()]
        if not names:
            raise ValueError(f"name at least one optimizer of {', '.join(get_args(OptimizerName))}")
        for name in names:
            check_name("optimizer", name, get_args(OptimizerName))
        return cast("list[OptimizerName]", sorted(dict.fromkeys(names), key=lambda name: name == "split-sgd"))


def _numbers(text: str, what: str) -> list[float]:
    try:
        found = [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        found = []
    if not found or not all(one > 0 and math.isfinite(one) for one in found):
        raise ValueError(f"{what} are positive numbers with commas between them, not '{text}'")
    return found


def optimizers(source: str, config: RunConfig, given: Compared, *, plot: Path | None, device: str) -> Output:
    """Training losses of optimizers, each with the best of its candidate rates, and the steps to SGD's last loss.

    Raises:
        FileNotFoundError: if there is no such data.
        ValueError: if a setting or a file is wrong, or all rates of an optimizer diverge.
    """
    files.check_figure(plot)
    names = given.names()
    rates, small = _numbers(given.rates, "rates"), _numbers(given.small_rates, "small rates")
    data = load_samples(source, config.data, seed=config.train.seed)
    best: dict[str, tuple[TrainConfig, Recorder]] = {}
    track = Reporter().track
    for name in names:
        sgd = best.get("sgd")
        lr = sgd[0].lr if sgd else max(rates)
        options = [
            replace(config.train, optimizer=name, lr=lr if name == "split-sgd" else rate, lr_large=rate)
            for rate in track(rates if name == "sgd" else small, name)
        ]
        tried = [(one, _train(data, config, one, device)) for one in options]
        known = [(one, record) for one, record in tried if record is not None]
        if not known:
            raise ValueError(f"{name} diverges at all of its rates; give smaller ones")
        best[name] = min(known, key=lambda pair: float(pair[1].mean_loss[-1]))
    target = float(best["sgd"][1].mean_loss[-1]) if "sgd" in best else -math.inf
    rows = []
    for kind, (one, record) in best.items():
        reached = [step for step, loss in zip(record.steps, record.mean_loss.tolist(), strict=True) if loss <= target]
        rows.append(
            {
                "optimizer": kind,
                "lr": one.lr if kind != "signum" else one.lr_large,
                "lr_large": one.lr_large if kind == "split-sgd" else None,
                "final_loss": float(record.mean_loss[-1]),
                "steps_to_sgd": reached[0] if reached else None,
            }
        )
    if plot is not None:
        some = {kind: [(record.steps, record.mean_loss.tolist())] for kind, (_, record) in best.items()}
        plots.save(draw_optimizers({"Training": some}), plot)
    shown = [{key: "-" if value is None else value for key, value in row.items()} for row in rows]
    return Output({"rows": rows}, table(shown).text)


def _train(data: Samples, config: RunConfig, train: TrainConfig, device: str) -> Recorder | None:
    """The losses of a training, None if it diverges."""
    with seeded(train.seed):
        network = make_network(config.model, data.x.shape[1:], len(data.classes))
    trainer = Trainer(network.to(Compute(device).torch_device), data, train)
    try:
        trainer.fit()
        trainer.recorder.watch(train.n_steps, network.train(), trainer.data.x, trainer.data.y, train.loss)
    except FloatingPointError:
        return None
    return trainer.recorder
