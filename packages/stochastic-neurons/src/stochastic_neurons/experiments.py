"""How the claims of Bengio, Léonard and Courville (2013) are measured."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from separata import Run, experiment
from separata.training import seeded

from .configs import Gate, ModelConfig, TrainConfig
from .cost import count_macs, measure_speed, set_activity
from .drawing import draw_estimators, draw_gates, draw_speeds
from .exact import Function, exact_expectation, exact_gradient, exact_moments, exact_optimal_baseline
from .functions import make_function
from .networks import make_network
from .noise_injection import NoisyRectifier
from .paper import BASELINES, FAMILIES, GATES
from .smooth_times_stochastic import SmoothTimesStochastic
from .statistics import estimator_statistics, gradient_samples, pathwise_target
from .trials import Trial, run_trial

KINDS = ("quadratic", "multilinear", "mlp")


@dataclass(frozen=True)
class Estimators:
    """Random losses of a few units.

    Args:
        n_units: Number of units.
        n_samples: Samples of each estimator.
        n_functions: Losses of each kind where they are enumerated.
        offset: Constant in the losses: a loss such as the cross-entropy has a mean that is not 0.
    """

    n_units: int = 8
    n_samples: int = 200_000
    n_functions: int = 20
    offset: float = 2.0


def _losses(config: Estimators, run: Run, seed: int, kind: str, n: int) -> Iterator[tuple[Function, Tensor]]:
    """Losses of a kind, with pre-activations."""
    for i in range(n):
        generator = run.generator(seed, kind, i)
        f = make_function(kind, config.n_units, generator)
        a = 1.5 * torch.randn(config.n_units, generator=generator, dtype=torch.float64)
        yield partial(_shifted, f, config.offset), a


def _shifted(f: Function, offset: float, h: Tensor) -> Tensor:
    return f(h) + offset


@experiment(
    "unbiased",
    "minimum-variance",
    "first-order",
    "noise-injection",
    "straight-through",
    smoke=Estimators(4, 4_000, 2),
    quick=Estimators(),
    gpu=Estimators(12, 1_000_000),
)
def estimators(config: Estimators, run: Run) -> None:
    for seed in run.track(run.seeds, "seeds"):
        _unbiased(config, run, seed)
        _minimum_variance(config, run, seed)
        _first_order(config, run, seed)
        _noise_injection(config, run, seed)
        _straight_through(config, run, seed)
    caption = "Bias and standard deviation of each estimator on a quadratic loss of the first seed."
    f, a = next(_losses(config, run, run.seeds[0], "quadratic", 1))
    found = {
        name: estimator_statistics(f, a, name, config.n_samples // 10, seed=1)
        for name in ("sbn-none", "sbn-mean", "sbn-optimal", "st", "st-sigmoid", "sts", "relaxed")
    }
    run.figure("estimators", draw_estimators(found), ["unbiased", "straight-through"], caption=caption)


def _unbiased(config: Estimators, run: Run, seed: int) -> None:
    worst = dict.fromkeys(("none", "mean", "optimal", "learned", "st"), 0.0)
    for kind in KINDS:
        for f, a in _losses(config, run, seed, kind, 1):
            for name in worst:
                estimator = "st" if name == "st" else f"sbn-{name}"
                z = estimator_statistics(f, a, estimator, config.n_samples, seed=seed + 1).z
                worst[name] = max(worst[name], float(z.abs().max()))
    run.measure("unbiased", **worst)


def _minimum_variance(config: Estimators, run: Run, seed: int) -> None:
    sums = dict.fromkeys(("optimal", "mean", "none", "more", "less", "swapped"), 0.0)
    for kind in KINDS:
        for f, a in _losses(config, run, seed, kind, config.n_functions):
            best = exact_optimal_baseline(f, a)
            mean = exact_expectation(f, a).expand(len(a))
            candidates = {
                "optimal": best,
                "mean": mean,
                "none": torch.zeros_like(a),
                "more": 1.1 * best,
                "less": 0.9 * best,
                "swapped": best.roll(1),
            }
            for name, baseline in candidates.items():
                sums[name] += float(exact_moments(f, a, "sbn", baseline=baseline).variance.sum())
    ratio = {name: value / sums["optimal"] for name, value in sums.items()}
    run.measure(
        "minimum-variance",
        mean=ratio["mean"],
        none=ratio["none"],
        shifted=min(ratio["more"], ratio["less"]),
        swapped=ratio["swapped"],
    )


def _first_order(config: Estimators, run: Run, seed: int) -> None:
    generator = run.generator(seed, "first-order")
    neuron = SmoothTimesStochastic(generator=generator).double()
    f, a = next(_losses(config, run, seed, "linear", 1))
    p = a.sigmoid()
    output = neuron.sample(a.expand(config.n_samples, -1)).mean(0)
    gradient = gradient_samples(f, a, neuron, config.n_samples).mean(0)
    true = exact_gradient(f, a)
    cosines = []
    for g, b in _losses(config, run, seed, "quadratic", config.n_functions):
        mean = exact_moments(g, b, "sts").mean
        cosines.append(float(torch.cosine_similarity(mean, exact_gradient(g, b), dim=0)))
    run.measure(
        "first-order",
        output=(output - p).norm() / p.norm(),
        gradient=(2 * gradient - true).norm() / true.norm(),
        cosine=fmean(cosines),
        half=(gradient - true).norm() / true.norm(),
    )


def _noise_injection(config: Estimators, run: Run, seed: int) -> None:
    names = {"gaussian": "noisy-relu", "logistic": "noisy-relu-logistic", "semi_hard": "semi-hard"}
    f, a = next(_losses(config, run, seed, "quadratic", 1))
    biases = {
        key: float(estimator_statistics(f, a, name, config.n_samples, seed=seed + 1).z.abs().max())
        for key, name in names.items()
    }
    # Without its noise a rectifier passes on 1[a > 0], whose loss is that of other outputs.
    neuron = NoisyRectifier(generator=run.generator(seed, "noise")).double()
    target, error = pathwise_target(f, a, neuron, config.n_samples, seed)
    plain = a.clone().requires_grad_()
    slope = torch.autograd.grad(f(plain.relu()[None]).sum(), plain)[0]
    one = torch.tensor([0.7], dtype=torch.float64)
    logistic = NoisyRectifier("logistic", generator=run.generator(seed, "closed form")).double()
    rows = one.expand(config.n_samples, -1).clone().requires_grad_()
    h = logistic.sample(rows)
    derivative = torch.autograd.grad(h.sum(), rows)[0].mean()
    h = h.detach()
    soft = softplus(one)
    run.measure(
        "noise-injection",
        **biases,
        output=(h.mean() - soft).abs() / soft,
        slope=(derivative - one.sigmoid()).abs() / one.sigmoid(),
        sigmoid=((slope - target) / error.clamp_min(1e-12)).abs().max(),
    )


def _straight_through(config: Estimators, run: Run, seed: int) -> None:
    rows: dict[str, list[float]] = {
        name: [] for name in ("cosine", "scaled", "bias", "single", "single_unbiased", "shuffled")
    }
    before: Tensor | None = None
    for f, a in _losses(config, run, seed, "quadratic", config.n_functions):
        true, plain = exact_gradient(f, a), exact_moments(f, a, "st")
        unbiased = exact_moments(f, a, "sbn", baseline=exact_optimal_baseline(f, a))
        rows["cosine"].append(_cosine(plain.mean, true))
        rows["scaled"].append(_cosine(exact_moments(f, a, "st-sigmoid").mean, true))
        rows["bias"].append(float((plain.mean - true).norm() / true.norm()))
        for name, moments in (("single", plain), ("single_unbiased", unbiased)):
            square = (moments.variance + moments.mean.square()).sum().sqrt() * true.norm()
            rows[name].append(float(moments.mean @ true / square))
        if before is not None:
            rows["shuffled"].append(_cosine(before, true))
        before = plain.mean
    run.measure("straight-through", **{name: fmean(values) for name, values in rows.items()})


def _cosine(x: Tensor, y: Tensor) -> float:
    return float(torch.cosine_similarity(x, y, dim=0))


NAMES: dict[str, Gate] = {
    "sbn": "sbn",
    "sts": "sts",
    "noisy_relu": "noisy-relu",
    "st": "st",
    "st_sigmoid": "st-sigmoid",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "noisy_sigmoid": "noisy-sigmoid",
}
RATES = (0.3, 1.0, 3.0)
WEIGHTS = (3e-3, 1e-2, 3e-2, 1e-1)
"""Learning rates and weights of the penalty that every gate is tried with, on validation data."""
NEVER_ZERO = ("sigmoid", "noisy_sigmoid")
SBN_SCALE = 0.1
"""Of the gater's learning rate, whose gradient is noisy."""


