"""Verdicts: what the paper reports holds, and what a policy without the method's effect would give does not."""

import math

import pytest

from revibranch.paper import PAPER

ACCORDING = {
    "fewer-nodes": {"revibranch": 48.0, "dqn": 50.0, "ratio": 0.96, "untrained": 300.0, "random": 200.0},
    "fewer-lp-iterations": {"revibranch": 978.0, "dqn": 1000.0, "ratio": 0.978, "untrained": 5e3, "random": 4e3},
    "revived-trajectories": {"revibranch": 48.0, "no_revival": 50.0, "shuffled": 51.0, "random": 200.0},
    "dense-feedback": {"revibranch": 30.0, "sparse": 35.0, "random": 50.0},
    "heterogeneous": {
        "set_cover": 0.5,
        "combinatorial_auction": 0.4,
        "independent_set": 0.8,
        "same_objective": 1.0,
    },
}
"""Numbers in favour of the paper, where it gives none its direction."""
NOTHING_LEARNED = {
    "fewer-nodes": {"revibranch": 190.0, "dqn": 200.0, "ratio": 0.95, "untrained": 200.0, "random": 200.0},
    "fewer-lp-iterations": {"revibranch": 3.8e3, "dqn": 4e3, "ratio": 0.95, "untrained": 4e3, "random": 4e3},
    "revived-trajectories": {"revibranch": 190.0, "no_revival": 220.0, "shuffled": 220.0, "random": 200.0},
    "dense-feedback": {"revibranch": 47.5, "sparse": 55.0, "random": 50.0},
    "heterogeneous": {
        "set_cover": 0.95,
        "combinatorial_auction": 0.95,
        "independent_set": 0.95,
        "same_objective": 1.0,
    },
}
"""As good as chance lets a policy look that is no better than random branching."""
NO_BETTER_THAN_OTHERS = {
    "fewer-nodes": {"revibranch": 50.0, "dqn": 50.0, "ratio": 1.0, "untrained": 300.0, "random": 200.0},
    "fewer-lp-iterations": {"revibranch": 1e3, "dqn": 1e3, "ratio": 1.0, "untrained": 5e3, "random": 4e3},
    "revived-trajectories": {"revibranch": 50.0, "no_revival": 51.0, "shuffled": 51.0, "random": 200.0},
    "dense-feedback": {"revibranch": 35.0, "sparse": 35.0, "random": 50.0},
    "heterogeneous": {
        "set_cover": 0.5,
        "combinatorial_auction": 0.4,
        "independent_set": 0.8,
        "same_objective": 0.98,
    },
}
"""As good without what the paper adds; or not always right."""


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_the_paper_s_numbers_hold_and_those_without_its_effect_do_not(claim):
    assert claim.criterion
    assert claim.paper.keys() == ACCORDING[claim.id].keys()
    assert claim.holds(ACCORDING[claim.id])
    assert claim.direction is None or claim.direction(ACCORDING[claim.id])
    for control in (NOTHING_LEARNED, NO_BETTER_THAN_OTHERS):
        for predicate in filter(None, (claim.holds, claim.direction)):
            assert not predicate(control[claim.id])
    assert not claim.holds(dict.fromkeys(claim.paper, math.nan))


@pytest.mark.parametrize("claim", [claim for claim in PAPER.claims if claim.direction], ids=lambda claim: claim.id)
def test_less_than_the_numbers_is_direction_only(claim):
    less = ACCORDING[claim.id] | {"ratio": 0.995}
    assert not claim.holds(less)
    assert claim.direction(less)
