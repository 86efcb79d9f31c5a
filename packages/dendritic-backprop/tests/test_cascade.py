"""Cascade correlation on the problem that it is known for, and as an estimator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score

from dendritic_backprop import CascadeCorrelation, make_spirals


def test_the_two_spirals_are_those_of_the_benchmark():
    x, y = make_spirals()
    assert x.shape == (194, 2)
    assert y.sum() == 97
    assert x[0].tolist() == pytest.approx([0, 6.5])
    assert x[96].tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert np.allclose(x[:97], -x[97:])
    with pytest.raises(ValueError, match="at least one"):
        make_spirals(0)


def test_two_spirals_are_learned_with_at_most_twenty_hidden_units():
    """Oracle 8: 12 to 19 units in 1990."""
    x, y = (part.numpy() for part in make_spirals())
    found = CascadeCorrelation().fit(x, y)
    assert found.score(x, y) == 1
    assert found.n_units_ <= 20
    assert [len(unit) for unit in found.hidden_] == [3 + n for n in range(found.n_units_)]


def test_it_is_an_estimator_of_scikit_learn():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = CascadeCorrelation(max_units=2, output_epochs=60, candidate_epochs=40)
    assert clone(estimator).get_params() == estimator.get_params()
    assert cross_val_score(estimator, x, names, cv=3).min() > 0.85
    found = estimator.fit(x, names)
    assert found.decision_function(x).shape == (150, 3)
    assert set(found.predict(x)) == set(names)
    assert found.n_units_ <= 2
    assert np.array_equal(clone(estimator).fit(x, names).decision_function(x), found.decision_function(x))
    with pytest.raises(ValueError, match="at least two classes"):
        estimator.fit(x[:50], names[:50])
