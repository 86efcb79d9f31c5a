"""How the claims of Yang et al. (2024) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from separata import Run, experiment, plots

from .configs import POOL, TrainConfig
from .contenders import Contender
from .functions import FUNCTIONS
from .paper import FAMILIES, NAMES
from .trials import DigitsTrial, FunctionTrial, ImageTrial, run_digits, run_function, run_image

SINGLE = {name: Contender("kan", name) for name in POOL}
LABELS = {"skan": "S-KAN", **NAMES, "mlp": "MLP, pruned size", "mlp_unpruned": "MLP, unpruned size"}
RATES = (3e-3, 1e-2, 3e-2, 1e-1)
"""Learning rates that every network is tried with, on held-out data."""
NETWORKS = {"skan": Contender(), **SINGLE, "mlp": Contender("mlp"), "mlp_unpruned": Contender("mlp", size="unpruned")}


@dataclass(frozen=True)
class FunctionsConfig:
    """The seven functions, each learned by S-KAN, by KANs of one family, and by perceptrons."""

    trial: FunctionTrial
    """Its epochs are those of the single families, and of S-KAN's last stage."""
    digits: DigitsTrial
    rates: tuple[float, ...] = RATES
    functions: tuple[str, ...] = tuple(FUNCTIONS)


def _functions(epochs: int, digits_epochs: int, n: int = 1000, **settings: Any) -> FunctionsConfig:  # noqa: ANN401 - fields
    trial = FunctionTrial("", train=TrainConfig(epochs=epochs), n_train=n, n_test=n)
    digits = DigitsTrial(train=TrainConfig(epochs=digits_epochs, batch_size=256))
    digits = replace(digits, model=replace(digits.model, hidden="8"))
    return FunctionsConfig(trial, digits, **settings)


QUICK_FUNCTIONS = _functions(1000, 40)
"""Full batches of 1,000 points."""


@experiment(
    "outperforms",
    "surpasses-mlp",
    "single-space",
    "variability",
    "matches-mlp",
    smoke=_functions(4, 2, 100, rates=(1e-2,)),
    quick=QUICK_FUNCTIONS,
    gpu=_functions(2000, 100),
    paper=_functions(5000, 200),
)
def functions(config: FunctionsConfig, run: Run) -> None:
    found = _train_on_functions(config, run)
    accuracies = _train_on_digits(config, run)
    for number, seed in enumerate(run.seeds):
        errors = {
            name: {key: _number(of_seeds[number]["rmse"]) for (task, key), of_seeds in found.items() if task == name}
            for name in config.functions
        }
        _measure(run, errors, {name: _number(of_seeds[number]["accuracy"]) for name, of_seeds in accuracies.items()})
        for name, of_task in errors.items():
            run.log(seed, function=name, **of_task)
    _tell(config, run, found)
    _draw(config, run, found)


def _train_on_functions(config: FunctionsConfig, run: Run) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Results of every seed for each function and network, each with the best learning rate on held-out data."""
    candidates = {
        (task, key): [
            replace(
                config.trial,
                function=task,
                contender=contender,
                train=_train(config, contender, lr),
                is_held_out=True,
            )
            for lr in config.rates
        ]
        for task in config.functions
        for key, contender in NETWORKS.items()
    }
    chosen = run.choose(run_function, candidates, _score, "learning rates")
    settings = {key: replace(one, is_held_out=False) for key, one in chosen.items()}
    for task in config.functions:
        best = settings[task, "skan"]
        total = replace(best, train=replace(best.train, epochs=config.trial.train.epochs))
        settings[task, "skan_equal_total"] = total
        settings[task, "skan_successive"] = replace(best, stages=replace(best.stages, strategy="successive"))
    return run.over_seeds(run_function, settings, "functions")


def _train(config: FunctionsConfig, contender: Contender, lr: float) -> TrainConfig:
    """As many epochs for all networks after S-KAN's pruning."""
    stages, epochs = config.trial.stages, config.trial.train.epochs
    if contender.kind == "s-kan":
        epochs = round(epochs / (1 - stages.full - stages.selective))
    return replace(config.trial.train, lr=lr, epochs=epochs)


def _train_on_digits(config: FunctionsConfig, run: Run) -> dict[str, list[dict[str, Any]]]:
    trial, stages = config.digits, config.digits.stages
    epochs = {"skan": round(trial.train.epochs / (1 - stages.full - stages.selective)), "mlp": trial.train.epochs}
    candidates = {
        key: [
            replace(
                trial,
                contender=NETWORKS[key],
                train=replace(trial.train, lr=lr, epochs=epochs[key]),
                is_held_out=True,
            )
            for lr in config.rates
        ]
        for key in ("skan", "mlp")
    }
    chosen = run.choose(run_digits, candidates, lambda found: _number(found["accuracy"]), "learning rates, digits")
    return run.over_seeds(run_digits, {key: replace(one, is_held_out=False) for key, one in chosen.items()}, "digits")


