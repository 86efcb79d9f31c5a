"""Contenders have the same data, epochs, and number of settings."""

import pytest

from relinear.configs import ModelConfig
from relinear.experiments import Collapses, Potential, _candidates, _collapse_trial, _contenders, _widened
from relinear.networks import make_kind
from separata.models import count_parameters


def test_every_contender_has_as_many_candidates_on_the_same_data():
    config = Potential()
    for data in config.datasets:
        trials = {name: _candidates(config, (name, data), (0, 1)) for name, of in _contenders(config) if of == data}
        assert len({len(set(one.settings)) for one in trials.values()}) == 1
        assert {one.train for one in trials.values()} == {trials["relinear"].train}
        assert all(one.is_held_out for one in trials.values())
        assert {setting.lr for one in trials.values() for setting in one.settings} == set(config.rates)
        kinds = {name: (one.neuron, one.init) for name, one in trials.items()}
        assert kinds == {
            "relinear": ("quadratic", "relinear"),
            "conventional": ("conventional", "relinear"),
            "conventional_wide": ("conventional", "relinear"),
            "activation": ("activation", "relinear"),
            "random": ("quadratic", "random"),
        }
        # Only ReLinear slows its quadratic parameters down.
        assert all(
            (setting.gamma < 1) == (name == "relinear") for name, one in trials.items() for setting in one.settings
        )


@pytest.mark.parametrize(("data", "shape"), [("digits", (1, 8, 8)), ("mnist5k", (1, 14, 14))])
def test_the_wide_network_has_the_parameters_of_the_quadratic_one(data, shape):
    model = ModelConfig("mlp:64x3")
    wide = _widened(model, data, Potential())
    sizes = [
        count_parameters(make_kind(one, kind, "relinear", shape, 10))
        for one, kind in ((model, "quadratic"), (wide, "conventional"))
    ]
    assert abs(sizes[1] / sizes[0] - 1) < 0.02
    assert len(wide.hidden) == 3


def test_remedies_are_what_their_labels_say():
    config = Collapses()
    trials = {
        name: _collapse_trial(config, name, "mlp:32x4", (0,))
        for name in (
            "random",
            "clip",
            "slow",
            "batchnorm",
            "relinear",
            "init_only",
            "rate_only",
            "compact",
            "conventional",
        )
    }
    plain = trials["random"].settings
    assert [(one.lr, one.gamma, one.clip) for one in plain] == [(0.01, 1, 0), (0.05, 1, 0)]
    assert [one.lr for one in trials["slow"].settings] == pytest.approx([0.001, 0.005])
    assert {one.clip for one in trials["clip"].settings} == {1}
    assert [name for name, one in trials.items() if one.model.batchnorm] == ["batchnorm"]
    gammas = {name: {one.gamma for one in trial.settings} for name, trial in trials.items()}
    assert {name for name, some in gammas.items() if some == {0.01}} == {"relinear", "rate_only", "compact"}
    inits = {name: one.init for name, one in trials.items() if one.neuron != "conventional"}
    assert {name for name, init in inits.items() if init == "relinear"} == {"relinear", "init_only", "compact"}
    assert trials["compact"].neuron == "compact"
