"""The estimators, on data and in pipelines of scikit-learn's."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from af_kan import AFKANClassifier, AFKANRegressor, count_parameters


def test_classes_of_any_name_are_learned():
    x, y = load_wine(return_X_y=True)
    names = np.array(["barolo", "grignolino", "barbera"])[y]
    train, test, y_train, y_test = train_test_split(x, names, random_state=0)
    model = AFKANClassifier("16", epochs=20, batch_size=16, lr=1e-2).fit(train, y_train)
    assert model.score(test, y_test) > 0.9
    assert set(model.predict(test)) <= set(names)
    np.testing.assert_allclose(model.predict_proba(test).sum(1), 1, rtol=1e-5)
    assert (model.classes_[model.decision_function(test).argmax(1)] == model.predict(test)).all()
    assert count_parameters(model.network_.network) < 13 * 16 + 16 * 3 + 150


def test_images_are_taken_as_they_are():
    x, y = load_digits(return_X_y=True)
    model = AFKANClassifier("24", epochs=6, lr=1e-2).fit(x[:800].reshape(-1, 8, 8), y[:800])
    assert model.score(x[800:1200].reshape(-1, 8, 8), y[800:1200]) > 0.85


def test_numbers_are_predicted_about_as_well_as_by_a_linear_model():
    x, y = load_diabetes(return_X_y=True)
    train, test, y_train, y_test = train_test_split(x, y, random_state=0)
    model = AFKANRegressor("8", norm="batch", epochs=30, lr=1e-2).fit(train, y_train)
    assert model.score(test, y_test) > LinearRegression().fit(train, y_train).score(test, y_test) - 0.1
    assert model.predict(test).shape == y_test.shape


def test_it_works_in_pipelines_and_searches():
    x, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), AFKANClassifier("8", epochs=3, lr=1e-2))
    search = GridSearchCV(pipeline, {"afkanclassifier__activation": ["silu", "relu"]}, cv=2).fit(x, y)
    assert search.best_params_["afkanclassifier__activation"] in {"silu", "relu"}


@pytest.mark.parametrize("kind", ["mlp", "relu-kan"])
def test_networks_to_compare_with_are_fitted_alike(kind):
    x, y = load_wine(return_X_y=True)
    model = AFKANClassifier("8", kind=kind, epochs=15, batch_size=16, lr=1e-2)
    assert model.fit(x[::2], y[::2]).score(x[1::2], y[1::2]) > 0.8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, y: AFKANClassifier().fit(x, np.zeros(len(x))), "at least 2"),
        (lambda x, y: AFKANClassifier().fit(x, y[:-1]), "one target for each"),
        (lambda x, y: AFKANClassifier().fit(np.full_like(x, np.nan), y), "NaN"),
        (lambda x, y: AFKANClassifier(activation="swish").fit(x, y), "silu"),
        (lambda x, y: AFKANClassifier(hidden="4", epochs=1).fit(x, y).predict(x[:, :2]), "2 numbers, but 13"),
        (lambda x, y: AFKANRegressor().fit(x, np.stack([y, y], 1)), r"array \(n,\)"),
        (lambda x, y: AFKANRegressor().fit(x[:, 0], y), "shape"),
        (lambda x, y: AFKANRegressor(lr=1e30, epochs=2).fit(x, y), "diverged"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_wrong_is_said_in_a_sentence(call, words):
    x, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        call(x, y)