@dataclass(frozen=True)
class Networks:
    """Conditional networks on images, each gate with its best settings on validation data.

    Args:
        trial: The network and its training.
        rates: Learning rates.
        weights: Weights of the penalty.
        least: Validation activity below which, and above `most`, a candidate with zeros of its own is not taken.
        most: See `least`.
    """

    trial: Trial
    rates: tuple[float, ...] = RATES
    weights: tuple[float, ...] = WEIGHTS
    least: float = 0.05
    most: float = 0.2


def _networks(data: str, epochs: int, experts: int, gater_hidden: int, **settings: Any) -> Networks:  # noqa: ANN401 - fields
    model = ModelConfig(experts=experts, gater_hidden=gater_hidden)
    trial = Trial(
        model, TrainConfig(epochs=epochs, target=0.1), data, settings.pop("size", None), settings.pop("n_train", None)
    )
    return Networks(trial, **settings)


QUICK_NETWORKS = _networks("mnist5k", 25, 400, 80, size=14)


@experiment(
    "trains",
    "straight-through-best",
    "sparse-gates",
    smoke=_networks("digits", 2, 20, 8, rates=(0.1,), weights=(1e-2,), n_train=200),
    quick=QUICK_NETWORKS,
    gpu=_networks("mnist", 50, 2000, 400, rates=(0.1,), weights=(1e-2, 3e-2)),
    paper=_networks("mnist", 200, 2000, 400),
)
def networks(config: Networks, run: Run) -> None:
    candidates = {
        name: [
            replace(_trial(config, gate, lr, weight), is_held_out=True)
            for lr in config.rates
            for weight in config.weights
        ]
        for name, gate in NAMES.items()
    }

    chosen = {
        name: run.choose(run_trial, {name: some}, partial(_score, config, name), f"settings of {name}")[name]
        for name, some in candidates.items()
    }
    trials = {name: replace(one, is_held_out=False) for name, one in chosen.items()}
    trials["frozen"] = replace(trials["st"], is_frozen=True)
    trials["without"] = replace(trials["st"], train=replace(trials["st"].train, penalty_weight=0.0))
    found = run.over_seeds(run_trial, trials, "networks")
    for number, seed in enumerate(run.seeds):
        of_seed = {name: results[number] for name, results in found.items()}
        errors = {name: of_seed[name].get("error", math.nan) for name in (*NAMES, "frozen")}
        run.measure("trains", **errors)
        form = min(("st", "st_sigmoid"), key=lambda name: of_seed[name].get("validation_error", math.inf))
        run.measure(
            "straight-through-best",
            **{name: errors[name] for name in (*FAMILIES, "st_sigmoid")},
            chosen=errors[form],
        )
        active = {name: of_seed[name].get("activity", math.nan) for name in (*FAMILIES, "without")}
        run.measure("sparse-gates", **active, patterns=of_seed["st"].get("patterns", math.nan))
        for name, row in of_seed.items():
            if not row["diverged"]:
                run.log(
                    seed,
                    gate=name,
                    **{key: row[key] for key in ("error", "averaged_error", "threshold_error", "activity")},
                )
    _tell(run, trials, found, len(config.rates) * len(config.weights))
    caption = "Test error and activity of each gate; a dot for each seed."
    run.figure("gates", draw_gates({GATES[name]: found[name] for name in NAMES}, len(BASELINES)), caption=caption)


