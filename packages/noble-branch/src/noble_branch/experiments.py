"""How the claims of NOBLE (2026) are measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any, TypeVar

from separata import Run, experiment, plots

from .configs import BranchConfig, MethodConfig, TaskConfig, TrainConfig, TransformerConfig
from .paper import ACTIVATIONS, TASKS
from .speedup import step_speedup
from .trials import Trial, best, curve_of, high_frequency, run_again, run_trial, step_costs

RATES = (1 / 3, 1.0, 3.0)
"""Learning rates that each side is tried with on validation data, over that of the configuration."""
METHODS = ("baseline", "wide", *ACTIVATIONS)
CONTROLS = ("baseline", "wide", "cosnet", "identity")

T = TypeVar("T")
Found = dict[str, list[dict[str, Any]]]
"""What the trainings of each method found, by seed."""


@dataclass(frozen=True)
class Setting:
    """A task, a network and how it is trained.

    Args:
        task: The task.
        model: The plain network.
        train: Its training.
        rank: Rank of the branches.
        thin: Lower rank that `thin` has.
    """

    task: TaskConfig
    model: TransformerConfig
    train: TrainConfig
    rank: int = 8
    thin: int = 2

    def trial(self, method: str) -> Trial:
        """The training of `baseline`, `wide`, `thin` (CosNet of a lower rank), or of a branch with this activation."""
        kind = {"baseline": "plain", "wide": "wide"}.get(method, "branch")
        activation = method if method in ACTIVATIONS else "cosnet"
        rank = self.thin if method == "thin" else self.rank
        how = MethodConfig(kind, rank, branch=BranchConfig(activation))  # type: ignore[arg-type]
        return Trial(self.task, self.model, how, self.train)


def tuned(run: Run, setting: Setting, methods: tuple[str, ...], told: str) -> dict[str, Trial]:
    """Each method with the best of the learning rates on validation data."""
    # At all steps: of half as many, a rate can be the best that is too high at the end of all.
    candidates = {
        method: [
            replace(trial, split="validation", train=replace(trial.train, lr=scale * trial.train.lr)) for scale in RATES
        ]
        for method in methods
        for trial in [setting.trial(method)]
    }
    tried = run.choose(run_trial, candidates, lambda found: -best(found), f"{told}: learning rates")
    return {method: replace(one, split="test") for method, one in tried.items()}


def trained(run: Run, setting: Setting, methods: tuple[str, ...], told: str) -> Found:
    """Each method with the best of the learning rates, on every seed."""
    return run.over_seeds(run_trial, tuned(run, setting, methods, told), told)


def speedup(baseline: dict[str, Any], other: dict[str, Any]) -> float:
    """The speedup in steps; where the loss is not reached, the largest that it could be.

    It is not a number where the baseline learned nothing before it diverged.
    """
    if min(loss for _, loss in baseline["curve"]) == baseline["curve"][0][1]:
        return math.nan
    found = step_speedup(curve_of(baseline), curve_of(other))
    return found.baseline_step / other["n_steps"] if found.speedup is None else found.speedup


def seed_noise(one: dict[str, Any], others: list[dict[str, Any]]) -> float:
    """By how much a baseline seems faster, or slower, than itself with another seed, at most."""
    return max((abs(speedup(*pair) - 1) for other in others for pair in ((one, other), (other, one))), default=0.0)


def others(ones: list[T], index: int) -> list[T]:
    """All but one."""
    return ones[:index] + ones[index + 1 :]


def _measure_speedups(run: Run, claim: str, found: Found, again: list[list[dict[str, Any]]]) -> None:
    """Measure the speedups of a claim; `again` has, for each seed, baselines that differ from its own by chance."""
    for i, one in enumerate(found["baseline"]):
        run.measure(
            claim,
            noble=speedup(one, found["cosnet"][i]),
            wide=speedup(one, found["wide"][i]),
            identity=speedup(one, found["identity"][i]),
            seed_noise=seed_noise(one, again[i]),
        )


@dataclass(frozen=True)
class Language:
    """The language model with every control.

    Args:
        setting: The model.
        repeats: Steps that are timed.
        widths: Widths of the blocks whose cost is drawn.
        ranks: Ranks of their branches.
    """

    setting: Setting
    repeats: int = 30
    widths: tuple[int, ...] = (128, 256, 768)
    ranks: tuple[int, ...] = (8, 32)


def _language(steps: int, model: TransformerConfig, task: TaskConfig, rank: int, thin: int, batch: int = 16) -> Setting:
    train = TrainConfig(steps, batch, lr=3e-3 * (64 / model.width) ** 0.5, eval_every=max(2, min(25, steps // 20)))
    return Setting(task, model, train, rank, thin)


LANGUAGE = _language(240, TransformerConfig(64), TaskConfig(), 8, 2)


SMOKE = _language(4, TransformerConfig(8, 1, 2), TaskConfig(length=16, n_characters=3000), 2, 1, 2)
GPU = _language(1500, TransformerConfig(384, 6, 6), TaskConfig(length=256, n_characters=4_000_000), 64, 12, 32)
# No setting of the paper's: the longest for which two cores of a CPU take about an hour with every activation.
LONG = _language(1600, TransformerConfig(128, 3, 4), TaskConfig(n_characters=3_000_000), 16, 4)


@experiment(
    "step-speedup",
    "overhead",
    smoke=Language(SMOKE, 2, (16,), (2, 4)),
    quick=Language(LANGUAGE),
    gpu=Language(GPU, widths=(256, 768, 2048), ranks=(16, 64)),
    paper=Language(LONG),
)
def language(config: Language, run: Run) -> None:
    """Train the language model with NOBLE and its controls, and time its steps."""
    from .drawing import draw_costs, draw_losses

    found = trained(run, config.setting, (*CONTROLS, "thin"), "language model")
    baselines = found["baseline"]
    _measure_speedups(run, "step-speedup", found, [others(baselines, i) for i in range(len(baselines))])
    timed = {name: config.setting.trial(name) for name in ("baseline", "thin", "cosnet")}
    for i, seed in enumerate(run.seeds):
        trials = [replace(one, train=replace(one.train, seed=seed)) for one in timed.values()]
        spent = dict(zip(timed, run.once(step_costs, trials, config.repeats, str(run.device)), strict=True))
        plain = spent["baseline"]
        costs: dict[str, float] = {}
        for method, prefix in {"cosnet": "", "thin": "thin_"}.items():
            cost = spent[method]
            ratio = cost["seconds"] / plain["seconds"]
            costs[f"{prefix}parameters"] = 100 * (cost["parameters"] / plain["parameters"] - 1)
            costs[f"{prefix}step_time"] = 100 * (ratio - 1)
            costs[f"{prefix}net"] = speedup(found["baseline"][i], found[method][i]) / ratio
        run.measure("overhead", **costs)
    caption = "Evaluation loss of the language model by steps: mean and standard deviation over seeds."
    losses = {method: _curves(ones) for method, ones in found.items() if method != "thin"}
    run.figure("language", draw_losses(losses), ["step-speedup"], caption=caption)
    blocks = [(w, r) for w in config.widths for r in config.ranks]
    costs_of = {block: run.once(block_overhead, *block, str(run.device)) for block in blocks}
    caption = "What branches add to a transformer block, by its width and their rank."
    run.figure("overhead", draw_costs(costs_of), ["overhead"], caption=caption)


@experiment("best-activation", smoke=SMOKE, quick=LANGUAGE, gpu=GPU, paper=LONG)
def activations(config: Setting, run: Run) -> None:
    """Train the language model with each activation; those that `language` has trained are not trained again."""
    from .drawing import draw_losses

    found = trained(run, config, ACTIVATIONS, "language model: activations")
    for i, _ in enumerate(run.seeds):
        run.measure("best-activation", **{name: best(found[name][i]) for name in ACTIVATIONS})
    caption = "Evaluation loss of the language model by steps with each activation: mean and deviation over seeds."
    losses = {name: _curves(ones) for name, ones in found.items()}
    run.figure("activations", draw_losses(losses), ["best-activation"], caption=caption)


def _curves(ones: list[dict[str, Any]]) -> list[list[tuple[float, float]]]:
    return [curve_of(one)[1:] for one in ones if not one["diverged"]]


def block_overhead(width: int, rank: int, device: str) -> dict[str, float]:
    """What branches cost a transformer block."""
    import torch

    from .conversion import add_branches
    from .cost import overhead
    from .transformer import Block

    block = Block(width, max(1, width // 64), causal=True).to(device)
    add_branches(block, rank, targets="*")
    return overhead(block, torch.randn(2, 128, width, device=device), repeats=7).as_dict()


def _regression(steps: int, lr: float = 1.8e-2) -> Setting:
    # By validation losses of every side, the best rates are within those tried: in fewer steps, they are higher.
    train = TrainConfig(steps, 256, lr, 0.01, eval_every=max(5, steps // 80))
    return Setting(TaskConfig("regression"), TransformerConfig(64, 3, 1), train, 16)


@experiment(
    "regression-speedup",
    "best-activation-regression",
    "high-frequency",
    smoke=replace(_regression(5), model=TransformerConfig(16, 1, 1), rank=4),
    quick=_regression(600),
    gpu=_regression(1500, 6e-3),
)
def regression(config: Setting, run: Run) -> None:
    """Train a residual MLP on a sum of sines with every method."""
    from .drawing import draw_fits, draw_losses, draw_spectra

    chosen = tuned(run, config, METHODS, "regression")
    found = run.over_seeds(run_trial, chosen, "regression")
    # Another seed of the run has another curve, whose loss says nothing of this one's.
    again = run.over_seeds(run_again, {"baseline": chosen["baseline"]}, "regression: baseline again")
    _measure_speedups(run, "regression-speedup", found, [[one] for one in again["baseline"]])
    power = {"noble": "cosnet", "baseline": "baseline", "wide": "wide", "identity": "identity"}
    for i, _ in enumerate(run.seeds):
        run.measure("best-activation-regression", **{name: best(found[name][i]) for name in ACTIVATIONS})
        run.measure("high-frequency", **{key: high_frequency(found[name][i]) for key, name in power.items()})
    caption = "Mean square error on a sum of six sines by steps: mean and standard deviation over seeds."
    figure = draw_losses({method: _curves(ones) for method, ones in found.items()}, ylabel="MSE", log=True)
    run.figure("regression", figure, ["regression-speedup", "best-activation-regression"], caption=caption)
    spectra = {name: [one["spectrum"] for one in found[name] if "spectrum" in one] for name in power.values()}
    caption = "Power of what is left of the target after training, by frequency; lines mark the target's frequencies."
    run.figure("spectrum", draw_spectra(spectra), ["high-frequency"], caption=caption)
    firsts = {name: found[name][0] for name in ("baseline", "wide", "cosnet") if "fit" in found[name][0]}
    fits = {name: {key: one[key] for key in ("x", "target", "fit")} for name, one in firsts.items()}
    if fits:
        caption = "The sum of six sines, and what is made of it with the first seed."
        run.figure("fit", draw_fits(fits), ["high-frequency"], caption=caption)


@dataclass(frozen=True)
class Others:
    """The other three tasks beside the language model, and a ViT with and without augmentation."""

    lm: Setting
    mlm: Setting
    pixels: Setting
    vit: Setting


def _others(lm: Setting, steps: int, images: str, patch: int) -> Others:
    train = replace(lm.train, n_steps=steps, eval_every=max(2, steps // 15))
    vit = replace(train, batch_size=2 * train.batch_size, lr=train.lr / 3)
    return Others(
        lm,
        replace(lm, task=replace(lm.task, name="mlm"), train=train),
        replace(lm, task=TaskConfig("pixels"), train=train),
        replace(lm, task=TaskConfig("vit", images, patch=patch), train=vit),
    )


@experiment(
    "tasks",
    "augmentation",
    smoke=_others(SMOKE, 4, "digits", 4),
    quick=_others(LANGUAGE, 120, "mnist5k", 7),
    gpu=_others(_language(1500, TransformerConfig(256, 4, 4), TaskConfig(), 32, 8, 64), 1500, "mnist", 4),
)
def tasks(config: Others, run: Run) -> None:
    """Train the baseline and NOBLE on four tasks, and a ViT with augmentations."""
    pair = ("baseline", "cosnet")
    parts = {"lm": config.lm, "mlm": config.mlm, "pixels": config.pixels, "vit": config.vit}
    found = {name: trained(run, setting, pair, name) for name, setting in parts.items()}
    mixed = {"plain": found["vit"]}
    for name in ("mixup", "cutmix"):
        setting = replace(config.vit, task=replace(config.vit.task, augmentation=name))
        mixed[name] = trained(run, setting, pair, name)
    gains = {
        name: [best(a) - best(b) for a, b in zip(one["baseline"], one["cosnet"], strict=True)]
        for name, one in mixed.items()
    }
    interval = differences_interval(gains)
    for i, _ in enumerate(run.seeds):
        speedups = {name: speedup(one["baseline"][i], one["cosnet"][i]) for name, one in found.items()}
        noises = [seed_noise(one["baseline"][i], others(one["baseline"], i)) for one in found.values()]
        run.measure("tasks", **speedups, seed_noise=fmean(noises))
        run.measure("augmentation", **{k: v[i] for k, v in gains.items()}, interval=interval)
    caption = "Gain in evaluation loss of a ViT with NOBLE, by augmentation."
    figure = plots.claim(run, "augmentation", ("plain", "mixup", "cutmix"))
    run.figure("augmentation", figure, ["augmentation"], caption=caption)
    figure = plots.claim(run, "tasks", TASKS, reference={"the baseline": 1.0})
    run.figure("tasks", figure, ["tasks"], caption="Speedup in steps, by task.")


def differences_interval(gains: Mapping[str, list[float]]) -> float:
    """Half of the interval of what the gain without augmentation has over that with one; the larger of both.

    It is not a number where a gain is not finite: a training that diverged says nothing of an augmentation.
    """
    halves = [
        half_interval([plain - other for plain, other in zip(gains["plain"], gains[name], strict=True)])
        for name in ("mixup", "cutmix")
    ]
    return math.nan if any(map(math.isnan, halves)) else max(halves)


def half_interval(values: list[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's distribution; 0 of a single value."""
    from scipy.stats import t

    n = len(values)
    if not all(map(math.isfinite, values)):
        return math.nan
    if n < 2:
        return 0.0
    return float(t.ppf(0.975, n - 1)) * stdev(values) / math.sqrt(n)
