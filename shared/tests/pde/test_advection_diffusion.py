"""Periodic advection and diffusion, against waves that decay and SciPy's solver of the semi-discrete equation."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from separata import pde

D = torch.float64


@pytest.mark.parametrize("m", [100, 33])
def test_a_wave_moves_and_decays(m):
    x, t = torch.arange(m, dtype=D) / m, torch.tensor([0, 0.3, 1], dtype=D)
    found = pde.solve_advection_diffusion(torch.sin(2 * math.pi * x)[None], t)
    exact = torch.exp(-4 * math.pi**2 * 0.1 * t[:, None]) * torch.sin(2 * math.pi * (x - t[:, None]))
    torch.testing.assert_close(found[0], exact, atol=1e-13, rtol=0)


def test_any_function_agrees_with_solve_ivp(generator):
    """Fourth-order differences on a fine grid, integrated by SciPy."""
    m, c, d = 256, -0.7, 0.05
    x = np.arange(m) / m
    u0 = np.exp(np.sin(2 * np.pi * x) + np.cos(4 * np.pi * x))

    def rate(t, u):
        back, far_back, on, far_on = (np.roll(u, k) for k in (1, 2, -1, -2))
        first = (far_back - 8 * back + 8 * on - far_on) * m / 12
        second = (-far_back + 16 * back - 30 * u + 16 * on - far_on) * m**2 / 12
        return -c * first + d * second

    done = solve_ivp(rate, (0, 0.2), u0, method="DOP853", rtol=1e-9, atol=1e-9)
    found = pde.solve_advection_diffusion(
        torch.from_numpy(u0)[None], torch.tensor([0.2], dtype=D), speed=c, diffusivity=d
    )
    torch.testing.assert_close(found[0, 0], torch.from_numpy(done.y[:, -1]), atol=1e-5, rtol=0)


def test_each_sample_has_its_coefficients(smooth):
    u0 = smooth(3, torch.arange(12, dtype=D) / 12)
    t = torch.tensor([0.1, 0.2], dtype=D)
    speeds, ds = torch.tensor([1.0, -2.0, 0.0], dtype=D), torch.tensor([0.0, 0.1, 0.3], dtype=D)
    together = pde.solve_advection_diffusion(u0, t, speed=speeds, diffusivity=ds, length=2.0)
    for i in range(3):
        one = pde.solve_advection_diffusion(
            u0[i : i + 1], t, speed=speeds[i].item(), diffusivity=ds[i].item(), length=2.0
        )
        torch.testing.assert_close(together[i], one[0])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"u0": torch.full((2, 4), math.nan)}, "u0 holds values that are not finite at index 0"),
        ({"times": torch.tensor([1.0, 1.0])}, "times must increase strictly"),
        ({"diffusivity": -0.1}, "diffusivity must not be negative, not -0.1"),
        ({"speed": torch.ones(3)}, "speed must be one number or one for each of 2 samples, not \\(3,\\)"),
        ({"length": 0.0}, "length must be positive, not 0.0"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        pde.solve_advection_diffusion(**{"u0": torch.zeros(2, 4), "times": torch.ones(1)} | change)
