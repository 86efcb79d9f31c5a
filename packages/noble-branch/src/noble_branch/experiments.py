"""How the claims of NOBLE (2026) are measured."""

import math
from dataclasses import dataclass, replace
from typing import Any

from separata import Run, experiment, plots

from .configs import BranchConfig, MethodConfig, TaskConfig, TrainConfig, TransformerConfig
from .paper import ACTIVATIONS
from .speedup import step_speedup
from .trials import Trial, best, curve_of, run_trial

RATES = (1 / 3, 1.0, 3.0)
"""Learning rates that each side is tried with on validation data, over that of the configuration."""


@dataclass(frozen=True)
class Setting:
    """A task, a network and how it is trained."""

    task: TaskConfig
    model: TransformerConfig
    train: TrainConfig
    rank: int = 16

    def trial(self, method: str) -> Trial:
        """The training of `baseline`, `wide`, or of a branch with this activation."""
        kind = {"baseline": "plain", "wide": "wide"}.get(method, "branch")
        branch = BranchConfig("cosnet" if kind != "branch" else method)
        return Trial(self.task, self.model, MethodConfig(kind, self.rank, branch=branch), self.train)  # type: ignore[arg-type]


def _language(steps: int, width: int = 64) -> Setting:
    return Setting(TaskConfig(), TransformerConfig(width), TrainConfig(steps, eval_every=max(5, steps // 20)))


def _regression(steps: int) -> Setting:
    train = TrainConfig(steps, 256, 2e-3, 0.01, eval_every=max(10, steps // 40))
    return Setting(TaskConfig("regression"), TransformerConfig(64, 3, 1), train)


def trained(run: Run, setting: Setting, methods: tuple[str, ...], told: str) -> dict[str, list[dict[str, Any]]]:
    """Each method with the best of the learning rates, on every seed."""
    candidates = {
        method: [
            replace(trial, split="validation", train=replace(trial.train, lr=scale * trial.train.lr)) for scale in RATES
        ]
        for method in methods
        for trial in [setting.trial(method)]
    }
    chosen = run.choose(run_trial, candidates, lambda found: -best(found), f"{told}: learning rates")
    return run.over_seeds(run_trial, {name: replace(one, split="test") for name, one in chosen.items()}, told)


def speedup(baseline: dict[str, Any], other: dict[str, Any]) -> float:
    """The speedup in steps; where the loss is not reached, the largest that it could be."""
    found = step_speedup(curve_of(baseline), curve_of(other))
    return found.baseline_step / other["curve"][-1][0] if found.speedup is None else found.speedup


def _measure_speedups(run: Run, claim: str, found: dict[str, list[dict[str, Any]]]) -> None:
    base = found["baseline"]
    for i, one in enumerate(base):
        again = base[(i + 1) % len(base)]
        run.measure(
            claim,
            noble=speedup(one, found["cosnet"][i]),
            wide=speedup(one, found["wide"][i]),
            identity=speedup(one, found["identity"][i]),
            seed_noise=abs(speedup(one, again) - 1),
        )


def _draw(run: Run, name: str, found: dict[str, list[dict[str, Any]]], claims: list[str], caption: str) -> None:
    rows = [
        {"step": step, "loss": loss, "method": method}
        for method, ones in found.items()
        for one in ones
        for step, loss in one["curve"][1:]
    ]
    run.figure(name, plots.curves(rows, "loss", by="method", ylabel="evaluation loss"), claims, caption=caption)


@dataclass(frozen=True)
class Language:
    """The language model, with every control, and a block of GPT-2's width whose time is taken."""

    setting: Setting
    block_width: int = 768
    block_rank: int = 22


METHODS = ("baseline", "wide", *ACTIVATIONS)


@experiment(
    "step-speedup",
    "overhead",
    "best-activation",
    smoke=Language(_language(4, 16), 64, 2),
    quick=Language(_language(300)),
    gpu=Language(
        Setting(
            TaskConfig(length=256, n_characters=4_000_000),
            TransformerConfig(384, 6, 6),
            TrainConfig(1500, 32, 1e-3, eval_every=25),
            64,
        )
    ),
)
def language(config: Language, run: Run) -> None:
    found = trained(run, config.setting, METHODS, "language model")
    _measure_speedups(run, "step-speedup", found)
    cost = run.once(block_overhead, config.block_width, config.block_rank, str(run.device))
    for i, base in enumerate(found["baseline"]):
        run.measure("best-activation", **{name: best(found[name][i]) for name in ACTIVATIONS})
        run.measure(
            "overhead",
            parameters=cost["parameters_percent"],
            step_time=cost["step_time_percent"],
            net=speedup(base, found["cosnet"][i]) / (1 + cost["step_time_percent"] / 100),
        )
    caption = "Evaluation loss of the language model, by what is added to its linear layers."
    _draw(run, "language", found, ["step-speedup", "best-activation"], caption)


def block_overhead(width: int, rank: int, device: str) -> dict[str, float]:
    """What branches cost a transformer block."""
    import torch

    from .conversion import add_branches
    from .overhead import overhead
    from .transformer import Block

    block = Block(width, max(1, width // 64), causal=True).to(device)
    add_branches(block, rank, targets="*")
    return overhead(block, torch.randn(4, 256, width, device=device)).as_dict()


@experiment(
    "regression-speedup",
    "best-activation-regression",
    "high-frequency",
    smoke=_regression(10),
    quick=_regression(1000),
    gpu=_regression(1500),
)
def regression(config: Setting, run: Run) -> None:
    found = trained(run, config, METHODS, "regression")
    _measure_speedups(run, "regression-speedup", found)
    for i, _ in enumerate(run.seeds):
        run.measure("best-activation-regression", **{name: best(found[name][i]) for name in ACTIVATIONS})
        power = {"noble": "cosnet", "baseline": "baseline", "wide": "wide", "identity": "identity"}
        run.measure("high-frequency", **{key: found[name][i]["high_frequency"] for key, name in power.items()})
    caption = "Mean square error on a sum of six sines, by what is added to the linear layers."
    _draw(run, "regression", found, ["regression-speedup", "best-activation-regression", "high-frequency"], caption)


@dataclass(frozen=True)
class Others:
    """The other three tasks, and a ViT with and without augmentation."""

    lm: Setting
    mlm: Setting
    pixels: Setting
    vit: Setting


def _others(steps: int, width: int = 64, images: str = "digits", patch: int = 2) -> Others:
    model, train = TransformerConfig(width), TrainConfig(steps, eval_every=max(2, steps // 20))
    return Others(
        _language(steps, width),
        Setting(TaskConfig("mlm"), model, train),
        Setting(TaskConfig("pixels"), model, train),
        Setting(TaskConfig("vit", images, patch=patch), model, replace(train, batch_size=64, lr=1e-3)),
    )


@experiment(
    "tasks",
    "augmentation",
    smoke=_others(4, 16),
    quick=replace(_others(200, 64, "mnist5k", 7), lm=_language(300)),
    gpu=_others(1500, 256, "mnist", 4),
)
def tasks(config: Others, run: Run) -> None:
    pair = ("baseline", "cosnet")
    parts = {"lm": config.lm, "mlm": config.mlm, "pixels": config.pixels, "vit": config.vit}
    found = {name: trained(run, setting, pair, name) for name, setting in parts.items()}
    for i, _ in enumerate(run.seeds):
        faster = {name: speedup(one["baseline"][i], one["cosnet"][i]) for name, one in found.items()}
        run.measure("tasks", **faster)
    mixed = {"plain": found["vit"]}
    for name in ("mixup", "cutmix"):
        setting = replace(config.vit, task=replace(config.vit.task, augmentation=name))
        mixed[name] = trained(run, setting, pair, name)
    gains = {
        name: [best(a) - best(b) for a, b in zip(one["baseline"], one["cosnet"], strict=True)]
        for name, one in mixed.items()
    }
    differences = [p - max(m, c) for p, m, c in zip(*gains.values(), strict=True)]
    for i, _ in enumerate(run.seeds):
        run.measure("augmentation", **{k: v[i] for k, v in gains.items()}, interval=half_interval(differences))
    caption = "Gain in evaluation loss of a ViT with NOBLE, by augmentation."
    run.figure("augmentation", plots.claim(run, "augmentation"), ["augmentation"], caption=caption)
    run.figure("tasks", plots.claim(run, "tasks", reference=1.0), ["tasks"], caption="Speedup in steps, by task.")


def half_interval(values: list[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's distribution; 0 of a single value."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return 0.0
    mean = sum(values) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    return float(t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
