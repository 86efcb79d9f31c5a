import math
from typing import get_args

import pytest

from snn_continual import configs, rules
from snn_continual.paper import FEEDBACKS, METHODS, PAPER, RULES

LEARNED = {"distance": 0.02, "untrained_distance": 1.3, "orthonormality": 0.001}
ENERGY = {"explained": 0.98, "untrained_explained": 0.3}
PROTECTED, FORGOTTEN = {"acc": 0.9, "bwt": -0.005}, {"acc": 0.85, "bwt": -0.07}
FROZEN = {"acc": 0.27, "bwt": 0.0}
"""A projection that leaves nothing to learn after the first task: nothing is forgotten, nothing learned."""


def in_ways(ways, hlop, finetune=FORGOTTEN):
    """What is measured where every way of training gives the same; one last way may differ."""
    *_, last = ways
    return {
        f"{way}_{method}_{key}": value
        for way in ways
        for method, found in (("hlop", hlop if way == last else PROTECTED), ("finetune", finetune))
        for key, value in found.items()
    }


def forgetting(hlop, finetune=FORGOTTEN):
    return {
        f"{m}_{key}": value for m, found in (("hlop", hlop), ("finetune", finetune)) for key, value in found.items()
    }


OTHERS = {"finetune": 0.85, "ewc": 0.87, "gpm": 0.9, "replay": 0.89, "joint": 0.95}
AGREEING = {
    "principal-subspace": LEARNED | ENERGY,
    "nearly-zero-forgetting": forgetting(PROTECTED),
    "training-rules": in_ways(RULES, PROTECTED),
    "error-propagation": in_ways(FEEDBACKS, PROTECTED),
    "outperforms": OTHERS | {"hlop": 0.91},
    "neural-projection": {"hlop": 0.905, "gpm": 0.91, "finetune": 0.85},
    "spiking-lateral": {"real": 0.905, "spiking": 0.9, "finetune": 0.85},
}
WRONG = [
    # as measured of the lateral weights before they learn
    ("principal-subspace", LEARNED | ENERGY | {"distance": 1.3, "orthonormality": 0.0}),
    ("principal-subspace", LEARNED | ENERGY | {"explained": 0.3}),
    # a criterion that random directions meet as well
    ("principal-subspace", LEARNED | ENERGY | {"untrained_explained": 0.97}),
    ("principal-subspace", LEARNED | ENERGY | {"untrained_distance": 0.04}),
    # no projection at all, one that leaves nothing to learn, and one that forgets a little less than no projection
    *(
        (claim, found)
        for hlop in (FORGOTTEN, FROZEN, {"acc": 0.88, "bwt": -0.03})
        for claim, found in (
            ("nearly-zero-forgetting", forgetting(hlop)),
            ("training-rules", in_ways(RULES, hlop)),
            ("error-propagation", in_ways(FEEDBACKS, hlop)),
        )
    ),
    # where fine-tuning hardly forgets, HLOP must forget still less
    ("error-propagation", in_ways(FEEDBACKS, {"acc": 0.9, "bwt": -0.015}, {"acc": 0.89, "bwt": -0.02})),
    # a tie, and each baseline ahead by itself
    *(("outperforms", OTHERS | {"hlop": 0.91, other: 0.91}) for other in OTHERS if other != "joint"),
    # neither projects, only one does, or both learn nothing
    ("neural-projection", {"hlop": 0.85, "gpm": 0.85, "finetune": 0.85}),
    ("neural-projection", {"hlop": 0.85, "gpm": 0.91, "finetune": 0.85}),
    ("neural-projection", {"hlop": 0.91, "gpm": 0.86, "finetune": 0.85}),
    ("neural-projection", {"hlop": 0.27, "gpm": 0.27, "finetune": 0.85}),
    ("spiking-lateral", {"real": 0.85, "spiking": 0.85, "finetune": 0.85}),
    ("spiking-lateral", {"real": 0.905, "spiking": 0.88, "finetune": 0.85}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out_and_for_none_that_is_missing(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    # joint training is shown, and not compared with
    for key in measured.keys() - ({"joint"} if claim.id == "outperforms" else set()):
        assert not claim.holds(measured | {key: math.nan}), key


@pytest.mark.parametrize(("claim", "measured"), WRONG)
def test_no_claim_holds_for_what_a_wrong_implementation_would_measure(claim, measured):
    assert measured.keys() == PAPER.claim(claim).paper.keys()
    assert not PAPER.claim(claim).holds(measured)


def test_names_are_those_of_the_implementation():
    assert tuple(METHODS) == get_args(configs.MethodName)
    assert tuple(RULES) == tuple(rules.RULES) == get_args(configs.RuleName)
    assert tuple(FEEDBACKS) == get_args(configs.Feedback)
