import math

import pytest

from udc_solver.paper import PAPER, PROBLEMS

GOOD = {
    "general": dict.fromkeys(PROBLEMS, 1.0) | {"damaged": 0.0},
    "reunion": {"dcr": 8.0, "no_reunion": 8.1, "no_reunion_steps": 8.2, "untrained": 9.2},
    "unified": {"joint": 8.0, "separate": 8.2, "nearest": 8.3, "insertion": 8.2},
    "efficient": {"conquer": 1.0, "divide": 1.1, "heat_map": 1.0, "dense": 2.0},
    "superior": {
        "tsp": 8.0,
        "tsp_divided": 8.8,
        "tsp_untrained": 8.5,
        "tsp_nearest": 9.0,
        "tsp_insertion": 8.4,
        "tsp_two_opt": 8.1,
        "kp": 18.0,
        "kp_ratio": 18.1,
        "kp_exact": 18.2,
        "kp_random": 10.0,
        "mis": 20.0,
        "mis_untrained": 19.0,
        "mis_random_order": 19.0,
        "mis_min_degree": 21.0,
    },
}


def test_the_paper_and_all_its_claims_have_their_keys():
    assert {claim.id: set(claim.paper) for claim in PAPER.claims} == {name: set(m) for name, m in GOOD.items()}
    assert PAPER.arxiv == "2407.00312"


@pytest.mark.parametrize("name", GOOD)
def test_claims_hold_for_numbers_that_bear_them_out_and_for_none_that_is_no_number(name):
    claim = PAPER.claim(name)
    assert claim.holds(GOOD[name])
    assert not claim.holds(dict.fromkeys(GOOD[name], math.nan))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("general", {"spctsp": 0.99}),
        ("general", {"damaged": 0.01}),
        ("reunion", {"dcr": 8.2}),
        ("reunion", {"untrained": 7.9}),
        ("unified", {"separate": 7.9}),
        ("efficient", {"conquer": 2.0}),
        ("efficient", {"heat_map": 2.0}),
        # A network that has learned nothing: in place of UDC, the control.
        ("superior", {"tsp": 8.5}),
        ("superior", {"tsp_nearest": 8.2}),
        ("superior", {"tsp_divided": 8.1}),
        ("superior", {"kp": 17.0}),
        ("superior", {"mis": 18.0}),
    ],
)
def test_claims_fail_where_one_number_is_wrong(name, changes):
    assert not PAPER.claim(name).holds(GOOD[name] | changes)
