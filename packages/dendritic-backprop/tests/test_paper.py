"""The claims hold for numbers that bear them out, and for none that a wrong implementation would give."""

import math
from typing import get_args

import pytest

from dendritic_backprop import add_dendrites, count_parameters, make_network
from dendritic_backprop.experiments import GPU_ACCURACY, PAPER_ACCURACY, QUICK_ACCURACY, SMOKE_ACCURACY
from dendritic_backprop.paper import CYCLES, MODERN, NETWORKS, PAPER
from dendritic_backprop.variants import VARIANTS, Variant, grown_parameters

ERRORS = {
    f"{name}_{key}": error
    for name in NETWORKS
    for key, error in {
        "original": 0.10,
        "continued": 0.09,
        "dendrites": 0.07,
        "gradient": 0.06,
        "random": 0.08,
        "unperforated": 0.07,
        "wider": 0.05,
    }.items()
}
COMPRESSED = {
    "full": 0.05,
    "small": 0.09,
    "grown": 0.053,
    "equal": 0.05,
    "full_parameters": 25_000,
    "grown_parameters": 20_000,
}
FEATURES = {
    "similarity": 0.9,
    "other": 0.6,
    "perforated": 1e-7,
    "ordinary": 0.5,
    "before": 0.1,
    "after": 0.08,
    "dendrites": 2.0,
}
CURVE = dict(zip(CYCLES, (0.10, 0.08, 0.07, 0.06, 0.095, 0.09, 0.09)))
OBJECTIVE = {"trained": 0.3, "untrained": 0.05, "trained_error": 0.07, "random_error": 0.08}
NETS = {f"{name}_{side}": error for name in MODERN for side, error in (("dendrites", 0.05), ("continued", 0.06))}
AGREEING = {
    "improves-accuracy": ERRORS,
    "compression": COMPRESSED,
    "same-features": FEATURES,
    "repeated-cycles": CURVE,
    "correlation-objective": OBJECTIVE,
    "modern-networks": NETS | {"switch": 0.0},
}
WRONG = [
    # more epochs explain the gain; only one network gains; dendrites are worse than nothing
    ("improves-accuracy", ERRORS | {"mlp_dendrites": 0.09}),
    ("improves-accuracy", ERRORS | {"cnn_dendrites": 0.095}),
    ("improves-accuracy", ERRORS | {"mlp_dendrites": 0.12, "mlp_continued": 0.13}),
    ("compression", COMPRESSED | {"grown": 0.056}),
    ("compression", COMPRESSED | {"grown_parameters": 25_000}),
    # the small network is as good by itself
    ("compression", COMPRESSED | {"small": 0.053}),
    # other features, as good a fit by chance, errors through dendrites, and a control that does not differ
    ("same-features", FEATURES | {"similarity": 0.6, "other": 0.1}),
    ("same-features", FEATURES | {"other": 0.85}),
    ("same-features", FEATURES | {"perforated": 0.01}),
    ("same-features", FEATURES | {"ordinary": 1e-7}),
    # the same features, because nothing was added, or nothing got better
    ("same-features", FEATURES | {"dendrites": 0.0, "after": 0.1}),
    ("same-features", FEATURES | {"dendrites": 0.0}),
    ("same-features", FEATURES | {"after": 0.1}),
    ("repeated-cycles", CURVE | {"dendrites_1": 0.10}),
    ("repeated-cycles", CURVE | {"dendrites_3": 0.08}),
    ("repeated-cycles", CURVE | {"continued_3": 0.06}),
    ("correlation-objective", OBJECTIVE | {"trained": 0.05}),
    ("correlation-objective", OBJECTIVE | {"untrained": 0.0}),
    ("correlation-objective", OBJECTIVE | {"random_error": 0.07}),
    ("modern-networks", NETS | {"switch": 1e-3}),
    ("modern-networks", NETS | {"switch": 0.0, "gru_dendrites": 0.09}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    assert not claim.holds(dict.fromkeys(measured, math.nan))


@pytest.mark.parametrize(("claim", "measured"), WRONG)
def test_no_claim_holds_for_what_a_wrong_implementation_would_measure(claim, measured):
    assert measured.keys() == PAPER.claim(claim).paper.keys()
    assert not PAPER.claim(claim).holds(measured)


@pytest.mark.parametrize("config", [SMOKE_ACCURACY, QUICK_ACCURACY, GPU_ACCURACY, PAPER_ACCURACY])
def test_the_claim_of_compression_can_hold_with_every_dendrite_kept(config):
    """The full width has more parameters than the small network with all its dendrites, on MNIST's 784 inputs."""
    small, full = (add_dendrites(make_network(trial.network, (784,), 10)) for trial in (config.mlp, config.wide))
    assert grown_parameters(small, config.mlp.cycle.max_dendrites) < count_parameters(full)


def test_names_are_those_of_the_implementation():
    assert tuple(VARIANTS) == get_args(Variant)
