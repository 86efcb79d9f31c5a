import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_continual import DSRLIF, LeakyTrace, MeanRate, OnlineLIF, SurrogateLIF, WeightedRate
from snn_continual.rates import is_constant, repeat, split_time

RATES = [MeanRate(), WeightedRate(), WeightedRate(tau=0.3, dt=0.1)]


@pytest.mark.parametrize("timesteps", [1, 2, 7, 20])
def test_weights_of_the_weighted_rate_grow_by_exp_of_dt_over_tau_and_sum_to_one(timesteps):
    weights = WeightedRate(tau=0.5, dt=0.1).weights(timesteps).double()
    assert weights.sum().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(weights[1:] / weights[:-1], torch.full((timesteps - 1,), math.exp(0.2)).double())


@pytest.mark.parametrize("rate", RATES)
def test_one_step_is_its_own_rate(rate):
    x = torch.randn(1, 3, 4)
    torch.testing.assert_close(rate(x), x[0])


def test_mean_rate_is_the_mean():
    x = torch.randn(6, 2, 3)
    torch.testing.assert_close(MeanRate()(x), x.mean(0))


def test_weighted_rate_is_the_sum_that_the_paper_writes():
    x = torch.randn(5, 2)
    w = [math.exp(-(5 - t) * 0.05) for t in range(1, 6)]
    expected = sum(w_t * x_t for w_t, x_t in zip(w, x, strict=True)) / sum(w)
    torch.testing.assert_close(WeightedRate()(x), expected)


@pytest.mark.parametrize("rate", RATES)
def test_rate_of_a_repeated_input_is_the_input(rate):
    x = torch.randn(3, 4)
    constant = repeat(x, 6)
    assert is_constant(constant)
    assert not is_constant(constant.clone())
    torch.testing.assert_close(rate(constant), x)
    torch.testing.assert_close(rate(constant), rate(constant.clone()))


@given(
    hnp.arrays("float64", st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=st.floats(-100, 100)),
    st.sampled_from(RATES),
)
def test_rates_are_convex_combinations(x, rate):
    x = torch.from_numpy(x)
    found = rate(x)
    assert (found >= x.amin(0) - 1e-4).all()
    assert (found <= x.amax(0) + 1e-4).all()


def test_flattened_activity_is_ordered_by_step_first():
    steps = [torch.full((2, 3), float(t)) for t in range(4)]
    torch.testing.assert_close(split_time(torch.cat(steps), 4), torch.stack(steps))


def test_flattened_length_that_is_no_multiple_of_the_steps_is_refused():
    with pytest.raises(ValueError, match="7 is not a multiple of 3"):
        split_time(torch.zeros(7, 2), 3)


@pytest.mark.parametrize("over_time", [split_time, repeat])
def test_a_simulation_without_steps_is_refused(over_time):
    with pytest.raises(ValueError, match="at least 1 time step, not 0"):
        over_time(torch.zeros(4, 2), 0)


@pytest.mark.parametrize("constants", [(0.0, 0.05), (1.0, -0.05), (math.nan, 0.05), (1.0, math.inf)])
def test_time_constants_that_are_not_positive_are_refused(constants):
    with pytest.raises(ValueError, match="must be positive"):
        WeightedRate(*constants)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "part", [MeanRate(), WeightedRate(), DSRLIF(), SurrogateLIF(), OnlineLIF(), LeakyTrace()], ids=repr
)
@pytest.mark.parametrize(
    ("sequence", "reason"),
    [
        (torch.ones(20, 1, 1, dtype=torch.int64), "must have floating-point numbers, not torch.int64"),
        (torch.ones(0, 2, 3), r"needs at least 1 step, first in its shape, not \(0, 2, 3\)"),
    ],
)
def test_a_sequence_without_floats_or_steps_is_refused(part, sequence, reason):
    with pytest.raises(ValueError, match=reason):
        part(sequence)
