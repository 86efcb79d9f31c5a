"""How the claims are measured."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from separata import Run, experiment
from separata.configs import replaced

from .ablations import balanced_steps, learned_alone, preconditioned
from .configs import DataConfig, NetworkConfig, RunConfig, TeacherStudent, TrainConfig
from .curves import Curve
from .descent_drawing import draw_descent
from .detection import find_double_descent, turn_sizes
from .deterministic_equivalent import deterministic_equivalent
from .drawing import Family, draw_alone, draw_family, draw_heatmap, draw_overlay
from .exact import student
from .gradient_descent import descend, log_steps
from .order_parameters import Dynamics
from .runs import curve_of
from .simulation import simulate_batch, time_grid
from .smoothing import WINDOW, smoother
from .teacher_student import Batch, sample
from .theory import two_scale_theory
from .trials import CurveTrial, run_curve

FIG1 = TeacherStudent(n=150, d=100, p=70, kappa=100.0)
FIG2 = TeacherStudent(n=120, d=100, p=80, kappa=40.0, noise=0.2)
FIG3 = TeacherStudent(n=110, d=100, p=70)
PAPER_ETA = 0.25
"""Learning rate that the closed form has in the paper's figures."""


@dataclass(frozen=True)
class Draws:
    """Draws of teachers and training data for each seed."""

    n_draws: int = 200
    n_points: int = 141


def _batch(setup: TeacherStudent, config: Draws, run: Run, seed: int) -> Batch:
    return sample(setup, config.n_draws, generator=run.generator(seed, "draws"), device=run.device)


def _pooled(found: Sequence[Dynamics]) -> Dynamics:
    """The draws of all seeds together, for figures."""
    first = found[0]
    teacher = np.concatenate([np.asarray(one.teacher) for one in found])
    return Dynamics(
        first.t, np.concatenate([d.r for d in found]), np.concatenate([d.q for d in found]), teacher, first.noise
    )


@experiment("distinct-features", smoke=Draws(20, 71), quick=Draws(), gpu=Draws(1000), paper=Draws(1000))
def distinct_features(config: Draws, run: Run) -> None:
    t = time_grid(1e7, config.n_points, 1.0)
    kept: dict[str, list[Dynamics]] = {"fast": [], "slow": [], "both": []}
    for seed in run.seeds:
        batch = _batch(FIG1, config, run, seed)
        fast, slow = learned_alone(batch, t, "fast"), learned_alone(batch, t, "slow")
        both = simulate_batch(batch, t)
        balanced = preconditioned(batch, t, balanced_steps(batch))
        for name, one in (("fast", fast), ("slow", slow), ("both", both)):
            kept[name].append(one)
        first, peak, _, _ = turn_sizes(both.mean)
        run.measure(
            "distinct-features",
            fast_min=fast.mean.min(),
            fast_end=fast.mean[-1],
            slow_start=slow.mean[0],
            slow_end=slow.mean[-1],
            slow_rise=turn_sizes(slow.mean)[2],
            both_min=both.mean[first],
            both_peak=both.mean[peak],
            both_end=max(0.0, both.mean[-1]),
            balanced_rise=turn_sizes(balanced.mean)[2],
        )
    setup = replace(FIG1, eta=PAPER_ETA)
    theory = {
        "fast": two_scale_theory(setup, t, "fast"),
        "slow": two_scale_theory(setup, t, "slow"),
        "both": two_scale_theory(setup, t),
    }
    pooled = {name: _pooled(some) for name, some in kept.items()}
    run.note("distinct-features", f"{config.n_draws} draws for each seed; n = 150, d = 100, p = 70, ratio 100.")
    run.figure(
        "features",
        draw_alone(pooled["fast"], pooled["slow"], pooled["both"], theory=theory),
        caption="Fast features alone overfit; slow ones only help; together they make two descents. Bands: two "
        "standard errors; dashed: the closed form.",
    )


@dataclass(frozen=True)
class Ratios:
    """Ratios of scales."""

    draws: Draws = Draws()
    kappas: tuple[float, ...] = (1, 7, 12, 30, 100, 1000, 1e5)


@experiment(
    "scale-ratio", smoke=Ratios(Draws(20, 71)), quick=Ratios(), gpu=Ratios(Draws(1000)), paper=Ratios(Draws(1000))
)
def scale_ratio(config: Ratios, run: Run) -> None:
    t = time_grid(1e7, config.draws.n_points, 1.0)
    kept: dict[float, list[Dynamics]] = {kappa: [] for kappa in config.kappas}
    for seed in run.seeds:
        sizes = {}
        for kappa in run.track(config.kappas, "ratios"):
            found = simulate_batch(_batch(replace(FIG3, kappa=kappa), config.draws, run, seed), t)
            kept[kappa].append(found)
            sizes[kappa] = turn_sizes(found.mean)[2:]
        rises = {f"rise_{kappa:.0f}": sizes[kappa][0] for kappa in (1, 7, 30, 100, 1000)}
        falls = {f"fall_{kappa:.0f}": sizes[kappa][1] for kappa in (100, 1e5)}
        run.measure("scale-ratio", **rises, **falls)
    family = Family(config.kappas, [_pooled(some) for some in kept.values()])
    run.note("scale-ratio", f"{config.draws.n_draws} draws for each seed; n = 110, d = 100, p = 70.")
    run.figure(
        "ratios",
        draw_family(family),
        caption="Left: the error by the ratio of scales. Right: the paths of the order parameters over the error; the "
        "larger the ratio, the farther the student strays.",
    )


