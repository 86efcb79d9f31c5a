"""The documented formulas, against published numbers and counts by hand."""

import pytest

from kan_assessment import kan_flops, kan_parameters, mlp_flops, mlp_parameters
from kan_assessment.models.formulas import basis_flops, bspline_mlp_flops


@pytest.mark.parametrize(
    ("widths", "grid", "order", "params", "flops"),
    [((784, 16, 10), 5, 3, 139_770, 3_332_448), ((784, 10, 10, 10), 20, 5, 225_150, 10_198_740)],
)
def test_kans_cost_what_was_published(widths, grid, order, params, flops):
    assert kan_parameters(widths, grid, order, "silu") == params
    assert kan_flops(widths, grid, order, "silu") == flops


@pytest.mark.parametrize(
    ("widths", "activation", "params", "flops"),
    [((784, 1024, 10), "gelu", 814_090, 1_640_588), ((784, 10, 10, 10), "relu", 8_070, 16_110)],
)
def test_mlps_cost_what_was_published(widths, activation, params, flops):
    assert mlp_parameters(widths) == params
    assert mlp_flops(widths, activation) == flops


def test_the_basis_costs_nine_flops_for_each_function_of_each_level():
    for grid, order in [(5, 3), (1, 1), (20, 5)]:
        counted = sum(9 * (grid + 2 * order - level) for level in range(1, order + 1))
        assert basis_flops(grid, order) == counted


def test_shared_bases_are_evaluated_once_for_each_input():
    widths, grid, order = (30, 40, 7), 5, 3
    naive, shared = (kan_flops(widths, grid, order, "zero", sharing) for sharing in ("naive", "shared"))
    assert naive - shared == (30 * 39 + 40 * 6) * basis_flops(grid, order)
    # With one output there is nothing to share.
    assert kan_flops((30, 1), grid, order, "silu", "naive") == kan_flops((30, 1), grid, order, "silu", "shared")


def test_a_spline_for_each_unit_and_normalization_add_their_share():
    linear = mlp_flops((8, 6, 2), "identity")
    of_spline = basis_flops(5, 3) + 2 * 8 - 1
    assert bspline_mlp_flops((8, 6, 2), 5, 3) == linear + 8 * of_spline
    assert bspline_mlp_flops((8, 6, 2), 5, 3, first=True) == linear + 14 * of_spline
    assert mlp_flops((8, 6, 2), "relu", batch_norm=True) - mlp_flops((8, 6, 2), "relu") == 24
    assert mlp_parameters((8, 6, 2), batch_norm=True) - mlp_parameters((8, 6, 2)) == 12
