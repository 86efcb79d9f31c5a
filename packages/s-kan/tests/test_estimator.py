"""scikit-learn's own checks, and a few of what they leave out."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from s_kan import SKANClassifier, SKANRegressor, StageConfig

SMALL = {"hidden": (3,), "pool": ("rbf", "fourier"), "n_basis": 4, "epochs": 40, "lr": 0.05}


@parametrize_with_checks([SKANRegressor(**SMALL), SKANClassifier(**SMALL)])
def test_scikit_learn_s_checks(estimator, check, unchecked):
    check(estimator)


@pytest.mark.parametrize("strategy", ["three-stage", "successive", "oracle"])
def test_a_regression_in_units_of_its_own(strategy):
    rng = np.random.default_rng(0)
    X = rng.uniform(100, 300, (200, 2))
    y = 1e6 + 1e4 * np.sin((X[:, 0] - 200) / 30) + 50 * X[:, 1]
    model = SKANRegressor(hidden=(2,), epochs=150, lr=0.03, stages=StageConfig(strategy=strategy)).fit(X, y)
    assert model.score(X, y) > 0.95
    assert [len(layer) for layer in model.chosen()] == [2, 1]
    assert model.report().layers[0].is_pruned
    assert model.n_iter_ == {"three-stage": 150, "successive": 240, "oracle": 750}[strategy]


def test_classes_are_words_and_estimators_combine():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), SKANClassifier(**SMALL))
    assert cross_val_score(model, X, names, cv=3).mean() > 0.85
    search = GridSearchCV(SKANClassifier(**SMALL), {"unit": ["node", "layer"]}, cv=2).fit(X, names)
    assert search.predict_proba(X[:5]).sum(1) == pytest.approx(np.ones(5))
    assert set(search.predict(X)) <= set(names)
