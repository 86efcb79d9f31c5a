"""Contenders have the same data, epochs, and number of settings."""

from collections import defaultdict
from unittest.mock import Mock

import pytest

from relinear import experiments
from relinear.configs import GAMMA, ModelConfig
from relinear.experiments import Potential, _candidates, _contenders, _widened
from relinear.networks import make_kind
from relinear.remedies import FEW, NETWORKS, Collapses, chosen_strengths, collapse_trial
from separata import Run
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
        name: collapse_trial(config, name, "mlp:32x4", (0,), (0.2, 0.1))
        for name in (
            "random",
            "clip",
            "slow",
            "batchnorm",
            "relinear",
            "relinear_sw",
            "init_only",
            "rate_only",
            "compact",
            "conventional",
        )
    }
    plain = trials["random"].settings
    assert [(one.lr, one.gamma, one.clip) for one in plain] == 2 * [(0.01, 1, 0), (0.05, 1, 0)]
    assert [one.lr for one in trials["slow"].settings] == pytest.approx([0.002, 0.01, 0.001, 0.005])
    assert [one.clip for one in trials["clip"].settings] == [0.2, 0.2, 0.1, 0.1]
    assert [name for name, one in trials.items() if one.model.batchnorm] == ["batchnorm"]
    gammas = {name: {one.gamma for one in trial.settings} for name, trial in trials.items()}
    assert {name for name, some in gammas.items() if some == {0.1, 0.2}} == {"relinear", "rate_only", "compact"}
    alphas = {name: {one.alpha for one in trial.settings} for name, trial in trials.items()}
    assert {name for name, some in alphas.items() if some == {0.1, 0.2}} == {"relinear_sw"}
    inits = {name: one.init for name, one in trials.items() if one.neuron != "conventional"}
    own = {"relinear", "relinear_sw", "init_only", "compact"}
    assert {name for name, init in inits.items() if init == "relinear"} == own
    assert trials["compact"].neuron == "compact"


def test_every_remedy_has_as_many_strengths():
    for config in (Collapses(), Collapses(**FEW)):
        names = ("relinear", "relinear_sw", "compact", "clip", "slow")
        assert len({len(set(config.strengths(name))) for name in names}) == 1
        assert not any(config.strengths(name) for name in NETWORKS if name not in names)


def test_strengths_are_the_best_over_all_rates_on_held_out_data():
    def accuracy(setting):
        if setting.clip:
            # The best at one rate, 0.01, is not the best of all.
            return {10.0: 0.2, 1.0: 0.9 if setting.lr == 0.01 else 0.1, 0.1: 0.6, 0.01: 0.3}[setting.clip]
        return 1 - abs(setting.gamma - 1e-3) - abs(setting.alpha - 0.5) - abs(setting.lr - 0.01 * 0.03)

    trials = []

    def run(some):
        trials.extend(some)
        return [{"accuracy": [[accuracy(one)] * 2 for one in trial.settings]} for trial in some]

    chosen = chosen_strengths(Collapses(models=("mlp:4x1", "mlp:4x2")), (0, 1), run)
    assert all(one.is_held_out and one.seeds == (0, 1) for one in trials)
    assert (chosen["relinear"], chosen["compact"], chosen["rate_only"]) == (1e-3, 1e-3, 1e-3)
    assert (chosen["relinear_sw"], chosen["clip"]) == (0.5, 0.1)
    assert (chosen["random"], chosen["init_only"], chosen["conventional"]) == (1, 1, 1)
    trials.clear()
    assert chosen_strengths(Collapses(**FEW), (0,), run)["relinear"] == GAMMA
    assert not trials


def test_settings_are_chosen_on_held_out_data_and_measured_on_the_test_part(monkeypatch):
    monkeypatch.setattr(experiments.plots, "claim", Mock())
    config = Potential(("digits",), "mlp:4x1", (0.1, 0.3), (1e-3, 1e-2), (0.0, 1e-3), (1,), (None,))
    trials = defaultdict(list)

    def held_out(trial, setting):
        # The conventional network is best at 0.3 without decay; the quadratic one at 0.1 and 0.01, but at 0.3, 0.1.
        if trial.neuron == "quadratic" and trial.init == "relinear":
            return 0.9 if (setting.lr, setting.gamma) in {(0.1, 1e-2), (0.3, 1e-1)} else 0.2
        return 0.8 if (setting.lr, setting.weight_decay) == (0.3, 0.0) else 0.3

    def accuracy(trial, setting):
        return held_out(trial, setting) if trial.is_held_out else setting.lr + setting.gamma / 10

    def solve(_, some, label):
        trials[label] += some
        row = {"n_parameters": 1}
        return [
            row
            | {"accuracy": [[accuracy(one, setting)] * 2 for setting in one.settings]}
            | {"moved": [[0.0, 0.0] for _ in one.settings]}
            for one in some
        ]

    run = Mock(spec=Run, seeds=(0, 1))
    run.map.side_effect = solve
    experiments.potential(config, run)
    assert all(one.is_held_out for one in trials["held-out data"])
    assert len(trials["networks"]) == 5
    assert not any(one.is_held_out for one in trials["networks"])
    measured = {call.args[0]: call.kwargs for call in run.measure.call_args_list}
    assert measured["full-potential"]["relinear"] == pytest.approx(0.1 + 1e-3)
    assert measured["full-potential"]["conventional"] == pytest.approx(0.3 + 0.1)
    # The sweep has the rate of the conventional network.
    assert measured["inside-optimum"]["best"] == pytest.approx(0.3 + 1e-2)
    assert measured["inside-optimum"]["gamma_1e-3"] == pytest.approx(0.3 + 1e-4)
