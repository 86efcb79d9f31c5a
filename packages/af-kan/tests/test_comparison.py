"""Comparisons: same data for all, rates chosen without the test data, drawn with their spread."""

import math

import pytest
import torch

from af_kan import (
    ComparisonRow,
    ModelConfig,
    Samples,
    TrainConfig,
    compare,
    draw_basis,
    draw_comparison,
    draw_fit,
    load_data,
    measure,
    networks_along,
    networks_of_kinds,
)
from af_kan.comparison import AXES
from af_kan.networks.factory import n_parameters
from af_kan.samples import DataSplits
from af_kan.trials import CostTrial, Trial, run_cost, run_trial
from separata.configs import replaced

TINY = Trial("digits", ModelConfig(hidden="12"), TrainConfig(epochs=2, lr=1e-2))


@pytest.fixture(scope="module")
def digits():
    """Few digits."""
    data = load_data("digits")
    return DataSplits(*(part.subset(range(min(200, len(part)))) for part in data[:3]))


def test_rates_are_chosen_on_validation_data_alone(digits):
    """With the test labels moved, the choice is the same."""
    networks = {"ours": ModelConfig(hidden="8")}
    config = TrainConfig(epochs=3)
    moved = Samples(digits.test.x, (digits.test.y + 1) % 10, digits.shape)
    found = [compare(data, networks, config, rates=(1e-6, 2e-2))[0] for data in (digits, digits._replace(test=moved))]
    assert found[0].lr == found[1].lr == 2e-2
    assert found[0].score > 0.3 > found[1].score


def test_a_row_is_what_its_trainings_give(digits):
    model, config = ModelConfig("mlp", "8"), TrainConfig(epochs=2, lr=1e-2, seed=5)
    (row,) = compare(digits, {"perceptron": model}, config, n_seeds=2)
    singles = [measure(digits, model, replaced(config, seed=seed)) for seed in (5, 6)]
    assert row.scores == tuple(one.test.accuracy for one in singles)
    assert row.second == pytest.approx(sum(one.test.macro_f1 for one in singles) / 2)
    assert row.n_parameters == n_parameters(model, 64, 10)


def test_what_diverges_has_no_score(digits):
    (row,) = compare(digits, {"wild": ModelConfig(hidden="8")}, TrainConfig(epochs=1, lr=1e30))
    assert math.isnan(row.score)


def test_kinds_have_equal_widths_or_equal_parameters():
    kinds = ["af-kan", "mlp", "bspline-kan"]
    model = ModelConfig(hidden="32", methods="global_attn,multistep")
    same = networks_of_kinds(kinds, model, "width", 64, 10)
    assert {one.hidden for one in same.values()} == {"32"}
    assert [one.kind for one in same.values()] == kinds
    equal = networks_of_kinds(kinds, model, "params", 64, 10)
    sizes = [n_parameters(one, 64, 10) for one in equal.values()]
    assert max(sizes) < 1.2 * min(sizes)
    assert equal["af-kan"] == model


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_varies_one_setting(axis):
    field, values = AXES[axis]
    model = ModelConfig(hidden="7")
    found = networks_along(axis, model)
    assert list(found) == [str(value) for value in values]
    assert [getattr(one.layer, field) for one in found.values()] == list(values)
    assert all(replaced(one, **{field: getattr(model.layer, field)}) == model for one in found.values())


def test_a_trial_depends_on_its_settings_alone():
    first = run_trial(TINY, "cpu")
    torch.manual_seed(5)
    second = run_trial(TINY, "cpu")
    assert {k: v for k, v in first.items() if k != "seconds"} == {k: v for k, v in second.items() if k != "seconds"}
    assert run_trial(replaced(TINY, model=ModelConfig(hidden="13")), "cpu") != first


def test_shuffled_labels_teach_nothing():
    trial = replaced(TINY, is_shuffled=True)
    plain, shuffled = TINY.data(), trial.data()
    assert torch.equal(plain.train.x, shuffled.train.x)
    assert torch.equal(plain.train.y.bincount(), shuffled.train.y.bincount())
    assert torch.equal(plain.test.y, shuffled.test.y)
    assert run_trial(trial, "cpu")["accuracy"] < 0.3 < run_trial(TINY, "cpu")["accuracy"]


def test_the_cost_of_a_step_is_timed_in_turn():
    found = run_cost(CostTrial((ModelConfig(hidden="4"), ModelConfig("mlp", "4")), 6, 3, 8), "cpu")
    assert len(found["milliseconds"]) == len(found["flops"]) == 2
    assert all(one > 0 for one in found["milliseconds"])
    assert found["flops"][0] > found["flops"][1]


# ---- pictures


def test_basis_functions_are_drawn_a_panel_each():
    figure = draw_basis([("silu", "quad1"), ("relu", "quad1"), ("gelu", "sum")], n_columns=2)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in shown] == ["silu, quad1", "relu, quad1", "gelu, sum"]
    assert all(len(axes.lines) == 6 for axes in shown)
    for axes in shown:
        (grid,) = axes.patches
        assert (grid.get_x(), grid.get_width()) == (0, 1)
        assert grid.get_zorder() < axes.lines[0].get_zorder()
        assert sum(grid.get_facecolor()[:3]) < 2.75, "light enough, but to be seen"
    relu = shown[1].lines[0]
    assert (relu.get_ydata()[relu.get_xdata() > 1 / 3 + 0.01] == 0).all()


def test_a_fit_is_drawn_as_curve_or_dots():
    x = torch.rand(50, 1)
    figure = draw_fit(x, x[:, 0] ** 2, {"af-kan": x[:, 0] ** 2 + 1}, ["t"])
    truth, fitted = figure.axes[0].lines
    assert (fitted.get_ydata() - truth.get_ydata()).round(5).tolist() == [1.0] * 50
    assert (truth.get_xdata()[1:] >= truth.get_xdata()[:-1]).all()
    assert figure.axes[0].get_xlabel() == "t"
    dots = draw_fit(torch.rand(50, 2), x[:, 0], {"one": x[:, 0], "two": x[:, 0]}, ["a", "b"])
    assert len(dots.axes[0].lines) == 3


def test_networks_are_drawn_at_their_parameters():
    rows = [
        ComparisonRow("one", ModelConfig(), 1e-3, 1000, 1.0, 1.0, (0.8, 0.9), 0.8),
        ComparisonRow("two", ModelConfig(), 1e-3, 9000, 1.0, 1.0, (math.nan,), math.nan),
    ]
    axes = draw_comparison(rows, "accuracy").axes[0]
    assert axes.get_xscale() == "log"
    assert [text.get_label() for text in axes.containers] == ["one"]
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (1000, pytest.approx(0.85))
