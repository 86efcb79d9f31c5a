"""How the claims of Lu et al. (2019) are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from separata import Run, experiment, plots

from .candidates import Networks, RecurrentNetworks
from .configs import Cell, ModelConfig, ProblemConfig, TrainConfig
from .sensors import log_slope
from .trials import SensorTrial, Trial, run_sensors, run_sequences, run_trial

APART = 1.4
"""Ratio of ticks that have room for their numbers."""


def _trial(
    steps: int,
    n_train: int,
    n_test: int = 10_000,
    batch_size: int | None = None,
    **settings: Any,  # noqa: ANN401 - of a trial
) -> Trial:
    """A trial that looks for the best weights 50 times."""
    train = TrainConfig(steps=steps, batch_size=batch_size, check_every=max(1, steps // 50))
    return Trial(n_train=n_train, n_test=n_test, train=train, **settings)


SMOKE = _trial(60, 100, 500)
QUICK = _trial(4000, 2000)
PAPER_SIZE = _trial(50_000, 10_000, 100_000)
RATES = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class GridsConfig:
    """Functions that are known on a grid, for residual and recurrent networks beside the others."""

    trial: Trial
    recurrent: RecurrentNetworks = field(default_factory=RecurrentNetworks)


@dataclass(frozen=True)
class GapConfig:
    """A DeepONet beside the best of several fully connected networks, on the same data with the same steps."""

    trial: Trial
    networks: Networks = field(default_factory=Networks)
    """Of which the best is compared with."""
    grids: GridsConfig | None = None


@experiment(
    "gap-vs-fnn",
    smoke=GapConfig(
        SMOKE,
        Networks((2,), (10,), (1e-2,)),
        GridsConfig(_trial(9, 20, 9, n_points=0, problem=ProblemConfig(n_sensors=5)), RecurrentNetworks((2,), (1e-2,))),
    ),
    quick=GapConfig(QUICK),
    gpu=GapConfig(
        _trial(20_000, 10_000, 100_000),
        Networks(widths=(10, 100, 1000)),
        GridsConfig(_trial(5000, 1000, 1000, n_points=0)),
    ),
    paper=GapConfig(
        PAPER_SIZE,
        Networks(widths=(10, 100, 1000), rates=RATES),
        GridsConfig(_trial(50_000, 1000, 1000, n_points=0), RecurrentNetworks((5, 10, 100), RATES)),
    ),
)
def generalization(config: GapConfig, run: Run) -> None:
    candidates = {"fnn": config.networks.candidates(config.trial)}
    chosen = run.choose(run_trial, candidates, _score, "fully connected networks")["fnn"]
    settings = {
        "deeponet": config.trial,
        "fnn": replace(chosen, is_held_out=False),
        "shuffled": replace(config.trial, is_shuffled=True),
    }
    found = run.over_seeds(run_trial, settings, "networks")
    for deeponet, fnn, shuffled in zip(*found.values(), strict=True):
        run.measure(
            "gap-vs-fnn",
            deeponet_test=_number(deeponet["mse"]),
            fnn_test=_number(fnn["mse"]),
            deeponet_gap=_number(deeponet["generalization_gap"]),
            fnn_gap=_number(fnn["generalization_gap"]),
            shuffled_test=_number(shuffled["mse"]),
        )
    run.note(
        "gap-vs-fnn",
        f"{config.trial.n_train:,} rows, {config.trial.train.steps:,} full-batch steps. Of "
        f"{len(candidates['fnn'])} fully connected networks, hidden layers of {chosen.model.branch} with learning rate "
        f"{chosen.train.lr:g} are best on held-out data; the DeepONet has its published settings.",
    )
    groups = {
        "test error": {"DeepONet": "deeponet_test", "best fully connected network": "fnn_test"},
        "generalization gap": {"DeepONet": "deeponet_gap", "best fully connected network": "fnn_gap"},
    }
    figure = plots.claim(run, "gap-vs-fnn", groups, ylabel="mean squared error", log=True)
    run.figure("gap", figure, caption="Test error and generalization gap of both networks on the antiderivative.")
    if config.grids is not None:
        _compare_on_grids(config.grids, config.networks, run)


def _compare_on_grids(config: GridsConfig, networks: Networks, run: Run) -> None:
    """The DeepONet, and the best networks of each other kind by held-out data, where functions are known on a grid."""
    trial = config.trial
    joined = {"fully connected": networks.candidates(trial), "residual": networks.candidates(trial, "resnet")}
    cells: tuple[Cell, ...] = ("rnn", "gru", "lstm")
    recurrent = {f"recurrent, {cell}": config.recurrent.candidates(trial, cell) for cell in cells}
    best = run.choose(run_trial, joined, _score, "networks on a grid")
    best_recurrent = run.choose(run_sequences, recurrent, _score, "recurrent networks")
    settings = {"DeepONet": trial} | {name: replace(one, is_held_out=False) for name, one in best.items()}
    sequences = {
        name: replace(one, trial=replace(one.trial, is_held_out=False)) for name, one in best_recurrent.items()
    }
    found = run.over_seeds(run_trial, settings, "on a grid")
    found |= run.over_seeds(run_sequences, sequences, "on a grid, recurrent")
    errors = {name: [_number(one["mse"]) for one in of_seeds] for name, of_seeds in found.items()}
    told = [f"{name} {one.model.branch} at {one.train.lr:g}" for name, one in best.items()]
    told += [f"{name} {one.hidden_size} at {one.trial.train.lr:g}" for name, one in best_recurrent.items()]
    run.note(
        "gap-vs-fnn",
        f"On a grid, with {trial.n_train:,} functions and {trial.train.steps:,} steps, the best on held-out data, with "
        f"hidden sizes and learning rates: {'; '.join(told)}.",
    )
    run.figure(
        "grids",
        plots.bars(errors, ylabel="mean squared error", log=True),
        ["gap-vs-fnn"],
        caption=f"Test error after {trial.train.steps:,} steps on {trial.n_train:,} functions known on a grid.",
    )


@dataclass(frozen=True)
class OperatorsConfig:
    """Three operators, each learned from a small set."""

    trial: Trial
    functions: Trial
    """For the partial differential equation: functions with several points each."""


@experiment(
    "ode-and-pde",
    smoke=OperatorsConfig(SMOKE, _trial(40, 20, 10, n_points=20, problem=ProblemConfig(n_grid=30))),
    quick=OperatorsConfig(QUICK, _trial(5000, 200, 200, batch_size=25)),
    gpu=OperatorsConfig(_trial(20_000, 10_000, 100_000), _trial(20_000, 500, 1000)),
    paper=OperatorsConfig(PAPER_SIZE, _trial(50_000, 500, 1000, model=ModelConfig(branch="100,100", trunk="100,100"))),
)
def operators(config: OperatorsConfig, run: Run) -> None:
    settings = {
        "antiderivative": config.trial,
        "pendulum": replace(config.trial, name="pendulum"),
        "diffusion_reaction": replace(config.functions, name="diffusion-reaction"),
        "shuffled": replace(config.trial, is_shuffled=True),
    }
    found = run.over_seeds(run_trial, settings, "operators")
    for of_seed in zip(*found.values(), strict=True):
        errors = [_number(one["relative_l2"]) for one in of_seed]
        run.measure("ode-and-pde", **dict(zip(settings, errors, strict=True)))
    of_equation = config.functions
    batches = f", in batches of {of_equation.train.batch_size} functions" if of_equation.train.batch_size else ""
    run.note(
        "ode-and-pde",
        f"{config.trial.n_train:,} functions of one point for the dynamic systems, {of_equation.n_train:,} of "
        f"{of_equation.n_points or 100} points for diffusion-reaction{batches}.",
    )
    figure = plots.claim(run, "ode-and-pde", ylabel="relative L2 error")
    figure.axes[0].set_yscale("log")
    figure.axes[0].set_ylim(1e-3, 3)
    run.figure("operators", figure, caption="Relative error on unseen functions, and of the control.")


@dataclass(frozen=True)
class SensorsConfig:
    """The law of sensors without networks, and networks with few and with many sensors."""

    law: SensorTrial
    trial: Trial
    few: int = 5
    many: int = 50
    length_scales: tuple[float, float, float] = (0.1, 0.2, 0.5)


@experiment(
    "sensors",
    "input-type",
    smoke=SensorsConfig(SensorTrial(n_sensors=(10, 20, 40), n=50), SMOKE),
    quick=SensorsConfig(SensorTrial(), QUICK),
    gpu=SensorsConfig(SensorTrial(n=5000), _trial(20_000, 10_000, 100_000)),
    paper=SensorsConfig(SensorTrial(n=5000), PAPER_SIZE),
)
def sensor_law(config: SensorsConfig, run: Run) -> None:
    law = run.over_seeds(run_sensors, {"law": replace(config.law, length_scales=config.length_scales)}, "the law")[
        "law"
    ]
    settings: dict[int | float, Trial] = {
        m: replace(config.trial, problem=replace(config.trial.problem, n_sensors=m)) for m in (config.few, config.many)
    }
    settings |= {
        length: replace(config.trial, problem=replace(config.trial.problem, length_scale=length))
        for length in config.length_scales
    }
    found = run.over_seeds(run_trial, settings, "networks")
    middle = config.length_scales.index(0.2)
    for number, (of_law, seed) in enumerate(zip(law, run.seeds, strict=True)):
        mse = {key: _number(of_seeds[number]["mse"]) for key, of_seeds in found.items()}
        slope, _ = log_slope(config.law.n_sensors, of_law["solution"][middle])
        run.measure("sensors", slope=slope, mse_few=mse[config.few], mse_many=mse[config.many])
        ratios = [_mean_ratio(a, b) for a, b in zip(of_law["interpolation"], of_law["interpolation"][1:], strict=False)]
        short, medium, long = (mse[length] for length in config.length_scales)
        run.measure("input-type", ratio_2=ratios[0], ratio_5=ratios[1], mse_01=short, mse_02=medium, mse_05=long)
        for length, errors in zip(config.length_scales, of_law["solution"], strict=True):
            for m, error in zip(config.law.n_sensors, errors, strict=True):
                run.log(m, seed=seed, of=f"correlation length {length:g}", error=error)
    figure = plots.curves(
        run.history, "error", by="of", xlabel="number of sensors m", ylabel="max |G(u) - G(u_m)|, mean over functions"
    )
    _log_axes(figure, config.law.n_sensors)
    run.figure(
        "sensors",
        figure,
        caption="Error of the antiderivative of the interpolated input against the number of sensors: slope -2.",
    )
    figure = plots.claim(run, "input-type", ["mse_01", "mse_02", "mse_05"], ylabel="mean squared error")
    run.figure("lengths", figure, ["input-type"], caption="Test error of networks by correlation length of the input.")


@dataclass(frozen=True)
class RatesConfig:
    """Training sets of several sizes."""

    trial: Trial
    small: tuple[int, ...] = (50, 100, 200, 300, 400)
    """Where the convergence is exponential."""
    large: tuple[int, ...] = (500, 1000, 2000, 4000)
    """Where it is polynomial."""
    equation: "EquationConfig | None" = None
    """A partial differential equation, whose functions and points are varied apart."""


@dataclass(frozen=True)
class EquationConfig:
    """Diffusion-reaction with several numbers of functions, and of points of each."""

    trial: Trial
    n_functions: tuple[int, ...] = (25, 50, 100, 200, 500, 1000)
    n_points: tuple[int, ...] = (5, 10, 25, 50, 100, 200)

    def settings(self) -> dict[tuple[str, int], Trial]:
        """Each number of functions with the trial's points, and of points with the trial's functions."""
        trial = replace(self.trial, name="diffusion-reaction")
        return {("functions", n): replace(trial, n_train=n) for n in self.n_functions} | {
            ("points of each", n): replace(trial, n_points=n) for n in self.n_points
        }


@experiment(
    "poly-rate",
    "exp-rate",
    smoke=RatesConfig(
        SMOKE,
        small=(20, 40, 60),
        large=(80, 100),
        equation=EquationConfig(_trial(10, 10, 5, n_points=5, problem=ProblemConfig(n_grid=10)), (5, 10), (5, 10)),
    ),
    quick=RatesConfig(QUICK),
    gpu=RatesConfig(
        _trial(20_000, 10_000, 100_000),
        small=(100, 200, 400, 600, 800, 1000),
        large=(2000, 5000, 10_000, 20_000, 50_000),
        equation=EquationConfig(_trial(10_000, 500, 1000)),
    ),
    paper=RatesConfig(
        PAPER_SIZE,
        small=(100, 200, 400, 600, 800, 1000),
        large=(2000, 5000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
        equation=EquationConfig(_trial(50_000, 500, 1000)),
    ),
)
def rates(config: RatesConfig, run: Run) -> None:
    sizes = config.small + config.large
    settings: dict[Any, Trial] = {n: replace(config.trial, n_train=n) for n in sizes}
    ends = config.large[0], config.trial.n_train
    settings |= {("shuffled", n): replace(config.trial, n_train=n, is_shuffled=True) for n in ends}
    found = run.over_seeds(run_trial, settings, "sizes of the training set")
    for number, seed in enumerate(run.seeds):
        mse = {key: _number(of_seeds[number]["mse"]) for key, of_seeds in found.items()}
        large, small = ([mse[n] for n in some] for some in (config.large, config.small))
        order = -log_slope(config.large, large)[0]
        run.measure("poly-rate", order=order, order_shuffled=-log_slope(ends, [mse["shuffled", n] for n in ends])[0])
        run.measure(
            "exp-rate",
            r2_exponential=log_slope(config.small, small, log_x=False)[1],
            r2_polynomial=log_slope(config.small, small)[1],
            mse_first=small[0],
            mse_last=small[-1],
        )
        for n in sizes:
            run.log(n, seed=seed, of="DeepONet", error=mse[n])
    figure = plots.curves(run.history, "error", by="of", xlabel="training rows", ylabel="mean squared error")
    _log_axes(figure, sizes)
    run.figure("rates", figure, caption="Test error on the antiderivative against the size of the training set.")
    if config.equation is not None:
        _vary_equation(config.equation, run)


def _vary_equation(config: EquationConfig, run: Run) -> None:
    settings = config.settings()
    found = run.over_seeds(run_trial, settings, "functions and points")
    rows = [
        {"n": n, "of": what, "error": _number(one["mse"])} for (what, n), of_seeds in found.items() for one in of_seeds
    ]
    figure = plots.curves(rows, "error", x="n", by="of", xlabel="number", ylabel="mean squared error")
    _log_axes(figure, sorted({n for _, n in settings}))
    run.figure(
        "functions-and-points",
        figure,
        caption="Test error on diffusion-reaction against the numbers of functions and of points of each.",
    )


@dataclass(frozen=True)
class VariantsConfig:
    """Unstacked and stacked networks with and without bias."""

    trial: Trial


SMALLER = ModelConfig(branch="20,20", trunk="20,20")


@experiment(
    "unstacked-bias",
    smoke=VariantsConfig(replace(SMOKE, model=SMALLER)),
    quick=VariantsConfig(_trial(2000, 500, model=SMALLER)),
    gpu=VariantsConfig(_trial(20_000, 10_000, 100_000)),
    paper=VariantsConfig(PAPER_SIZE),
)
def variants(config: VariantsConfig, run: Run) -> None:
    settings = {
        f"{'stacked' if stacked else 'unstacked'}{'_bias' if bias else ''}": replace(
            config.trial, model=replace(config.trial.model, stacked=stacked, bias=bias)
        )
        for stacked, bias in product((False, True), (True, False))
    }
    found = run.over_seeds(run_trial, settings, "variants")
    for number in range(len(run.seeds)):
        of_seed = {name: of_seeds[number] for name, of_seeds in found.items()}
        run.measure(
            "unstacked-bias",
            **{name: _number(one["mse"]) for name, one in of_seed.items()},
            unstacked_gap=_number(of_seed["unstacked_bias"]["generalization_gap"]),
            stacked_gap=_number(of_seed["stacked_bias"]["generalization_gap"]),
            mean=of_seed["unstacked_bias"]["mean_mse"],
        )
    model = config.trial.model
    run.note(
        "unstacked-bias",
        f"Branch {model.branch} and trunk {model.trunk}; {config.trial.n_train:,} rows, "
        f"{config.trial.train.steps:,} steps.",
    )
    keys = ["unstacked_bias", "unstacked", "stacked_bias", "stacked", "unstacked_gap", "stacked_gap"]
    figure = plots.claim(run, "unstacked-bias", keys, ylabel="mean squared error")
    run.figure("variants", figure, caption="Test errors of the four variants, and gaps of those with a bias.")


def _number(value: float | None) -> float:
    """A number that JSON kept; that of a training that diverged is none."""
    return float("nan") if value is None else value


def _score(found: Mapping[str, Any]) -> float:
    """What settings are chosen by."""
    return -_number(found["mse"])


def _mean_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Geometric mean of the ratios, over numbers of sensors that resolve both."""
    ratios = [x / y for x, y in zip(a, b, strict=True)][1:]
    result = 1.0
    for ratio in ratios:
        result *= ratio ** (1 / len(ratios))
    return result


def _log_axes(figure: Any, ticks: Sequence[int]) -> None:  # noqa: ANN401 - a figure of matplotlib
    """Logarithmic axes, with the numbers that were measured as ticks, where they have room."""
    axes = figure.axes[0]
    kept: list[int] = []
    for tick in ticks:
        kept += [tick] if not kept or tick >= APART * kept[-1] else []
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(kept, [f"{tick:,}" for tick in kept])
    axes.minorticks_off()
