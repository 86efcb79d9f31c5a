"""Advection, diffusion and reaction between fixed ends, against manufactured solutions and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from separata import pde

D = torch.float64


def test_a_manufactured_solution_is_met_in_second_order(order):
    """`u = e^-t (1 - x²)` on (-1, 1) under `u_t = u_xx - u_x + u³ + f`."""
    errors = []
    for m in (11, 21, 41):
        x = torch.linspace(-1, 1, m, dtype=D)
        shape = 1 - x**2

        def source(t, x=x, shape=shape):
            e = math.exp(-t)
            return -e * shape + 2 * e - 2 * e * x - (e * shape) ** 3

        found = pde.solve_advection_diffusion_reaction(
            shape[None],
            torch.tensor([1.0], dtype=D),
            diffusivity=1.0,
            velocity=1.0,
            reaction=lambda u: u**3,
            source=source,
            length=2.0,
            dt=2.0 / (m - 1),
        )
        errors.append((found[0, 0] - math.exp(-1) * shape).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.1)


def test_variable_coefficients_are_met_in_second_order(order):
    """`u = sin(π x)(1 + t)` with k = 1 + x and v = cos(x); the advection is v u_x."""
    errors = []
    for m in (11, 21, 41):
        x = torch.linspace(0, 1, m, dtype=D)
        sine, slope = torch.sin(math.pi * x), math.pi * torch.cos(math.pi * x)
        k, v = 1 + x, torch.cos(x)
        space = slope - math.pi**2 * k * sine - v * slope

        found = pde.solve_advection_diffusion_reaction(
            sine.expand(2, -1),
            torch.tensor([0.25, 0.5], dtype=D),
            diffusivity=k.expand(2, -1),
            velocity=v,
            source=lambda t, sine=sine, space=space: sine - (1 + t) * space,
            dt=0.5 / (m - 1),
        )
        errors.append((found[1, 1] - 1.5 * sine).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.1)


def test_random_sources_agree_with_solve_ivp(smooth):
    m = 41
    x = torch.linspace(0, 1, m, dtype=D)
    source = smooth(2, x)
    found = pde.solve_diffusion_reaction(source, torch.tensor([0, 0.5, 1], dtype=D), reaction=0.5)
    assert not found[:, 0].any()
    for i in range(2):
        f = source[i].numpy()

        def rate(t, u, f=f):
            inner = 0.01 * np.diff(u, 2) * (m - 1) ** 2 + 0.5 * u[1:-1] ** 2 + f[1:-1]
            return np.concatenate([[0], inner, [0]])

        done = solve_ivp(rate, (0, 1), np.zeros(m), t_eval=[0.5, 1], rtol=1e-9, atol=1e-9, method="BDF")
        torch.testing.assert_close(found[i, 1:], torch.from_numpy(done.y.T), atol=1e-3, rtol=0)


def test_without_time_to_pass_nothing_happens_and_with_much_it_is_steady():
    x = torch.linspace(0, 1, 21, dtype=D)
    source = torch.ones(1, 21, dtype=D)
    found = pde.solve_diffusion_reaction(source, torch.tensor([20.0], dtype=D), diffusivity=1.0, reaction=0.0, dt=0.1)
    torch.testing.assert_close(found[0, 0], x * (1 - x) / 2, atol=1e-6, rtol=0)


def test_each_sample_has_its_coefficients(smooth):
    source = smooth(3, torch.linspace(0, 1, 11, dtype=D))
    t = torch.tensor([0.5], dtype=D)
    ds, ks = torch.tensor([0.01, 0.1, 1.0], dtype=D), torch.tensor([1.0, -1.0, 0.1], dtype=D)
    together = pde.solve_diffusion_reaction(source, t, diffusivity=ds, reaction=ks, dt=0.1)
    for i in range(3):
        one = pde.solve_diffusion_reaction(
            source[i : i + 1], t, diffusivity=ds[i].item(), reaction=ks[i].item(), dt=0.1
        )
        torch.testing.assert_close(together[i], one[0])


def test_a_solution_without_bound_is_refused():
    source = torch.full((1, 11), 100.0, dtype=D)
    with pytest.raises(ValueError, match="the solution grows without bound, or dt = 0.1 is too long, near t = 0"):
        pde.solve_diffusion_reaction(source, torch.tensor([5.0], dtype=D), reaction=1.0, dt=0.1)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": torch.zeros(2, 2)}, "the number of points must be at least 3, not 2"),
        ({"source": torch.full((2, 5), math.nan)}, "source holds values that are not finite at index 0"),
        ({"diffusivity": 0.0}, "diffusivity must be positive, not 0.0"),
        ({"diffusivity": torch.ones(3)}, "diffusivity must be one number or one for each of 2 samples"),
        ({"reaction": math.inf}, "reaction must be finite, not inf"),
        ({"times": torch.tensor([-1.0, 1.0])}, "times must not be negative, not -1.0"),
        ({"dt": 0.0}, "dt must be positive, not 0.0"),
        ({"length": -1.0}, "length must be positive, not -1.0"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        pde.solve_diffusion_reaction(**{"source": torch.zeros(2, 5), "times": torch.ones(1)} | change)


@pytest.mark.usefixtures("unchecked")
def test_coefficients_must_fit_the_points():
    with pytest.raises(ValueError, match="velocity must be a number or values of shape \\(2, 5\\), not \\(4,\\)"):
        pde.solve_advection_diffusion_reaction(
            torch.zeros(2, 5), torch.ones(1), diffusivity=1.0, velocity=torch.zeros(4)
        )
