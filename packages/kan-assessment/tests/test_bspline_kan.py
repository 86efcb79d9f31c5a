"""The B-spline KAN against its definition: edges one by one, polynomials, SciPy's splines."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from torch.nn.functional import silu

from kan_assessment import BSplineKAN, BSplineKANLinear, PerEdgeKAN, kan_parameters
from separata.bsplines import least_squares, uniform_knots
from separata.training import seeded


@pytest.mark.parametrize("base", ["silu", "identity", "zero"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_a_layer_is_the_sum_of_its_edges(base, adaptive):
    layer = BSplineKANLinear(3, 2, grid=4, order=2, base=base, grid_range=(-2.0, 1.0), adaptive=adaptive)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    x = torch.rand(7, 3) * 3 - 2
    functions = {"silu": silu, "identity": lambda v: v, "zero": torch.zeros_like}
    knots = uniform_knots(4, 2, -2.0, 1.0).numpy()
    expected = layer.bias.detach().repeat(7, 1)
    for o in range(2):
        for i in range(3):
            spline = BSpline(knots, layer.coefficients[o, i].detach().numpy(), 2)(x[:, i].numpy())
            edge = layer.scale_spline[o, i] * torch.from_numpy(spline).float()
            if layer.scale_base is not None:
                edge = edge + layer.scale_base[o, i] * functions[base](x[:, i])
            expected[:, o] += (layer.mask[o, i] * edge).detach()
    torch.testing.assert_close(layer(x), expected, atol=2e-5, rtol=1e-4)


@given(coefficients=st.lists(st.floats(-3, 3), min_size=4, max_size=4), grid=st.integers(1, 12))
def test_an_edge_reproduces_any_cubic(coefficients, grid):
    layer = BSplineKANLinear(1, 1, grid=grid, base="zero")
    x = torch.linspace(-1, 1, 100)[:-1, None]
    y = sum(c * x**k for k, c in enumerate(coefficients))
    with torch.no_grad():
        layer.coefficients.copy_(least_squares(x, y[..., None], uniform_knots(grid, 3), 3).permute(2, 0, 1))
    torch.testing.assert_close(layer(x), y, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("base", ["silu", "zero"])
@pytest.mark.parametrize(("widths", "grid", "order"), [((7, 4, 3), 5, 3), ((2, 5, 5, 1), 20, 2)])
def test_its_parameters_are_as_many_as_the_published_formula_says(widths, grid, order, base):
    model = BSplineKAN(widths, grid=grid, order=order, base=base)
    assert sum(p.numel() for p in model.parameters()) == kan_parameters(widths, grid, order, base)


def test_it_begins_near_its_base_with_splines_that_interpolate_small_noise():
    with seeded(0):
        layer = BSplineKANLinear(6, 5, grid=5)
    points = torch.linspace(-1, 1, 6).repeat(6, 1).T
    splines = torch.einsum("bif,oif->boi", layer.basis(points), layer.coefficients)
    assert splines.abs().max() <= 0.05 / 5 + 1e-6
    assert splines.abs().max() > 0.02 / 5
    assert (layer.scale_spline == 1).all()
    assert not layer.bias.any()
    assert layer.scale_base.abs().max() <= 6**-0.5


def test_edge_by_edge_gives_the_same_values_and_gradients():
    with seeded(1):
        fast = BSplineKAN([4, 3, 2])
    slow = PerEdgeKAN([4, 3, 2])
    slow.load_state_dict(fast.state_dict())
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(slow(x), fast(x), atol=1e-5, rtol=1e-5)
    for model in (fast, slow):
        model(x).square().sum().backward()
    for a, b in zip(fast.parameters(), slow.parameters(), strict=True):
        if a.requires_grad:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-4, rtol=1e-4)


def test_a_pruned_edge_does_nothing():
    layer = BSplineKANLinear(2, 1)
    with torch.no_grad():
        layer.mask[0, 1] = 0
    x = torch.randn(5, 2)
    moved = x.clone()
    moved[:, 1] += 0.3
    torch.testing.assert_close(layer(x), layer(moved))
    assert not layer.mask.requires_grad


def test_the_grid_moves_to_the_inputs_and_the_function_stays():
    with seeded(0):
        model = BSplineKAN([2, 3, 1], grid=8, adaptive=True)
        with torch.no_grad():
            model.layers[0].coefficients.normal_()
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.5
    before = model(x)
    model.update_grid(x)
    knots = model.layers[0].knots
    assert (knots.diff(dim=1) > 0).all()
    # As many inputs in one interval as in another, but for the uniform share.
    counts = torch.histogram(x[:, 0], knots[0, 3:-3].contiguous()).hist
    assert counts.min() > 25
    assert counts.max() < 100
    assert model.outside(x) == [0.0, 0.0]
    off = (model(x) - before).square().mean() / before.var()
    assert off < 0.05
    model.update_grid(x, eps=1.0)
    steps = model.layers[0].knots[0, 3:-3].diff()
    torch.testing.assert_close(steps, steps.mean().expand(8), rtol=1e-2, atol=0)


def test_the_share_of_inputs_outside_the_grid_is_told():
    model = BSplineKAN([1, 1], grid=5)
    # The grid ends at 1, and its splines at 2.2.
    x = torch.tensor([[0.0], [2.0], [2.3], [-2.3]])
    assert model.outside(x) == [0.5]


def test_a_saved_state_brings_back_moved_grids():
    model = BSplineKAN([2, 1], adaptive=True)
    model.update_grid(torch.randn(50, 2))
    other = BSplineKAN([2, 1], adaptive=True)
    other.load_state_dict(model.state_dict())
    x = torch.randn(6, 2)
    torch.testing.assert_close(other(x), model(x))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"grid": 0}, "at least 1 interval"),
        ({"order": 0}, "order of at least 1"),
        ({"grid_range": (1.0, -1.0)}, "the lower first"),
        ({"grid_range": -1.0}, "the lower first"),
        ({"grid_range": float("nan")}, "the lower first"),
        ({"base": "relu"}, "silu, identity, zero"),
    ],
)
def test_wrong_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        BSplineKANLinear(2, 2, **settings)


def test_wrong_sizes_and_grids_that_cannot_move_are_refused():
    with pytest.raises(ValueError, match="two or more widths"):
        BSplineKAN([3])
    with pytest.raises(ValueError, match="at least one input"):
        BSplineKAN([3, 0, 1])
    with pytest.raises(ValueError, match="adaptive=True"):
        BSplineKAN([3, 1]).update_grid(torch.randn(9, 3))
    with pytest.raises(ValueError, match="at least 6 inputs, not 2"):
        BSplineKAN([3, 1], adaptive=True).update_grid(torch.randn(2, 3))


def test_it_learns_a_product():
    with seeded(0):
        model = BSplineKAN([2, 4, 1])
    x = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = x.prod(1)
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (model(x)[:, 0] - y).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02 * float(np.var(y.numpy()))
