"""What the claim on expressivity measures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import PPoly

from relinear.toys import Toys, dimension_mismatches, random_spline, rings, run_toys

TINY = Toys(n_points=80, widths=(2, 4), n_inputs=2, n_knots=8, steps=150)


def test_a_random_spline_has_a_continuous_derivative():
    spline = PPoly(*reversed(random_spline(9, 3)))
    for order in (0, 1):
        inner = spline.x[1:-1]
        left, right = (
            spline.derivative(order)(inner + side) if order else spline(inner + side) for side in (-1e-9, 1e-9)
        )
        np.testing.assert_allclose(left, right, atol=1e-5)
    assert np.abs(np.diff(spline.c[0])).min() > 0


def test_rings_are_no_one_s_by_a_line():
    x, y = rings(400, torch.Generator().manual_seed(0))
    radius = x.norm(dim=1)
    assert float(radius[y == 0].max()) < float(radius[y == 1].min())
    assert float(x.mean(0).abs().max()) < 0.2
    assert y.mean() == 0.5


def test_each_seed_measures_what_is_known():
    assert dimension_mismatches(TINY) == 0
    found = run_toys(TINY, "cpu")
    assert (found["dimension_quadratic"], found["dimension_activation"], found["dimension_conventional"]) == (12, 7, 3)
    assert found["spline_error"] < 1e-9 < found["spline_error_conventional"]
    assert found["xor_error"] == 0
    assert found["rings_quadratic"] > 0.95
    assert found["rings_conventional"] < 0.7
    assert found == run_toys(TINY, "cpu")
    other = run_toys(replace(TINY, seed=1), "cpu")
    assert other["spline_error_conventional"] != pytest.approx(found["spline_error_conventional"])
