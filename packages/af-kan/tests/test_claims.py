"""Verdicts: what the paper says holds, and what a network without its effect would give does not."""

import math

import pytest

from af_kan.candidates import Ablation, Comparison, kind_of
from af_kan.configs import KINDS, ModelConfig, TrainConfig
from af_kan.paper import AXES, KANS, LABELS, LARGER, PAPER, REDUCTIONS
from af_kan.trials import Trial

OTHERS = dict.fromkeys(KANS, 0.92)
AGREEING = {
    "outperforms-mlp": {"af_kan": 0.955, "mlp": 0.94, "mlp_final": 0.93, "shuffled": 0.1},
    "outperforms-kans": {"af_kan": 0.95, **OTHERS, "shuffled": 0.1},
    "fewer-parameters": {
        "af_kan": 0.945,
        "relu_kan": 0.95,
        "bspline_kan": 0.952,
        "ratio_relu_kan": 6.03,
        "ratio_bspline_kan": 9.67,
    },
    "cost": {"time": 2.5, "flops": 1.8},
    "best-configuration": {"default": 0.97, **{f"best_{axis}": 0.975 for axis in AXES}, "no_norm": 0.9},
    "negative-values": {"silu": 0.97, "gelu": 0.97, "elu": 0.96, "relu": 0.95},
    "reduction": {"global_attn": 0.97, "multistep": 0.968, "spatial_attn": 0.972, "unreduced": 0.975, "ratio": 0.17},
}
WRONG = [
    # a tie, a lead within noise, each perceptron ahead, and labels that leak into the images
    ("outperforms-mlp", {"af_kan": 0.94}),
    ("outperforms-mlp", {"af_kan": 0.949}),
    ("outperforms-mlp", {"af_kan": 0.935, "mlp": 0.93, "mlp_final": 0.94}),
    ("outperforms-mlp", {"shuffled": 0.9}),
    # hardly ahead of one of them, and behind one
    *(("outperforms-kans", {other: accuracy}) for other in KANS for accuracy in (0.945, 0.951)),
    ("outperforms-kans", {"shuffled": 0.9}),
    # far behind a larger one, and networks that have learned nothing
    *(("fewer-parameters", {other: 0.96}) for other in LARGER),
    ("fewer-parameters", {"af_kan": 0.1, "relu_kan": 0.1, "bspline_kan": 0.1}),
    # as large as the others, or another structure
    *(("fewer-parameters", {f"ratio_{other}": ratio}) for other in LARGER for ratio in (1.0, 3.0, 20.0)),
    ("cost", {"time": 0.9}),
    ("cost", {"flops": 1.0}),
    *(("best-configuration", {f"best_{axis}": 0.99}) for axis in AXES),
    ("best-configuration", {"no_norm": 0.965}),
    ("negative-values", {"relu": 0.97}),
    ("negative-values", {"silu": 0.9, "gelu": 0.9, "elu": 0.9, "relu": 0.9}),
    *(("reduction", {name: 0.94}) for name in REDUCTIONS),
    ("reduction", {"unreduced": 0.99}),
    ("reduction", {"ratio": 1.0}),
]


@pytest.mark.parametrize("claim", PAPER.claims, ids=lambda claim: claim.id)
def test_a_claim_holds_for_numbers_that_bear_it_out_and_for_none_that_is_missing(claim):
    measured = AGREEING[claim.id]
    assert measured.keys() == claim.paper.keys() == claim.labels.keys()
    assert claim.holds(measured)
    for key in measured:
        assert not claim.holds(measured | {key: math.nan}), key
        assert not claim.direction or not claim.direction(measured | {key: math.nan}), key


@pytest.mark.parametrize(("claim", "changed"), WRONG)
def test_no_claim_holds_for_what_a_wrong_implementation_would_measure(claim, changed):
    assert changed.keys() <= AGREEING[claim].keys()
    assert not PAPER.claim(claim).holds(AGREEING[claim] | changed)


@pytest.mark.parametrize("claim", ["outperforms-mlp", "outperforms-kans"])
def test_a_lead_that_is_small_is_a_direction(claim):
    claim, measured = PAPER.claim(claim), AGREEING[claim]
    others = measured.keys() - {"af_kan", "shuffled"}
    for other in others:
        ahead = measured | {other: measured["af_kan"] - 0.001}
        assert not claim.holds(ahead)
        assert claim.direction(ahead)
        assert not claim.direction(measured | {other: measured["af_kan"]})
    assert not claim.direction(measured | {"shuffled": 0.9})


def test_fewer_parameters_by_another_factor_are_a_direction():
    measured = AGREEING["fewer-parameters"] | {"ratio_relu_kan": 3.0}
    assert PAPER.claim("fewer-parameters").direction(measured)
    assert not PAPER.claim("fewer-parameters").direction(measured | {"ratio_relu_kan": 0.9})


def test_names_are_those_of_the_implementation():
    assert {kind_of(key) for key in (*KANS, *LARGER, "af_kan", "mlp")} == set(KINDS)
    assert {key for key in LABELS if key not in {"mlp_final", "shuffled"}} == {"af_kan", "mlp", *KANS}


def test_every_network_has_the_same_candidate_rates_and_batches():
    config = Comparison(Trial("digits", ModelConfig(hidden="24"), TrainConfig(epochs=1)))
    candidates = config.candidates()
    assert {tuple(one.train.lr for one in some) for some in candidates.values()} == {config.rates}
    assert (
        len({(one.train.epochs, one.train.batch_size, one.seed) for some in candidates.values() for one in some}) == 1
    )
    networks = config.networks()
    assert {networks[f"large_{key}"].hidden for key in LARGER} == {"24"}
    assert all(config.label(name) for name in networks)
    assert len({config.label(name) for name in networks}) == len(networks)


def test_an_ablation_varies_one_setting_at_a_time():
    config = Ablation(Trial("digits"))
    default = config.trial.model
    for axis in AXES:
        names = config.names(axis)
        assert names.count("default") == 1
        for name in names:
            other = config.networks()[name].layer
            differing = [key for key, value in vars(other).items() if value != getattr(default.layer, key)]
            assert len(differing) == (name != "default")
            assert config.value(axis, name) in map(str, vars(other).values())
    assert config.networks()["unreduced"].kind == "relu-kan"
