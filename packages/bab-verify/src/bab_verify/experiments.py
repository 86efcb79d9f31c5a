"""How the claims of Shi et al. (2025) and Zhou et al. (2024) are measured."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from separata import Run, experiment, plots

from . import drawing, trials
from .branching_points import branching_table
from .drawing import Found, pooled
from .gelu import Gelu
from .graph import Interval
from .instances import read_instances
from .onnx_front_end import load_onnx
from .paper import ACTIVATIONS
from .periodic import Sin
from .property_files import load_vnnlib
from .relaxation import Nonlinear
from .s_shaped import Sigmoid, Tanh
from .settings import VerifyConfig
from .trials import Answers, Budget, Recipe, Trial, folder_of, run_trial
from .verifier import Verifier


def _run(named: Mapping[str, Trial], run: Run) -> Found:
    """Every trial with every seed."""
    keys = [(name, seed) for seed in run.seeds for name in named]
    found = run.map(run_trial, [replace(named[name], seed=seed) for name, seed in keys], "networks")
    return dict(zip(keys, found, strict=True))


def _wrong(found: Found, seed: int) -> int:
    return sum(one["wrong"] for (_, at), one in found.items() if at == seed)


def _tell(found: Found, run: Run, claims: Sequence[str]) -> None:
    """Note how hard the properties are."""
    branched = sum(len(trials.branched(one["answers"])) for one in found.values())
    total = sum(len(one["answers"]) for one in found.values())
    limit = next(iter(found.values()))["max_domains"]
    radii = [one["radius"] for one in found.values()]
    size = f", radius {min(radii):.2g} to {max(radii):.2g}" if max(radii) else ""
    for claim in claims:
        run.note(
            claim,
            f"All seeds: {total} properties{size}, of which {branched} need branching; at most {limit} branches each.",
        )


@dataclass(frozen=True)
class Nonlinearities:
    """A perceptron for each activation: branching beside bounds alone, and its choices beside others."""

    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80))
    budget: Budget = field(default_factory=lambda: Budget(300, batch=64))
    properties: int = 16
    validation: int = 16
    intervals: int = 2000
    """On which the points of the table are compared with the middle."""
    folder: str = ""
    """Of the instances instead of a recipe's, with a folder in it for each activation."""


@experiment(
    "general-nonlinearities",
    "branching-heuristic",
    "branching-points",
    smoke=Nonlinearities(Recipe(hidden=(10,), epochs=2, start=0.03), Budget(8, 2, 2, 2, 8, 2), 2, 2, 50),
    quick=Nonlinearities(),
    gpu=Nonlinearities(
        Recipe(dataset="cifar10", hidden=(100, 100, 100, 100), epochs=10, radius=2 / 255, start=1 / 255),
        Budget(4000, 30, 60, 20, 512, 30),
        30,
        20,
        20_000,
    ),
    paper=Nonlinearities(
        budget=Budget(10**9, 300, 100, 50, 2048, 30), properties=10**6, intervals=20_000, folder="genbab"
    ),
)
def nonlinearities(config: Nonlinearities, run: Run) -> None:
    methods = ("genbab", "babsr", "random", "middle")
    named = {
        name: Trial(
            None if config.folder else replace(config.recipe, activation=name),
            methods,
            config.budget,
            config.properties,
            config.validation,
            f"{config.folder}/{name}" if config.folder else "",
        )
        for name in ACTIVATIONS
    }
    found = _run(named, run)
    gaps = {name: room_left(curve, config.intervals, run) for name, curve in _curves().items()}
    limit = config.budget.max_domains
    for seed in run.seeds:
        of = {name: found[name, seed]["answers"] for name in ACTIVATIONS}
        counts = {
            f"{method}_{name}": trials.proven(of[name], method)
            for name in ACTIVATIONS
            for method in ("alpha", "genbab")
        }
        run.measure("general-nonlinearities", **counts, wrong=_wrong(found, seed))
        answers = pooled(found, seed)
        heuristics = {"bbps": "genbab", "babsr": "babsr", "random": "random"}
        visited = {f"visited_{key}": trials.mean_cost(answers, method, limit) for key, method in heuristics.items()}
        shown = {f"proven_{key}": trials.proven(answers, method) for key, method in heuristics.items()}
        run.measure("branching-heuristic", **visited, **shown)
        run.measure(
            "branching-points",
            gap_table=sum(table for table, _ in gaps.values()) / len(gaps),
            gap_middle=sum(middle for _, middle in gaps.values()) / len(gaps),
            visited_ratio=trials.mean_cost(answers, "genbab", limit) / trials.mean_cost(answers, "middle", limit),
        )
    _tell(found, run, run.claims)
    bars = drawing.counts(found, run, {name: name for name in ACTIVATIONS})
    run.figure("proven", bars, ["general-nonlinearities"])
    run.figure("branches", drawing.cactus(found, methods, run), ["branching-heuristic", "branching-points"])
    rooms = {name: {"table": table, "middle": middle} for name, (table, middle) in gaps.items()}
    run.figure("room", plots.bars(rooms, ylabel="room between planes, of that before"), ["branching-points"])


