"""The acoustic problem, against standing waves in even and in layered media."""

import math

import pytest
import torch

from separata import pde

D = torch.float64


def standing(h, w, b=17.0, a=0.4):
    """c and the solution `exp(a cos πx) cos(b y)`, with slope at the top alone, for `(ω/c)² = b² - X''/X`."""
    y, x = torch.linspace(0, 1, h, dtype=D)[:, None], torch.linspace(0, 1, w, dtype=D)
    profile = torch.exp(a * torch.cos(math.pi * x))
    squared = b**2 - a**2 * math.pi**2 * torch.sin(math.pi * x) ** 2 + a * math.pi**2 * torch.cos(math.pi * x)
    return (1000 / squared.sqrt()).expand(h, w), profile * torch.cos(b * y), -b * math.sin(b) * profile


@pytest.mark.parametrize("a", [0.0, 0.4])
def test_a_standing_wave_is_met_in_fourth_order(a, order):
    errors = []
    for m in (21, 41, 81):
        speed, exact, flux = standing(m, 2 * m - 1, a=a)
        found = pde.solve_helmholtz(speed[None], flux=flux)[0]
        errors.append(pde.relative_l2(found[None], exact[None]).item())
    assert errors[-1] < 1e-4
    assert order(errors) == pytest.approx(4, abs=0.3)


def test_the_window_is_that_of_the_acoustic_problem():
    speed = 20 + torch.tanh(pde.neumann_field(1, (41, 41), alpha=2.0, tau=3.0, generator=torch.Generator()))
    x = torch.linspace(0, 1, 41, dtype=D)
    window = ((x >= 0.35) & (x <= 0.65)).to(D)
    window[[14, 26]] = 0.5  # half of the cells of its ends lies outside
    found = pde.solve_helmholtz(speed, frequency=300.0)
    torch.testing.assert_close(found, pde.solve_helmholtz(speed, frequency=300.0, flux=window))
    # A gradient theorem: what flows in is what the medium takes up.
    weights = torch.full((41,), 1 / 40, dtype=D)
    weights[[0, -1]] /= 2
    taken = -((300 / speed[0]) ** 2 * found[0] * weights[:, None] * weights).sum()
    assert taken.item() == pytest.approx(0.3, rel=0.02)


def test_samples_are_solved_as_one_by_one(generator):
    speed = 50 + torch.rand(3, 9, 7, generator=generator, dtype=D)
    flux = torch.randn(3, 7, generator=generator, dtype=D)
    together = pde.solve_helmholtz(speed, flux=flux)
    for i in range(3):
        torch.testing.assert_close(pde.solve_helmholtz(speed[i : i + 1], flux=flux[i])[0], together[i])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": torch.zeros(1, 5, 5)}, "speed must be positive, not 0.0"),
        ({"speed": torch.ones(1, 5, 2)}, "the number of nodes along each side must be at least 3, not 2"),
        ({"frequency": 0.0}, "frequency must be positive, not 0.0"),
        ({"flux": torch.ones(4)}, "flux must have the shape \\(5,\\) or \\(1, 5\\), not \\(4,\\)"),
        ({"flux": torch.full((5,), math.nan)}, "flux holds values that are not finite"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        pde.solve_helmholtz(**{"speed": torch.ones(1, 5, 5)} | change)