def _score(config: Networks, name: str, found: dict[str, Any]) -> float:
    """Minus the validation error; below that of all others where a gate that can be 0 is on too often or too seldom."""
    if found["diverged"]:
        return math.nan
    activity = float(found["validation_activity"])
    if name in NEVER_ZERO or config.least <= activity <= config.most:
        return -float(found["validation_error"])
    return -1 - abs(activity - config.trial.train.target)


def _trial(config: Networks, gate: Gate, lr: float, weight: float) -> Trial:
    trial = config.trial
    scale = SBN_SCALE if gate == "sbn" else 1.0
    train = replace(trial.train, lr=lr, penalty_weight=weight, gater_lr_scale=scale)
    return replace(trial, model=replace(trial.model, gate=gate), train=train)


def _tell(run: Run, trials: dict[str, Trial], found: dict[str, list[dict[str, Any]]], n_candidates: int) -> None:
    chosen = "; ".join(
        f"{GATES[name]} {trials[name].train.lr:g}, {trials[name].train.penalty_weight:g}" for name in NAMES
    )
    run.note("trains", f"Learning rates and weights of the penalty, the best of {n_candidates}: {chosen}.")
    for key, told in (("averaged_error", "averaged over ten draws"), ("threshold_error", "without noise (p > 0.5)")):
        parts = [f"{GATES[name]} {_mean(found[name], key):.3f}" for name in NAMES]
        run.note("trains", f"Test errors {told}: {', '.join(parts)}.")


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    return fmean(row.get(key, math.nan) for row in rows)


