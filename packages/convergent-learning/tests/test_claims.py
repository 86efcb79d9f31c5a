"""Verdicts: what the paper says holds; what a wrong implementation gives does not."""

import pytest

from convergent_learning import TrainConfig
from convergent_learning.paper import LAYERS, PAPER
from convergent_learning.trials import LAYERS as MODULES

ONE_TO_ONE = {
    f"{key}_{layer}": value
    for key, value in (("greedy", 0.8), ("matching", 0.75), ("overlap", 0.6), ("random", 0.2), ("untrained", 0.6))
    for layer in LAYERS
}
AGREEING = {
    "some-features-recur": {"top": 0.97, "bottom_quarter": 0.5, "untrained_top": 0.9, "untrained_bottom_quarter": 0.6,
                            "hidden_top": 0.8, "hidden_bottom_quarter": 0.4},
    "one-to-one": ONE_TO_ONE,
    "shared-subspaces": {
        "dense": 0.8, "one_to_one": 0.5, "dense_rotated": 0.8, "one_to_one_rotated": 0.3, "dense_untrained": 0.7,
        "clusters": 0.6, "random_clusters": 0.4, "p_value": 1e-4,
        "clusters_untrained": 0.5, "random_clusters_untrained": 0.45, "p_value_untrained": 0.01,
    },
    "local-and-distributed": {"median_units": 5, "median_share": 0.2, "few": 0.2,
                              "median_units_rotated": 12, "few_rotated": 0},
    "depth-trend": {"conv1": 0.8, "conv2": 0.7, "conv3": 0.6} | {f"untrained_{layer}": 0.6 for layer in LAYERS},
    "mutual-information": {"same": 7, "by_chance": 1},
}  # fmt: skip
WRONG = [
    ("some-features-recur", {"untrained_top": 0.98}),
    ("some-features-recur", {"bottom_quarter": 0.8}),
    ("some-features-recur", {"top": 0.9}),
    ("one-to-one", {"matching_conv2": 0.81}),
    ("one-to-one", {"matching_conv2": 0.6}),
    ("one-to-one", {"overlap_conv3": 1.0}),
    ("one-to-one", {"overlap_conv1": 0.2}),
    ("one-to-one", {"random_conv1": 0.74}),
    ("shared-subspaces", {"one_to_one": 0.75}),
    ("shared-subspaces", {"one_to_one_rotated": 0.5}),
    ("shared-subspaces", {"p_value": 0.2}),
    ("shared-subspaces", {"clusters": 0.3}),
    ("shared-subspaces", {"dense_untrained": 0.85}),
    ("shared-subspaces", {"clusters_untrained": 0.7}),
    ("local-and-distributed", {"median_units": 1}),
    ("local-and-distributed", {"median_share": 0.7}),
    ("local-and-distributed", {"few": 0.01}),
    ("local-and-distributed", {"few": 0.98}),
    ("local-and-distributed", {"few_rotated": 0.3}),
    ("depth-trend", {"conv3": 0.75}),
    ("depth-trend", {"conv1": 0.65}),
    ("mutual-information", {"same": 4}),
    ("mutual-information", {"by_chance": 6}),
]


@pytest.mark.parametrize("claim", AGREEING)
def test_what_the_paper_says_holds(claim):
    assert PAPER.claim(claim).holds(AGREEING[claim])
    assert set(AGREEING[claim]) == set(PAPER.claim(claim).paper)


@pytest.mark.parametrize(("claim", "change"), WRONG)
def test_what_it_does_not_say_does_not(claim, change):
    assert not PAPER.claim(claim).holds(AGREEING[claim] | change)
    for key in change:
        assert not PAPER.claim(claim).holds(AGREEING[claim] | {key: float("nan")})


def test_fewer_than_five_of_eight_are_a_direction():
    claim = PAPER.claim("mutual-information")
    assert claim.direction({"same": 4, "by_chance": 1})
    assert not claim.direction({"same": 1, "by_chance": 1})


def test_the_numbers_of_the_paper_are_those_of_layers_that_are_measured():
    assert tuple(MODULES) == LAYERS


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"lr": float("nan")}, {"batch_size": -1}])
def test_a_training_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        TrainConfig(**wrong)
