"""Pictures: what they show."""

import numpy as np
import torch

from deeponet import draw_predictions


def test_functions_of_one_coordinate_are_lines_in_order():
    y = torch.tensor([[0.3], [0.1], [0.2]])
    true = torch.tensor([[3.0, 1.0, 2.0], [6.0, 2.0, 4.0]])
    axes = draw_predictions(y, true + 1, true).axes[0]
    drawn = [line.get_ydata().tolist() for line in axes.lines]
    assert drawn == [[1, 2, 3], [2, 3, 4], [2, 4, 6], [3, 5, 7]]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.1, 0.2, 0.3], rtol=1e-6)
    assert len(draw_predictions(y, true).axes[0].lines) == 2


def test_one_point_each_is_predicted_against_true():
    true = torch.tensor([[1.0], [2.0]])
    axes = draw_predictions(torch.rand(2, 1, 1), true + 1, true).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1, 2]
    assert axes.lines[0].get_ydata().tolist() == [2, 3]


def test_a_grid_in_two_coordinates_is_an_image_and_other_points_are_dots():
    y = torch.cartesian_prod(torch.arange(2.0), torch.arange(3.0))
    true = torch.arange(6.0)[None]
    figure = draw_predictions(y, true, true)
    titles = [axes.get_title("left") for axes in figure.axes[:3]]
    assert titles == ["true", "predicted", "predicted - true"]
    mesh = figure.axes[0].collections[0].get_array().reshape(3, 2)
    assert mesh.tolist() == [[0, 3], [1, 4], [2, 5]]
    dots = draw_predictions(torch.rand(1, 7, 2), torch.arange(7.0)[None])
    assert dots.axes[0].collections[0].get_array().tolist() == list(range(7))
