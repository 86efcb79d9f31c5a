import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revibranch import performance_profile
from separata import plots


def test_shares_are_those_counted_by_hand():
    profile = performance_profile({"a": [10, 40, 5, math.inf], "b": [20, 10, 5, 8]})
    np.testing.assert_allclose(profile.factors, [1, 2, 4])
    np.testing.assert_allclose(profile.shares["a"], [0.5, 0.5, 0.75])
    np.testing.assert_allclose(profile.shares["b"], [0.75, 1, 1])
    assert profile.at(1) == {"a": 0.5, "b": 0.75}
    assert profile.at(3.99) == {"a": 0.5, "b": 1}
    assert profile.at(100) == {"a": 0.75, "b": 1}
    assert profile.at(0.5) == {"a": 0, "b": 0}


def test_what_nobody_solves_counts_for_none():
    profile = performance_profile({"a": [1, math.inf], "b": [2, math.nan]})
    assert profile.at(1e9) == {"a": 0.5, "b": 0.5}
    assert performance_profile({"a": [math.inf]}).at(7) == {"a": 0}


costs = st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(0.01, 1e6), st.floats(0.01, 1e6)), min_size=1, max_size=8)


@settings(max_examples=settings().max_examples // 4)
@given(costs, st.floats(1, 100))
def test_shares_agree_with_the_definition(rows, factor):
    profile = performance_profile({name: [row[index] for row in rows] for index, name in enumerate("abc")})
    for index, name in enumerate("abc"):
        within = [row[index] / min(row) <= factor for row in rows]
        assert profile.at(factor)[name] == pytest.approx(sum(within) / len(rows))
        assert (np.diff(profile.shares[name]) >= 0).all()
    assert sum(profile.at(1).values()) >= 1 - 1e-9


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ({}, "at least one solver"),
        ({"a": []}, "at least one solver and one problem"),
        ({"a": [1, 2], "b": [1]}, r"have 2 \(a\), 1 \(b\) of them"),
        ({"a": [0.0], "b": [1]}, "must be positive, not 0"),
    ],
)
def test_costs_that_cannot_be_compared_are_refused(costs, told):
    with pytest.raises(ValueError, match=told):
        performance_profile(costs)


def test_the_figure_shows_each_solver(tmp_path):
    figure = performance_profile({"learned": [10, 40, 5], "SCIP": [20, 10, 5]}).figure(title="Nodes")
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["learned", "SCIP"]
    assert list(axes.lines[0].get_ydata())[:3] == pytest.approx([2 / 3, 2 / 3, 1])
    plots.save(figure, tmp_path / "profile.svg")
    assert "Share of the problems" in (tmp_path / "profile.svg").read_text()
