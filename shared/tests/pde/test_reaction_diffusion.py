"""Reaction and diffusion without flux, against the reactions' own solutions and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from separata import pde

D = torch.float64
T = torch.tensor([0.4, 1.0], dtype=D)


def test_constants_follow_the_logistic_law():
    u0 = torch.tensor([0.1, 0.5, 1.3], dtype=D)[:, None].expand(-1, 9)
    a = torch.tensor([0.3, 1.0, 2.0], dtype=D)
    found = pde.solve_reaction_diffusion(u0, T, pde.Logistic(a), dt=0.2)
    growth = torch.exp(a[:, None, None] * T[:, None])
    exact = u0[:, None] * growth / (1 - u0[:, None] + u0[:, None] * growth)
    torch.testing.assert_close(found, exact)


def test_constants_follow_the_cubic_law():
    u0 = torch.tensor([0.1, -0.5, 1.3], dtype=D)[:, None].expand(-1, 9)
    found = pde.solve_reaction_diffusion(u0, T, pde.Cubic(0.8), dt=0.2)
    exact = (1 / (1 + (1 / u0[:, None] ** 2 - 1) * torch.exp(-1.6 * T[:, None]))).sqrt() * u0[:, None].sign()
    torch.testing.assert_close(found, exact)


def test_constants_follow_the_law_of_combustion():
    a, b = torch.tensor([0.5, 1.0], dtype=D), torch.tensor([2.0, 0.5], dtype=D)
    u0 = torch.tensor([0.2, 0.6], dtype=D)
    found = pde.solve_reaction_diffusion(u0[:, None].expand(-1, 5), T, pde.Combustion(a, b), dt=0.05)
    for i in range(2):
        done = solve_ivp(
            lambda t, u, i=i: a[i].item() * u * (1 - u) * np.exp(-b[i].item() * (1 - u)),
            (0, 1),
            u0[i : i + 1].numpy(),
            t_eval=T.numpy(),
            rtol=1e-11,
            atol=1e-12,
        )
        torch.testing.assert_close(found[i], torch.from_numpy(done.y.T).expand(-1, 5), atol=1e-8, rtol=0)


@pytest.mark.parametrize("law", [pde.Logistic(0.7), pde.Cubic(0.7), pde.Combustion(0.7, 1.5)])
def test_a_law_s_rate_is_the_slope_of_its_solution(law):
    u = torch.linspace(0.05, 1.5, 20, dtype=D)[None]
    slope = (law.advance(u, 1e-4) - law.advance(u, -1e-4)) / 2e-4
    torch.testing.assert_close(law.rate(u), slope, atol=1e-7, rtol=0)


def test_without_reaction_cosines_decay():
    x = torch.linspace(0, 2, 12, dtype=D)
    u0 = 3 + torch.cos(3 * math.pi * x / 2)
    found = pde.solve_reaction_diffusion(u0[None], T, pde.Logistic(0.0), diffusivity=0.2, length=2.0, dt=1.0)
    decay = torch.exp(-0.2 * (3 * math.pi / 2) ** 2 * T[:, None])
    torch.testing.assert_close(found[0], 3 + decay * torch.cos(3 * math.pi * x / 2))


@pytest.fixture(scope="module")
def front():
    """A front, and where finite differences in SciPy say it goes."""
    m = 401
    x = np.linspace(0, 1, m)
    u0 = 0.5 + 0.4 * np.cos(np.pi * x)

    def rate(t, u):
        padded = np.concatenate([u[1:2], u, u[-2:-1]])
        return 0.05 * np.diff(padded, 2) * (m - 1) ** 2 + 2 * u * (1 - u**2)

    # A band of three diagonals.
    done = solve_ivp(rate, (0, 1), u0, t_eval=T.numpy(), method="LSODA", lband=1, uband=1, rtol=1e-8, atol=1e-9)
    return torch.from_numpy(u0), torch.from_numpy(done.y.T)


def test_fronts_agree_with_finite_differences_in_second_order_of_dt(front, order):
    u0, expected = (values[..., ::20] for values in front)
    errors = []
    for dt in (0.4, 0.2, 0.1, 0.05):
        found = pde.solve_reaction_diffusion(u0[None], T, pde.Cubic(2.0), diffusivity=0.05, dt=dt)
        errors.append((found[0] - expected).abs().max().item())
    assert errors[-1] < 5e-5
    assert order(errors[:-1]) == pytest.approx(2, abs=0.2)


def test_each_sample_is_by_itself(smooth):
    u0 = 0.5 + 0.1 * smooth(3, torch.linspace(0, 1, 16, dtype=D))
    a = torch.tensor([0.1, 0.5, 1.0], dtype=D)
    together = pde.solve_reaction_diffusion(u0, T, pde.Combustion(a, 1.0), dt=0.1)
    for i in range(3):
        one = pde.solve_reaction_diffusion(u0[i : i + 1], T, pde.Combustion(a[i].item(), 1.0), dt=0.1)
        torch.testing.assert_close(together[i], one[0])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u0": torch.full((2, 4), math.nan)}, "u0 holds values that are not finite at index 0"),
        (
            {"u0": torch.full((2, 4), -5.0), "reaction": pde.Logistic(1.0)},
            "the solution holds values that are not finite at index 0",
        ),
        ({"times": torch.tensor([1.0, 0.5])}, "times must increase strictly"),
        ({"diffusivity": -1.0}, "diffusivity must not be negative, not -1.0"),
        ({"dt": -0.1}, "dt must be positive, not -0.1"),
        ({"reaction": pde.Combustion(torch.ones(3), 1.0)}, "a must be one number or one for each of 2 samples, not"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    good = {"u0": torch.full((2, 4), 0.5), "times": torch.ones(1), "reaction": pde.Combustion(9.0, 1.0)}
    with pytest.raises(ValueError, match=message):
        pde.solve_reaction_diffusion(**good | change)
