"""Random features as scikit-learn wants them."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from double_descent import RandomFeatures


@pytest.mark.parametrize("normalize", ["none", "standardize"])
@pytest.mark.usefixtures("unchecked")
def test_scikit_learn_takes_it_for_an_estimator(normalize):
    check_estimator(RandomFeatures(n_features=7, normalize=normalize))


@pytest.mark.parametrize("activation", ["relu", "tanh", "none"])
def test_a_wider_model_begins_with_a_narrower_ones_features(activation):
    x = np.random.default_rng(0).normal(size=(20, 30))
    narrow, wide = (RandomFeatures(p, activation, seed=4).fit(x).transform(x) for p in (5, 25))
    np.testing.assert_array_equal(narrow, wide[:, :5])
    assert not np.allclose(narrow, RandomFeatures(5, activation, seed=5).fit(x).transform(x))


def test_the_inputs_of_units_have_the_standard_deviation_that_is_asked_for():
    x = 100 * np.random.default_rng(0).uniform(size=(50, 40))
    z = RandomFeatures(20_000, "relu", scale=3.0).fit_transform(x)
    # The mean square of half a Gaussian of standard deviation 3.
    assert np.square(z).mean() == pytest.approx(9 / 2, rel=0.03)


def test_directions_are_gaussian_and_independent():
    found = RandomFeatures(4000).fit(np.eye(5)).directions_
    np.testing.assert_allclose(found.T @ found / 4000, np.eye(5), atol=0.1)
    assert np.mean(found**4) == pytest.approx(3, rel=0.1)


def test_normalized_features_have_the_training_mean_and_spread_taken_off():
    x = np.random.default_rng(0).normal(size=(40, 6))
    x[:, 5] = 1.0
    layer = RandomFeatures(6, "none", normalize="standardize", seed=1).fit(x)
    z = layer.transform(x)
    constant = int(np.flatnonzero(layer.columns_ == 5)[0])
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.delete(z.std(0), constant), 1)
    np.testing.assert_array_equal(layer.transform(x + 3)[:, constant], 0)
    centered = RandomFeatures(6, "none", normalize="center", seed=1).fit(x).transform(x)
    np.testing.assert_allclose(centered, (x - x.mean(0))[:, layer.columns_], atol=1e-12)


def test_columns_of_any_size_are_kept_and_standardized_each_by_its_own_spread():
    x = np.random.default_rng(0).normal(size=(40, 3)) * np.array([1e-9, 1.0, 1e14])
    for normalize, expected in (
        ("none", x),
        ("center", x - x.mean(0)),
        ("standardize", (x - x.mean(0)) / x.std(0)),
    ):
        layer = RandomFeatures(3, "none", normalize=normalize)
        np.testing.assert_allclose(layer.fit_transform(x), expected[:, layer.columns_], rtol=1e-9)


def test_it_works_in_a_pipeline_with_another_model():
    x, y = load_digits(return_X_y=True)
    model = make_pipeline(RandomFeatures(400), RidgeClassifier(1e-3)).fit(x[:800], y[:800])
    assert model.score(x[800:], y[800:]) > 0.85
    assert len(model[:-1].get_feature_names_out()) == 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features": 0}, "must be positive"),
        ({"activation": "gelu"}, "must be one of"),
        ({"normalize": "batch"}, "must be one of"),
        ({"scale": 0.0}, "must be positive"),
        ({"n_features": 9, "activation": "none"}, "9 columns cannot be taken of 3"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatures(**options).fit(np.eye(3))
