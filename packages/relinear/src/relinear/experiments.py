"""How the claims of Fan et al. (2021) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from separata import Run, experiment, plots
from separata.models import match_width

from .budgets import mlp_size, operation_ratio, parameter_ratio
from .configs import Init, ModelConfig, Neuron, Setting, TrainConfig
from .continuation import Continuation, run_continuation
from .paper import ALTERNATIVES, GAMMAS, PAPER
from .remedies import FEW, NETWORKS, Collapses, chosen_strengths, collapse_trial
from .toys import Toys, dimension_mismatches, run_toys
from .trials import Trial, run_trial


@experiment("expressivity", smoke=Toys(n_points=150, steps=60), quick=Toys())
def expressivity(config: Toys, run: Run) -> None:
    mismatches = run.once(dimension_mismatches, config)
    found = run.over_seeds(run_toys, {"toys": config}, "constructions")["toys"]
    for one in found:
        run.measure("expressivity", mismatches=mismatches, **one)
    keys = {
        "dimension of the family of functions": {
            "quadratic": "dimension_quadratic",
            "quadratic activation": "dimension_activation",
            "linear": "dimension_conventional",
        }
    }
    run.figure(
        "dimensions",
        plots.claim(run, "expressivity", keys, ylabel="dimension"),
        caption="Dimension of the set of functions that two layers of each kind reach.",
    )


@experiment(
    "collapse",
    "stabilizes",
    "compact",
    smoke=Collapses("digits", ("mlp:16x4",), (0.05,), TrainConfig(epochs=4, batch_size=32), 300, **FEW),
    quick=Collapses(),
    gpu=Collapses(
        "cifar10", ("qresnet20",), (0.01, 0.1), TrainConfig(epochs=3, batch_size=128, weight_decay=1e-4), **FEW
    ),
    paper=Collapses(
        "cifar10",
        ("qresnet20", "qresnet32", "qresnet56"),
        (0.01, 0.1),
        TrainConfig(epochs=200, batch_size=128, weight_decay=1e-4, schedule="steps", augment=True),
        gammas=(1e-2, 1e-4),
        alphas=(0.1, 0.001),
        clips=(1.0, 0.1),
        slower=(0.1, 0.01),
    ),
)
def collapses(config: Collapses, run: Run) -> None:
    chosen = chosen_strengths(config, run.seeds, lambda some: run.map(run_trial, some, "held-out data"))
    trials = {
        (name, model): collapse_trial(config, name, model, run.seeds, (chosen[name],))
        for name in NETWORKS
        for model in config.models
    }
    # The longest first.
    order = sorted(trials, key=lambda key: (key[0] != "batchnorm", key[0] == "conventional"))
    found = dict(zip(order, run.map(run_trial, [trials[key] for key in order], "trainings"), strict=True))
    for number, seed in enumerate(run.seeds):
        share = {name: _mean_of(config, found, name, "collapse", number) for name in NETWORKS}
        score = {name: _mean_of(config, found, name, "accuracy", number) for name in NETWORKS}
        run.measure(
            "collapse",
            **{key: share[key] for key in ("random", "conventional", *ALTERNATIVES)},
            accuracy_random=score["random"],
            accuracy_conventional=score["conventional"],
        )
        keys = ("relinear", "relinear_sw", "init_only", "rate_only", "random", "conventional", *ALTERNATIVES)
        run.measure(
            "stabilizes",
            **{key: share[key] for key in keys},
            **{f"accuracy_{key}": score[key] for key in ("relinear", *ALTERNATIVES)},
        )
        run.measure(
            "compact",
            parameters=parameter_ratio(),
            operations=operation_ratio(),
            collapse=share["compact"],
            accuracy=score["compact"],
            accuracy_full=score["relinear"],
            accuracy_conventional=score["conventional"],
        )
        for (name, model), one in found.items():
            rows = zip(config.rates, one["accuracy"], one["collapse"], strict=True)
            for rate, accuracies, collapsed in rows:
                values = {"accuracy": accuracies[number], "collapse": collapsed[number]}
                run.log(seed, network=name, model=model, rate=rate, **values)
    n = len(config.models) * len(config.rates)
    told = f"{n} trainings a seed and network: {', '.join(config.models)} with learning rates {_listed(config.rates)}"
    for claim in ("collapse", "stabilizes", "compact"):
        run.note(claim, f"{told}; {config.train.epochs} epochs of {config.data}, batches of {config.train.batch_size}.")
        tried = [
            f"{NETWORKS[name]} {chosen[name]:g}, of {_listed(config.strengths(name))}"
            for name in NETWORKS
            if config.strengths(name) and (name == "compact") == (claim == "compact")
        ]
        run.note(claim, f"Strengths with the highest mean accuracy on held-out data: {'; '.join(tried)}.")
    run.figure(
        "collapse",
        plots.claim(
            run,
            "stabilizes",
            [key for key in PAPER.claim("stabilizes").paper if not key.startswith("accuracy")],
            ylabel="share of trainings that collapse",
        ),
        ["collapse", "stabilizes"],
        caption="Share of trainings that collapse, for each kind of network and of training.",
    )


def _mean_of(config: Collapses, found: Mapping[Any, Mapping[str, Any]], name: str, key: str, seed: int) -> float:
    """Over depths and rates."""
    return fmean(row[seed] for model in config.models for row in found[name, model][key])


@dataclass(frozen=True)
class Potential:
    """Networks of one structure at their best settings, and the sweep over gamma."""

    datasets: tuple[str, ...] = ("digits", "mnist5k")
    model: str = "mlp:64x3"
    rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 0.03, 0.1, 0.3)
    """Down to what networks without a remedy can bear, and in steps that meet their narrow optimum."""
    gammas: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    decays: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
    """As many as there are gammas: of the networks that have none."""
    epochs: tuple[int, ...] = (30, 10)
    """For each data set."""
    sizes: tuple[int | None, ...] = (None, 14)
    """Pixels of each data set's images."""
    train: TrainConfig = field(default_factory=TrainConfig)
    n_train: int | None = None

    def size(self, data: str) -> int | None:
        """Pixels of the images of a data set; None leaves them."""
        return self.sizes[self.datasets.index(data)]


