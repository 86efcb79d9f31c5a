"""Figures of trainings; the rest of a training's folder is tested with the commands."""

import math

import pytest

from revibranch.learning.runs import learning_curves


def row(episode, nodes):
    return {"episode": episode, "nodes": 50.0, "validation_nodes": nodes}


def test_trainings_are_drawn_by_their_held_out_nodes():
    one = [row(0, math.nan), row(1, 40.0), row(2, math.nan), row(3, 20.0)]
    figure = learning_curves({"one": one, "other": [row(1, 30.0), row(3, 35.0)]})
    lines = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert lines == [[[2, 40], [4, 20]], [[2, 30], [4, 35]]]


def test_trainings_without_held_out_problems_are_not_drawn():
    with pytest.raises(ValueError, match="held-out"):
        learning_curves({"one": [row(0, math.nan)]})
