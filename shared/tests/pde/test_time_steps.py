"""Steps that reach the times that are asked for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from separata.pde.time_steps import legs


@given(st.lists(st.floats(1e-3, 5), min_size=1, max_size=5), st.floats(0.01, 3))
def test_each_time_is_hit_by_steps_that_are_not_too_long(gaps, dt):
    times = torch.tensor(gaps, dtype=torch.float64).cumsum(0)
    now = 0.0
    for time, leg in zip(times.tolist(), legs(times, dt), strict=True):
        assert leg.start == now
        assert leg.dt <= dt * (1 + 1e-8)
        now = time
        assert leg.start + leg.n_steps * leg.dt == pytest.approx(time, abs=1e-12)


def test_rounding_adds_no_step():
    times = torch.linspace(0, 1, 4, dtype=torch.float64)
    assert [leg.n_steps for leg in legs(times, 0.1 / 3)] == [0, 10, 10, 10]
