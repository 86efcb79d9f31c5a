"""Clipping against NumPy's percentile, and averages against their sum in closed form."""

import numpy as np
import pytest
import torch

from fixer3d.training.clipping import AdaptiveGradClip
from fixer3d.training.ema import EMA


def gradient(norm: float) -> torch.Tensor:
    parameter = torch.zeros(4, requires_grad=True)
    parameter.grad = torch.full((4,), norm / 2)
    return parameter


def test_gradients_are_clipped_at_the_largest_norm_until_enough_norms_were_seen():
    clip = AdaptiveGradClip(max_norm=1.0, n_norms=3)
    parameter = gradient(5.0)
    assert clip([parameter]) == pytest.approx(5.0)
    assert parameter.grad.norm() == pytest.approx(1.0, abs=1e-5)
    for _ in range(2):
        clip([gradient(0.1)])
    assert clip.threshold == pytest.approx(np.percentile([5.0, 0.1, 0.1], 95).clip(max=1.0))


def test_then_at_the_percentile_of_the_last_norms():
    clip, norms = AdaptiveGradClip(max_norm=10.0, n_norms=20), np.random.default_rng(0).uniform(0.1, 2, 50)
    for norm in norms:
        clip([gradient(norm)])
    assert clip.threshold == pytest.approx(np.percentile(norms[-20:], 95), rel=1e-5)
    parameter = gradient(5.0)
    clip([parameter])
    assert parameter.grad.norm() == pytest.approx(np.percentile(norms[-20:], 95), rel=1e-4)


def test_norms_that_are_not_finite_are_not_counted_and_the_state_goes_on():
    clip = AdaptiveGradClip(n_norms=2)
    clip([gradient(float("nan"))])
    clip([gradient(0.25)])
    other = AdaptiveGradClip(n_norms=2)
    other.load_state_dict(clip.state_dict())
    assert (clip.n_seen, other.n_seen) == (1, 1)
    other([gradient(0.25)])
    assert other.threshold == pytest.approx(0.25)


def test_the_average_is_the_weighted_sum_of_all_parameters():
    parameter, values = torch.zeros(1), [1.0, -2.0, 4.0, 0.5]
    ema, expected = EMA([parameter], 0.15), 0.0
    for n, value in enumerate(values):
        parameter.fill_(value)
        ema.update()
        decay = min(0.15, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    with ema.applied():
        assert parameter.item() == pytest.approx(expected, rel=1e-6)
    assert parameter.item() == 0.5
    ema.apply()
    assert parameter.item() == pytest.approx(expected, rel=1e-6)


def test_an_average_of_other_parameters_is_refused():
    with pytest.raises(ValueError, match="other parameters"):
        EMA([torch.zeros(2)], 0.9).load([torch.zeros(3)], 0)
