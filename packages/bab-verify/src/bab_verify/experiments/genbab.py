"""How the claims of Shi et al. (2025), GenBaB, are measured."""

from dataclasses import dataclass, field, replace

from bab_verify.configs import VerifyConfig
from bab_verify.paper import ACTIVATIONS, SEVERAL_INPUTS
from separata import Run, experiment, plots

from .answers import mean_cost, proven, solved
from .figures import beside_bounds, cactus
from .findings import n_wrong, only_tried, pooled, proven_of, run_trials, tell
from .published import Tally, read_published
from .recipes import Recipe
from .room import CURVES, room_left
from .trials import STANDARD, TINY, UNLIMITED, Trial, folder_of


@dataclass(frozen=True)
class NonlinearitiesConfig:
    """A perceptron for each activation: branching beside bounds alone, and its choices beside others."""

    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80))
    budget: VerifyConfig = field(default_factory=lambda: replace(STANDARD, max_domains=300, batch_size=64))
    properties: int = 28
    compared: int = 14
    """Properties that other heuristics and points are tried on."""
    validation: int = 16
    intervals: int = 2000
    """On which the points of the table are compared with the middle."""
    step: float = 0.02
    """Spacing of that table; the verifier's own has the default."""
    folder: str = ""
    """Of the instances instead of a recipe's, with a folder in it for each activation."""
    radius: float = 0.0
    """Of all properties; 0 to search for it on the images of the validation."""


