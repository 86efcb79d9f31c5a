"""When claims hold: at the thresholds, and not beyond them."""

import math

import pytest

from bab_verify.paper import ACTIVATIONS, PAPER

GOOD = {
    "general-nonlinearities": {
        **{f"alpha_{name}": 5 for name in ACTIVATIONS},
        **{f"genbab_{name}": 6 for name in ACTIVATIONS},
        "wrong": 0,
    },
    "branching-heuristic": {
        "visited_bbps": 9.9,
        "visited_babsr": 10,
        "visited_random": 10,
        "proven_bbps": 7,
        "proven_babsr": 7,
        "proven_random": 7,
    },
    "branching-points": {"gap_table": 0.3, "gap_middle": 0.4, "visited_ratio": 0.99},
    "multi-dimensional": {"alpha_lstm": 3, "genbab_lstm": 4, "alpha_vit": 3, "genbab_vit": 4, "wrong": 0},
    "general-graphs": {"genbab": 3, "alpha": 2, "properties": 6, "wrong": 0},
    "competition": {"decided": 95, "winner": 100, "contradicted": 0},
    "cuts": {"mean": 100, "share": 0.51, "visited_ratio": 0.99},
    "more-verified": {"beta": 5, "base": 5, "biccos": 5, "visited_ratio": 0.99},
    "strengthening-and-trees": {"length_ratio": 0.9, "strengthening": 0.9, "trees": 0.9},
    "scale": {"neurons": 50_000, "share": 0.5, "beta": 2, "biccos": 2, "visited_ratio": 0.99},
}

WORSE = [
    *(("general-nonlinearities", f"genbab_{name}", 5) for name in ACTIVATIONS),
    ("general-nonlinearities", "wrong", 1),
    ("branching-heuristic", "visited_babsr", 9.9),
    ("branching-heuristic", "visited_random", 9.9),
    ("branching-heuristic", "proven_babsr", 8),
    ("branching-heuristic", "proven_random", 8),
    ("branching-points", "gap_table", 0.4),
    ("branching-points", "visited_ratio", 1.0),
    ("multi-dimensional", "genbab_vit", 3),
    ("multi-dimensional", "genbab_lstm", 3),
    ("multi-dimensional", "wrong", 1),
    ("general-graphs", "genbab", 2),
    ("general-graphs", "alpha", 3),
    ("general-graphs", "properties", 7),
    ("general-graphs", "wrong", 1),
    ("competition", "decided", 94),
    ("competition", "winner", 0),
    ("competition", "contradicted", 1),
    ("cuts", "mean", 99),
    ("cuts", "share", 0.5),
    ("cuts", "visited_ratio", 1.0),
    ("more-verified", "biccos", 4),
    ("more-verified", "visited_ratio", 1.0),
    ("strengthening-and-trees", "length_ratio", 1.0),
    ("strengthening-and-trees", "length_ratio", 0.0),
    ("strengthening-and-trees", "strengthening", 1.0),
    ("strengthening-and-trees", "trees", 1.0),
    ("scale", "neurons", 49_999),
    ("scale", "share", 0.49),
    ("scale", "biccos", 1),
    ("scale", "visited_ratio", 1.0),
]


@pytest.mark.parametrize("name", GOOD)
def test_claims_hold_at_their_thresholds(name):
    assert PAPER.claim(name).holds(GOOD[name])
    assert set(PAPER.claim(name).paper) == set(GOOD[name])


def test_every_claim_is_tried():
    assert [claim.id for claim in PAPER.claims] == list(GOOD)


@pytest.mark.parametrize(("name", "key", "value"), WORSE)
def test_claims_do_not_hold_beyond_them(name, key, value):
    assert not PAPER.claim(name).holds({**GOOD[name], key: value})


@pytest.mark.parametrize("name", GOOD)
def test_what_was_not_found_is_no_support(name):
    assert not PAPER.claim(name).holds(dict.fromkeys(GOOD[name], math.nan))


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in GOOD for key in GOOD[name]])
def test_a_number_that_is_missing_is_no_support(name, key):
    is_telling = any(not PAPER.claim(name).holds({**GOOD[name], key: value}) for value in (-1e9, 0.0, 1e9))
    assert PAPER.claim(name).holds({**GOOD[name], key: math.nan}) == (not is_telling)


def test_where_bounds_decide_everything_branching_shows_nothing():
    assert not PAPER.claim("general-graphs").holds({"genbab": 6, "alpha": 6, "properties": 6, "wrong": 0})


@pytest.mark.parametrize("name", ["more-verified", "scale"])
def test_who_proves_more_may_visit_more(name):
    assert PAPER.claim(name).holds({**GOOD[name], "biccos": 6, "visited_ratio": 1.2})


def test_both_papers_are_named():
    assert [(one.short, one.arxiv) for one in PAPER.references] == [("GenBaB", "2405.21063"), ("BICCOS", "2501.00200")]
    assert [PAPER.source(claim).short for claim in PAPER.claims] == 6 * ["GenBaB"] + 4 * ["BICCOS"]


def test_every_number_has_a_label():
    assert not [claim.id for claim in PAPER.claims if claim.labels.keys() != claim.paper.keys()]