@dataclass(frozen=True)
class Accuracy:
    """Theory beside draws."""

    draws: Draws = Draws()
    kappas: tuple[float, ...] = (1, 100, 1e4)
    gd_steps: int = 10_000
    """Steps for the comparison of gradient descent with the exact form."""


@experiment(
    "theory-accurate",
    smoke=Accuracy(Draws(40, 71), gd_steps=500),
    quick=Accuracy(),
    gpu=Accuracy(Draws(1000)),
    paper=Accuracy(Draws(1000), gd_steps=100_000),
)
def theory_accurate(config: Accuracy, run: Run) -> None:
    t = time_grid(1e7, config.draws.n_points, 1.0)
    setups = {kappa: replace(FIG1, kappa=kappa) for kappa in config.kappas}
    closed = {kappa: two_scale_theory(replace(one, eta=PAPER_ETA), t) for kappa, one in setups.items()}
    limit = {kappa: deterministic_equivalent(one, t) for kappa, one in setups.items()}
    kept: dict[float, list[Dynamics]] = {kappa: [] for kappa in config.kappas}
    for seed in run.seeds:
        for kappa, setup in setups.items():
            kept[kappa].append(simulate_batch(_batch(setup, config.draws, run, seed), t))
        means = {kappa: some[-1].mean for kappa, some in kept.items()}
        away = {kappa: np.abs(closed[kappa].error - mean) for kappa, mean in means.items()}
        peaks = [turn_sizes(one)[1] for one in (closed[100].error, means[100])]
        run.measure(
            "theory-accurate",
            gd_exact=_difference(config, run, seed),
            closed_1=away[1].mean(),
            closed_100=away[100].mean(),
            closed_10000=away[1e4].mean(),
            closed_worst=max(one.max() for one in away.values()),
            peak_height=abs(closed[100].error[peaks[0]] - means[100][peaks[1]]),
            peak_time=t[peaks[0]] / t[peaks[1]],
            limit_100=np.abs(limit[100].error - means[100]).mean(),
            wrong_ratio=np.abs(closed[1].error - means[100]).mean(),
        )
    names = {kappa: f"ratio {kappa:,.0f}" for kappa in config.kappas}
    run.note("theory-accurate", f"{config.draws.n_draws} draws for each seed; n = 150, d = 100, p = 70.")
    run.figure(
        "theory",
        draw_overlay(
            {names[kappa]: _pooled(some) for kappa, some in kept.items()},
            {names[kappa]: one for kappa, one in closed.items()},
            {names[kappa]: one for kappa, one in limit.items()},
        ),
        caption="Gradient descent (dots: mean of draws; band: two standard errors), the paper's closed form, and the "
        "deterministic equivalent.",
    )


def _difference(config: Accuracy, run: Run, seed: int) -> float:
    """Of the weights of gradient descent and of the exact form, relative to the largest weight."""
    batch = sample(replace(FIG1, noise=0.2), 3, generator=run.generator(seed, "steps"))
    steps = log_steps(config.gd_steps, 30)
    by_steps, at_once = (learn(batch.x, batch.y, steps, l2=1e-3) for learn in (descend, student))
    return float((by_steps - at_once).abs().max() / at_once.abs().max())


@dataclass(frozen=True)
class Decay:
    """Weight decays."""

    draws: Draws = Draws()
    n_penalties: int = 60
    """Of the map."""


@experiment(
    "regularization",
    smoke=Decay(Draws(20, 71), 12),
    quick=Decay(),
    gpu=Decay(Draws(1000), 100),
    paper=Decay(Draws(1000), 100),
)
def regularization(config: Decay, run: Run) -> None:
    t = time_grid(1e7, config.draws.n_points, 1.0)
    late = t >= 1e3
    for seed in run.seeds:
        batch = _batch(FIG2, config.draws, run, seed)
        none, middle, strong = (simulate_batch(batch, t, l2=l2).mean for l2 in (1e-8, 4e-3, 0.4))
        strong_rise, strong_fall = turn_sizes(strong)[2:]
        run.measure(
            "regularization",
            none_rise=turn_sizes(none)[2],
            none_fall=turn_sizes(none)[3],
            none_end=none[late].min(),
            middle_end=middle[late].min(),
            strong_rise=strong_rise,
            strong_fall=strong_fall if strong_rise > 1e-3 else 0.0,
        )
    penalties = np.logspace(-8, 0, config.n_penalties)
    batch = _batch(FIG2, Draws(min(40, config.draws.n_draws)), run, run.seeds[0])
    error = np.stack([simulate_batch(batch, t, l2=float(l2)).mean for l2 in run.track(penalties, "weight decays")])
    run.note(
        "regularization", f"{config.draws.n_draws} draws for each seed; n = 120, d = 100, p = 80, ratio 40, noise 0.2."
    )
    run.figure(
        "map",
        draw_heatmap(t, penalties, error, slices=(1e-8, 1e-5, 4e-3, 4e-2, 0.4)),
        caption="The error of gradient descent by steps and weight decay, with the time to stop in red, and cuts.",
    )


