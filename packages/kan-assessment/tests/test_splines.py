"""The basis in its three forms, against SciPy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from kan_assessment.models.splines import FORMS, spline_basis
from separata.bsplines import uniform_knots

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 5), st.floats(-3, 0), st.floats(0.5, 3))


@pytest.mark.parametrize("form", FORMS)
@given(sizes=SIZES, seed=st.integers(0, 1000))
def test_all_forms_equal_scipy_s_design_matrix(form, sizes, seed):
    grid, order, low, high = sizes
    x = low + (high - low) * torch.rand(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = BSpline.design_matrix(x.numpy(), uniform_knots(grid, order, low, high).numpy(), order).toarray()
    found = spline_basis(x, grid, order, low, high, form)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("grid", "order"), [(5, 3), (20, 5), (1, 1), (3, 2)])
def test_splines_sum_to_one_inside_and_vanish_outside_of_their_support(form, grid, order):
    x = torch.linspace(-1, 1, 203)
    values = spline_basis(x, grid, order, -1.0, 1.0, form)
    torch.testing.assert_close(values.sum(-1), torch.ones(203), atol=2e-5, rtol=0)
    assert ((values > 1e-6).sum(-1) <= order + 1).all()
    far = torch.tensor([-1 - 2 * order / grid - 0.01, 1 + 2 * order / grid + 0.01, 50.0])
    assert not spline_basis(far, grid, order, -1.0, 1.0, form).any()


@pytest.mark.parametrize("form", FORMS)
def test_gradients_equal_scipy_s_derivatives(form):
    x = torch.linspace(-0.97, 0.96, 50, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (spline_basis(x, 5, 3, -1.0, 1.0, form) @ weights).sum().backward()
    expected = BSpline(uniform_knots(5, 3).numpy(), weights.numpy(), 3).derivative()(x.detach().numpy())
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-9)


def test_single_precision_keeps_its_digits_with_many_fine_intervals():
    x = torch.rand(500, generator=torch.Generator().manual_seed(0)) * 2 - 1
    exact = spline_basis(x.double(), 50, 5, -1.0, 1.0, "recursion")
    for form in FORMS:
        torch.testing.assert_close(spline_basis(x, 50, 5, -1.0, 1.0, form).double(), exact, atol=3e-5, rtol=0)
