"""Closed forms against explicit loops, LAPACK and each other."""

import math

import numpy as np
import pytest
import torch

from double_descent import filter_factors, fit, gd_path, momentum_factors, ridge_path, tuned_ridge

SHAPES = [(12, 7), (9, 9), (7, 15)]


def problem(n, p, c=3, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, p)), random.normal(size=(n, c)), random.normal(size=(p, c))


def h_max(z):
    return np.linalg.norm(z, 2) ** 2 / len(z)


def descent(z, y, w, lr, steps, momentum=0.0, nesterov=False):
    """Every step, on the features themselves."""
    velocity = np.zeros_like(w)
    for _ in range(steps):
        at = w + momentum * velocity if nesterov else w
        velocity = momentum * velocity - lr * z.T @ (z @ at - y) / len(z)
        w = w + velocity
    return w


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("share", [0.3, 1.0, 1.7])
def test_gradient_descent_is_what_the_loop_gives_from_any_start(n, p, share):
    z, y, start = problem(n, p)
    lr = share / h_max(z)
    found = gd_path(z, y, [0, 1, 10, 500], lr, start)
    for weights, steps in zip(found, [0, 1, 10, 500], strict=True):
        np.testing.assert_allclose(weights, descent(z, y, start, lr, steps), atol=1e-10)


@pytest.mark.parametrize(("n", "p"), [(12, 7), (7, 15)])
def test_after_infinitely_many_steps_it_is_the_minimum_norm_solution(n, p):
    z, y, _ = problem(n, p)
    expected = np.linalg.lstsq(z, y, rcond=None)[0]
    np.testing.assert_allclose(gd_path(z, y, [math.inf])[0], expected, atol=1e-8)
    np.testing.assert_allclose(fit(z, y, "newton").weights, expected, atol=1e-8)


def test_with_eta_t_fixed_results_agree_to_the_order_of_eta():
    z, y, _ = problem(12, 7)
    rate = 0.5 / h_max(z)
    ends = [gd_path(z, y, [8 * 4**k], rate / 4**k)[0] for k in range(5)]
    limit = gd_path(z, y, [8 * 4**10], rate / 4**10)[0]
    errors = [float((one - limit).norm()) for one in ends]
    ratios = [a / b for a, b in zip(errors[1:], errors[2:])]
    assert all(3.7 < ratio < 4.4 for ratio in ratios), ratios


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_the_training_loss_never_rises_and_ends_at_zero_where_it_can(n, p):
    z, y, _ = problem(n, p)
    steps = [0, *(2**k for k in range(40)), math.inf]
    losses = [float(np.square(z @ w.numpy() - y).sum()) for w in gd_path(z, y, steps)]
    assert all(a >= b - 1e-12 for a, b in zip(losses, losses[1:]))
    assert (losses[-1] < 1e-18) == (p >= n)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 2, 7, 100])
def test_momentum_by_matrix_powers_is_what_the_loop_gives(nesterov, steps):
    z, y, start = problem(9, 6, seed=1)
    lr = 0.9 / h_max(z)
    _, s, vh = np.linalg.svd(z, full_matrices=False)
    f = momentum_factors(torch.from_numpy(s**2 / len(z)), steps, lr, 0.8, nesterov=nesterov).numpy()[:, None]
    solution = np.linalg.pinv(z) @ y
    weights = vh.T @ (f * (vh @ solution) + (1 - f) * (vh @ start))
    np.testing.assert_allclose(weights, descent(z, y, start, lr, steps, 0.8, nesterov), atol=1e-10)


def test_a_million_steps_are_exact_for_the_smallest_eigenvalues():
    h = torch.tensor([1.0, 1e-9, 1e-13], dtype=torch.float64)
    from decimal import Decimal, getcontext

    getcontext().prec = 60
    exact = [float(1 - (1 - Decimal(x)) ** 1_000_000) for x in ("0.999999999999", "1e-9", "1e-13")]
    np.testing.assert_allclose(filter_factors(h, 1e6, 1.0), exact, rtol=1e-12)
    slow = momentum_factors(h, 1e6, 1.0, 0.9)
    # A heavy ball has 1 / (1 - momentum) times the rate, after a start of some 1 / (1 - momentum) steps.
    np.testing.assert_allclose(slow[1:], filter_factors(h[1:], 1e7, 1.0), rtol=1e-4)


def test_weights_outside_of_the_features_stay():
    z, y, start = problem(4, 9)
    null = np.eye(9) - np.linalg.pinv(z) @ z
    end = gd_path(z, y, [math.inf], init=start)[0].numpy()
    np.testing.assert_allclose(null @ end, null @ start, atol=1e-10)
    np.testing.assert_allclose(z @ end, y, atol=1e-9)


def test_a_rate_that_diverges_is_refused_with_the_largest_that_does_not():
    z, y, _ = problem(9, 6)
    limit = 2 / h_max(z)
    with pytest.raises(ValueError, match=f"max stable lr = {limit:.6g}"):
        gd_path(z, y, [10], 1.01 * limit)
    with pytest.raises(ValueError, match=f"max stable lr = {limit:.6g}"):
        fit(z, y, "gd", 10, lr=1.01 * limit)
    assert np.isfinite(gd_path(z, y, [10], 0.99 * limit)).all()
    # The loop agrees about where it diverges, with momentum, too.
    for nesterov, factor in ((False, 1.8), (True, 1.8 / 2.6)):
        start = np.ones((6, 3))
        far = [np.abs(descent(z, y, start, c * factor * limit, 3000, 0.8, nesterov)).max() for c in (0.99, 1.02)]
        assert far[0] < 1e3 < far[1]
        with pytest.raises(ValueError, match="max stable"):
            momentum_factors(torch.tensor([h_max(z)]), 5, 1.02 * factor * limit, 0.8, nesterov=nesterov)


