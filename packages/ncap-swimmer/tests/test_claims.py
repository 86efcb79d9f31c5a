"""What the claims demand, and what measures them."""

import pytest
import torch

from ncap_swimmer.configs import PolicyConfig
from ncap_swimmer.paper import BODIES, PAPER
from ncap_swimmer.policies import make_policy
from ncap_swimmer.trials import SMOKE, derangements, train_and_test, with_weights

MOVED = {"trained_on": 900, **{f"joints_{n}": 800 for n in BODIES}, "untrained": 700, "most_random": 100}

CASES = [
    ("initial-performance", {"ncap": 700, "mlp": 300, "random": 90}, {"ncap": 499}, {"mlp": 351}, {"random": 350}),
    (
        "parameters",
        {"ncap": 4, "ncap_not_shared": 30, "mlp": 73_477, "mlp_small": 6_085},
        *({"ncap": 0}, {"ncap_not_shared": 61}, {"mlp_small": 2_999}, {"mlp": 400}),
    ),
    # On the training body only; no better than before training; as random on one body.
    ("transfer", MOVED, {"trained_on": 1001}, {"untrained": 800}, {"joints_3": 199}),
    (
        "sign-constraint",
        {"signed": 600, "unsigned": 60, "signed_before": 200, "unsigned_before": 20},
        # No difference; no learning with the constraint; as much learning without it.
        *({"unsigned": 401}, {"signed_before": 600}, {"unsigned": 225}),
    ),
    ("weight-initialization", {"constant": 800, "uniform": 600}, {"uniform": 601}),
    (
        "interpretability",
        {"ncap": 1, "trained": 1, "shuffled": 0.25},
        {"ncap": 0.99},
        {"trained": 0},
        {"shuffled": 0.3},
    ),
]


@pytest.mark.parametrize(("claim", "good", "changes"), [(claim, good, bad) for claim, good, *bad in CASES])
def test_claims_hold_for_what_they_say_and_for_nothing_less(claim, good, changes):
    holds = PAPER.claim(claim).holds
    assert holds(good)
    for change in changes:
        assert not holds(good | change), change


def test_every_key_has_a_label():
    assert not {
        claim.id: set(claim.paper) - set(claim.labels) for claim in PAPER.claims if set(claim.paper) - set(claim.labels)
    }


def test_the_weights_of_a_trial_are_those_that_it_tested():
    found = train_and_test(SMOKE, "cpu")
    assert found["after"] != found["before"]
    config = PolicyConfig(n_links=SMOKE.n_links)
    assert found["weights"] != make_policy(config).circuit.weights()
    assert with_weights(config, found["weights"]).circuit.weights() == pytest.approx(found["weights"])


def test_shuffled_sensors_are_all_in_the_wrong_place():
    drawn = derangements(4, 200, seed=1)
    assert len(drawn) == 200
    assert {tuple(sorted(one)) for one in drawn} == {(0, 1, 2, 3)}
    assert not any(source == place for one in drawn for place, source in enumerate(one))
    # All of the nine that there are.
    assert len({tuple(one) for one in drawn}) == 9
    state = torch.get_rng_state()
    assert derangements(4, 200, seed=1) == drawn
    assert torch.equal(torch.get_rng_state(), state)
