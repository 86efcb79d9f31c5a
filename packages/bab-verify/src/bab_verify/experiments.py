"""How the claims of Shi et al. (2025) and Zhou et al. (2024) are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from separata import Run, experiment, plots

from . import drawing, trials
from .drawing import Found, pooled
from .figures import NO_CUTS, beside_bounds, told_apart
from .paper import ACTIVATIONS, SEVERAL_INPUTS
from .published import Tally, published
from .room import CURVES, room_left
from .trials import Answers, Budget, Recipe, Trial, folder_of, run_trial

INSTANT = 8
"""Branches of properties that are done in an instant."""


def _run(named: Mapping[str, Trial], run: Run) -> Found:
    """Every trial with every seed, side by side unless they take no longer than a process takes to start."""
    keys = [(name, seed) for seed in run.seeds for name in named]
    settings = [replace(named[name], seed=seed) for name, seed in keys]
    if max(trial.budget.max_domains for trial in named.values()) <= INSTANT:
        found = [run.once(run_trial, setting, str(run.device)) for setting in settings]
    else:
        found = run.map(run_trial, settings, "networks")
    return dict(zip(keys, found, strict=True))


def _wrong(found: Found, seed: int) -> int:
    return sum(one["wrong"] for (_, at), one in found.items() if at == seed)


def _tried(found: Found, methods: Sequence[str]) -> Found:
    """What was found for the properties that all of these methods were tried on."""
    return {key: {**one, "answers": trials.tried(one["answers"], methods)} for key, one in found.items()}


def _tell(found: Found, run: Run, claims: Sequence[str], beyond: float = 0.0) -> None:
    """Note how hard the properties are."""
    branched = sum(len(trials.branched(one["answers"])) for one in found.values())
    total = sum(len(one["answers"]) for one in found.values())
    limits = " or ".join(str(limit) for limit in sorted({one["max_domains"] for one in found.values()}))
    radii = [radius for one in found.values() for radius in one["radii"]]
    size = f", radius {min(radii):.2g} to {max(radii):.2g}" if radii else ""
    chosen = f" ({beyond:.0%} beyond the largest that bounds alone verify)" if beyond else ""
    for claim in claims:
        run.note(
            claim,
            f"All seeds: {total} properties{size}{chosen}, of which {branched} need branching; "
            f"at most {limits} branches each.",
        )


@dataclass(frozen=True)
class Nonlinearities:
    """A perceptron for each activation: branching beside bounds alone, and its choices beside others."""

    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80))
    budget: Budget = field(default_factory=lambda: Budget(300, batch=64))
    properties: int = 28
    compared: int = 14
    """Properties that other heuristics and points are tried on."""
    validation: int = 16
    intervals: int = 2000
    """On which the points of the table are compared with the middle."""
    folder: str = ""
    """Of the instances instead of a recipe's, with a folder in it for each activation."""


@experiment(
    "general-nonlinearities",
    "branching-heuristic",
    "branching-points",
    smoke=Nonlinearities(Recipe(hidden=(6,), epochs=1, start=0.03), Budget(4, 2, 1, 1, 4, 1), 2, 2, 1, 20),
    quick=Nonlinearities(),
    gpu=Nonlinearities(
        Recipe(dataset="cifar10", hidden=(100, 100, 100, 100), epochs=10, radius=2 / 255, start=1 / 255),
        Budget(4000, 30, 60, 20, 512, 30),
        60,
        30,
        20,
        20_000,
    ),
    paper=Nonlinearities(
        budget=Budget(10**9, 300, 100, 50, 2048, 30),
        properties=10**6,
        compared=10**6,
        intervals=20_000,
        folder="genbab",
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
            config.compared,
            folder=f"{config.folder}/{name}" if config.folder else "",
        )
        for name in ACTIVATIONS
    }
    found = _run(named, run)
    compared = _tried(found, methods)
    gaps = {name: room_left(curve, config.intervals, run.generator(0, "intervals")) for name, curve in CURVES.items()}
    limit = config.budget.max_domains
    for seed in run.seeds:
        run.measure("general-nonlinearities", **_proven(found, seed), wrong=_wrong(found, seed))
        answers = pooled(compared, seed)
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
    _tell(found, run, ["general-nonlinearities"])
    _tell(compared, run, ["branching-heuristic", "branching-points"])
    run.figure(
        "proven",
        beside_bounds("general-nonlinearities", ACTIVATIONS, run),
        ["general-nonlinearities"],
        caption="Images proven robust by bounds alone and by GenBaB, for each activation.",
    )
    run.figure(
        "branches",
        drawing.cactus(compared, methods, run),
        ["branching-heuristic", "branching-points"],
        caption="Properties decided by branching, against the branches that may be visited, for each way of choosing "
        "splits: the mean over seeds in a band of one standard deviation.",
    )
    kinds = ("optimised points", "middle points")
    rooms = {ACTIVATIONS[name]: dict(zip(kinds, gap, strict=True)) for name, gap in gaps.items()}
    run.figure(
        "room",
        plots.bars(rooms, ylabel="room between planes, of that before"),
        ["branching-points"],
        caption="Room between the planes after a split at the optimised point and in the middle, as a share of that "
        "before it, over the same random intervals whatever the seed.",
    )


