"""Condition numbers against random matrix theory, and what makes them meaningless."""

import math
import warnings

import numpy as np
import pytest
import torch

from double_descent import condition_number, find_peak, fit, minimal_demo, ntk_spectrum, spectrum


def test_the_condition_number_of_gaussian_noise_is_marchenkos_and_pasturs():
    z = np.random.default_rng(0).normal(size=(1000, 250))
    root = math.sqrt(0.25)
    assert condition_number(z) == pytest.approx((1 + root) / (1 - root), rel=0.03)


@pytest.mark.parametrize(("n", "p"), [(30, 12), (12, 30)])
def test_it_is_numpys(n, p):
    z = np.random.default_rng(1).normal(size=(n, p))
    assert condition_number(z) == pytest.approx(np.linalg.cond(z), rel=1e-10)
    assert float(spectrum(torch.from_numpy(z)).condition_number) == pytest.approx(np.linalg.cond(z), rel=1e-10)


def test_a_singular_value_counts_as_zero_by_its_share_of_the_largest():
    z = np.diag([1.0, 1e-3, 1e-4])
    assert condition_number(z, rcond=1e-5) == pytest.approx(1e4)
    assert condition_number(z, rcond=1e-3) == math.inf


@pytest.mark.parametrize(("axis", "told"), [(0, "1 samples"), (1, "1 columns")])
def test_duplicates_make_it_infinite_and_are_named(axis, told):
    z = np.random.default_rng(1).normal(size=(12, 12))
    z[(slice(None),) * axis + (3,)] = z[(slice(None),) * axis + (7,)]
    with pytest.warns(UserWarning, match=told):
        assert condition_number(z) == math.inf
    found = spectrum(torch.from_numpy(z))
    assert float(found.rank) == 11
    assert math.isfinite(float(found.condition_number))


def ill_conditioned(kappa):
    random = np.random.default_rng(2)
    u, v = (np.linalg.qr(random.normal(size=(20, 20)))[0] for _ in range(2))
    return u @ np.diag(np.geomspace(1, 1 / kappa, 20)) @ v.T


def test_single_precision_is_flagged_where_it_matters_and_only_there():
    with pytest.warns(UserWarning, match="float32 rounds away"):
        found = condition_number(ill_conditioned(1e10).astype(np.float32))
    # Nothing is left of the smallest singular value.
    assert not 0.5e10 < found < 2e10
    assert condition_number(ill_conditioned(1e10)) == pytest.approx(1e10, rel=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert condition_number(ill_conditioned(1e3).astype(np.float32)) == pytest.approx(1e3, rel=1e-2)
    with pytest.warns(UserWarning, match="compute them in float64"):
        fit(torch.from_numpy(ill_conditioned(1e10)).float(), np.arange(20) % 2)


def test_the_minimal_example_peaks_at_six_in_all_four_curves():
    demo = minimal_demo(n_trials=400)
    assert demo.peaks() == dict.fromkeys(("test_error", "test_mse", "condition_number", "norm"), demo.n_train)
    assert demo.n_train == 6
    for name in demo.peaks():
        found = find_peak(demo.widths, getattr(demo, name)[None], 6)
        assert (found.is_present, found.location) == (True, 1.0), name


def test_the_minimal_example_is_the_authors_ridge_regression():
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split

    # With a penalty that is seen, and one trial, by the normal equations.
    widths, alpha = (2, 6, 11), 0.1
    demo = minimal_demo(widths, n_trials=1, alpha=alpha, seed=3)
    x, y = make_classification(12, 2, n_informative=2, n_redundant=0, flip_y=0, class_sep=1.5, random_state=42)
    x, x_test, y, y_test = train_test_split(x, np.eye(2)[y], test_size=0.5, random_state=42)
    directions = np.random.default_rng(3).normal(scale=1 / np.sqrt(2), size=(1, 2, 11))[0]
    for i, p in enumerate(widths):
        z, z_test = np.tanh(x @ directions[:, :p]), np.tanh(x_test @ directions[:, :p])
        weights = np.linalg.solve(z.T @ z + alpha * np.eye(p), z.T @ y)
        assert demo.norm[i] == pytest.approx(np.linalg.norm(weights), rel=1e-10)
        assert demo.test_mse[i] == pytest.approx(np.square(z_test @ weights - y_test).mean(), rel=1e-10)
        assert demo.condition_number[i] == pytest.approx(np.linalg.cond(z), rel=1e-9)


def test_the_tangent_kernel_of_a_linear_model_is_its_gram_matrix():
    # Someone else's module: J of x W is x for each output.
    model = torch.nn.Linear(5, 2, bias=False, dtype=torch.float64)
    x = torch.randn(6, 5, dtype=torch.float64)
    expected = torch.linalg.eigvalsh(torch.kron(x @ x.T, torch.eye(2, dtype=torch.float64))).flip(0)
    torch.testing.assert_close(ntk_spectrum(model, x), expected.clamp(min=0), atol=1e-10, rtol=0)


def test_the_tangent_kernel_leaves_the_model_as_it_was():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    ntk_spectrum(model, torch.randn(5, 3, dtype=torch.float64))
    for name, one in model.state_dict().items():
        torch.testing.assert_close(one, before[name])


def test_the_tangent_kernel_is_what_single_gradients_give():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(out, list(model.parameters()), retain_graph=True)])
        for out in model(x).flatten()
    ]
    jacobian = torch.stack(rows)
    expected = torch.linalg.svdvals(jacobian).square()
    torch.testing.assert_close(ntk_spectrum(model, x), expected, atol=1e-10, rtol=0)
    assert len(ntk_spectrum(model, x, n_samples=2)) == 4
    with pytest.raises(ValueError, match="no weights"):
        ntk_spectrum(torch.nn.ReLU(), x)
