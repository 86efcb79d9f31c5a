"""How the claims of Zhou et al. (2024), BICCOS, are measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from separata import Run, experiment

from .answers import Answers, branched, mean_cost, mean_ratio, proven, ratios
from .figures import NO_CUTS, cactus, histogram, told_apart
from .findings import pooled, run_trials, tell
from .recipes import Recipe
from .trials import STANDARD, TINY, UNLIMITED, Trial


@dataclass(frozen=True)
class CuttingPlanesConfig:
    """ReLU networks: cutting planes, and what they are made of, beside branch and bound without them."""

    networks: tuple[Trial, ...]


CUT_METHODS = ("genbab", "base", "base-unstrengthened", "biccos")
RELU = Trial(
    Recipe("mlp", dataset="mnist5k", size=14, hidden=(100, 100, 100), epochs=20, start=0.05),
    CUT_METHODS,
    replace(STANDARD, max_domains=4000, timeout=120, branch_steps=20, batch_size=128, beta_lr=0.2, cut_lr=0.1),
    properties=4,
    validation=1,
    beyond=0.25,
)
LARGE = replace(
    RELU,
    budget=replace(
        STANDARD,
        max_domains=20000,
        timeout=60,
        root_steps=60,
        branch_steps=20,
        batch_size=1024,
        attack_restarts=30,
        beta_lr=0.2,
        cut_lr=0.1,
    ),
    properties=20,
    validation=20,
)
SDP = replace(
    RELU,
    recipe=None,
    budget=replace(UNLIMITED, timeout=200, branch_steps=20, batch_size=4096, attack_restarts=50),
    properties=10**6,
)
SDP_NETWORKS = ("cnn_a_mix", "cnn_a_mix4", "cnn_a_adv", "cnn_a_adv4", "cnn_b_adv", "cnn_b_adv4", "mnist_cnn_a_adv")


@experiment(
    "cuts",
    "more-verified",
    "strengthening-and-trees",
    smoke=CuttingPlanesConfig(
        (
            Trial(
                Recipe("mlp", hidden=(8,), epochs=1),
                CUT_METHODS,
                replace(TINY, max_domains=8, batch_size=8),
                properties=1,
                validation=1,
                radius=0.125,
            ),
        )
    ),
    quick=CuttingPlanesConfig((RELU,)),
    gpu=CuttingPlanesConfig(
        (
            replace(LARGE, recipe=Recipe("cnn", dataset="mnist", hidden=(16, 32), epochs=3, start=0.05)),
            replace(
                LARGE,
                recipe=Recipe("cnn", dataset="cifar10", hidden=(16, 32), epochs=10, radius=2 / 255, start=1 / 255),
            ),
        )
    ),
    paper=CuttingPlanesConfig(tuple(replace(SDP, folder=f"sdp/{name}") for name in SDP_NETWORKS)),
)
def cutting_planes(config: CuttingPlanesConfig, run: Run) -> None:
    found = run_trials({str(i): trial for i, trial in enumerate(config.networks)}, run)
    limit = config.networks[0].budget.max_domains
    for seed in run.seeds:
        answers = pooled(found, seed)
        inferred = _inferred(answers, "biccos")
        ratio = mean_ratio(ratios(answers, "biccos", "genbab"))
        run.measure("cuts", mean=_mean(inferred), share=_mean([n > 0 for n in inferred]), visited_ratio=ratio)
        shown = {"beta": "genbab", "base": "base", "biccos": "biccos"}
        counts = {key: proven(answers, method) for key, method in shown.items()}
        run.measure("more-verified", **counts, visited_ratio=ratio)
        visited = {method: mean_cost(answers, method, limit) for method in CUT_METHODS}
        run.measure(
            "strengthening-and-trees",
            length_ratio=_mean_length(answers, "base") / (_mean_length(answers, "base-unstrengthened") or math.nan),
            strengthening=visited["base"] / visited["base-unstrengthened"],
            trees=visited["biccos"] / visited["base"],
        )
    tell(found, run, run.claims, config.networks[0].beyond)
    run.figure(
        "cuts-branches",
        told_apart(cactus(found, CUT_METHODS, run, NO_CUTS)),
        caption="Properties decided by branching without cuts and with three kinds of them, against the branches that "
        "may be visited: the mean over seeds in a band of one standard deviation; where curves coincide, one lies on "
        "the other.",
    )
    run.figure(
        "visited-ratio",
        histogram(found, run),
        ["cuts", "more-verified"],
        caption="Properties of all seeds by the branches that BICCOS visits, over those without cuts.",
    )


def _inferred(answers: Answers, method: str) -> list[int]:
    """How many cuts a method inferred for each property that needs branching."""
    return [one[method]["cuts"] for one in branched(answers)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _mean_length(answers: Answers, method: str) -> float:
    """Mean number of literals of a method's cuts."""
    pairs = [(one[method]["cuts"], one[method]["length"]) for one in branched(answers)]
    total = sum(n for n, _ in pairs)
    return sum(n * length for n, length in pairs) / total if total else 0.0


WIDE = Recipe("wide", dataset="mnist5k", hidden=(64,), epochs=1, radius=0.0, start=0.04)
BESIDE = ("babsr", "babsr-base")
"""Without cuts and with strengthened ones; BBPS would keep linear bounds of each of the ReLUs."""


@experiment(
    "scale",
    smoke=Trial(
        Recipe("wide", hidden=(4,), epochs=1),
        BESIDE,
        TINY,
        properties=1,
        validation=1,
        radius=0.038,
    ),
    quick=Trial(
        WIDE,
        BESIDE,
        replace(STANDARD, max_domains=300, timeout=300, root_steps=1, branch_steps=3, batch_size=8, attack_restarts=5),
        properties=2,
        validation=1,
        beyond=0.015,
    ),
    gpu=Trial(
        replace(WIDE, dataset="mnist"),
        BESIDE,
        replace(STANDARD, max_domains=2000, timeout=60, root_steps=20, branch_steps=10, batch_size=64),
        properties=10,
        validation=1,
        beyond=0.1,
    ),
    paper=Trial(
        None,
        BESIDE,
        replace(UNLIMITED, timeout=200, branch_steps=5, batch_size=256, attack_restarts=50),
        10**6,
        folder="vnncomp/benchmarks/tinyimagenet",
    ),
)
def scale(config: Trial, run: Run) -> None:
    """Cuts for a network of more than fifty thousand ReLUs, on properties that bounds alone just do not verify."""
    found = run_trials({"wide": config}, run)
    for seed in run.seeds:
        one = found["wide", seed]
        answers = branched(one["answers"])
        run.measure(
            "scale",
            neurons=one["neurons"],
            share=_mean([n > 0 for n in _inferred(answers, "babsr-base")]),
            beta=proven(answers, "babsr"),
            biccos=proven(answers, "babsr-base"),
            visited_ratio=mean_ratio(ratios(answers, "babsr-base", "babsr")),
        )
    tell(found, run, run.claims, config.beyond)
    run.figure(
        "scale",
        told_apart(cactus(found, BESIDE, run, NO_CUTS)),
        caption="Properties of the large network decided by branching with cuts and without, against the branches that "
        "may be visited: the mean over seeds in a band of one standard deviation.",
    )