CIFAR = TrainConfig(batch_size=128, weight_decay=1e-4, schedule="steps", augment=True)


@experiment(
    "full-potential",
    "inside-optimum",
    smoke=Potential(("digits",), "mlp:16x2", (0.1,), (1e-2,), (0.0,), (3,), (None,), TrainConfig(batch_size=32), 300),
    quick=Potential(),
    gpu=Potential(
        ("cifar10",), "qresnet20", (0.1,), (1e-4, 1e-2), (1e-4, 5e-4), (4,), (None,), replace(CIFAR, batch_size=512)
    ),
    paper=Potential(("cifar10",), "qresnet20", (0.1,), (1e-5, 1e-4, 1e-3), (1e-4, 2e-4, 5e-4), (200,), (None,), CIFAR),
)
def potential(config: Potential, run: Run) -> None:
    contenders = _contenders(config)
    candidates = {key: _candidates(config, key, run.seeds) for key in contenders}
    tried = dict(zip(candidates, run.map(run_trial, list(candidates.values()), "held-out data"), strict=True))
    chosen = {key: _best(candidates[key].settings, tried[key]["accuracy"]) for key in candidates}
    final = {key: replace(one, settings=(chosen[key],), is_held_out=False) for key, one in candidates.items()}
    found = dict(zip(final, run.map(run_trial, list(final.values()), "networks"), strict=True))
    names = list(dict.fromkeys(name for name, _ in contenders))
    for number in range(len(run.seeds)):
        run.measure(
            "full-potential",
            **{name: fmean(found[name, data]["accuracy"][0][number] for data in config.datasets) for name in names},
        )
    sizes = {name: [found[name, data]["n_parameters"] for data in config.datasets] for name in names}
    labels = PAPER.claim("full-potential").labels
    told = "; ".join(f"{labels[name]} {', '.join(f'{n:,}' for n in some)}" for name, some in sizes.items())
    run.note("full-potential", f"{config.model} on {_sources(config)}. Parameters: {told}.")
    rates = "; ".join(f"{labels[name]}, {data}: {_told(chosen[name, data], name)}" for name, data in contenders)
    run.note("full-potential", f"Chosen: {rates}.")
    _sweep(config, run, {data: chosen["conventional", data].lr for data in config.datasets})


def _sources(config: Potential) -> str:
    sized = zip(config.datasets, config.sizes, strict=True)
    return " and ".join(data + (f" of {size} x {size} pixels" if size else "") for data, size in sized)


def _contenders(config: Potential) -> list[tuple[str, str]]:
    names = ["relinear", "conventional", "conventional_wide", "activation", "random"]
    return [(name, data) for data in config.datasets for name in names]


def _candidates(config: Potential, key: tuple[str, str], seeds: Sequence[int]) -> Trial:
    """All settings that a network is tried with."""
    name, data = key
    model = ModelConfig(config.model)
    decay = config.train.weight_decay
    if name == "relinear":
        settings = [Setting(rate, gamma, weight_decay=decay) for rate in config.rates for gamma in config.gammas]
    else:
        settings = [Setting(rate, weight_decay=one) for rate in config.rates for one in config.decays]
    kinds: dict[str, Neuron] = {"relinear": "quadratic", "random": "quadratic", "activation": "activation"}
    neuron = kinds.get(name, "conventional")
    if name == "conventional_wide":
        model = _widened(model, data, config)
    train = replace(config.train, epochs=config.epochs[config.datasets.index(data)])
    init: Init = "random" if name == "random" else "relinear"
    n, size = config.n_train, config.size(data)
    chosen = tuple(settings), tuple(seeds)
    return Trial(data, model, neuron, *chosen, init, train, is_held_out=True, n_train=n, size=size)


