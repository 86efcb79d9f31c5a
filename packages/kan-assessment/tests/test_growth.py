"""Errors of growing networks."""

import math

import pytest

from kan_assessment import Growth, grow, growth_trials, run_trial
from kan_assessment.configs import SearchConfig


def planned(**changes):
    settings = {
        "models": ["mlp", "bspline_kan"],
        "kinds": ["generic"],
        "dimensions": [1, 8],
        "sizes": [60, 120],
        "search": SearchConfig(trials=2),
        "seeds": (0, 1),
        "epochs": 1,
        "n_train": 64,
    } | changes
    return growth_trials(**settings)


def test_every_network_is_of_its_size_and_tried_at_all_rates():
    found = planned()
    for (kind, _, _, params), trials in found.items():
        assert kind == "generic"
        assert len({trial.lr for trial in trials}) == 2
        assert len({trial.hidden for trial in trials}) == 1
        assert min(abs(params / size - 1) for size in (60, 120)) < 0.5
    # In 8 dimensions, a B-spline KAN of 60 parameters does not exist.
    assert sum(key[1:3] == (8, "bspline_kan") for key in found) == 1
    with pytest.raises(ValueError, match="compositional or generic"):
        planned(kinds=["rough"])


def test_the_rate_is_chosen_by_validation_and_the_exponent_is_of_test_errors():
    trials = planned(dimensions=[2], models=["mlp"])
    good = iter([0.5, 0.25])

    def runner(some):
        results = []
        for _ in some[::2]:
            error = next(good)
            results += [
                {"validation": [0.2, 0.2], "test": [error, error]},
                {"validation": [0.3, 0.3], "test": [0.0001, 0.0001]},
            ]
        return results

    (one,) = grow(trials, runner)
    (small, large) = sorted(one.errors)
    assert one.errors[small] == [0.5, 0.5]
    assert one.errors[large] == [0.25, 0.25]
    assert one.exponent().alpha == pytest.approx(math.log(2) / math.log(large / small))
    assert one.exponent(1).alpha == pytest.approx(one.exponent().alpha)


def test_real_trials_give_positive_errors():
    (one,) = grow(planned(dimensions=[2], models=["bspline_kan"]), lambda trials: [run_trial(t) for t in trials])
    assert isinstance(one, Growth)
    assert all(error > 0 for errors in one.errors.values() for error in errors)


def test_what_diverged_is_told():
    def runner(some):
        return [{"validation": [None, None], "test": [None, None]} for _ in some]

    with pytest.raises(ValueError, match="diverged at every learning rate"):
        grow(planned(dimensions=[2]), runner)