@dataclass(frozen=True)
class Speeds:
    """Inference of an untrained network a tenth of whose gates are on.

    Args:
        model: The network.
        n_features: Size of an input.
        batches: Examples of a pass: one, few, many.
        activity: Share of the gates that are on.
        repeats: Passes of each.
        sizes: Batches of the figure.
    """

    model: ModelConfig
    n_features: int = 784
    batches: tuple[int, int, int] = (1, 32, 256)
    activity: float = 0.1
    repeats: int = 25
    sizes: tuple[int, ...] = (1, 4, 16, 64, 256)


SPEED_MODEL = ModelConfig(gate="st", experts=4000, block_size=50)


@experiment(
    "less-computation",
    smoke=Speeds(replace(SPEED_MODEL, experts=500, gater_hidden=20), 64, (1, 4, 8), repeats=2, sizes=(1, 4)),
    quick=Speeds(SPEED_MODEL),
)
def speeds(config: Speeds, run: Run) -> None:
    rows = []
    for seed in run.track(run.seeds, "seeds"):
        with seeded(seed):
            model = make_network(config.model, (config.n_features,), 10).to(run.device)
        model.conditional.gater.neuron.inference = "threshold"
        x = torch.randn(1000, config.n_features, generator=run.generator(seed, "inputs")).to(run.device)
        set_activity(model, x, config.activity)
        one, few, many = (measure_speed(model, x[:n], repeats=config.repeats) for n in config.batches)
        activity = float((model.eval().gates(x) != 0).double().mean())
        run.measure(
            "less-computation",
            operations=count_macs(model, activity).ratio,
            one=one.speedup,
            few=few.speedup,
            many=many.speedup,
            masked=few.plain / few.masked,
        )
        for n in config.sizes:
            speed = measure_speed(model, x[:n], repeats=config.repeats)
            rows.append({"batch": n, "skipping": speed.speedup, "masked": speed.plain / speed.masked})
            run.log(n, seed=seed, skipping=speed.speedup, masked=speed.plain / speed.masked)
    caption = "Speed-up over the network without gates when inactive blocks are skipped, by the examples of a pass."
    run.figure("speed", draw_speeds(rows), caption=caption)
