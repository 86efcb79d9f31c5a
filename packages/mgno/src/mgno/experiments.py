"""How the claims of He, Liu and Xu (2024) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from separata import Run, experiment, plots

from .boundaries import ExactTrial, HeatTrial, run_exact, run_heat
from .configs import ModelConfig, PaddingName, ProblemConfig, ProblemName, TrainConfig
from .trials import Trial, run_trial

KINDS = ("mgno", "fno", "unet", "dilated_resnet")
NAMES = {"mgno": "MgNO", "fno": "FNO", "unet": "U-Net", "dilated_resnet": "dilated ResNet"}
NEVER = 2.0
"""Share of the epochs that stands for an error that is never reached."""


@dataclass(frozen=True)
class Networks:
    """The networks that are compared, and the learning rates that each is tried with."""

    mgno: ModelConfig
    fno: ModelConfig
    unet: ModelConfig
    dilated_resnet: ModelConfig
    small_fno: ModelConfig
    """An FNO with about as many parameters as MgNO."""
    rates: tuple[float, ...] = (5e-4, 1.5e-3, 5e-3)

    def trial(self, trial: Trial, kind: str, lr: float) -> Trial:
        """The trial with one of them."""
        return replace(trial, model=getattr(self, kind), train=replace(trial.train, lr=lr))


def _networks(widths: Sequence[int], num_layers: int, n_blocks: int, **settings: Any) -> Networks:  # noqa: ANN401 - of ModelConfig
    """The four kinds, all with normalizers at each point as published for smooth Darcy."""
    shared = {"x_normalizer": "pointwise", "y_normalizer": "pointwise", **settings}
    mgno, fno, unet, resnet, small_fno = widths
    return Networks(
        ModelConfig("mgno", mgno, num_layers, **shared),
        ModelConfig("fno", fno, **shared),
        ModelConfig("unet", unet, **shared),
        ModelConfig("dilated-resnet", resnet, n_blocks, **shared),
        ModelConfig("fno", small_fno, **shared),
    )


SMALL = _networks((4, 4, 4, 4, 2), 1, 1)
MEDIUM = _networks((16, 32, 16, 16, 8), 3, 2)
PUBLISHED_SIZE = _networks((24, 32, 32, 48, 16), 5, 4)
SMOKE = Trial("darcy", ProblemConfig(16), 16, 8, 8, SMALL.mgno, TrainConfig(epochs=2))
QUICK = Trial("darcy", ProblemConfig(32), 128, 32, 100, MEDIUM.mgno, TrainConfig(epochs=8))
GPU = Trial("darcy", ProblemConfig(64), 1000, 100, 100, PUBLISHED_SIZE.mgno, TrainConfig(epochs=60))
FULL = Trial("darcy", ProblemConfig(211, 2), 1000, 100, 100, PUBLISHED_SIZE.mgno, TrainConfig())


@dataclass(frozen=True)
class CompareConfig:
    """All networks on the same data with the same epochs and schedule, each with its best learning rate."""

    trial: Trial
    networks: Networks
    problems: tuple[ProblemName, ...] = ("darcy",)
    """The first one chooses the learning rates and is looked at in detail."""


@experiment(
    "accuracy",
    "efficiency",
    "ease-of-training",
    smoke=CompareConfig(SMOKE, replace(SMALL, rates=(1.5e-3,))),
    quick=CompareConfig(QUICK, MEDIUM, ("darcy", "darcy-rough")),
    gpu=CompareConfig(GPU, PUBLISHED_SIZE, ("darcy", "darcy-rough")),
    paper=CompareConfig(FULL, PUBLISHED_SIZE, ("darcy", "darcy-rough", "darcy-multiscale")),
)
def networks(config: CompareConfig, run: Run) -> None:
    rates = _choose(config.trial, config.networks, run, (*KINDS, "small_fno"))
    spread = {
        (kind, lr): config.networks.trial(config.trial, kind, lr)
        for kind in ("mgno", "unet")
        for lr in config.networks.rates
    }
    best: dict[Any, Trial] = {
        (name, kind): config.networks.trial(replace(config.trial, name=name), kind, rates[kind])
        for name in config.problems
        for kind in KINDS
    }
    # One after the other: what both hold is then computed once.
    best["small_fno"] = config.networks.trial(config.trial, "small_fno", rates["small_fno"])
    found: dict[Any, list[dict[str, Any]]] = {**run.over_seeds(run_trial, spread, "learning rates")}
    found |= run.over_seeds(run_trial, best, "networks")
    first = config.problems[0]
    for number, seed in enumerate(run.seeds):
        of_seed = {key: results[number] for key, results in found.items()}
        errors = {kind: [_number(of_seed[name, kind]["test"]) for name in config.problems] for kind in KINDS}
        worst = max(mgno / min(others) for mgno, *others in zip(*(errors[kind] for kind in KINDS), strict=True))
        mean = _geometric([of_seed[name, "mgno"]["mean"] for name in config.problems])
        run.measure("accuracy", **{kind: _geometric(errors[kind]) for kind in KINDS}, worst=worst, mean=mean)
        one = {kind: of_seed[first, kind] for kind in KINDS}
        run.measure("efficiency", **_costs(one | {"small_fno": of_seed["small_fno"]}))
        run.measure("ease-of-training", **_ease(one, of_seed, config.networks.rates))
        for kind in KINDS:
            for epoch, error in enumerate(one[kind]["curve"], 1):
                run.log(epoch, seed=seed, of=NAMES[kind], error=error)
    _tell(config, rates, found, run)


def _choose(trial: Trial, networks: Networks, run: Run, kinds: Sequence[str]) -> dict[str, float]:
    """Each network's best learning rate by the mean validation error over all seeds; with none may it diverge."""
    candidates = {kind: [networks.trial(trial, kind, lr) for lr in networks.rates] for kind in kinds}
    chosen = run.choose(
        run_trial, candidates, lambda found: -_number(found["validation"]), "learning rates", every_seed=True
    )
    return {kind: one.train.lr for kind, one in chosen.items()}


