import math

import pytest
import torch

from fixer3d.flow.rectified import SIGMA_MIN, RectifiedFlow, sample_times

FLOW = RectifiedFlow()


@pytest.fixture
def path():
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(3, 2, 4, 4, 4, generator=draw, dtype=torch.float64) for _ in range(2)]


def test_the_path_runs_from_data_to_noise(path):
    x0, eps = path
    torch.testing.assert_close(FLOW.noised(x0, eps, torch.ones(3)), eps)
    torch.testing.assert_close(FLOW.noised(x0, eps, torch.zeros(3)), x0 + 1e-5 * eps)
    middle = FLOW.noised(x0, eps, torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64))
    torch.testing.assert_close(middle[1], 0.75 * x0[1] + (SIGMA_MIN + (1 - SIGMA_MIN) * 0.25) * eps[1])


def test_the_target_is_the_derivative_of_the_path(path):
    x0, eps = path
    t = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    step = (FLOW.noised(x0, eps, t + 1e-4) - FLOW.noised(x0, eps, t - 1e-4)) / 2e-4
    torch.testing.assert_close(FLOW.target(x0, eps), step, atol=1e-8, rtol=0)


def test_data_are_found_from_the_velocity_at_any_time(path):
    x0, eps = path
    t = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    found = FLOW.data_from_velocity(FLOW.noised(x0, eps, t), FLOW.target(x0, eps), t)
    torch.testing.assert_close(found, x0, atol=1e-10, rtol=0)


def test_the_loss_is_the_mean_squared_error_and_zero_at_the_target(path):
    x0, eps = path
    v = FLOW.target(x0, eps)
    assert not FLOW.loss(v, x0, eps)
    torch.testing.assert_close(FLOW.loss(v + 0.5, x0, eps), torch.tensor(0.25), atol=1e-6, rtol=0)
    assert FLOW.loss(v.half(), x0, eps).dtype == torch.float32


def test_training_times_are_logit_normal():
    t = sample_times(20_000, torch.Generator().manual_seed(0))
    logits = t.logit()
    assert abs(logits.mean() - 1) < 0.03
    assert abs(logits.std() - 1) < 0.03
    # Of a normal distribution around 1, 84 % are above 0.
    assert abs((t > 0.5).float().mean() - 0.5 * (1 + math.erf(1 / math.sqrt(2)))) < 0.01
    assert torch.equal(t, sample_times(20_000, torch.Generator().manual_seed(0)))