def _measure(run: Run, errors: Mapping[str, Mapping[str, float]], accuracies: Mapping[str, float]) -> None:
    """What the errors of a seed, by function and network, say of the claims."""
    tasks = list(errors.values())
    ranks = [ranks_of({key: one[key] for key in ("skan", *FAMILIES)}) for one in tasks]
    replaced = {
        name: _mean([ranks_of({"skan": one[name], **{key: one[key] for key in FAMILIES}})["skan"] for one in tasks])
        for name in ("skan_equal_total", "skan_successive")
    }
    best = [min(one[key] for key in FAMILIES) for one in tasks]
    run.measure(
        "outperforms",
        **{f"rank_{key}": _mean([one[key] for one in ranks]) for key in ("skan", *FAMILIES)},
        worst_ratio=_largest([one["skan"] / low for one, low in zip(tasks, best, strict=True)]),
        rank_skan_equal_total=replaced["skan_equal_total"],
        rank_skan_successive=replaced["skan_successive"],
    )
    against = {name: [one["skan"] / one[name] for one in tasks] for name in ("mlp", "mlp_unpruned")}
    run.measure(
        "surpasses-mlp",
        wins=_count([ratio < 1 for ratio in against["mlp"]]),
        ratio=_geometric_mean(against["mlp"]),
        wins_unpruned=_count([ratio < 1 for ratio in against["mlp_unpruned"]]),
        ratio_unpruned=_geometric_mean(against["mlp_unpruned"]),
    )
    spreads = [max(one[key] for key in FAMILIES) / low for one, low in zip(tasks, best, strict=True)]
    run.measure(
        "single-space",
        extreme=len(extremes([{key: one[key] for key in FAMILIES} for one in tasks])),
        spread=_count([spread >= 3 for spread in spreads]),
        largest_spread=_largest(spreads),
    )
    of_six = [min(low, one["skan"]) for one, low in zip(tasks, best, strict=True)]
    run.measure(
        "variability",
        **{
            key: _largest([math.log10(one[key] / low) for one, low in zip(tasks, of_six, strict=True)])
            for key in ("skan", *FAMILIES)
        },
    )
    run.measure("matches-mlp", **accuracies, ratio=_geometric_mean(against["mlp"]))


