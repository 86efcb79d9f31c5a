"""Functions to fit: the suite's values, and the points."""

import math

import pytest
import torch

from af_kan import SUITE, parse_function, sample_function

VALUES = {
    "damped-oscillation": lambda x: math.exp(-4 * x**2) * math.sin(6 * math.pi * x),
    "chirp": lambda x: math.sin(4 * math.pi * x**2) * math.cos(2 * math.pi * x),
    "anisotropic": lambda x1, x2: math.sin(3 * math.pi * x1**2) * math.cos(3 * math.pi * x2),
    "feynman-iii-17-37": lambda alpha, beta, theta: beta * (1 + alpha * math.cos(theta)),
    "feynman-i-13-4": lambda m, u, v, w: m * (u**2 + v**2 + w**2) / 2,
    "fast-oscillation": lambda x1, x2: math.sin(20 * math.pi * x1) * math.cos(18 * math.pi * x2),
    "sharp-step": lambda x1, x2, x3: math.tanh(50 * (x1 - x2 + 0.5 * x3 - 0.5)),
}


@pytest.mark.parametrize("name", SUITE)
def test_the_suite_is_the_published_one(name):
    data = sample_function(parse_function(name), 20, 5)
    for x, y in zip(data.test.x.tolist(), data.test.y.tolist()):
        assert y == pytest.approx(VALUES[name](*x), abs=1e-5)


def test_points_are_uniform_apart_and_the_same_for_a_seed():
    formula = parse_function("x + y")
    data = sample_function(formula, 2000, 500, seed=3, low=-2, high=5)
    assert [len(part) for part in data[:3]] == [1800, 200, 500]
    x = torch.cat([part.x for part in data[:3]])
    assert len(x.unique(dim=0)) == 2500
    assert x.min() >= -2
    assert x.max() <= 5
    torch.testing.assert_close(x.mean(0), torch.full((2,), 1.5), atol=0.15, rtol=0)
    assert torch.equal(data.train.x, sample_function(formula, 2000, 500, seed=3, low=-2, high=5).train.x)
    assert not torch.equal(data.train.x, sample_function(formula, 2000, 500, seed=4, low=-2, high=5).train.x)


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        ("1/(x-x)", {}, "no finite value at x ="),
        ("x", {"low": 1.0, "high": 1.0}, "begin below"),
        ("x", {"n_train": 9}, "at least 10"),
        ("import os", {}, "not a formula"),
        ("pi", {}, "no variable"),
    ],
)
def test_what_cannot_be_fitted_is_refused(text, settings, words):
    with pytest.raises(ValueError, match=words):
        sample_function(parse_function(text), **({"n_train": 20, "n_test": 5} | settings))
