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
        "visited_bbps": 10,
        "visited_babsr": 10,
        "visited_random": 30,
        "proven_bbps": 7,
        "proven_babsr": 7,
        "proven_random": 5,
    },
    "branching-points": {"gap_table": 0.3, "gap_middle": 0.4, "visited_ratio": 1.05},
    "multi-dimensional": {"alpha_lstm": 3, "genbab_lstm": 3, "alpha_vit": 3, "genbab_vit": 4, "wrong": 0},
    "general-graphs": {"genbab": 6, "alpha": 6, "properties": 6, "wrong": 0},
    "competition": {"decided": 95, "winner": 100, "contradicted": 0},
    "cuts": {"most": 100, "share": 0.51},
    "more-verified": {"beta": 5, "base": 5, "biccos": 5, "visited_ratio": 0.99},
    "strengthening-and-trees": {"length_ratio": 0.9, "strengthening": 0.9, "trees": 0.9},
    "scale": {"neurons": 50_000, "cuts": 1, "visited": 10},
}

WORSE = [
    ("general-nonlinearities", "genbab_gelu", 5),
    ("general-nonlinearities", "wrong", 1),
    ("branching-heuristic", "visited_bbps", 11),
    ("branching-heuristic", "proven_bbps", 6),
    ("branching-points", "gap_table", 0.4),
    ("branching-points", "visited_ratio", 1.06),
    ("multi-dimensional", "genbab_vit", 3),
    ("multi-dimensional", "genbab_lstm", 2),
    ("multi-dimensional", "wrong", 1),
    ("general-graphs", "genbab", 5),
    ("general-graphs", "wrong", 1),
    ("competition", "decided", 94),
    ("competition", "contradicted", 1),
    ("cuts", "most", 99),
    ("cuts", "share", 0.5),
    ("more-verified", "biccos", 4),
    ("more-verified", "visited_ratio", 1.0),
    ("strengthening-and-trees", "length_ratio", 1.0),
    ("strengthening-and-trees", "strengthening", 1.0),
    ("strengthening-and-trees", "trees", 1.0),
    ("scale", "neurons", 49_999),
    ("scale", "cuts", 0),
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


def test_a_graph_decides_more_without_deciding_all():
    assert PAPER.claim("general-graphs").holds({"genbab": 4, "alpha": 3, "properties": 6, "wrong": 0})


def test_one_network_of_several_inputs_is_enough():
    numbers = {"alpha_lstm": 3, "genbab_lstm": 4, "alpha_vit": 3, "genbab_vit": 3, "wrong": 0}
    assert PAPER.claim("multi-dimensional").holds(numbers)


def test_both_papers_are_named():
    assert PAPER.arxiv == "2405.21063"
    assert sum("BICCOS" in claim.statement for claim in PAPER.claims) >= 4
    assert sum("GenBaB" in claim.statement for claim in PAPER.claims) >= 5