def _tell(config: FunctionsConfig, run: Run, found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> None:
    epochs, points = config.trial.train.epochs, config.trial.n_train
    run.note(
        "outperforms",
        f"{points:,} points, {epochs:,} epochs for each family and for S-KAN after pruning; each network and function "
        f"with the best of {len(config.rates)} learning rates on held-out points.",
    )
    sizes = {
        key: sorted({one[0]["n_parameters"] for (_, name), one in found.items() if name == key}) for key in NETWORKS
    }
    told = "; ".join(f"{LABELS[key]} {', '.join(map(str, sizes[key]))}" for key in ("skan", "mlp", "mlp_unpruned"))
    run.note("surpasses-mlp", f"Parameters by number of variables: {told}.")
    chosen = []
    for task in config.functions:
        families = [name for one in found[task, "skan"] for layer in one["chosen"] for name in layer]
        most = max(dict.fromkeys(families), key=families.count, default="none")
        chosen.append(f"{task}: {most}, by {families.count(most)} of {len(families)} nodes")
    run.note("variability", f"What nodes chose most, over all seeds: {'; '.join(chosen)}.")


def _draw(config: FunctionsConfig, run: Run, found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> None:
    errors = {
        task: {key: _mean([_number(one["rmse"]) for one in found[task, key]]) for key in LABELS}
        for task in config.functions
    }
    if all(math.isfinite(value) for of_task in errors.values() for value in of_task.values()):
        caption = (
            "Test error of each network on each function, relative to the smallest: means over seeds; darker is better."
        )
        run.figure("errors", draw_errors(errors), caption=caption)
    figure = plots.claim(run, "variability", ylabel="largest regret, log10")
    run.figure("regret", figure, ["variability"], caption="Largest regret of each network over the seven functions.")


def draw_errors(errors: Mapping[str, Mapping[str, float]]) -> Any:  # noqa: ANN401 - a figure
    """A table of errors by function and network, each relative to the smallest of its function."""
    best = {task: min(of_task.values()) for task, of_task in errors.items()}
    ratios = [[errors[task][key] / best[task] for task in errors] for key in LABELS]
    return plots.heatmap(
        ratios,
        rows=list(LABELS.values()),
        columns=list(errors),
        label="test RMSE / the smallest",
        fmt=".3g",
        cmap="Blues_r",
        limits=(1.0, 5.0),
    )


@dataclass(frozen=True)
class ImagesConfig:
    """Image networks on several data sets."""

    trials: tuple[ImageTrial, ...]
    rates: tuple[float, ...] = RATES
    """Learning rates that every network is tried with, on held-out images."""


def _images(*names: str, epochs: int, **settings: Any) -> ImagesConfig:  # noqa: ANN401 - fields of a trial
    train = TrainConfig(epochs=epochs, lr=1e-3, batch_size=64, weight_decay=1e-4)
    return ImagesConfig(tuple(ImageTrial(name, train=train, **settings) for name in names))


QUICK_IMAGES = ImagesConfig(
    (
        ImageTrial("digits", channels="8,16", train=TrainConfig(epochs=8, batch_size=64, weight_decay=1e-4)),
        ImageTrial(
            "mnist5k",
            channels="4,8,16",
            size=14,
            train=TrainConfig(epochs=4, batch_size=64, weight_decay=1e-4),
        ),
    ),
)
"""Eight by eight and fourteen by fourteen pixels."""


@experiment(
    "images",
    smoke=ImagesConfig(
        (ImageTrial("digits", channels="2", n_train=100, train=TrainConfig(epochs=2, batch_size=50)),), (1e-2,)
    ),
    quick=QUICK_IMAGES,
    gpu=_images("mnist", "fashion-mnist", "cifar10", "cifar100", epochs=5, channels="16,32,64"),
    paper=_images("mnist", "fashion-mnist", "cifar10", "cifar100", epochs=100, channels="16,32,64,128"),
)
def images(config: ImagesConfig, run: Run) -> None:
    networks: dict[str, dict[str, Any]] = {"skan": {"arch": "s-convkan"}, "cnn": {"arch": "cnn"}}
    networks |= {name: {"arch": "convkan", "basis": name} for name in FAMILIES}
    candidates = {
        (trial.dataset, key): [
            replace(trial, **network, train=replace(trial.train, lr=lr, epochs=_epochs(trial, key)), is_held_out=True)
            for lr in config.rates
        ]
        for trial in config.trials
        for key, network in networks.items()
    }
    chosen = run.choose(run_image, candidates, lambda found: _number(found["accuracy"]), "learning rates, images")
    settings = {key: replace(one, is_held_out=False) for key, one in chosen.items()}
    found = run.over_seeds(run_image, settings, "image networks")
    datasets = [trial.dataset for trial in config.trials]
    for number in range(len(run.seeds)):
        of_seed = {key: _number(of_seeds[number]["accuracy"]) for key, of_seeds in found.items()}
        skan, cnn = ([of_seed[name, key] for name in datasets] for key in ("skan", "cnn"))
        fixed = [[of_seed[name, key] for key in FAMILIES] for name in datasets]
        run.measure(
            "images",
            skan=_mean(skan),
            fixed=_mean([_mean(one) for one in fixed]),
            best_fixed=_mean([_largest(one) for one in fixed]),
            cnn=_mean(cnn),
            margin_fixed=-_largest([_mean(other) - one for one, other in zip(skan, fixed, strict=True)]),
            margin_cnn=-_largest([other - one for one, other in zip(skan, cnn, strict=True)]),
        )
    _tell_of_images(config, run, found)


def _epochs(trial: ImageTrial, key: str) -> int:
    """As many for all networks after S-ConvKAN's pruning."""
    share = 1 - trial.stages.full - trial.stages.selective
    return round(trial.train.epochs / share) if key == "skan" else trial.train.epochs


def _tell_of_images(
    config: ImagesConfig, run: Run, found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
) -> None:
    told = [
        f"{one.dataset}: channels {one.channels}, {one.train.epochs} epochs, "
        f"{found[one.dataset, 'skan'][0]['n_parameters']:,} parameters of S-ConvKAN and "
        f"{found[one.dataset, 'cnn'][0]['n_parameters']:,} of the CNN"
        for one in config.trials
    ]
    run.note("images", f"{'; '.join(told)}; each with the best of {len(config.rates)} learning rates.")
    labels = {"skan": "S-ConvKAN", **{name: NAMES[name].replace("KAN", "ConvKAN") for name in FAMILIES}, "cnn": "CNN"}
    values = {
        one.dataset: {
            label: [_number(seed["accuracy"]) for seed in found[one.dataset, key]] for key, label in labels.items()
        }
        for one in config.trials
    }
    figure = plots.bars(values, ylabel="test accuracy", fmt=None)
    low = min(value for of_set in values.values() for some in of_set.values() for value in some)
    figure.axes[0].set_ylim(max(0.0, low - 0.1 * (1 - low) - 0.02), 1.0)
    run.figure("images", figure, caption="Test accuracy of each network on each data set.")


def ranks_of(errors: Mapping[str, float]) -> dict[str, float]:
    """The rank of each network by its error, 1 for the smallest; equal errors share theirs. NaN if an error is."""
    if not all(math.isfinite(value) for value in errors.values()):
        return dict.fromkeys(errors, math.nan)
    others = list(errors.values())
    return {
        name: 0.5 * (1 + sum(other < value for other in others) + sum(other <= value for other in others))
        for name, value in errors.items()
    }


def extremes(tasks: Sequence[Mapping[str, float]]) -> set[str]:
    """What is best or worst on some task."""
    return {choose(one, key=lambda name: one[name]) for one in tasks for choose in (min, max)}


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return math.nan if value is None else value


def _score(found: Mapping[str, Any]) -> float:
    """What learning rates are chosen by."""
    return -_number(found["rmse"])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _largest(values: Sequence[float]) -> float:
    return max(values) if all(math.isfinite(value) for value in values) else math.nan


def _count(flags: Sequence[bool]) -> int:
    return sum(flags)


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(_mean([math.log(value) if value > 0 else math.nan for value in values]))
