"""The estimator, with data and tools that the package did not make."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from counter_current import CounterCurrentClassifier


def test_it_classifies_flowers_by_their_names():
    flowers = load_iris()
    names = flowers.target_names[flowers.target]
    scores = cross_val_score(CounterCurrentClassifier(widths="32", batch_size=16), flowers.data, names, cv=3)
    assert scores.mean() > 0.9


def test_it_trains_blocks_of_one_s_own_and_leaves_them_as_they_are():
    images, labels = load_digits(return_X_y=True)
    images, labels = images.reshape(-1, 1, 8, 8).astype("float32")[:500], labels[:500]
    own = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    before = own[0].weight.clone()
    model = CounterCurrentClassifier(own, epochs=10, similarity="cosine").fit(images[:400], labels[:400])
    assert model.score(images[400:], labels[400:]) > 0.75
    assert torch.equal(own[0].weight, before)
    plain = model.network_.plain().eval()
    logits = plain(torch.from_numpy(images[400:])).detach().numpy()
    np.testing.assert_allclose(logits, model.decision_function(images[400:]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(images[400:]).sum(1), 1, rtol=1e-5)


def test_it_works_in_pipelines_and_searches():
    flowers = load_iris()
    pipeline = make_pipeline(PCA(3), CounterCurrentClassifier(widths="16", epochs=15))
    search = GridSearchCV(pipeline, {"countercurrentclassifier__rule": ["ccl", "output-only"]}, cv=2)
    search.fit(flowers.data, flowers.target)
    assert search.best_score_ > 0.8
    assert clone(pipeline[-1]).get_params() == pipeline[-1].get_params()


def test_the_same_seed_gives_the_same_network():
    x, y = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 3
    first, again, other = (CounterCurrentClassifier(widths="8", epochs=2, seed=seed).fit(x, y) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.decision_function(x), again.decision_function(x))
    assert not np.array_equal(first.decision_function(x), other.decision_function(x))


@pytest.mark.parametrize(
    ("x", "y", "settings", "words"),
    [
        (np.zeros((4, 3)), [0, 1, 0], {}, "one label for each of 4 samples"),
        (np.zeros((4, 3)), [0.5, 1, 0, 1], {}, "fractions"),
        (np.zeros((4, 3)), [1, 1, 1, 1], {}, "at least 2 classes"),
        (np.full((4, 3), np.nan), [0, 1, 0, 1], {}, "NaN"),
        (np.zeros(4), [0, 1, 0, 1], {}, "shape"),
        (np.zeros((40, 3)), [0, 1] * 20, {"widths": "a"}, "widths"),
        (np.eye(40), [0, 1] * 20, {"lr": 1e30, "clip": 0.0, "widths": "8"}, "diverged"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(x, y, settings, words):
    with pytest.raises(ValueError, match=words):
        CounterCurrentClassifier(**settings).fit(x, y)


def test_two_classes_have_one_decision_value_as_scorers_expect():
    x = np.random.default_rng(0).normal(size=(80, 4)).astype("float32")
    y = np.where(x[:, 0] > 0, "yes", "no")
    model = CounterCurrentClassifier(widths="8", epochs=8).fit(x[:60], y[:60])
    decided = model.decision_function(x[60:])
    assert decided.shape == (20,)
    np.testing.assert_array_equal(model.predict(x[60:]), np.where(decided > 0, "yes", "no"))
    np.testing.assert_allclose(model.predict_proba(x[60:])[:, 1], 1 / (1 + np.exp(-decided)), rtol=1e-5)
    scores = cross_val_score(clone(model), x, y, scoring="roc_auc", cv=2, error_score="raise")
    assert scores.mean() > 0.8


def test_samples_to_predict_are_checked_and_may_be_any_array():
    x, y = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 3
    model = CounterCurrentClassifier(widths="8", epochs=1).fit(x, y)
    np.testing.assert_array_equal(model.predict(x[::-1]), model.predict(x)[::-1])
    with pytest.raises(ValueError, match=r"shape \(5,\), not \(3,\)"):
        model.predict(x[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((2, 5), np.nan))
    with pytest.raises(ValueError, match="not text"):
        model.predict(np.full((2, 5), "a", dtype=object))


def test_it_must_be_fitted_first():
    with pytest.raises(NotFittedError):
        CounterCurrentClassifier().predict(np.zeros((2, 3)))
