"""The error of least squares in a model that is solved, and of the noise gain by experiment."""

import math

import numpy as np
import pytest
import torch

from double_descent import FitConfig, gd_path, noise_gain, peak_report


@pytest.mark.parametrize(("n", "p", "draws"), [(50, 25, 300), pytest.param(200, 100, 200, marks=pytest.mark.slow)])
def test_the_excess_error_of_well_specified_least_squares_is_that_of_theory(n, p, draws):
    random, std = np.random.default_rng(0), 0.7
    errors = []
    for _ in range(draws):
        truth, z = random.normal(size=(p, 1)), random.normal(size=(n, p))
        weights = gd_path(z, z @ truth + std * random.normal(size=(n, 1)), [math.inf])[0].numpy()
        # For isotropic features the excess error is the squared distance of the weights.
        errors.append(np.square(weights - truth).sum())
    assert np.mean(errors) == pytest.approx(std**2 * p / (n - p - 1), rel=0.05)


@pytest.mark.parametrize("config", [FitConfig(), FitConfig("momentum"), FitConfig("ridge", ridge=0.01)])
def test_the_noise_gain_is_the_variance_of_predictions_under_noise(config):
    random = np.random.default_rng(0)
    z, z_test = random.normal(size=(20, 20)), random.normal(size=(30, 20))
    # A prediction is linear in the targets: unit targets give its coefficients.
    from double_descent.fitting import path
    from double_descent.least_squares import stacked

    found = dict(path(stacked(torch.from_numpy(z), torch.eye(20, dtype=torch.float64)), config, [5, 500], [0]))
    expected = [float((torch.from_numpy(z_test) @ found[t][0]).square().sum(1).mean()) for t in (5.0, 500.0)]
    assert noise_gain(z, z_test, [5, 500], config) == pytest.approx(expected, rel=1e-8)


@pytest.fixture(scope="module")
def noisy():
    """Features at the threshold, and far above it, with noisy labels."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1060, 10))
    y = (x[:, 0] > 0).astype(int)
    layer = random.normal(size=(10, 600))
    z = np.maximum(x @ layer, 0)
    flipped = random.random(60) < 0.2
    labels = np.where(flipped, 1 - y[:60], y[:60])
    return z[:60], labels, z[60:], y[60:]


def test_a_report_tells_double_descent_from_its_absence(noisy):
    z, y, z_test, y_test = noisy
    near = peak_report(z[:, :60], y, z_test[:, :60], y_test)
    assert near.verdict == "worse"
    assert near.is_near_threshold
    assert "a longer run will make it worse" in str(near)
    assert "double descent" in str(near)
    far = peak_report(z, y, z_test, y_test)
    assert not far.is_near_threshold
    assert far.rows[-1].test_mse < 0.2 * near.rows[-1].test_mse
    assert "double descent" not in str(far)
    gains = [row.noise_gain for row in near.rows]
    assert gains == sorted(gains)
    assert gains == pytest.approx(noise_gain(z[:, :60], z_test[:, :60], [row.steps for row in near.rows]))


def test_the_numbers_of_a_report_are_those_of_the_weights(noisy):
    z, y, z_test, y_test = noisy
    for row in peak_report(z, y, z_test, y_test, [10, 1e4]).rows:
        weights = gd_path(z, y, [row.steps])[0].numpy()
        outputs = z_test @ weights
        assert row.test_mse == pytest.approx(np.square(outputs - np.eye(2)[y_test]).mean(), rel=1e-9)
        assert row.test_error == pytest.approx((outputs.argmax(1) != y_test).mean())
        assert row.train_mse == pytest.approx(np.square(z @ weights - np.eye(2)[y]).mean(), rel=1e-7)


def test_a_report_without_labels_has_no_share_of_errors(noisy):
    z, y, z_test, y_test = noisy
    found = peak_report(z, y + 0.5, z_test, y_test + 0.5)
    assert all(row.test_error is None for row in found.rows)
    assert "test error" not in str(found)


def test_features_of_other_sizes_are_refused(noisy):
    z, y, z_test, y_test = noisy
    with pytest.raises(ValueError, match="600 features for training, but 5 for testing"):
        peak_report(z, y, z_test[:, :5], y_test)
    with pytest.raises(ValueError, match="no closed form"):
        peak_report(z, y, z_test, y_test, config=FitConfig("adam"))
