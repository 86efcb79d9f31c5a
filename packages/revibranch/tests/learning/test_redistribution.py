import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from revibranch.learning.redistribution import (
    gain_importance,
    redistribute,
    return_prediction_loss,
    returns_to_go,
    sparse_importance,
)

PATHS = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-30, 30))


@settings(max_examples=settings().max_examples // 4)
@given(PATHS, st.floats(0.1, 10), st.floats(-12, 0))
def test_rewards_add_up_to_the_return(importance, temperature, total):
    importance = torch.from_numpy(importance)
    returns = torch.full((len(importance),), total, dtype=torch.float64)
    rewards = redistribute(importance, returns, temperature)
    torch.testing.assert_close(rewards.sum(1), returns, rtol=0, atol=1e-6)
    assert (rewards <= 0).all()
    torch.testing.assert_close(redistribute(importance + 7.0, returns, temperature), rewards, rtol=1e-6, atol=1e-9)


def test_equal_importances_share_evenly_and_only_among_decisions():
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    rewards = redistribute(torch.zeros(2, 4), torch.tensor([-8.0, -3.0]), mask=mask)
    torch.testing.assert_close(rewards, torch.tensor([[-2.0, -2, -2, -2], [-1.5, -1.5, 0, 0]]))


def test_temperature_sharpens():
    importance, total = torch.tensor([0.0, 1.0]), torch.tensor(-1.0)
    for temperature in (0.5, 1.0, 4.0):
        one, other = redistribute(importance, total, temperature)
        assert float(other / one) == pytest.approx(np.exp(1 / temperature), rel=1e-5)


def test_a_sparse_return_comes_at_the_end():
    mask = torch.tensor([[True, True, True], [True, False, False]])
    rewards = redistribute(sparse_importance(mask), torch.tensor([-5.0, -2.0]), mask=mask)
    torch.testing.assert_close(rewards, torch.tensor([[0.0, 0, -5], [-2, 0, 0]]))


def test_gains_that_are_unknown_or_negative_do_not_count():
    found = gain_importance(torch.tensor([0.0, -1.0, np.e - 1, np.nan, np.inf]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 1.0, 0.0, np.log(2)], dtype=torch.float32))


def test_returns_to_go_begin_with_the_whole_return():
    torch.testing.assert_close(returns_to_go(torch.tensor([[-1.0, -2.0, -4.0]])), torch.tensor([[-7.0, -6.0, -4.0]]))


def test_shares_are_learned_from_returns_alone():
    """Each kind of decision has its own share; only sums over paths are seen."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(3, (200, 4), generator=generator)
    mask = torch.arange(4) < torch.randint(1, 5, (200, 1), generator=generator)
    cost = torch.tensor([0.2, 1.0, 0.5])
    returns = -(cost[kinds] * mask).sum(1)
    shares = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([shares], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        return_prediction_loss(shares[kinds], returns, mask).backward()
        optimizer.step()
    torch.testing.assert_close(shares.detach(), cost, rtol=0, atol=0.02)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="must be positive"):
        redistribute(torch.zeros(2), torch.tensor(-1.0), temperature)


def test_a_path_without_decisions_is_refused():
    with pytest.raises(ValueError, match="without decisions"):
        redistribute(torch.zeros(1, 2), torch.zeros(1), mask=torch.zeros(1, 2, dtype=torch.bool))
