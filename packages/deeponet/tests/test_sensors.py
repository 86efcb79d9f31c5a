"""The law of sensors."""

import math

import pytest
import torch
from known_functions import OneFunction, generator

from deeponet import (
    GaussianRandomField,
    interpolation_errors,
    log_slope,
    make_problem,
    solution_errors,
    sufficient_error,
)
from deeponet.problems.ode import Antiderivative

M = (10, 20, 40, 80, 160)


@pytest.mark.parametrize("length_scale", [0.1, 0.5])
def test_errors_fall_with_the_square_of_the_number_of_sensors(length_scale):
    space = GaussianRandomField(length_scale)
    errors = interpolation_errors(space, M, 100, generator())
    assert log_slope(M[1:], errors[1:])[0] == pytest.approx(-2, abs=0.15)
    solved = solution_errors(Antiderivative(space), M, 100, generator())
    assert log_slope(M, solved)[0] == pytest.approx(-2, abs=0.3)


def test_the_error_of_a_parabola_is_an_eighth_of_the_squared_distance_of_sensors():
    space = OneFunction(lambda x: x.square() / 2)
    (error,) = interpolation_errors(space, [11], 1, generator())
    assert error == pytest.approx(0.1**2 / 8, rel=1e-3)


def test_other_systems_obey_the_law_too():
    errors = solution_errors(make_problem("pendulum"), (10, 40), 50, generator())
    assert log_slope((10, 40), errors)[0] == pytest.approx(-2, abs=0.4)


def test_the_bound_is_that_of_the_theorem():
    assert sufficient_error(0.01, 2.0, 0.5) == pytest.approx(0.01 * math.e)


def test_lines_through_logarithms():
    x = [1.0, 2.0, 4.0, 8.0]
    slope, r2 = log_slope(x, [3 * value**-1.5 for value in x])
    assert (slope, r2) == (pytest.approx(-1.5), pytest.approx(1))
    slope, r2 = log_slope(x, [math.exp(-0.5 * value) for value in x], log_x=False)
    assert (slope, r2) == (pytest.approx(-0.5), pytest.approx(1))
    noisy = [1.0, 3.0, 0.5, 2.0]
    expected = torch.corrcoef(torch.tensor([x, noisy]).log())[0, 1] ** 2
    assert log_slope(x, noisy)[1] == pytest.approx(float(expected), rel=1e-5)


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match="at least 2 sensors"):
        interpolation_errors(GaussianRandomField(), [1], 3, generator())
    with pytest.raises(ValueError, match="two or more points"):
        log_slope([1], [1])
    with pytest.raises(ValueError, match="only positive"):
        log_slope([1, 2], [1, 0])
