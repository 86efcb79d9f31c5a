"""B-splines beside SciPy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from scipy.interpolate import BSpline, make_lsq_spline
from torch.autograd import gradcheck

from separata.bsplines import basis, least_squares, uniform_basis, uniform_knots

GRIDS = [(5, 3, -1.0, 1.0), (1, 2, 0.0, 4.0), (8, 1, -2.0, -1.0), (3, 5, -1.0, 1.0), (4, 0, 0.0, 1.0)]


@pytest.mark.parametrize(("n_intervals", "degree", "low", "high"), GRIDS)
def test_both_forms_are_those_of_scipy(n_intervals: int, degree: int, low: float, high: float) -> None:
    knots = uniform_knots(n_intervals, degree, low, high)
    assert len(knots) == n_intervals + 2 * degree + 1
    x = torch.linspace(low, high, 401, dtype=torch.float64)[:-1]
    expected = BSpline.design_matrix(x.numpy(), knots.numpy(), degree).toarray()
    assert expected.shape == (400, n_intervals + degree)
    np.testing.assert_allclose(basis(x, knots, degree), expected, atol=1e-12)
    np.testing.assert_allclose(uniform_basis(x, n_intervals, degree, low, high), expected, atol=1e-12)


@pytest.mark.parametrize(("n_intervals", "degree", "low", "high"), GRIDS)
def test_each_function_is_scipys_wherever_it_is_not_zero(
    n_intervals: int, degree: int, low: float, high: float
) -> None:
    knots = uniform_knots(n_intervals, degree, low, high)
    width = high - low
    x = torch.linspace(low - 3 * width, high + 3 * width, 701, dtype=torch.float64)
    x = x[(x - knots[:, None]).abs().min(0).values > 1e-9]  # functions of degree 0 jump at the knots
    for i in range(n_intervals + degree):
        one = BSpline.basis_element(knots[i : i + degree + 2].numpy(), extrapolate=False)
        expected = np.nan_to_num(one(x.numpy()))
        np.testing.assert_allclose(basis(x, knots, degree)[:, i], expected, atol=1e-12)
        np.testing.assert_allclose(uniform_basis(x, n_intervals, degree, low, high)[:, i], expected, atol=1e-12)


@given(
    n_intervals=st.integers(1, 12),
    degree=st.integers(1, 5),
    x=st.lists(st.floats(-1, 1), min_size=1, max_size=8),
)
def test_the_functions_sum_to_one_and_few_are_not_zero(n_intervals: int, degree: int, x: list[float]) -> None:
    points = torch.tensor(x, dtype=torch.float64)
    for values in (
        basis(points, uniform_knots(n_intervals, degree), degree),
        uniform_basis(points, n_intervals, degree),
    ):
        np.testing.assert_allclose(values.sum(-1), 1, atol=1e-12)
        assert int((values > 0).sum(-1).max()) <= degree + 1
        assert float(values.min()) > -1e-12


def test_knots_of_each_feature() -> None:
    knots = torch.stack((uniform_knots(4, 3), uniform_knots(4, 3, 0, 5)))
    x = torch.rand(7, 2, dtype=torch.float64)
    together = basis(x, knots, 3)
    assert together.shape == (7, 2, 7)
    for i in range(2):
        np.testing.assert_allclose(together[:, i], basis(x[:, i], knots[i], 3), atol=1e-14)


def test_gradients_and_points_that_are_no_numbers() -> None:
    x = torch.tensor([-1.4, -0.63, 0.0, 0.37, 0.99], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: basis(x, uniform_knots(5, 3), 3), x)
    assert gradcheck(lambda x: uniform_basis(x, 5, 3), x)
    odd = torch.tensor([float("nan"), float("inf"), -float("inf"), 1e30])
    for values in (basis(odd, uniform_knots(5, 3), 3), uniform_basis(odd, 5, 3)):
        assert values[0].isnan().any()
        assert not values[3].any()
    assert not uniform_basis(odd, 5, 3)[1:].any()


def test_a_cubic_polynomial_is_a_cubic_spline() -> None:
    knots, cubic = uniform_knots(5, 3), Polynomial([0.3, -1.2, 0.7, 2.5])
    x = torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None]
    coefficients = least_squares(x, torch.from_numpy(cubic(x.numpy()))[..., None], knots, 3)
    assert coefficients.shape == (1, 8, 1)
    new = torch.linspace(-0.97, 0.93, 31, dtype=torch.float64)
    fitted = basis(new, knots, 3) @ coefficients[0, :, 0]
    np.testing.assert_allclose(fitted, cubic(new.numpy()), atol=1e-9)


def test_the_best_coefficients_are_those_of_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 2, generator=generator, dtype=torch.float64).sort(0).values * 2 - 1
    y = torch.randn(200, 2, 3, generator=generator, dtype=torch.float64)
    knots = uniform_knots(4, 3)
    found = least_squares(x, y, knots, 3)
    for i in range(2):
        expected = make_lsq_spline(x[:, i].numpy(), y[:, i].numpy(), knots.numpy(), 3).c
        np.testing.assert_allclose(found[i], expected, atol=1e-6)


def test_what_is_no_spline() -> None:
    with pytest.raises(ValueError, match="at least one interval, not 0"):
        uniform_knots(0, 3)
    with pytest.raises(ValueError, match="at least 0, not -1"):
        uniform_basis(torch.zeros(2), 3, -1)
    with pytest.raises(ValueError, match="lower first, not 1.0 and -1.0"):
        uniform_knots(3, 3, 1.0, -1.0)
    with pytest.raises(ValueError, match="at least 5 knots, not 4"):
        basis(torch.zeros(2), torch.arange(4.0), 3)
