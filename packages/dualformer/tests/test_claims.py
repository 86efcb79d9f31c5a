"""Verdicts: what the paper reports holds, and what a model without the method's effect would give does not."""

import math

import pytest

from dualformer.paper import PAPER

WITHOUT = {
    "slow-optimal": {"dualformer": 0.933, "complete_trace": 0.933},
    "slow-shorter": {"steps": 0.98, "steps_solved": 0.98, "tokens": 0.98},
    "fast-optimal": {"dualformer": 0.3, "solution_only": 0.3},
    "auto": {"auto": 0.933, "complete_trace": 0.933, "steps": 0.98, "slow_share": 1.0},
    "all-modes": {
        "slow": 0.94,
        "auto": 0.94,
        "fast": 0.3,
        "complete_trace": 0.933,
        "solution_only": 0.3,
        "slow_steps": 0.5,
        "auto_steps": 0.5,
    },
    "diversity": {
        "dualformer": 5.0,
        "complete_trace": 4.0,
        "dualformer_equal": 3.0,
        "complete_trace_equal": 3.0,
    },
    "llm": {"accuracy_all": 0.5, "accuracy_dropped": 0.5, "length_all": 26.0, "length_dropped": 20.0},
}
"""Measurements as they would be if training on dropped traces changed nothing, or only what is beside the point."""

UNKNOWN = {
    "slow-shorter": {"steps_solved": 0.6},
    "auto": {"slow_share": 0.7},
    "diversity": {"dualformer": 9.0, "complete_trace": 8.0, "dualformer_equal": 3.0, "complete_trace_equal": 2.5},
    "llm": {"accuracy_all": 0.5, "accuracy_dropped": 0.6, "length_all": 26.0, "length_dropped": 20.0},
}
"""Numbers in favour of the paper where it gives none."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_own_numbers_hold_and_those_without_its_effect_do_not(claim):
    assert claim.criterion
    own = {key: math.nan if value is None else value for key, value in claim.paper.items()}
    own |= UNKNOWN.get(claim.id, {})
    assert claim.holds(own)
    assert claim.direction is None or claim.direction(own)
    nothing, without = dict.fromkeys(claim.paper, math.nan), WITHOUT[claim.id]
    for predicate in filter(None, (claim.holds, claim.direction)):
        assert not predicate(without)
        assert not predicate(nothing)


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("slow-optimal", {"dualformer": 0.94, "complete_trace": 0.8}),  # more than the baseline, but not 95 %
        ("slow-optimal", {"complete_trace": 0.96}),
        ("slow-shorter", {"steps": 0.7}),
        ("fast-optimal", {"dualformer": 0.70, "solution_only": 0.2}),
        ("fast-optimal", {"solution_only": 0.4}),
        ("auto", {"auto": 0.935}),
        ("auto", {"steps": 0.6}),
    ],
)
def test_a_comparison_without_the_paper_s_numbers_is_direction_only(claim, changes):
    said = PAPER.claim(claim)
    found = {**said.paper, **UNKNOWN.get(claim, {}), **changes}
    assert not said.holds(found)
    assert said.direction(found)