def _proven(found: Found, seed: int) -> dict[str, int]:
    """What bounds alone and GenBaB prove of each network."""
    of = {name: one["answers"] for (name, at), one in found.items() if at == seed}
    return {
        f"{method}_{name}": trials.proven(answers, method)
        for name, answers in of.items()
        for method in ("alpha", "genbab")
    }


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
        Trial(replace(LSTM, hidden=(2,), epochs=1), budget=TINY, properties=1, validation=1, radius=0.3),
        Trial(replace(VIT, hidden=(2, 1), epochs=1), budget=TINY, properties=1, validation=1, radius=0.02),
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
        run.measure("multi-dimensional", **_proven(found, seed), wrong=_wrong(found, seed))
    _tell(found, run, run.claims)
    run.figure(
        "multi-dimensional",
        beside_bounds("multi-dimensional", SEVERAL_INPUTS, run),
        caption="Images proven robust by bounds alone and by GenBaB, for an LSTM and a vision transformer.",
    )


POWER = Recipe("power", hidden=(24,), epochs=10, start=0.05)


@experiment(
    "general-graphs",
    smoke=Trial(replace(POWER, hidden=(4,), epochs=1), budget=TINY, properties=1, validation=1, radius=0.05),
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
    run.figure(
        "power-flow",
        drawing.cactus(found, ("genbab",), run),
        caption="Properties of power flow that GenBaB decides by branching, against the branches that may be visited: "
        "the mean over seeds in a band of one standard deviation.",
    )


@dataclass(frozen=True)
class Competition:
    """A competition's instances."""

    folder: str = ""
    """In `$SEPARATA_DATA`: `benchmarks/<name>/instances.csv`, and `results.csv`, the winner's published results.

    Nothing is measured where it is not named.
    """


@experiment("competition", smoke=Competition(), paper=Competition("vnncomp"))
def competition(config: Competition, run: Run) -> None:
    if not config.folder:
        return
    folder = folder_of(config.folder)
    listed = sorted(path.parent for path in folder.glob("benchmarks/*/instances.csv"))
    theirs = published(folder / "results.csv")
    tally = Tally()
    for benchmark in run.track(listed, "benchmarks"):
        tally.add(benchmark, theirs, run.seeds, str(run.device))
    for seed in run.seeds:
        run.measure("competition", **tally.of(seed))


@dataclass(frozen=True)
class CuttingPlanes:
    """ReLU networks: cutting planes, and what they are made of, beside branch and bound without them."""

    networks: tuple[Trial, ...]


CUT_METHODS = ("genbab", "base", "base-unstrengthened", "biccos")
RELU = Trial(
    Recipe("mlp", dataset="mnist5k", size=14, hidden=(100, 100, 100), epochs=20, start=0.05),
    CUT_METHODS,
    Budget(4000, 120, branch_steps=20, batch=128, beta_lr=0.2, cut_lr=0.1),
    properties=4,
    validation=1,
    beyond=0.25,
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
                Budget(8, 2, 1, 1, 8, 1),
                properties=2,
                validation=1,
                beyond=0.03,
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
        inferred = _inferred(answers, "biccos")
        ratio = trials.mean_ratio(trials.ratios(answers, "biccos", "genbab"))
        run.measure("cuts", mean=_mean(inferred), share=_mean([n > 0 for n in inferred]), visited_ratio=ratio)
        shown = {"beta": "genbab", "base": "base", "biccos": "biccos"}
        counts = {key: trials.proven(answers, method) for key, method in shown.items()}
        run.measure("more-verified", **counts, visited_ratio=ratio)
        visited = {method: trials.mean_cost(answers, method, limit) for method in CUT_METHODS}
        run.measure(
            "strengthening-and-trees",
            length_ratio=_mean_length(answers, "base") / (_mean_length(answers, "base-unstrengthened") or math.nan),
            strengthening=visited["base"] / visited["base-unstrengthened"],
            trees=visited["biccos"] / visited["base"],
        )
    _tell(found, run, run.claims, config.networks[0].beyond)
    run.figure(
        "cuts-branches",
        told_apart(drawing.cactus(found, CUT_METHODS, run, NO_CUTS)),
        caption="Properties decided by branching without cuts and with three kinds of them, against the branches that "
        "may be visited: the mean over seeds in a band of one standard deviation; where curves coincide, one lies on "
        "the other.",
    )
    run.figure(
        "visited-ratio",
        drawing.histogram(found, run),
        ["cuts", "more-verified"],
        caption="Properties of all seeds by the branches that BICCOS visits, over those without cuts.",
    )


def _inferred(answers: Answers, method: str) -> list[int]:
    """How many cuts a method inferred for each property that needs branching."""
    return [one[method]["cuts"] for one in trials.branched(answers)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _mean_length(answers: Answers, method: str) -> float:
    """Mean number of literals of a method's cuts."""
    pairs = [(one[method]["cuts"], one[method]["length"]) for one in trials.branched(answers)]
    total = sum(n for n, _ in pairs)
    return sum(n * length for n, length in pairs) / total if total else 0.0


WIDE = Recipe("wide", dataset="mnist5k", hidden=(64,), epochs=1, radius=0.0, start=0.04)
BESIDE = ("babsr", "babsr-base")
"""Without cuts and with strengthened ones; BBPS would keep linear bounds of each of the ReLUs."""


@experiment(
    "scale",
    smoke=Trial(
        Recipe("wide", hidden=(4,), epochs=1), BESIDE, Budget(4, 5, 1, 1, 4, 1), properties=1, validation=1, beyond=0.05
    ),
    quick=Trial(WIDE, BESIDE, Budget(300, 300, 1, 3, 8, 5), properties=2, validation=1, beyond=0.015),
    gpu=Trial(
        replace(WIDE, dataset="mnist"), BESIDE, Budget(2000, 60, 20, 10, 64), properties=10, validation=1, beyond=0.1
    ),
    paper=Trial(None, BESIDE, Budget(10**9, 200, 100, 5, 256, 50), 10**6, folder="vnncomp/benchmarks/tinyimagenet"),
)
def scale(config: Trial, run: Run) -> None:
    """Cuts for a network of more than fifty thousand ReLUs, on properties that bounds alone just do not verify."""
    found = _run({"wide": config}, run)
    for seed in run.seeds:
        one = found["wide", seed]
        answers = trials.branched(one["answers"])
        run.measure(
            "scale",
            neurons=one["neurons"],
            share=_mean([n > 0 for n in _inferred(answers, "babsr-base")]),
            beta=trials.proven(answers, "babsr"),
            biccos=trials.proven(answers, "babsr-base"),
            visited_ratio=trials.mean_ratio(trials.ratios(answers, "babsr-base", "babsr")),
        )
    _tell(found, run, run.claims, config.beyond)
    run.figure(
        "scale",
        told_apart(drawing.cactus(found, BESIDE, run, NO_CUTS)),
        caption="Properties of the large network decided by branching with cuts and without, against the branches that "
        "may be visited: the mean over seeds in a band of one standard deviation.",
    )
