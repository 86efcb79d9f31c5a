"""Flow on the torus, against decaying vortices, a manufactured flow, and SciPy with the definitions."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from separata import pde

D = torch.float64


def points(s, length=2 * math.pi):
    x = length * torch.arange(s, dtype=D) / s
    return torch.meshgrid(x, x, indexing="ij")


def test_taylor_green_vortices_decay(order):
    x, y = points(16)
    w0 = (2 * torch.cos(x) * torch.cos(y))[None]
    errors = []
    for dt in (0.2, 0.1, 0.05):
        w = pde.solve_navier_stokes(w0, viscosity=0.5, times=torch.tensor([0, 1.0], dtype=D), dt=dt, length=2 * math.pi)
        torch.testing.assert_close(w[:, 0], w0)
        errors.append((w[:, 1] - w0 * math.exp(-1)).abs().max().item())
    assert errors[-1] < 1e-3
    assert order(errors) == pytest.approx(2, abs=0.05)


def test_a_flow_held_by_its_forcing_stays():
    # w = cos x + cos 2y: ψ = cos x + cos(2y)/4, v = (-sin(2y)/2, sin x), v·∇w = sin x sin(2y)/2 - 2 sin x sin 2y.
    x, y = points(12)
    w0 = (torch.cos(x) + torch.cos(2 * y))[None]
    forcing = -1.5 * torch.sin(x) * torch.sin(2 * y) + 0.3 * (torch.cos(x) + 4 * torch.cos(2 * y))
    w = pde.solve_navier_stokes(
        w0, viscosity=0.3, forcing=forcing, times=torch.tensor([0.5], dtype=D), dt=0.05, length=2 * math.pi
    )
    torch.testing.assert_close(w[:, 0], w0, atol=1e-10, rtol=0)


@pytest.fixture(scope="module")
def turbulent():
    """A random flow, and where SciPy takes it with the product in physical space, cut at two thirds."""
    s, nu = 12, 0.01
    generator = torch.Generator().manual_seed(3)
    w0 = pde.periodic_field(1, (s, s), alpha=2.5, tau=7.0, generator=generator)
    x, y = points(s, 1.0)
    forcing = torch.sin(2 * math.pi * (x + y))
    k = np.fft.fftfreq(s, 1 / s)
    kept = (np.abs(k)[:, None] < s / 3) & (np.abs(k) < s / 3)
    w0 = torch.from_numpy(np.fft.ifft2(kept * np.fft.fft2(w0[0].numpy())).real)[None]
    kx, ky = 2j * np.pi * k[:, None], 2j * np.pi * k
    laplace = kx**2 + ky**2
    inverse = np.divide(1, laplace, where=laplace != 0, out=np.zeros_like(laplace))

    def rate(t, w):
        spectrum = np.fft.fft2(w.reshape(s, s))
        stream = -inverse * spectrum
        u, v, wx, wy = (np.fft.ifft2(part).real for part in (ky * stream, -kx * stream, kx * spectrum, ky * spectrum))
        change = -1 * kept * np.fft.fft2(u * wx + v * wy) + nu * laplace * spectrum
        return (np.fft.ifft2(change).real + forcing.numpy()).ravel()

    done = solve_ivp(rate, (0, 1), w0.numpy().ravel(), t_eval=[0.5, 1], rtol=1e-9, atol=1e-10)
    return w0, forcing, nu, torch.from_numpy(done.y.T).reshape(2, s, s)


def test_a_random_flow_agrees_with_solve_ivp_in_second_order_of_dt(turbulent, order):
    w0, forcing, nu, expected = turbulent
    times = torch.tensor([0.5, 1], dtype=D)
    errors = []
    for dt in (0.05, 0.025, 0.0125):
        w = pde.solve_navier_stokes(w0, viscosity=nu, forcing=forcing, times=times, dt=dt)
        errors.append((w[0] - expected).abs().max().item())
    assert (expected[1] - w0[0]).abs().max() > 0.3
    assert errors[-1] < 1e-3
    assert order(errors) == pytest.approx(2, abs=0.15)


def test_each_flow_is_by_itself_whatever_the_parity_of_the_grid(generator):
    for s in (8, 9):
        w0 = pde.periodic_field(3, (s, s), alpha=2.5, tau=3.0, generator=generator)
        forcing = torch.randn(3, s, s, generator=generator, dtype=D)
        nu = torch.tensor([0.01, 0.1, 0.0], dtype=D)
        t = torch.tensor([0.1], dtype=D)
        together = pde.solve_navier_stokes(w0, viscosity=nu, forcing=forcing, times=t, dt=0.02)
        for i in range(3):
            one = pde.solve_navier_stokes(w0[i : i + 1], viscosity=nu[i].item(), forcing=forcing[i], times=t, dt=0.02)
            torch.testing.assert_close(together[i], one[0])


def test_an_unstable_flow_is_refused(generator):
    w0 = 100 * pde.periodic_field(1, (16, 16), alpha=2.5, tau=7.0, generator=generator)
    with pytest.raises(ValueError, match="the flow is unstable before t = 20: dt = 0.5 is too long"):
        pde.solve_navier_stokes(w0, viscosity=1e-5, times=torch.tensor([20.0], dtype=D), dt=0.5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w0": torch.full((1, 6, 6), math.nan)}, "w0 holds values that are not finite at index 0"),
        ({"w0": torch.zeros(1, 3, 3)}, "the number of points along each side must be at least 4, not 3"),
        ({"w0": torch.zeros(1, 6, 5)}, "w0 must be given on as many points in both directions, not 6 and 5"),
        ({"viscosity": -1.0}, "viscosity must not be negative, not -1.0"),
        (
            {"forcing": torch.zeros(5, 6)},
            "forcing must be a number or values of shape \\(6, 6\\) or \\(1, 6, 6\\), not",
        ),
        ({"times": torch.tensor([])}, "times must be a sequence of at least 1 numbers"),
        ({"dt": 0.0}, "dt must be positive, not 0.0"),
        ({"length": 0.0}, "length must be positive, not 0.0"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        pde.solve_navier_stokes(**{"w0": torch.zeros(1, 6, 6), "viscosity": 0.1, "times": torch.ones(1)} | change)