@experiment(
    "general-nonlinearities",
    "branching-heuristic",
    "branching-points",
    smoke=NonlinearitiesConfig(
        Recipe(hidden=(4,), epochs=1, start=0.06),
        TINY,
        1,
        1,
        1,
        5,
        step=0.1,
        radius=0.06,
    ),
    quick=NonlinearitiesConfig(),
    gpu=NonlinearitiesConfig(
        Recipe(dataset="cifar10", hidden=(100, 100, 100, 100), epochs=10, radius=2 / 255, start=1 / 255),
        replace(
            STANDARD, max_domains=4000, timeout=30, root_steps=60, branch_steps=20, batch_size=512, attack_restarts=30
        ),
        60,
        30,
        20,
        20_000,
    ),
    paper=NonlinearitiesConfig(
        budget=replace(UNLIMITED, timeout=300, branch_steps=50, batch_size=2048),
        properties=10**6,
        compared=10**6,
        intervals=20_000,
        folder="genbab",
    ),
)
def nonlinearities(config: NonlinearitiesConfig, run: Run) -> None:
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
            radius=config.radius,
        )
        for name in ACTIVATIONS
    }
    found = run_trials(named, run)
    compared = only_tried(found, methods)
    gaps = {
        name: room_left(curve, config.step, config.intervals, run.generator(0, "intervals"))
        for name, curve in CURVES.items()
    }
    limit = config.budget.max_domains
    for seed in run.seeds:
        run.measure("general-nonlinearities", **proven_of(found, seed), wrong=n_wrong(found, seed))
        answers = pooled(compared, seed)
        heuristics = {"bbps": "genbab", "babsr": "babsr", "random": "random"}
        visited = {f"visited_{key}": mean_cost(answers, method, limit) for key, method in heuristics.items()}
        shown = {f"proven_{key}": proven(answers, method) for key, method in heuristics.items()}
        run.measure("branching-heuristic", **visited, **shown)
        run.measure(
            "branching-points",
            gap_table=sum(table for table, _ in gaps.values()) / len(gaps),
            gap_middle=sum(middle for _, middle in gaps.values()) / len(gaps),
            visited_ratio=mean_cost(answers, "genbab", limit) / mean_cost(answers, "middle", limit),
        )
    tell(found, run, ["general-nonlinearities"])
    tell(compared, run, ["branching-heuristic", "branching-points"])
    run.figure(
        "proven",
        beside_bounds("general-nonlinearities", ACTIVATIONS, run),
        ["general-nonlinearities"],
        caption="Images proven robust by bounds alone and by GenBaB, for each activation.",
    )
    run.figure(
        "branches",
        cactus(compared, methods, run),
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


@dataclass(frozen=True)
class MultiDimensionalConfig:
    """Networks whose nonlinear operations take several inputs."""

    lstm: Trial
    vit: Trial


LSTM = Recipe("lstm", hidden=(16,), epochs=80, radius=0.05, start=0.05)
VIT = Recipe("vit", hidden=(16, 1), epochs=80, radius=0.05, start=0.05)


@experiment(
    "multi-dimensional",
    smoke=MultiDimensionalConfig(
        Trial(replace(LSTM, size=4, hidden=(2,), epochs=1), budget=TINY, properties=1, validation=1, radius=0.3),
        Trial(replace(VIT, hidden=(2, 1), epochs=1), budget=TINY, properties=1, validation=1, radius=0.02),
    ),
    quick=MultiDimensionalConfig(
        Trial(
            LSTM,
            budget=replace(STANDARD, max_domains=100, timeout=30, root_steps=10, branch_steps=5, batch_size=16),
            properties=10,
            validation=8,
        ),
        Trial(
            VIT,
            budget=replace(STANDARD, max_domains=200, timeout=30, root_steps=10, branch_steps=5, batch_size=16),
            properties=14,
            validation=10,
        ),
    ),
    gpu=MultiDimensionalConfig(
        Trial(
            replace(LSTM, dataset="mnist", size=16, epochs=3),
            budget=replace(STANDARD, max_domains=2000, timeout=30, root_steps=30, branch_steps=10, batch_size=256),
            properties=20,
        ),
        Trial(
            replace(VIT, dataset="mnist", size=16, epochs=3),
            budget=replace(STANDARD, max_domains=2000, timeout=30, root_steps=30, branch_steps=10, batch_size=256),
            properties=20,
        ),
    ),
    paper=MultiDimensionalConfig(
        Trial(
            folder="genbab/lstm",
            budget=replace(UNLIMITED, timeout=300, branch_steps=50, batch_size=256),
            properties=10**6,
        ),
        Trial(
            folder="vnncomp/benchmarks/vit",
            budget=replace(UNLIMITED, timeout=100, branch_steps=10, batch_size=32),
            properties=10**6,
        ),
    ),
)
def multi_dimensional(config: MultiDimensionalConfig, run: Run) -> None:
    found = run_trials({"lstm": config.lstm, "vit": config.vit}, run)
    for seed in run.seeds:
        run.measure("multi-dimensional", **proven_of(found, seed), wrong=n_wrong(found, seed))
    tell(found, run, run.claims)
    run.figure(
        "multi-dimensional",
        beside_bounds("multi-dimensional", SEVERAL_INPUTS, run),
        caption="Images proven robust by bounds alone and by GenBaB, for an LSTM and a vision transformer.",
    )


POWER = Recipe("power", hidden=(24,), epochs=10, start=0.05)


@experiment(
    "general-graphs",
    smoke=Trial(replace(POWER, hidden=(4,), epochs=1), budget=TINY, properties=1, validation=1, radius=0.05),
    quick=Trial(
        POWER,
        budget=replace(STANDARD, max_domains=400, timeout=30, root_steps=20, branch_steps=10, batch_size=32),
        properties=1,
        validation=2,
    ),
    gpu=Trial(
        replace(POWER, hidden=(64,), epochs=20),
        budget=replace(STANDARD, max_domains=4000, timeout=30, root_steps=60, branch_steps=20, batch_size=512),
        properties=4,
    ),
    paper=Trial(
        folder="vnncomp/benchmarks/ml4acopf",
        budget=replace(UNLIMITED, timeout=300, branch_steps=25, batch_size=256),
        properties=10**6,
    ),
)
def general_graphs(config: Trial, run: Run) -> None:
    """Six lines of a power grid, or the benchmark's files."""
    found = run_trials({"power": config}, run)
    for seed in run.seeds:
        answers = found["power", seed]["answers"]
        run.measure(
            "general-graphs",
            genbab=solved(answers, "genbab"),
            alpha=solved(answers, "alpha"),
            properties=len(answers),
            wrong=n_wrong(found, seed),
        )
    tell(found, run, run.claims)
    run.figure(
        "power-flow",
        cactus(found, ("genbab",), run),
        caption="Properties of power flow that GenBaB decides by branching, against the branches that may be visited: "
        "the mean over seeds in a band of one standard deviation.",
    )


@dataclass(frozen=True)
class CompetitionConfig:
    """A competition's instances."""

    folder: str = ""
    """In `$SEPARATA_DATA`: `benchmarks/<name>/instances.csv`, and `results.csv`, the winner's published results.

    Nothing is measured where it is not named.
    """


@experiment("competition", smoke=CompetitionConfig(), paper=CompetitionConfig("vnncomp"))
def competition(config: CompetitionConfig, run: Run) -> None:
    if not config.folder:
        return
    folder = folder_of(config.folder)
    listed = sorted(path.parent for path in folder.glob("benchmarks/*/instances.csv"))
    theirs = read_published(folder / "results.csv")
    tally = Tally()
    for benchmark in run.track(listed, "benchmarks"):
        tally.add(benchmark, theirs, run.seeds, str(run.device))
    for seed in run.seeds:
        run.measure("competition", **tally.of(seed))
