"""The identities of the schedules, in double precision."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from noprop import CosineSchedule, LearnedSchedule, Schedule, posterior_between

increasing = st.lists(st.floats(0.001, 0.999), min_size=2, max_size=12, unique=True).map(sorted)
cosines = st.tuples(st.integers(1, 40), st.floats(0.3, 3), st.floats(0.3, 3))
settings = st.one_of(increasing, cosines)


def make(setting):
    """A cosine schedule of settings in a tuple, or one of the numbers in a list."""
    if isinstance(setting, tuple):
        return CosineSchedule(*setting)
    assume(min(b - a for a, b in zip(setting, setting[1:])) > 1e-4)
    return Schedule(setting)


@given(settings)
def test_the_posterior_of_exact_states_has_the_law_of_the_next(setting):
    """With û = u and z_{t-1} ~ q(z_{t-1} | y), the step gives mean sqrt(abar_t) u and variance 1 - abar_t."""
    schedule = make(setting)
    for t in range(1, schedule.n_steps + 1):
        a, b, c = schedule.posterior_coefficients(t)
        before, after = schedule.abar[t - 1].item(), schedule.abar[t].item()
        assert a + b * math.sqrt(before) == pytest.approx(math.sqrt(after), abs=1e-12)
        assert b**2 * (1 - before) + c == pytest.approx(1 - after, abs=1e-12)


@given(settings)
def test_signal_to_noise_ratios_telescope(setting):
    schedule = make(setting)
    for t in range(1, schedule.n_steps + 1):
        a, _, c = schedule.posterior_coefficients(t)
        assert a**2 / c == pytest.approx(schedule.snr_steps[t - 1].item(), rel=1e-9)
    total = (schedule.snr[-1] - schedule.snr[0]).item()
    assert schedule.snr_steps.sum().item() == pytest.approx(total, rel=1e-12)


@given(settings)
def test_the_noising_steps_compose_to_the_marginals(setting):
    """From q(z_T | y) down, one q(z_{t-1} | z_t) after the other."""
    schedule = make(setting)
    mean, variance = schedule.abar[-1].sqrt(), 1 - schedule.abar[-1]
    for t in range(schedule.n_steps, 0, -1):
        alpha = schedule.alpha[t - 1]
        mean, variance = alpha.sqrt() * mean, alpha * variance + 1 - alpha
        torch.testing.assert_close(mean, schedule.abar[t - 1].sqrt(), atol=1e-12, rtol=0)
        torch.testing.assert_close(variance, 1 - schedule.abar[t - 1], atol=1e-12, rtol=0)


def test_the_posterior_is_bayes_rule():
    """q(z_t | z_{t-1}, u) is the product of q(z_t | u) and q(z_{t-1} | z_t), normalized on a grid."""
    early, late, u, z_early = 0.2, 0.55, 1.3, -0.4
    grid = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
    alpha = early / late
    density = torch.exp(
        -((grid - math.sqrt(late) * u) ** 2) / (2 * (1 - late))
        - (z_early - math.sqrt(alpha) * grid) ** 2 / (2 * (1 - alpha))
    )
    density /= density.sum()
    mean = (density * grid).sum()
    variance = (density * (grid - mean) ** 2).sum()
    a, b, c = posterior_between(torch.tensor(early).double(), torch.tensor(late).double())
    assert a * u + b * z_early == pytest.approx(mean.item(), abs=1e-7)
    assert c.item() == pytest.approx(variance.item(), abs=1e-7)


def test_the_cosine_schedule_of_ten_steps():
    found = CosineSchedule(10).abar.tolist()
    expected = [0.017, 0.067, 0.146, 0.25, 0.371, 0.5, 0.629, 0.75, 0.854, 0.933, 0.983]
    assert found == pytest.approx(expected, abs=5e-4)
    assert CosineSchedule(10).snr[-1].item() == pytest.approx(57.7, abs=0.05)


def test_states_have_the_mean_and_variance_of_their_time():
    schedule = CosineSchedule(4)
    noise = torch.randn(50_000, 1, generator=torch.Generator().manual_seed(0))
    z = schedule.noisy(3, torch.full_like(noise, 2.0), noise)
    abar = schedule.abar[3].item()
    assert z.mean().item() == pytest.approx(2 * math.sqrt(abar), abs=4 * math.sqrt((1 - abar) / 50_000))
    assert z.var().item() == pytest.approx(1 - abar, rel=0.03)


@pytest.mark.parametrize(
    ("abar", "message"),
    [
        ([0.1, 0.5, 0.5], "abar must increase strictly: abar_2 = 0.5 follows 0.5"),
        ([0.0, 0.5], "must lie between 0 and 1"),
        ([0.5, 1.0], "must lie between 0 and 1"),
        ([0.5, float("nan")], "must lie between 0 and 1"),
        ([0.5], "at least two"),
    ],
)
def test_what_is_no_schedule_is_refused(abar, message):
    with pytest.raises(ValueError, match=message):
        Schedule(abar)


@pytest.mark.parametrize("t", [0, 5])
def test_there_is_no_such_step(t):
    with pytest.raises(ValueError, match=f"numbered 1 to 4; there is no step {t}"):
        CosineSchedule(4).posterior_coefficients(t)
    with pytest.raises(ValueError, match="at least 1 step"):
        CosineSchedule(0)
    with pytest.raises(ValueError, match="must be positive"):
        CosineSchedule(3, begin=0.0)


# ---- continuous time


def random_schedule(seed, **settings):
    torch.manual_seed(seed)
    return LearnedSchedule(**settings).double()


def test_the_rate_of_the_signal_to_noise_ratio_is_its_derivative():
    times = torch.linspace(0.05, 0.95, 13, dtype=torch.float64)
    h = 1e-5
    for seed in range(5):
        schedule = random_schedule(seed)
        differences = (schedule.snr(times + h) - schedule.snr(times - h)) / (2 * h)
        torch.testing.assert_close(schedule.snr_rate(times), differences, rtol=1e-4, atol=0)
        slope = (schedule.abar(times + h) - schedule.abar(times - h)) / (2 * h)
        abar = schedule.abar(times)
        torch.testing.assert_close(schedule.rate(times), slope / (abar * (1 - abar)), rtol=1e-4, atol=0)


def test_the_rate_is_autograd_s_derivative_too():
    schedule = random_schedule(3)
    times = torch.linspace(0, 1, 9, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(schedule.gamma(times).sum(), times)
    torch.testing.assert_close(schedule.rate(times), -slope, rtol=1e-10, atol=0)


def test_noise_levels_fall_for_a_thousand_random_schedules():
    times = torch.linspace(0, 1, 21, dtype=torch.float64)
    for seed in range(1000):
        schedule = random_schedule(seed, n_hidden=8)
        with torch.no_grad():
            assert (schedule.monotone(times).diff() > 0).all()
            assert (schedule.snr_rate(times) > 0).all()


def test_the_ends_of_a_learned_schedule():
    schedule = random_schedule(0, gamma_0=-5.0, gamma_1=3.0)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(schedule.gamma(ends), torch.tensor([3.0, -5.0], dtype=torch.float64), atol=1e-6, rtol=0)
    abar = schedule.abar(ends)
    torch.testing.assert_close(schedule.snr(ends), abar / (1 - abar))
    with pytest.raises(ValueError, match="gamma must fall"):
        LearnedSchedule(1.0, 1.0)
    with pytest.raises(ValueError, match="hidden unit"):
        LearnedSchedule(n_hidden=0)