def test_ridge_is_scikit_learns():
    from sklearn.linear_model import Ridge

    z, y, _ = problem(12, 7)
    for weights, alpha in zip(ridge_path(z, y, [1e-3, 0.5]), [1e-3, 0.5], strict=True):
        expected = Ridge(12 * alpha, fit_intercept=False).fit(z, y).coef_.T
        np.testing.assert_allclose(weights, expected, atol=1e-10)
    np.testing.assert_allclose(ridge_path(z, y, [0.0])[0], np.linalg.lstsq(z, y, rcond=None)[0], atol=1e-10)


def test_the_tuned_penalty_is_the_best_of_those_tried():
    z, y, _ = problem(12, 7)
    z_val, y_val, _ = problem(20, 7, seed=3)
    tried = [1e-3, 1e-1, 10.0]
    alpha, weights = tuned_ridge(z, y, z_val, y_val, tried)
    errors = [float(np.square(z_val @ w.numpy() - y_val).mean()) for w in ridge_path(z, y, tried)]
    assert alpha == tried[int(np.argmin(errors))]
    assert float(np.square(z_val @ weights.numpy() - y_val).mean()) == pytest.approx(min(errors))


def test_tuned_ridge_has_no_peak_where_least_squares_has():
    random = np.random.default_rng(0)
    n, d = 60, 120
    truth = random.normal(size=(d, 1)) / np.sqrt(d)
    x, x_val, x_test = (random.normal(size=(m, d)) for m in (n, 500, 500))
    y, y_val, y_test = (one @ truth + 0.5 * random.normal(size=(len(one), 1)) for one in (x, x_val, x_test))

    def error(weights, p):
        return float(np.square(x_test[:, :p] @ weights.numpy() - y_test).mean())

    widths = (15, 30, 45, 60, 75, 90, 120)
    exact = [error(gd_path(x[:, :p], y, [math.inf])[0], p) for p in widths]
    tuned = [error(tuned_ridge(x[:, :p], y, x_val[:, :p], y_val)[1], p) for p in widths]
    assert exact[3] > 5 * max(exact[0], exact[-1])
    assert max(tuned[2:5]) <= 1.05 * max(tuned[0], tuned[-1])


def test_at_the_threshold_the_end_is_the_solution_to_many_digits():
    # As large and as ill-conditioned as the peak of the sweeps: refined in extended precision, beside the sweeps' SVD.
    random = np.random.default_rng(0)
    x, layer = random.normal(size=(300, 20)), random.normal(size=(20, 300))
    z, y = np.maximum(x @ layer, 0), np.eye(10)[random.integers(10, size=300)]
    assert 1e4 < np.linalg.cond(z) < 1e8
    wide, exact = z.astype(np.longdouble), np.linalg.solve(z, y).astype(np.longdouble)
    for _ in range(3):
        exact += np.linalg.solve(z, (y - wide @ exact).astype(float))
    found = gd_path(z, y, [math.inf])[0].numpy()
    assert np.abs(found - exact).max() < 1e-7 * np.abs(exact).max()


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("unchecked")
def test_numbers_of_any_kind_are_taken():
    z, y, _ = problem(9, 6)
    expected = gd_path(z, y, [10])
    locked = z.copy()
    locked.flags.writeable = False

    class Frame:
        """A table that is no array but knows how to become one, as those of pandas and polars do."""

        def __array__(self, dtype=None, copy=None):
            return z

    for one in (z.tolist(), Frame(), locked, z.astype(">f8"), z.astype(np.longdouble), z[::-1][::-1]):
        torch.testing.assert_close(gd_path(one, y, [10]), expected, atol=0, rtol=1e-12)


@pytest.mark.parametrize("steps", [-1, 0.5, math.nan])
def test_a_number_of_steps_that_cannot_be_is_refused(steps):
    z, y, _ = problem(5, 3)
    with pytest.raises(ValueError, match="whole number"):
        gd_path(z, y, [steps])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z, y: (np.where(z == z[0, 0], np.nan, z), y), "NaN or infinite, in row 1, column 1"),
        (lambda z, y: (z, y[:-1]), "a target for each of 9 samples"),
        (lambda z, y: (z, np.zeros(9, int)), "single class"),
        (lambda z, y: (z, np.arange(9) - 1), "from 0 on"),
        (lambda z, y: (z, 10**7 + np.arange(9)), "give them as floating-point numbers"),
        (lambda z, y: (np.zeros((9, 4)), y), "all features are zero"),
        (lambda z, y: (z[:, :, None], y), "must be a matrix"),
        (lambda z, y: (z.astype(str), y), "no numbers"),
    ],
)
def test_inputs_that_cannot_be_are_refused(change, message):
    z, y, _ = problem(9, 6)
    z, y = change(z, y)
    with pytest.raises(ValueError, match=message):
        gd_path(z, y, [10])


@pytest.mark.parametrize("steps", [0, 1, 7, 1000, math.inf])
@pytest.mark.parametrize("nesterov", [False, True])
def test_nothing_is_learned_of_a_direction_that_no_sample_has(steps, nesterov):
    h = torch.tensor([0.0, 0.5], dtype=torch.float64)
    assert float(momentum_factors(h, steps, 1.0, 0.8, nesterov=nesterov)[0]) == 0
    assert float(filter_factors(h, steps, 1.0)[0]) == 0
