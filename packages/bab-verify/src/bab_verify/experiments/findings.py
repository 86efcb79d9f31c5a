"""What trials found, over networks and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

from separata import Run

from .answers import Answers, branched, proven, tried
from .trials import Trial, run_trial

Found = dict[tuple[str, int], dict[str, Any]]
"""What trials found, by their name and seed."""


def pooled(found: Found, seed: int) -> Answers:
    """The answers for all networks of a seed."""
    return [answer for (_, at), one in found.items() if at == seed for answer in one["answers"]]


def run_trials(named: Mapping[str, Trial], run: Run) -> Found:
    """Every trial with every seed."""
    found = run.over_seeds(run_trial, named, "networks")
    return {(name, seed): found[name][i] for i, seed in enumerate(run.seeds) for name in named}


def n_wrong(found: Found, seed: int) -> int:
    """How many properties got a wrong answer."""
    return sum(one["wrong"] for (_, at), one in found.items() if at == seed)


def only_tried(found: Found, methods: Sequence[str]) -> Found:
    """What was found for the properties that all of these methods were tried on."""
    return {key: {**one, "answers": tried(one["answers"], methods)} for key, one in found.items()}


def proven_of(found: Found, seed: int) -> dict[str, int]:
    """What bounds alone and GenBaB prove of each network."""
    of = {name: one["answers"] for (name, at), one in found.items() if at == seed}
    return {
        f"{method}_{name}": proven(answers, method) for name, answers in of.items() for method in ("alpha", "genbab")
    }


def tell(found: Found, run: Run, claims: Sequence[str], beyond: float = 0.0) -> None:
    """Note how hard the properties are."""
    n_branched = sum(len(branched(one["answers"])) for one in found.values())
    total = sum(len(one["answers"]) for one in found.values())
    limits = " or ".join(str(limit) for limit in sorted({one["max_domains"] for one in found.values()}))
    radii = [radius for one in found.values() for radius in one["radii"]]
    size = f", radius {min(radii):.2g} to {max(radii):.2g}" if radii else ""
    chosen = f" ({beyond:.0%} beyond the largest that bounds alone verify)" if beyond else ""
    for claim in claims:
        run.note(
            claim,
            f"All seeds: {total} properties{size}{chosen}, of which {n_branched} need branching; "
            f"at most {limits} branches each.",
        )