@dataclass(frozen=True)
class Speed:
    """Repetitions and steps that are timed."""

    repetitions: int = 200
    steps: int = 20_000


@experiment("closed-form", smoke=Speed(20, 500), quick=Speed())
def closed_form(config: Speed, run: Run) -> None:
    t = time_grid(1e8, 300, 1e-3)  # as in the authors' code
    for seed in run.seeds:
        times = []
        for _ in range(config.repetitions):
            start = time.perf_counter()
            two_scale_theory(FIG1, t)
            times.append(time.perf_counter() - start)
        batch = sample(FIG1, 1, generator=run.generator(seed, "speed"))
        start = time.perf_counter()
        descend(batch.x, batch.y, [config.steps])
        descent = (time.perf_counter() - start) * 100_000 / config.steps
        closed = float(np.median(times))
        run.measure("closed-form", closed_ms=1e3 * closed, gd_ms=1e3 * descent, ratio=descent / closed)
    run.note(
        "closed-form", f"Gradient descent was timed for {config.steps:,} steps. Medians of {config.repetitions} runs."
    )


@dataclass(frozen=True)
class Deep:
    """A network, and the share of noisy labels."""

    trial: CurveTrial


SMOKE_DEEP = Deep(
    CurveTrial("digits", RunConfig(NetworkConfig("mlp", 32), TrainConfig(steps=300, label_noise=0.2, n_points=20)))
)
QUICK_DEEP = Deep(
    CurveTrial(
        "mnist5k",
        RunConfig(
            NetworkConfig("mlp", 512),
            TrainConfig(steps=4000, lr=1e-3, label_noise=0.2, n_points=60),
            DataConfig(n_train=2000),
        ),
    )
)
RESNET = RunConfig(
    NetworkConfig("resnet18", 64), TrainConfig(steps=39_000, lr=1e-4, weight_decay=1e-8, augment=True, n_points=100)
)
# A hundred epochs of a fifth of CIFAR-10, which ten minutes have room for with three seeds, noisy and clean labels.
SHORT_RESNET = replaced(RESNET, width=16, n_train=10_000, steps=8_000, lr=1e-3, label_noise=0.2, n_points=40)


@experiment(
    "deep-networks",
    smoke=SMOKE_DEEP,
    quick=QUICK_DEEP,
    gpu=Deep(CurveTrial("cifar10", SHORT_RESNET)),
    paper=Deep(CurveTrial("cifar10", replaced(RESNET, steps=391_000))),
)
def deep_networks(config: Deep, run: Run) -> None:
    noisy = replaced(config.trial, seed=run.seeds[0], n_seeds=len(run.seeds))
    clean = replaced(noisy, label_noise=0.0)
    found = run.map(run_curve, [noisy, clean], "learning curves")
    curves = [curve_of(one["rows"]) for one in found]
    smooth, control = (_smoothed(curve) for curve in curves)
    n_test = found[0]["n_test"]
    for of_seed, without in zip(smooth, control, strict=True):
        first, peak, rise, fall = turn_sizes(of_seed)
        share = float(np.clip(of_seed[peak], 1e-3, 0.5))
        run.measure(
            "deep-networks",
            first_min=of_seed[first],
            rise=rise,
            fall=fall,
            two_se=2 * (2 * share * (1 - share) / n_test) ** 0.5,
            clean_rise=turn_sizes(without)[2],
        )
    train, network = config.trial.config.train, config.trial.config.network
    run.note(
        "deep-networks",
        f"{network.kind} of width {network.width} on {config.trial.dataset}, Adam with learning rate {train.lr:g}, "
        f"{train.steps:,} steps of {train.batch_size} samples; {n_test:,} test images with clean labels.",
    )
    report = find_double_descent(curves[0].t, curves[0].error)
    run.figure(
        "deep",
        draw_descent(curves[0], report),
        caption="Test error of networks on partly wrong labels: seeds, smoothed mean, and what was found in it.",
    )


def _smoothed(curve: Curve) -> NDArray[np.float64]:
    found: NDArray[np.float64] = curve.error @ smoother(np.log10(curve.t), WINDOW).T
    return found
