"""The predicates of the claims: what they let pass, and what they do not."""

import pytest

from stochastic_neurons.experiments import NAMES, QUICK_NETWORKS, _score
from stochastic_neurons.paper import FAMILIES, PAPER

GOOD = {
    "unbiased": {"none": 2.0, "mean": 2.5, "optimal": 1.9, "learned": 2.2, "st": 60.0},
    "minimum-variance": {"mean": 1.05, "none": 2.0, "shifted": 1.01, "swapped": 1.2},
    "first-order": {"output": 0.003, "gradient": 0.004, "cosine": 0.97, "half": 0.5},
    "noise-injection": {
        "gaussian": 2.0, "logistic": 2.0, "semi_hard": 1.0, "output": 0.002, "slope": 0.001, "sigmoid": 90.0,
    },
    "straight-through": {
        "cosine": 0.9, "scaled": 0.95, "bias": 4.0, "single": 0.4, "single_unbiased": 0.2, "shuffled": 0.1,
    },
    "trains": {
        "sbn": 0.09, "sts": 0.10, "noisy_relu": 0.08, "st": 0.08, "st_sigmoid": 0.08, "relu": 0.08, "sigmoid": 0.09,
        "noisy_sigmoid": 0.09, "frozen": 0.13,
    },
    "straight-through-best": {
        "sbn": 0.09, "sts": 0.10, "noisy_relu": 0.08, "st": 0.07, "st_sigmoid": 0.09, "chosen": 0.07,
    },
    "sparse-gates": {"sbn": 0.1, "sts": 0.1, "noisy_relu": 0.12, "st": 0.09, "without": 0.6, "patterns": 0.99},
    "less-computation": {"operations": 0.2, "one": 4.0, "few": 2.0, "many": 1.5, "masked": 0.9},
}  # fmt: skip
WRONG = [
    ("unbiased", {"mean": 5.0}),  # a baseline that looks at the unit itself
    ("unbiased", {"learned": 5.0}),
    ("unbiased", {"st": 1.0}),  # a test too weak to see a bias
    ("minimum-variance", {"shifted": 0.99}),
    ("minimum-variance", {"none": 1.0}),
    ("first-order", {"gradient": 0.5}),
    ("first-order", {"half": 0.01}),
    ("noise-injection", {"sigmoid": 1.0}),
    ("noise-injection", {"gaussian": 9.0}),
    ("straight-through", {"bias": 0.0}),
    ("straight-through", {"cosine": 0.05}),
    ("straight-through", {"shuffled": 0.99}),
    ("straight-through", {"single": 0.1}),
    ("trains", {"sbn": 0.9}),
    ("trains", {"sts": 0.115}),
    ("trains", {"frozen": 0.07}),
    ("sparse-gates", {"st": 0.5}),
    ("sparse-gates", {"noisy_relu": 0.0}),
    ("sparse-gates", {"without": 0.1}),
    ("less-computation", {"many": 1.1}),
    ("less-computation", {"masked": 2.0}),
    ("less-computation", {"operations": 0.5}),
]


@pytest.mark.parametrize("name", GOOD)
def test_what_the_paper_says_passes_and_numbers_that_are_none_do_not(name):
    claim = PAPER.claim(name)
    assert claim.holds(GOOD[name])
    assert not claim.holds(dict.fromkeys(GOOD[name], float("nan")))
    assert GOOD[name].keys() == claim.paper.keys() == claim.labels.keys()


@pytest.mark.parametrize(("name", "change"), WRONG, ids=lambda value: str(value))
def test_what_it_does_not_say_fails(name, change):
    assert not PAPER.claim(name).holds(GOOD[name] | change)


def test_straight_through_holds_in_direction_within_a_point():
    claim, found = PAPER.claim("straight-through-best"), GOOD["straight-through-best"]
    assert not claim.holds(found | {"chosen": 0.085})
    assert claim.direction(found | {"chosen": 0.085})
    assert not claim.direction(found | {"chosen": 0.095})
    assert not claim.holds(found | {"chosen": 0.09}), "the other form is not taken for its lower test error"


def test_settings_are_chosen_by_validation_error_among_gates_that_are_sparse():
    def score(name, **found):
        return _score(QUICK_NETWORKS, name, {"diverged": False, **found})

    sparse, open_gate, dead = (
        {"validation_error": error, "validation_activity": activity}
        for error, activity in ((0.1, 0.1), (0.01, 0.5), (0.01, 0.0))
    )
    assert score("st", **sparse) > score("st", **open_gate)
    assert score("st", **sparse) > score("st", **dead)
    assert score("relu", **sparse) > score("relu", **open_gate)
    assert score("sigmoid", **open_gate) > score("sigmoid", **sparse), "it has no zeros to be sparse with"
    assert not score("st", diverged=True) > -9
    assert set(FAMILIES) <= set(NAMES)
