"""How the claims of Kumar et al. (2024) are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from separata import Run, experiment, plots

from .configs import DARCY as DARCY_TRAINING
from .configs import FAMILIES, FISHER, PLATE, TARGET, ModelConfig, ProblemConfig, TrainConfig
from .trials import (
    DarcyTrial,
    FisherTrial,
    PlateTrial,
    run_darcy,
    run_fisher,
    run_plate,
    run_scratch,
    run_untuned,
)

NEAR = 1.1
"""Of the larger final error of two, what has reached both."""


def _schedule(steps: int, lr: float = 2e-3, **settings: Any) -> TrainConfig:  # noqa: ANN401 - of a training
    """A short training whose learning rate falls to a twentieth."""
    return TrainConfig(
        steps=steps, lr=lr, decay=0.6, decay_every=max(1, steps // 6), check_every=max(1, steps // 30), **settings
    )


@dataclass(frozen=True)
class SourcesConfig:
    """One network for all reaction laws, and a network for each."""

    trial: FisherTrial
    rates: tuple[float, ...] = (1e-3, 2e-3, 4e-3)
    """Learning rates of every method."""
    share: int = 3
    """Settings are chosen, and the short single-task trainings done, with the steps divided by this."""

    def with_steps(self, trial: FisherTrial, lr: float, *, is_short: bool = False) -> FisherTrial:
        """The trial with a learning rate, and with fewer steps if asked."""
        train = trial.train
        n = self.share if is_short else 1
        steps = max(1, train.steps // n)
        decay_every, check_every = max(1, train.decay_every // n), max(1, train.check_every // n)
        return replace(
            trial, train=replace(train, lr=lr, steps=steps, decay_every=decay_every, check_every=check_every)
        )


SMALL = ModelConfig(branch="64,64", trunk="64,64,64", latent=64)
FISHER_QUICK = FisherTrial(
    n_train=100,
    problem=ProblemConfig(resolution=64, n_times=20),
    model=SMALL,
    train=_schedule(1000, batch_size=100, n_points=320),
)


@experiment(
    "multi-source",
    "synergy-cost",
    smoke=SourcesConfig(
        FisherTrial(
            n_train=6,
            n_test=3,
            problem=ProblemConfig(resolution=8, n_times=4),
            model=ModelConfig(branch="8", trunk="8", latent=4),
            train=_schedule(12),
        ),
        (1e-2,),
    ),
    quick=SourcesConfig(FISHER_QUICK),
    gpu=SourcesConfig(replace(FISHER_QUICK, n_train=500, model=ModelConfig(), train=_schedule(20_000, batch_size=200))),
    paper=SourcesConfig(
        FisherTrial(n_train=1000, n_test=250, train=replace(FISHER, steps=100_000, check_every=500)), (1e-3,)
    ),
)
def sources(config: SourcesConfig, run: Run) -> None:
    kinds = {
        "multi": config.trial,
        "one_hot": replace(config.trial, codes="number"),
        **{name: replace(config.trial, families=name) for name in FAMILIES},
    }
    candidates = {
        kind: [config.with_steps(replace(trial, is_held_out=True), lr, is_short=True) for lr in config.rates]
        for kind, trial in kinds.items()
    }
    chosen = run.choose(run_fisher, candidates, lambda found: -found["all"], "learning rates")
    rates = {kind: one.train.lr for kind, one in chosen.items()}
    settings: dict[Any, FisherTrial] = {kind: config.with_steps(one, rates[kind]) for kind, one in kinds.items()}
    settings |= {(name, "third"): config.with_steps(kinds[name], rates[name], is_short=True) for name in FAMILIES}
    settings["shuffled"] = replace(settings["multi"], is_shuffled=True)
    found = run.over_seeds(run_fisher, settings, "networks")
    for number, seed in enumerate(run.seeds):
        of_seed = {name: of_seeds[number] for name, of_seeds in found.items()}
        measured = {"multi": of_seed["multi"]["all"]}
        for name in FAMILIES:
            measured[f"multi_{name.lower()}"] = of_seed["multi"][name]
            measured[f"single_{name.lower()}"] = of_seed[name][name]
            measured[f"third_{name.lower()}"] = of_seed[name, "third"][name]
        errors = {"one_hot": of_seed["one_hot"]["all"], "shuffled": of_seed["shuffled"]["all"]}
        run.measure("multi-source", **measured, **errors)
        run.measure("synergy-cost", **_costs(of_seed))
        for step, *of_laws in zip(of_seed["multi"]["steps"], *of_seed["multi"]["validation"].values(), strict=True):
            run.log(step, seed=seed, of="one network", error=sum(of_laws) / len(of_laws))
        singles = [of_seed[name]["validation"][name] for name in FAMILIES]
        for step, *of_laws in zip(of_seed["F1"]["steps"], *singles, strict=True):
            run.log(step, seed=seed, of="a network for each law", error=sum(of_laws) / len(of_laws))
    told = ", ".join(f"{lr:g} ({kind.replace('_', '-')})" for kind, lr in rates.items())
    run.note(
        "multi-source",
        f"{config.trial.n_train:,} samples of each law; {config.trial.train.steps:,} steps. Learning rates, the best "
        f"of {len(config.rates)} on validation data: {told}.",
    )
    groups = {
        name: {
            "one network": f"multi_{name.lower()}",
            "its own, as many steps": f"single_{name.lower()}",
            "its own, a third": f"third_{name.lower()}",
        }
        for name in FAMILIES
    }
    figure = plots.claim(run, "multi-source", groups, ylabel="relative L2 error")
    run.figure(
        "laws", figure, ["multi-source"], caption="Test error by reaction law, one network and single-task ones."
    )
    figure = plots.curves(run.history, "error", by="of", xlabel="steps of each network", ylabel="validation error")
    figure.axes[0].set_yscale("log")
    run.figure("cost", figure, ["synergy-cost"], caption="Mean validation error of the laws against training steps.")


def _costs(of_seed: Mapping[Any, Mapping[str, Any]]) -> dict[str, float]:
    """CPU seconds until one network, and three, have reached an error that both reach."""
    multi = of_seed["multi"]
    steps, shuffled, singles = [], [], 0.0
    for name in FAMILIES:
        single = of_seed[name]
        goal = NEAR * max(multi["validation"][name][-1], single["validation"][name][-1])
        steps.append(_first(multi["steps"], multi["validation"][name], goal))
        shuffled.append(_first(multi["steps"], of_seed["shuffled"]["validation"][name], goal))
        singles += _first(single["steps"], single["validation"][name], goal) * single["seconds_per_step"]
    one = max(steps) * multi["seconds_per_step"]
    share = max(shuffled) / multi["steps"][-1]
    return {"multi": one, "singles": singles, "ratio": one / singles, "shuffled": min(share, 1.0)}


def _first(steps: Sequence[int], errors: Sequence[float], goal: float) -> float:
    """The first step at which an error is reached; infinite if it never is."""
    return next((float(step) for step, error in zip(steps, errors, strict=True) if error <= goal), float("inf"))


@dataclass(frozen=True)
class ShapesConfig:
    """Darcy flow on several shapes: masks left out, and transfer to a new shape."""

    trial: DarcyTrial
    rates: tuple[float, ...] = (2e-3, 5e-3)
    """Learning rates of every source training."""
    tuned: tuple[float, ...] = (2e-3, 6e-3)
    """Learning rates of every fine-tuning."""
    single: str = "square"
    """The shape of the network of one shape."""
    share: int = 2
    """Learning rates are chosen with the steps divided by this."""


SHAPES_QUICK = DarcyTrial(
    model=ModelConfig(branch="64,64", trunk="64,64,64", filters="8,16,16", kernel=3, latent=64, dropout=0.0),
    train=_schedule(800, batch_size=25, n_points=400),
    tune=_schedule(200, batch_size=25, loss="relative"),
)


@experiment(
    "mask",
    "transfer",
    smoke=ShapesConfig(
        DarcyTrial(
            n_train=4,
            n_test=2,
            n_target=3,
            n_validation=2,
            problem=ProblemConfig(resolution=16),
            model=ModelConfig(branch="8", trunk="8", filters="2,2", latent=4, dropout=0.0),
            train=_schedule(6, batch_size=4),
            tune=_schedule(3, loss="relative"),
        ),
        (1e-3,),
        (1e-3,),
    ),
    quick=ShapesConfig(SHAPES_QUICK),
    gpu=ShapesConfig(
        replace(
            SHAPES_QUICK,
            n_train=600,
            n_test=200,
            n_target=100,
            problem=ProblemConfig(resolution=64),
            model=ModelConfig(),
            train=_schedule(5000, batch_size=100),
            tune=_schedule(1000, batch_size=100, loss="relative"),
        )
    ),
    paper=ShapesConfig(
        DarcyTrial(
            n_train=1800,
            n_test=200,
            n_target=100,
            n_validation=100,
            problem=ProblemConfig(resolution=100),
            train=DARCY_TRAINING,
            tune=TARGET,
        ),
        (1e-3,),
        (5e-4,),
        share=10,
    ),
)
def shapes(config: ShapesConfig, run: Run) -> None:
    trial = config.trial
    n_shapes = len(trial.geometry.split(","))
    blind = replace(trial.model, mask_in_branch=False)
    kinds = {
        "both": trial,
        "no_loss_mask": replace(trial, train=replace(trial.train, mask_in_loss=False)),
        "no_branch_mask": replace(trial, model=blind),
        "blind": replace(trial, model=blind, keeps_outside=True),
        "single": replace(trial, geometry=config.single, n_train=n_shapes * trial.n_train),
    }
    candidates = {kind: [_short(one, lr, config.share) for lr in config.rates] for kind, one in kinds.items()}
    chosen = run.choose(run_darcy, candidates, lambda found: -found["seen"], "learning rates")
    rates = {kind: one.train.lr for kind, one in chosen.items()}
    settings = {kind: _with_lr(one, rates[kind]) for kind, one in kinds.items()}
    settings |= {kind: replace(settings[kind], rates=config.tuned) for kind in ("both", "single")}
    found = run.over_seeds(run_darcy, settings, "networks")
    alone = replace(trial, rates=config.tuned)
    longer = replace(
        alone, tune=replace(trial.tune, steps=2 * trial.tune.steps, decay_every=2 * trial.tune.decay_every)
    )
    scratch = run.over_seeds(run_scratch, {"scratch": longer}, "from scratch")["scratch"]
    untuned = run.over_seeds(run_untuned, {"untuned": alone}, "from random weights")["untuned"]
    masked = ("both", "no_loss_mask", "no_branch_mask")
    for number in range(len(run.seeds)):
        of_seed = {kind: of_seeds[number] for kind, of_seeds in found.items()}
        run.measure(
            "mask",
            **{kind: of_seed[kind]["seen"] for kind in (*masked, "blind")},
            **{f"unseen_{kind}": of_seed[kind]["unseen"] for kind in masked},
        )
        run.measure(
            "transfer",
            multi=of_seed["both"]["tuned"],
            single=of_seed["single"]["tuned"],
            scratch=scratch[number]["tuned"],
            untuned=untuned[number]["tuned"],
        )
    told = ", ".join(f"{lr:g} ({kind.replace('_', ' ')})" for kind, lr in rates.items())
    run.note(
        "mask",
        f"{trial.n_train} samples of each of {trial.geometry.replace(',', ', ')}, "
        f"{trial.problem.resolution} x {trial.problem.resolution} nodes, {trial.train.steps:,} steps; the unseen shape "
        f"is {trial.target}. Learning rates, the best of {len(config.rates)} on validation data: {told}.",
    )
    run.note(
        "transfer",
        f"{trial.n_target} samples of {trial.target}, {trial.tune.steps:,} steps of fine-tuning, and twice as many "
        f"from scratch; the source of one shape is trained on {n_shapes * trial.n_train} samples of {config.single}.",
    )
    names = {"both": "both masks", "no_loss_mask": "no mask in the loss", "no_branch_mask": "no mask in the branch"}
    groups = {
        "shapes of the training": {label: kind for kind, label in names.items()},
        "unseen shape": {label: f"unseen_{kind}" for kind, label in names.items()},
    }
    figure = plots.claim(run, "mask", groups, ylabel="relative L2 error")
    run.figure("masks", figure, ["mask"], caption="Errors with both masks and without either, before any fine-tuning.")
    figure = plots.claim(run, "transfer", ylabel="relative L2 error on the new shape")
    run.figure("transfer", figure, ["transfer"], caption="Errors on the new shape after fine-tuning on few samples.")


def _with_lr(trial: DarcyTrial, lr: float) -> DarcyTrial:
    return replace(trial, train=replace(trial.train, lr=lr))


def _short(trial: DarcyTrial, lr: float, share: int) -> DarcyTrial:
    """A candidate: fewer steps, evaluated on validation data."""
    train = replace(
        trial.train,
        lr=lr,
        steps=max(1, trial.train.steps // share),
        decay_every=max(1, trial.train.decay_every // share),
        drops=None,
    )
    return replace(trial, train=train, is_held_out=True)


@dataclass(frozen=True)
class PlatesConfig:
    """Plates with holes, three-dimensional."""

    trial: PlateTrial
    rates: tuple[float, ...] = (2e-3, 5e-3, 1e-2)


PLATES_QUICK = PlateTrial(
    model=ModelConfig(branch="32,64,64", trunk="32,32,48,48,48", latent=64, dropout=0.0),
    train=_schedule(1500, beta2=0.95, batch_size=None),
)


@experiment(
    "plate3d",
    smoke=PlatesConfig(
        PlateTrial(
            resolution=8,
            depth=3,
            model=ModelConfig(branch="8,8", trunk="8,8,8", latent=4),
            train=_schedule(6, batch_size=None, lion_steps=2),
        ),
        (1e-2,),
    ),
    quick=PlatesConfig(PLATES_QUICK),
    gpu=PlatesConfig(replace(PLATES_QUICK, model=ModelConfig(), train=_schedule(5000, beta2=0.95, batch_size=None))),
    paper=PlatesConfig(PlateTrial(resolution=48, depth=12, train=PLATE), (1e-3,)),
)
def plates(config: PlatesConfig, run: Run) -> None:
    candidates = {
        "network": [
            replace(config.trial, train=replace(config.trial.train, lr=lr), is_held_out=True) for lr in config.rates
        ]
    }
    chosen = run.choose(run_plate, candidates, lambda found: -found["network"], "learning rates")["network"]
    found = run.over_seeds(run_plate, {"plates": replace(chosen, is_held_out=False)}, "networks")["plates"]
    for one in found:
        run.measure("plate3d", **one)
    size = config.trial.resolution
    run.note(
        "plate3d",
        f"24 plates of {size} x {size} x {config.trial.depth} nodes are trained on, 40 evaluated; the learning rate "
        f"{chosen.train.lr:g} is the best of {len(config.rates)} on six held-out plates of the 24.",
    )
    figure = plots.claim(run, "plate3d", ylabel="relative L2 error inside the plates")
    run.figure("plates", figure, caption="Errors of the temperature of 40 unseen plates.")