def _curves() -> dict[str, Nonlinear]:
    return {"sigmoid": Sigmoid(), "tanh": Tanh(), "sin": Sin(), "gelu": Gelu()}


def room_left(curve: Nonlinear, intervals: int, run: Run) -> tuple[float, float]:
    """The room between the planes after a split at the table's points and in the middle, as shares of that before."""
    ends = 10 * torch.rand(2, intervals, generator=run.generator(0, "intervals"), dtype=torch.float64) - 5
    lower, upper = ends.amin(0), ends.amax(0)
    table = branching_table([(curve, 0)])
    before = _room(curve, lower, upper).mean()
    found = []
    for point in (table.lookup(lower, upper), (lower + upper) / 2):
        after = _room(curve, lower, point) + _room(curve, point, upper)
        found.append(float(after.mean() / before))
    return found[0], found[1]


def _room(curve: Nonlinear, lower: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """Area between the planes, by the trapezium rule, which is exact for lines."""
    planes = curve.relax((Interval(lower[:, None, None], upper[:, None, None]),))
    slope = (planes.upper_slopes[0] - planes.lower_slopes[0]).flatten()
    height = (planes.upper_intercept - planes.lower_intercept).flatten()
    return (upper - lower) * (height + slope * (lower + upper) / 2)


@dataclass(frozen=True)
class MultiDimensional:
    """Networks whose nonlinear operations take several inputs."""

    lstm: Trial
    vit: Trial


LSTM = Recipe("lstm", hidden=(16,), epochs=80, radius=0.05, start=0.05)
VIT = Recipe("vit", hidden=(16, 1), epochs=80, radius=0.05, start=0.05)
TINY = Budget(4, 5, 1, 1, 4, 2)


@experiment(
    "multi-dimensional",
    smoke=MultiDimensional(
        Trial(replace(LSTM, hidden=(2,), epochs=1, start=0.01), budget=TINY, properties=1, validation=1),
        Trial(replace(VIT, hidden=(2, 1), epochs=1), budget=TINY, properties=1, validation=1),
    ),
    quick=MultiDimensional(
        Trial(LSTM, budget=Budget(100, 30, 10, 5, 16), properties=10, validation=8),
        Trial(VIT, budget=Budget(200, 30, 10, 5, 16), properties=14, validation=10),
    ),
    gpu=MultiDimensional(
        Trial(replace(LSTM, dataset="mnist", size=16, epochs=3), budget=Budget(2000, 30, 30, 10, 256), properties=20),
        Trial(replace(VIT, dataset="mnist", size=16, epochs=3), budget=Budget(2000, 30, 30, 10, 256), properties=20),
    ),
    paper=MultiDimensional(
        Trial(folder="genbab/lstm", budget=Budget(10**9, 300, 100, 50, 256, 30), properties=10**6),
        Trial(folder="vnncomp/benchmarks/vit", budget=Budget(10**9, 100, 100, 10, 32, 30), properties=10**6),
    ),
)
def multi_dimensional(config: MultiDimensional, run: Run) -> None:
    found = _run({"lstm": config.lstm, "vit": config.vit}, run)
    for seed in run.seeds:
        counts = {
            f"{method}_{name}": trials.proven(found[name, seed]["answers"], method)
            for name in ("lstm", "vit")
            for method in ("alpha", "genbab")
        }
        run.measure("multi-dimensional", **counts, wrong=_wrong(found, seed))
    _tell(found, run, run.claims)
    labels = {"lstm": "LSTM", "vit": "vision transformer"}
    bars = drawing.counts(found, run, labels)
    run.figure("multi-dimensional", bars)


POWER = Recipe("power", hidden=(24,), epochs=10, start=0.05)


@experiment(
    "general-graphs",
    smoke=Trial(replace(POWER, hidden=(4,), epochs=1), budget=TINY, properties=1, validation=1),
    quick=Trial(POWER, budget=Budget(400, 30, 20, 10, 32), properties=1, validation=2),
    gpu=Trial(replace(POWER, hidden=(64,), epochs=20), budget=Budget(4000, 30, 60, 20, 512), properties=4),
    paper=Trial(folder="vnncomp/benchmarks/ml4acopf", budget=Budget(10**9, 300, 100, 25, 256, 30), properties=10**6),
)
def general_graphs(config: Trial, run: Run) -> None:
    """Six lines of a power grid, or the benchmark's files."""
    found = _run({"power": config}, run)
    for seed in run.seeds:
        answers = found["power", seed]["answers"]
        run.measure(
            "general-graphs",
            genbab=trials.solved(answers, "genbab"),
            alpha=trials.solved(answers, "alpha"),
            properties=len(answers),
            wrong=_wrong(found, seed),
        )
    _tell(found, run, run.claims)
    run.figure("power-flow", drawing.cactus(found, ("genbab",), run))


@dataclass(frozen=True)
class Competition:
    """A competition's instances."""

    folder: str = ""
    """In `$SEPARATA_DATA`: `benchmarks/<name>/instances.csv`, and `results.csv`, the winner's published results.

    Nothing is measured where it is not named.
    """


@experiment("competition", smoke=Competition(), quick=Competition(), gpu=Competition(), paper=Competition("vnncomp"))
def competition(config: Competition, run: Run) -> None:
    if not config.folder:
        return
    folder = folder_of(config.folder)
    theirs = published(folder / "results.csv")
    listed = sorted(path.parent.name for path in folder.glob("benchmarks/*/instances.csv"))
    decided: Counter[int] = Counter()
    contradicted: Counter[int] = Counter()
    winner = 0
    for name in run.track(listed, "benchmarks"):
        for instance in read_instances(folder / "benchmarks" / name / "instances.csv"):
            expected = theirs.get((name, _stem(instance.onnx), _stem(instance.vnnlib)), "unknown")
            winner += expected in {"sat", "unsat"}
            graph = load_onnx(instance.onnx)
            specification = load_vnnlib(instance.vnnlib, graph.n_inputs, graph.n_outputs)
            for seed in run.seeds:
                settings = VerifyConfig(timeout=instance.timeout, device=str(run.device), seed=seed)
                status = Verifier(instance.onnx, settings).verify(specification).status
                decided[seed] += status != "unknown"
                contradicted[seed] += {status, expected} == {"sat", "unsat"}
    for seed in run.seeds:
        run.measure("competition", decided=decided[seed], winner=winner, contradicted=contradicted[seed])


def published(path: Path) -> dict[tuple[str, str, str], str]:
    """Results as the competition publishes them, rows of benchmark, network, property, seconds, status, seconds."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.reader(stream) if len(row) >= 5]
    return {(row[0], _stem(Path(row[1])), _stem(Path(row[2]))): row[4].strip() for row in rows}


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz")


@dataclass(frozen=True)
class CuttingPlanes:
    """ReLU networks: cutting planes, and what they are made of, beside branch and bound without them."""

    networks: tuple[Trial, ...]


CUT_METHODS = ("genbab", "base", "base-unstrengthened", "mts", "biccos")
RELU = Trial(
    Recipe("mlp", dataset="mnist5k", size=14, hidden=(100, 100, 100), epochs=20, start=0.05),
    CUT_METHODS,
    Budget(6000, 60, branch_steps=20, batch=128, beta_lr=0.2, cut_lr=0.1),
    properties=14,
    validation=16,
)
LARGE = replace(RELU, budget=Budget(20_000, 60, 60, 20, 1024, 30, 0.2, 0.1), properties=20, validation=20)
SDP = replace(RELU, recipe=None, budget=Budget(10**9, 200, 100, 20, 4096, 50), properties=10**6)
SDP_NETWORKS = ("cnn_a_mix", "cnn_a_mix4", "cnn_a_adv", "cnn_a_adv4", "cnn_b_adv", "cnn_b_adv4", "mnist_cnn_a_adv")


@experiment(
    "cuts",
    "more-verified",
    "strengthening-and-trees",
    smoke=CuttingPlanes(
        (
            Trial(
                Recipe("mlp", hidden=(8,), epochs=1),
                CUT_METHODS,
                Budget(8, 2, 2, 2, 8, 2),
                properties=2,
                validation=2,
            ),
        )
    ),
    quick=CuttingPlanes((RELU,)),
    gpu=CuttingPlanes(
        (
            replace(LARGE, recipe=Recipe("cnn", dataset="mnist", hidden=(16, 32), epochs=3, start=0.05)),
            replace(
                LARGE,
                recipe=Recipe("cnn", dataset="cifar10", hidden=(16, 32), epochs=10, radius=2 / 255, start=1 / 255),
            ),
        )
    ),
    paper=CuttingPlanes(tuple(replace(SDP, folder=f"sdp/{name}") for name in SDP_NETWORKS)),
)
def cutting_planes(config: CuttingPlanes, run: Run) -> None:
    found = _run({str(i): trial for i, trial in enumerate(config.networks)}, run)
    limit = config.networks[0].budget.max_domains
    for seed in run.seeds:
        answers = pooled(found, seed)
        branched = trials.branched(answers)
        inferred = [one["biccos"]["cuts"] for one in branched]
        share = sum(n > 0 for n in inferred) / len(inferred) if inferred else math.nan
        run.measure("cuts", most=max(inferred, default=0), share=share)
        counts = {key: trials.proven(answers, method) for key, method in _shown().items()}
        ratio = trials.mean_ratio(trials.ratios(answers, "biccos", "genbab"))
        run.measure("more-verified", **counts, visited_ratio=ratio)
        visited = {method: trials.mean_cost(answers, method, limit) for method in CUT_METHODS}
        run.measure(
            "strengthening-and-trees",
            length_ratio=_mean_length(answers, "base") / (_mean_length(answers, "base-unstrengthened") or math.nan),
            strengthening=visited["base"] / visited["base-unstrengthened"],
            trees=visited["biccos"] / visited["base"],
        )
    _tell(found, run, run.claims)
    run.figure(
        "cuts-branches", drawing.cactus(found, CUT_METHODS, run, {**drawing.NAMES, "genbab": "no cuts (beta-CROWN)"})
    )
    run.figure("visited-ratio", drawing.histogram(found, run), ["more-verified"])


def _shown() -> dict[str, str]:
    return {"beta": "genbab", "base": "base", "biccos": "biccos"}


def _mean_length(answers: Answers, method: str) -> float:
    """Mean number of literals of a method's cuts."""
    pairs = [(one[method]["cuts"], one[method]["length"]) for one in trials.branched(answers)]
    total = sum(n for n, _ in pairs)
    return sum(n * length for n, length in pairs) / total if total else 0.0


WIDE = Recipe("wide", dataset="mnist5k", hidden=(64,), epochs=1, radius=0.0, start=0.01)


@experiment(
    "scale",
    smoke=Trial(Recipe("wide", hidden=(4,), epochs=1), ("base",), Budget(4, 5, 1, 1, 4, 2), properties=1, validation=1),
    quick=Trial(WIDE, ("base",), Budget(60, 30, 3, 3, 8, 5), properties=6, validation=4),
    gpu=Trial(replace(WIDE, dataset="mnist"), ("base",), Budget(2000, 60, 20, 10, 64), properties=10, validation=10),
    paper=Trial(
        folder="vnncomp/benchmarks/tinyimagenet",
        methods=("base",),
        budget=Budget(10**9, 200, 100, 5, 256, 50),
        properties=10**6,
    ),
)
def scale(config: Trial, run: Run) -> None:
    """Cuts for a network of more than fifty thousand ReLUs; BBPS would keep linear bounds of each of these."""
    found = _run({"wide": config}, run)
    for seed in run.seeds:
        one = found["wide", seed]
        answers = trials.branched(one["answers"])
        run.measure(
            "scale",
            neurons=one["neurons"],
            cuts=sum(answer["base"]["cuts"] for answer in answers),
            visited=sum(answer["base"]["visited"] for answer in answers),
        )
    _tell(found, run, run.claims)
