"""The exact dynamics against gradient descent, scikit-learn's ridge regression and least squares."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from epochwise_descent import TeacherStudent, descend, exact_dynamics, ridge_student, sample, simulate, student

STEPS = [1, 2, 3, 10, 100, 2000]
SMALL = TeacherStudent(n=30, d=20, p=14, kappa=10.0, noise=0.3)


def draw(setup, n_draws=1, seed=0):
    return sample(setup, n_draws, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize("eta", [None, 0.1, "overshooting"])
@pytest.mark.parametrize("n", [12, 30])
def test_it_is_gradient_descent(l2, eta, n):
    batch = draw(TeacherStudent(n=n, d=20, p=14, kappa=10.0, noise=0.3), 4)
    if eta == "overshooting":
        eta = 1.9 / (float(torch.linalg.matrix_norm(batch.x, 2).max()) ** 2 + l2)
    by_steps = descend(batch.x, batch.y, STEPS, l2=l2, eta=eta)
    at_once = student(batch.x, batch.y, STEPS, l2=l2, eta=eta)
    scale = at_once.abs().amax()
    assert float((by_steps - at_once).abs().max()) < 1e-9 * float(scale)


def test_a_step_by_hand():
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    y = torch.tensor([2.0, 3.0], dtype=torch.float64)
    found = student(x, y, [1, 2], eta=0.1)
    # The gradient at 0 is -(4, 3); after a step it is -(4 - 4 * 0.4, 3 - 0.3).
    torch.testing.assert_close(found, torch.tensor([[0.4, 0.3], [0.64, 0.57]], dtype=torch.float64))


def test_flow_differs_from_descent_in_the_order_of_the_learning_rate():
    batch = draw(SMALL)
    away = []
    for eta in (0.02, 0.01, 0.005):
        t = [round(2 / eta)]
        gd, flow = (student(batch.x, batch.y, t, eta=eta, dynamics=one) for one in ("gd", "flow"))
        away.append(float((gd - flow).norm()))
    assert 1.8 < away[0] / away[1] < 2.2
    assert 1.8 < away[1] / away[2] < 2.2


def test_flow_is_the_solution_of_its_differential_equation():
    scipy = pytest.importorskip("scipy.integrate", reason="SciPy is not installed")
    batch = draw(SMALL)
    x, y = batch.x[0].numpy(), batch.y[0].numpy()
    eta, l2 = 0.2, 0.01
    solved = scipy.solve_ivp(
        lambda _, w: -eta * (x.T @ (x @ w - y) + l2 * w), (0, 50), np.zeros(20), t_eval=[5, 50], rtol=1e-10, atol=1e-12
    )
    found = student(batch.x, batch.y, [5, 50], l2=l2, eta=eta, dynamics="flow")
    np.testing.assert_allclose(found[0].numpy(), solved.y.T, atol=1e-8)


def test_the_end_is_ridge_regression_or_least_squares():
    batch = draw(SMALL)
    x, y = batch.x[0].numpy(), batch.y[0].numpy()
    ridge = Ridge(alpha=0.05, fit_intercept=False, solver="svd").fit(x, y).coef_
    np.testing.assert_allclose(student(batch.x, batch.y, [1e9], l2=0.05)[0, 0].numpy(), ridge, atol=1e-9)
    wide = draw(TeacherStudent(n=12, d=20, p=14, kappa=3.0))
    shortest = np.linalg.lstsq(wide.x[0].numpy(), wide.y[0].numpy(), rcond=None)[0]
    np.testing.assert_allclose(student(wide.x, wide.y, [1e9])[0, 0].numpy(), shortest, atol=1e-7)


@pytest.mark.parametrize("dynamics", ["gd", "flow"])
@pytest.mark.parametrize("t", [1e6, 1e40, np.inf])
def test_directions_in_which_the_data_does_not_vary_are_never_learned(dynamics, t):
    x = draw(SMALL).x[0].clone()
    x[:, 3], x[:, 7] = x[:, 4], 0.0
    y = draw(SMALL).y[0]
    shortest = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(student(x, y, [t], dynamics=dynamics)[0].numpy(), shortest, atol=1e-8)
    np.testing.assert_allclose(ridge_student(x, y, [np.inf])[0].numpy(), shortest, atol=1e-8)


def test_single_precision_and_overshooting_after_any_time():
    batch = draw(SMALL)
    found = student(batch.x.float(), batch.y.float(), [0.0, 1.0, 100.0])
    torch.testing.assert_close(found.double(), student(batch.x, batch.y, [0.0, 1.0, 100.0]), atol=1e-4, rtol=0)
    eta = 1.9 / float(torch.linalg.matrix_norm(batch.x, 2)) ** 2
    late = student(batch.x, batch.y, [10_000_000, np.inf], eta=eta)[0]
    torch.testing.assert_close(late[0], late[1], atol=1e-9, rtol=0)


def test_ridge_in_place_of_a_time():
    batch = draw(SMALL)
    x, y = batch.x[0].numpy(), batch.y[0].numpy()
    found = ridge_student(batch.x, batch.y, [10.0], l2=0.01, eta=0.2)
    expected = Ridge(alpha=0.01 + 1 / 2.0, fit_intercept=False, solver="svd").fit(x, y).coef_
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-9)


def test_the_error_is_what_the_order_parameters_say():
    batch = draw(SMALL, 3)
    t = [1, 10, 1000]
    found = exact_dynamics(batch.x, batch.y, batch.f, batch.w, t)
    weights = student(batch.x, batch.y, t)
    by_norm = ((weights @ batch.f.mT - batch.w[:, None]).square().sum(-1) / (2 * 20)).numpy()
    np.testing.assert_allclose(found.excess, by_norm, atol=1e-12)


def test_the_error_is_that_on_fresh_samples():
    batch = draw(SMALL)
    found = exact_dynamics(batch.x, batch.y, batch.f, batch.w, [20.0, 500.0], noise=0.3)
    x, y = batch.fresh(100_000, torch.Generator().manual_seed(1))
    weights = student(batch.x, batch.y, [20.0, 500.0])
    measured = (x[0] @ weights[0].T - y[0][:, None]).square().mean(0).numpy() / 2
    np.testing.assert_allclose(found.excess[0], measured, rtol=0.02)
    np.testing.assert_allclose(found.error[0], found.excess[0] + 0.3**2 / 2)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 12), d=st.integers(2, 12), seed=st.integers(0, 1000), t=st.floats(0, 1e6))
def test_the_training_error_never_rises(n, d, seed, t):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = torch.randn(n, generator=generator, dtype=torch.float64)
    weights = student(x, y, [t, 2 * t + 1])
    losses = (weights @ x.T - y).square().sum(-1)
    assert float(losses[1]) <= float(losses[0]) + 1e-9


def test_scales_far_apart_keep_their_digits():
    """The slow features of scale 1e-5 have eigenvalues at the rounding error of the Gram matrix."""
    setup = TeacherStudent(n=150, d=100, p=70, kappa=1e5)
    found = simulate(setup, 2, [1e16])
    assert float(found.error.max()) < 1e-6


def test_what_is_refused():
    batch = draw(SMALL)
    with pytest.raises(ValueError, match=r"below 2 / lambda_max = \d"):
        student(batch.x, batch.y, [1], eta=100.0)
    with pytest.raises(ValueError, match="whole times"):
        student(batch.x, batch.y, [1.5], eta=1.5 / float(torch.linalg.matrix_norm(batch.x, 2)) ** 2)
    with pytest.raises(ValueError, match="not be negative"):
        student(batch.x, batch.y, [-1.0])
    with pytest.raises(ValueError, match="whole steps in increasing order"):
        descend(batch.x, batch.y, [3, 2])
    assert bool(student(batch.x, batch.y, [1.5], eta=100.0, dynamics="flow").isfinite().all())