def _costs(one: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {
        "unet_parameters": one["unet"]["n_parameters"],
        "mean": one["mgno"]["mean"],
        **{f"{kind}_parameters": one[kind]["n_parameters"] for kind in ("mgno", "fno", "small_fno")},
        **{f"{kind}_error": _number(one[kind]["test"]) for kind in ("mgno", "fno", "small_fno")},
        **{f"{kind}_{cost}": _number(one[kind][cost]) for kind in ("mgno", "fno") for cost in ("ms", "megabytes")},
    }


def _ease(one: Mapping[str, Any], of_seed: Mapping[Any, Any], rates: Sequence[float]) -> dict[str, float]:
    curve = one["mgno"]["curve"]

    def share(kind: str) -> float:
        reached = [epoch for epoch, error in enumerate(curve, 1) if error <= _number(one[kind]["validation"])]
        return reached[0] / len(curve) if reached else NEVER

    def spread(kind: str) -> float:
        errors = [_counted(of_seed[kind, lr]["test"]) for lr in rates]
        return max(errors) / min(errors)

    return {
        **{f"share_{kind}": share(kind) for kind in ("unet", "dilated_resnet")},
        **{f"spread_{kind}": spread(kind) for kind in ("mgno", "unet")},
    }


def _tell(config: CompareConfig, rates: Mapping[str, float], found: Mapping[Any, Any], run: Run) -> None:
    trial = config.trial
    told = ", ".join(f"{NAMES[kind]} {rates[kind]:g}" for kind in KINDS)
    run.note(
        "accuracy",
        f"{', '.join(config.problems)} on {_size(trial)}; {trial.n_train:,} training samples, {trial.train.epochs} "
        f"epochs in batches of {trial.train.batch_size}. Of {len(config.networks.rates)} learning rates, those with "
        f"the best validation error over all seeds are {told}.",
    )
    run.figure(
        "accuracy",
        plots.claim(run, "accuracy", [*KINDS, "mean"], ylabel="relative L2 error"),
        ["accuracy"],
        caption="Error of each network on unseen functions, and of the mean of the training solutions.",
    )
    figure = plots.curves(run.history, "error", by="of", xlabel="epoch", ylabel="validation error (relative L2)")
    figure.axes[0].set_yscale("log")
    run.figure("curves", figure, ["ease-of-training"], caption="Validation error of each network in training.")
    bars = {
        f"{lr:g}": {NAMES[kind]: [_counted(one["test"]) for one in found[kind, lr]] for kind in ("mgno", "unet")}
        for lr in config.networks.rates
    }
    figure = plots.bars(bars, ylabel="relative L2 error")
    run.figure("rates", figure, ["ease-of-training"], caption="Error on unseen functions by learning rate.")


@dataclass(frozen=True)
class OverfitConfig:
    """MgNO and FNO with few and with many samples, for as many epochs."""

    trial: Trial
    networks: Networks
    n_few: int


@experiment(
    "less-overfit",
    smoke=OverfitConfig(SMOKE, replace(SMALL, rates=(1.5e-3,)), 8),
    quick=OverfitConfig(QUICK, MEDIUM, 64),
    gpu=OverfitConfig(GPU, PUBLISHED_SIZE, 100),
    paper=OverfitConfig(FULL, PUBLISHED_SIZE, 100),
)
def overfitting(config: OverfitConfig, run: Run) -> None:
    rates = _choose(config.trial, config.networks, run, ("mgno", "fno"))
    sizes = {"few": config.n_few, "many": config.trial.n_train}
    settings = {
        (kind, size): replace(config.networks.trial(config.trial, kind, rates[kind]), n_train=n)
        for kind in ("mgno", "fno")
        for size, n in sizes.items()
    }
    found = run.over_seeds(run_trial, settings, "sizes of the training set")
    for number in range(len(run.seeds)):
        of_seed = {key: results[number] for key, results in found.items()}
        run.measure(
            "less-overfit",
            **{f"{kind}_{size}": _number(one["test"]) / _number(one["train"]) for (kind, size), one in of_seed.items()},
            **{f"{kind}_error": _number(of_seed[kind, "few"]["test"]) for kind in ("mgno", "fno")},
            mean=of_seed["mgno", "few"]["mean"],
        )
    run.note(
        "less-overfit",
        f"Few are {config.n_few:,} samples and many {config.trial.n_train:,}; both errors are those of the weights of "
        "the best validation epoch.",
    )
    groups = {
        "few samples": {"MgNO": "mgno_few", "FNO": "fno_few"},
        "many samples": {"MgNO": "mgno_many", "FNO": "fno_many"},
    }
    figure = plots.claim(run, "less-overfit", groups, ylabel="error on unseen / on training functions")
    run.figure("overfitting", figure, caption="Ratio of the errors on unseen and on training functions.")


@dataclass(frozen=True)
class AblationConfig:
    """MgNO with and without lifting and projection."""

    trial: Trial
    networks: Networks


@experiment(
    "no-lift-project",
    smoke=AblationConfig(SMOKE, replace(SMALL, rates=(1.5e-3,))),
    quick=AblationConfig(QUICK, MEDIUM),
    gpu=AblationConfig(GPU, PUBLISHED_SIZE),
    paper=AblationConfig(FULL, PUBLISHED_SIZE),
)
def lifting(config: AblationConfig, run: Run) -> None:
    with_both = replace(config.networks, mgno=replace(config.networks.mgno, lift_project=True))
    settings = {
        name: some.trial(config.trial, "mgno", _choose(config.trial, some, run, ("mgno",))["mgno"])
        for name, some in {"without": config.networks, "with_both": with_both}.items()
    }
    found = run.over_seeds(run_trial, settings, "with and without lifting")
    for without, lifted in zip(found["without"], found["with_both"], strict=True):
        run.measure(
            "no-lift-project",
            without=_number(without["test"]),
            with_both=_number(lifted["test"]),
            mean=without["mean"],
        )
    counts = [found[name][0]["n_parameters"] for name in settings]
    run.note(
        "no-lift-project",
        f"{counts[0]:,} and {counts[1]:,} parameters, with learning rates {settings['without'].train.lr:g} and "
        f"{settings['with_both'].train.lr:g}, the best of {len(config.networks.rates)} on validation data.",
    )
    figure = plots.claim(run, "no-lift-project", ylabel="relative L2 error")
    run.figure("lifting", figure, caption="Error on unseen functions with and without lifting and projection.")


@dataclass(frozen=True)
class BoundaryConfig:
    """Linear networks for heat flow, MgNO for Darcy, and random networks, under several paddings."""

    trial: Trial
    networks: Networks
    heat: HeatTrial
    exact: ExactTrial


CONDITIONS: dict[str, PaddingName] = {"dirichlet": "zeros", "periodic": "circular", "neumann": "reflect"}
HEAT = HeatTrial(train=TrainConfig(epochs=20, lr=1e-2, loss="l2", weight_decay=0.0))


@experiment(
    "boundary",
    "linearity",
    smoke=BoundaryConfig(
        SMOKE,
        replace(SMALL, rates=(1.5e-3,)),
        replace(HEAT, resolution=8, n_train=16, n_test=8, train=replace(HEAT.train, epochs=2)),
        ExactTrial(16, 2),
    ),
    quick=BoundaryConfig(QUICK, MEDIUM, replace(HEAT, n_train=100), ExactTrial()),
    gpu=BoundaryConfig(GPU, PUBLISHED_SIZE, replace(HEAT, resolution=32, n_train=1000), ExactTrial()),
    paper=BoundaryConfig(FULL, PUBLISHED_SIZE, replace(HEAT, resolution=64, n_train=1000), ExactTrial()),
)
def boundaries(config: BoundaryConfig, run: Run) -> None:
    lr = _choose(config.trial, config.networks, run, ("mgno",))["mgno"]
    darcy = {
        mode: replace(one, model=replace(one.model, padding_mode=mode))
        for mode in ("zeros", "circular")
        for one in [config.networks.trial(config.trial, "mgno", lr)]
    }
    found = run.over_seeds(run_trial, darcy, "Darcy")
    heat = run.over_seeds(
        run_heat,
        {
            (name, mode): replace(config.heat, flow=condition, padding_mode=mode)
            for name, condition in CONDITIONS.items()
            for mode in CONDITIONS.values()
        },
        "heat flow",
    )
    exact = run.over_seeds(run_exact, {"exact": config.exact}, "random networks")["exact"]
    for number, of_random in enumerate(exact):
        errors = {key: _counted(results[number]) for key, results in heat.items()}
        of_heat = {f"heat_{name}": errors[name, mode] for name, mode in CONDITIONS.items()}
        others = {
            f"heat_{name}_other": min(errors[name, other] for other in CONDITIONS.values() if other != mode)
            for name, mode in CONDITIONS.items()
        }
        run.measure(
            "boundary",
            **of_heat,
            **others,
            **{f"darcy_{mode}": _number(found[mode][number]["test"]) for mode in darcy},
            shift=of_random["shift"],
            shift_unwrapped=of_random["shift_unwrapped"],
        )
        run.measure("linearity", cycle=of_random["linear"], network=of_random["linear_network"])
    run.note(
        "boundary",
        f"Heat flow, exact by sums of eigenfunctions, on {config.heat.resolution} x {config.heat.resolution} points, "
        "with a linear network of one hidden layer.",
    )
    bars = {
        name: {f"{mode} padding": [_counted(one) for one in heat[name, mode]] for mode in CONDITIONS.values()}
        for name in CONDITIONS
    }
    figure = plots.bars(bars, ylabel="relative L2 error")
    run.figure("boundaries", figure, ["boundary"], caption="Error on heat flow by boundary condition and padding.")


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return math.nan if value is None else value


def _counted(value: float | None) -> float:
    """An error as a spread or a bar counts it: at most that of the zero function."""
    return 1.0 if value is None or math.isnan(value) else min(1.0, value)


def _geometric(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _size(trial: Trial) -> str:
    n = trial.problem.resolution
    return f"{n} x {n} points"
