"""MLPs with splines for activations."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import nn
from torch.nn.functional import silu

from kan_assessment import MLP, BSplineActivation, BSplineMLP, bspline_mlp_parameters
from separata.bsplines import uniform_knots


def test_an_activation_is_one_spline_for_each_feature():
    layer = BSplineActivation(3, grid=4, order=2, grid_range=2.0)
    with torch.no_grad():
        layer.coefficients.normal_()
    x = torch.rand(11, 3) * 4 - 2
    knots = uniform_knots(4, 2, -2.0, 2.0).numpy()
    expected = [BSpline(knots, layer.coefficients[i].detach().numpy(), 2)(x[:, i].numpy()) for i in range(3)]
    np.testing.assert_allclose(layer(x).detach().numpy(), np.stack(expected, 1), atol=1e-5)


@pytest.mark.parametrize(("grid", "order", "grid_range"), [(5, 3, 1.0), (3, 2, 4.0), (20, 3, 2.0)])
def test_it_begins_as_silu_inside_the_grid(grid, order, grid_range):
    layer = BSplineActivation(1, grid=grid, order=order, grid_range=grid_range)
    x = torch.linspace(-grid_range, grid_range, 50)[:, None]
    assert (layer(x) - silu(x)).abs().max() < 0.05 * grid_range


@pytest.mark.parametrize("first", [False, True])
def test_splines_stand_where_they_should(first):
    model = BSplineMLP([4, 6, 2], first=first)
    kinds = [type(layer) for layer in model]
    spline, linear = BSplineActivation, nn.Linear
    assert kinds == ([spline, linear, spline, linear] if first else [linear, spline, linear])
    assert model(torch.zeros(3, 4)).shape == (3, 2)
    n = sum(p.numel() for p in model.parameters())
    published = bspline_mlp_parameters([4, 6, 2], 5, 3, first=first)
    # The formula has splines after the last layer, too, where there are none.
    assert n == published - (0 if first else 2 * 8)


def test_an_mlp_has_its_normalization_before_activations_of_hidden_layers():
    model = MLP([5, 4, 3, 2], activation="gelu", batch_norm=True)
    norm = nn.BatchNorm1d
    assert [type(layer) for layer in model] == [nn.Linear, norm, nn.GELU, nn.Linear, norm, nn.GELU, nn.Linear]
    assert [type(layer) for layer in MLP([5, 2])] == [nn.Linear]
    assert model(torch.randn(8, 5)).shape == (8, 2)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="two or more positive widths"):
        BSplineMLP([4])
    with pytest.raises(ValueError, match="relu, gelu, silu, tanh"):
        MLP([4, 2], activation="sine")
    with pytest.raises(ValueError, match="two or more positive widths"):
        MLP([4, 0])