def _widened(model: ModelConfig, data: str, config: Potential) -> ModelConfig:
    """The conventional perceptron of as many parameters as the quadratic one."""
    if model.depth is not None:
        return model
    shape, hidden = mlp_size(data, config.n_train, config.size(data)), model.hidden
    budget = shape((*hidden,), 3)
    width = match_width(lambda one: shape((one,) * len(hidden), 1), budget)
    return replace(model, model=f"mlp:{width}x{len(hidden)}")


def _best(settings: Sequence[Setting], accuracies: Sequence[Sequence[float]]) -> Setting:
    means = [fmean(row) for row in accuracies]
    return settings[means.index(max(means))]


def _told(setting: Setting, name: str) -> str:
    return f"lr {setting.lr:g}, " + (
        f"gamma {setting.gamma:g}" if name == "relinear" else f"weight decay {setting.weight_decay:g}"
    )


def _sweep(config: Potential, run: Run, rates: Mapping[str, float]) -> None:
    """Accuracy by gamma, at the learning rate of the conventional network."""
    decay = config.train.weight_decay
    trials = {
        (data, is_held_out): replace(
            _candidates(config, ("relinear", data), run.seeds),
            settings=tuple(Setting(rates[data], gamma, weight_decay=decay) for gamma in GAMMAS.values()),
            is_held_out=is_held_out,
        )
        for data in config.datasets
        for is_held_out in (True, False)
    }
    plain = {
        data: replace(
            _candidates(config, ("conventional", data), run.seeds),
            settings=(Setting(rates[data], weight_decay=decay),),
            is_held_out=False,
        )
        for data in config.datasets
    }
    results = run.map(run_trial, [*trials.values(), *plain.values()], "sweep over gamma")
    of = dict(zip([*trials, *plain], results, strict=True))
    inner = [i for i, gamma in enumerate(GAMMAS.values()) if 0 < gamma < 1]
    for number, seed in enumerate(run.seeds):
        curves = {data: [row[number] for row in of[data, False]["accuracy"]] for data in config.datasets}
        best = {data: _best_of(inner, of[data, True]["accuracy"]) for data in config.datasets}
        run.measure(
            "inside-optimum",
            **{f"gamma_{key}": fmean(curves[data][i] for data in config.datasets) for i, key in enumerate(GAMMAS)},
            best=fmean(curves[data][best[data]] for data in config.datasets),
            conventional=fmean(of[data]["accuracy"][0][number] for data in config.datasets),
            moved=max(_number(of[data, False]["moved"][0][number]) for data in config.datasets),
        )
        for data in config.datasets:
            for gamma, value in zip(GAMMAS.values(), curves[data], strict=True):
                run.log(seed, data=data, gamma=gamma, accuracy=value)
    run.note("inside-optimum", f"{config.model}; learning rates {_listed(rates.values())}.")
    keys = [f"gamma_{key}" for key in GAMMAS]
    run.figure(
        "gamma",
        plots.claim(run, "inside-optimum", keys, ylabel="test accuracy"),
        ["inside-optimum"],
        caption="Test accuracy by the share of the learning rate that quadratic parameters have.",
    )
    run.figure(
        "potential",
        plots.claim(run, "full-potential", ylabel="test accuracy"),
        ["full-potential"],
        caption="Test accuracy of each network at its best setting.",
    )


@experiment(
    "from-trained",
    smoke=Continuation(model="mlp:16x2", epochs=3, further=2, n_train=300),
    quick=Continuation(),
    gpu=Continuation("cifar10", "qresnet20", 4, 2, lr=0.1, batch_size=256),
    paper=Continuation("cifar10", "qresnet20", 100, 100, lr=0.1, batch_size=128),
)
def from_trained(config: Continuation, run: Run) -> None:
    for one in run.over_seeds(run_continuation, {"all": config}, "from trained networks")["all"]:
        run.measure("from-trained", **{key: _number(value) for key, value in one.items()})
    run.note(
        "from-trained",
        f"{config.model} on {config.data}: {config.epochs} epochs as a conventional network, then {config.further} "
        f"more, converted with gamma = {config.gamma:g} or not, at a learning rate of {config.lr:g} and then a "
        "tenth of that.",
    )


def _best_of(places: Sequence[int], accuracies: Sequence[Sequence[float]]) -> int:
    """The place with the highest mean over seeds."""
    return max(places, key=lambda place: fmean(accuracies[place]))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _listed(values: Any) -> str:  # noqa: ANN401 - any numbers
    return " and ".join(f"{value:g}" for value in values)
