"""Fields of the Laplacian's covariance, against their spectra."""

import math

import pytest
import torch

from separata import pde


def test_a_periodic_line_has_the_covariance_of_its_modes(generator):
    u = pde.periodic_field(20_000, 16, alpha=2.0, tau=5.0, sigma=25.0, generator=generator)
    x = torch.arange(16, dtype=torch.float64) / 16
    # All modes of the grid; that of half the points is a cosine there.
    expected = sum(
        625 * (4 * math.pi**2 * k**2 + 25) ** -2 * torch.cos(2 * math.pi * k * (x[:, None] - x))
        for k in range(-8, 8)
        if k
    )
    assert u.dtype == torch.float64
    assert (u.T @ u / len(u) - expected).abs().max() < 0.03 * expected.max()
    assert u.mean(1).abs().max() < 1e-12


def test_a_periodic_plane_has_the_spectrum_of_its_covariance(generator):
    length = 2.0
    u = pde.periodic_field(4000, (8, 6), alpha=2.5, tau=7.0, length=length, generator=generator)
    # Coefficients for functions of unit norm on a square of this side.
    power = torch.fft.fft2(u).div(48 / length).abs().square().mean(0)
    kx, ky = (torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in (8, 6))
    expected = 7.0**3 * ((2 * math.pi / length) ** 2 * (kx[:, None] ** 2 + ky**2) + 49) ** -2.5
    expected[0, 0] = 0
    torch.testing.assert_close(power, expected, rtol=0.1, atol=1e-12)


def test_a_neumann_line_has_the_covariance_of_its_modes(generator):
    u = pde.neumann_field(20_000, 9, alpha=2.0, tau=3.0, n_modes=12, generator=generator)
    x = torch.linspace(0, 1, 9, dtype=torch.float64)
    expected = sum(
        3.0**3 * (math.pi**2 * k**2 + 9) ** -2 * 2 * torch.cos(math.pi * k * x[:, None]) * torch.cos(math.pi * k * x)
        for k in range(1, 12)
    )
    assert (u.T @ u / len(u) - expected).abs().max() < 0.03 * expected.max()


def test_a_neumann_plane_has_no_slope_at_its_edges_and_the_right_variance(generator):
    u = pde.neumann_field(4000, (129, 5), alpha=3.0, tau=3.0, n_modes=5, generator=generator)
    k = torch.arange(5, dtype=torch.float64)
    roots = 3.0**4 * (math.pi**2 * (k[:, None] ** 2 + k**2) + 9) ** -3.0
    roots[0, 0] = 0
    norms = torch.where(k > 0, 2.0, 1.0)
    assert u[:, 0, 0].var().item() == pytest.approx((roots * norms[:, None] * norms).sum().item(), rel=0.1)
    slope = (-3 * u[:, 0] + 4 * u[:, 1] - u[:, 2]) * 64
    assert slope.abs().max() < 1e-2 * u.diff(dim=1).abs().max() * 128


def test_any_resolution_shows_the_same_neumann_fields():
    coarse, fine = (
        pde.neumann_field(2, size, alpha=2.0, tau=3.0, n_modes=9, generator=torch.Generator().manual_seed(5))
        for size in ((9, 17), (17, 33))
    )
    torch.testing.assert_close(fine[:, ::2, ::2], coarse)


@pytest.mark.parametrize("draw", [pde.periodic_field, pde.neumann_field])
def test_the_same_seed_gives_the_same_fields(draw):
    first, again, other = (
        draw(2, (4, 4), alpha=2.0, tau=3.0, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("draw", [pde.periodic_field, pde.neumann_field])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "n must be at least 1, not 0"),
        ({"size": 1}, "size must be at least 2, not 1"),
        ({"size": (4, 4, 4)}, "size must be a number of points, or of rows and columns, not \\(4, 4, 4\\)"),
        ({"alpha": 0.0}, "alpha must be positive, not 0.0"),
        ({"tau": math.nan}, "tau must be positive, not nan"),
        ({"sigma": -1.0}, "sigma must not be negative, not -1.0"),
    ],
)
def test_what_is_wrong_is_named(draw, change, message):
    with pytest.raises(ValueError, match=message):
        draw(**{"n": 1, "size": 4, "alpha": 2.0, "tau": 3.0, "generator": torch.Generator()} | change)
