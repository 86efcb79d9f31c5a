"""Costs of any model, and networks of equal cost."""

import pytest
import torch
from torch import nn

from kan_assessment import MLP, BSplineKAN, BudgetError, count, count_family, get_family, match, measured_flops
from kan_assessment.configs import By
from kan_assessment.costs.matching import cost_in

FAMILIES = ["mlp", "bspline_kan", "bspline_mlp", "bspline_first_mlp", "rbf_kan", "af_kan", "s_kan"]


def test_matrix_products_are_counted_as_pytorch_does_them():
    products, rest = measured_flops(MLP([784, 100, 10], activation="relu"), 784)
    assert products == 2 * (784 * 100 + 100 * 10)
    assert rest == 100
    # D (G + K) products for each output, and those of the base.
    products, _ = measured_flops(BSplineKAN([30, 7], grid=5, order=3), 30)
    assert products == 2 * 30 * 7 * 8 + 2 * 30 * 7


def test_the_measured_flops_of_a_kan_lie_below_those_of_the_shared_formula_and_far_below_the_naive_one():
    cost = count_family(get_family("bspline_kan"), 64, [64], 10)
    assert cost.flops_measured < cost.flops_naive / 5
    assert 0.3 < cost.flops_measured / cost.flops_shared < 1.5


def test_the_mask_is_counted_apart():
    cost = count_family(get_family("bspline_kan"), 784, [16], 10)
    assert (cost.params, cost.fixed, cost.published_params) == (139_770 - 12_704, 12_704, 139_770)
    assert cost.flops_naive == 3_332_448


def test_a_model_without_a_formula_costs_what_is_measured():
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    cost = count(model, 5)
    assert cost.params == 5 * 4 + 4 + 4 * 2 + 2
    assert cost.flops_naive == cost.flops_shared == cost.flops_measured == 2 * (20 + 8) + 6 * 4
    assert model.training


@pytest.mark.parametrize("by", ["params", "flops", "flops-shared"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_width_is_the_one_nearest_to_the_budget(name, by: By):
    family = get_family(name)
    wide = count_family(family, 20, [37], 5)
    # Of a model's own cost at some width, that width is found again.
    assert match(family, 20, 5, cost_in(wide, by), by).hidden == (37,)
    budget = 1.02 * cost_in(wide, by)
    found = match(family, 20, 5, budget, by, depth=2)
    (width, _) = found.hidden
    assert found.is_close
    for other in (width - 1, width + 1):
        assert abs(cost_in(count_family(family, 20, [other] * 2, 5), by) - budget) >= abs(found.value - budget)


def test_what_is_too_dear_is_refused_with_its_least_cost():
    with pytest.raises(BudgetError, match="bspline_kan costs at least 7,9.* over the budget of 1,000"):
        match(get_family("bspline_kan"), 784, 10, 1000)
    with pytest.raises(ValueError, match="must be positive"):
        match(get_family("mlp"), 784, 10, 0)
    with pytest.raises(ValueError, match="must be positive"):
        match(get_family("mlp"), 784, 10, 100, depth=0)
    with pytest.raises(ValueError, match="no setting grid"):
        match(get_family("mlp"), 784, 10, 10_000, grid=5)


def test_what_is_left_of_a_model_that_is_pruned_counts():
    family = get_family("s_kan")
    cost = count_family(family, 4, [5], 2)
    whole = sum(p.numel() for p in family.build(4, [5], 2).parameters())
    # Of 5 families, one is kept.
    assert cost.params < 0.35 * whole
    torch.manual_seed(0)
    pruned = family.build(4, [5], 2)
    pruned.prune()
    assert cost.params == sum(p.numel() for p in pruned.parameters())
    # 9 products for each edge of what is kept, whatever it is; 41 before.
    assert cost.flops_matmul == 2 * 9 * (4 * 5 + 5 * 2)
    assert measured_flops(family.build(4, [5], 2), 4)[0] == 2 * 41 * (4 * 5 + 5 * 2)
    # Choices of a single family cost no more than what is counted.
    assert 0.5 * cost.flops_measured < sum(measured_flops(pruned, 4)) < cost.flops_measured
    assert match(family, 4, 2, cost.flops_naive, "flops").hidden == (5,)
