"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from modular_addition.paper import PAPER

AGREEING = {
    "fourier": {"accuracy": 1.0, "ipr": 0.65, "ipr_start": 0.167, "agreement": 0.984, "ipr_random": 0.17},
    "phase-alignment": {"cos": 0.994, "sin": 0.081, "cos_shuffled": 0.02, "cos_subtraction": -0.03},
    "diversification": {
        "least_neurons": 30, "r1": 0.1, "r2": 0.16, "r4": 0.07, "missing_narrow": 2, "least_untrained": 0,
    },
    "flawed-indicator": {
        "error_quad": 1e-14, "error_relu": 0.003, "ideal_ratio": 0.335, "ghosts": 2.1, "peak": 10.5,
        "ghosts_untrained": 0.1,
    },
    "majority-vote": {"few": 0.4, "some": 0.9, "many": 1.0, "own_phases": 1.0, "equal_phases": 0.3},
    "lottery": {"flow": 0.945, "product": 0.62, "magnitude": 0.59, "phase": 0.4, "chance": 0.2},
    "ode": {"drift": 1e-9, "misalignment": 0.02, "ordered": 1.0, "difference": 1e-9},
    "grokking-3-stage": {
        "stage1_end": 1302, "stage2_end": 5119, "test_when_memorized": 0.763, "ipr_rise": 0.2, "norm_change": -0.02,
        "test_no_decay": 0.8,
    },
}  # fmt: skip
WRONG = [
    # an untrained network, one on a random table that finds frequencies, and layers that do not agree
    ("fourier", {"accuracy": 0.04, "ipr": 0.167, "agreement": 0.09}),
    ("fourier", {"ipr": 0.59}),
    ("fourier", {"ipr_random": 0.6}),
    ("fourier", {"agreement": 0.9}),
    ("fourier", {"ipr_start": 0.6}),
    # phases that are not aligned, opposite ones, and a measure that is always one
    ("phase-alignment", {"cos": 0.0, "sin": 0.64}),
    ("phase-alignment", {"cos": -0.99}),
    ("phase-alignment", {"cos_shuffled": 0.98}),
    ("phase-alignment", {"cos_subtraction": 0.98}),
    # a frequency that is missing, equal phases, a narrow network without a lack, a count of noise
    ("diversification", {"least_neurons": 0}),
    *(("diversification", {f"r{n}": 1.0}) for n in (1, 2, 4)),
    ("diversification", {"missing_narrow": 0}),
    ("diversification", {"least_untrained": 35}),
    ("flawed-indicator", {"error_quad": 1.0}),
    ("flawed-indicator", {"error_relu": 0.1}),
    ("flawed-indicator", {"ideal_ratio": 0.5}),
    ("flawed-indicator", {"ghosts": 0.2}),
    ("flawed-indicator", {"ghosts": 11.0}),
    ("flawed-indicator", {"ghosts_untrained": 2.0}),
    # one neuron is enough, votes that do not help, phases that do not matter
    ("majority-vote", {"few": 1.0}),
    ("majority-vote", {"many": 0.89}),
    ("majority-vote", {"equal_phases": 1.0}),
    ("lottery", {"flow": 0.8}),
    ("lottery", {"phase": 0.9}),
    *(("lottery", {name: 0.95}) for name in ("product", "magnitude")),
    ("ode", {"drift": 1e-3}),
    ("ode", {"misalignment": 1.0}),
    ("ode", {"ordered": 0.99}),
    ("ode", {"difference": 1e-2}),
    # generalization at once, a leak, no structure, weights that grow, and a network that needs no decay
    ("grokking-3-stage", {"stage2_end": 1500}),
    ("grokking-3-stage", {"stage2_end": math.nan}),
    ("grokking-3-stage", {"test_when_memorized": 0.04}),
    ("grokking-3-stage", {"test_when_memorized": 1.0}),
    ("grokking-3-stage", {"ipr_rise": 0.0}),
    ("grokking-3-stage", {"norm_change": 0.1}),
    ("grokking-3-stage", {"test_no_decay": 0.99}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out_and_for_none_that_is_missing(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    for key in measured:
        assert not claim.holds(measured | {key: math.nan}), key


@pytest.mark.parametrize(("claim", "changed"), WRONG)
def test_no_claim_holds_for_what_a_wrong_implementation_would_measure(claim, changed):
    assert changed.keys() <= AGREEING[claim].keys()
    assert not PAPER.claim(claim).holds(AGREEING[claim] | changed)


def test_a_lottery_with_fewer_winners_is_a_direction():
    claim = PAPER.claim("lottery")
    assert claim.direction(AGREEING["lottery"] | {"flow": 0.7})
    assert not claim.direction(AGREEING["lottery"] | {"flow": 0.6})
