"""Two stochastic problems, against closed forms, draws and SciPy's solver of boundary problems."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_bvp

from separata import pde

D = torch.float64


def test_the_mean_of_growth_is_that_of_its_paths(generator):
    t = torch.linspace(0, 1, 201, dtype=D)
    scales = torch.tensor([0.5, 1.5], dtype=D)
    mean = pde.growth_mean(scales, t)
    assert torch.equal(mean[:, 0], torch.ones(2, dtype=D))
    for i, scale in enumerate(scales.tolist()):
        k = pde.GaussianField(t, pde.Matern12(scale)).sample(20_000, generator)
        paths = torch.cat([pde.growth_paths(sign * k, 1 / 200) for sign in (1, -1)])
        torch.testing.assert_close(paths.mean(0), mean[i], rtol=0.02, atol=0)


def test_a_constant_rate_grows_exponentially():
    t = torch.linspace(0, 2, 11, dtype=D)
    torch.testing.assert_close(pde.growth_paths(torch.full((1, 11), 0.7, dtype=D), 0.2)[0], torch.exp(0.7 * t))


def test_an_even_medium_gives_a_parabola():
    x = torch.linspace(0, 1, 21, dtype=D)
    torch.testing.assert_close(pde.elliptic_paths(torch.zeros(1, 21, dtype=D))[0], 5 * x * (1 - x))
    mean = pde.elliptic_mean(torch.ones(1, dtype=D), 21, amplitude=0.0, n_paths=2, generator=torch.Generator())
    torch.testing.assert_close(mean[0], 5 * x * (1 - x))


def test_a_medium_in_closed_form_is_met_in_fourth_order(order):
    # For b = x: s = f (1 + x) e^-x + c e^-x + d with both ends at zero.
    c = (2 * math.exp(-1) - 1) / (1 - math.exp(-1))
    errors = []
    for m in (11, 21, 41):
        x = torch.linspace(0, 1, m, dtype=D)
        exact = 10 * ((1 + x) * torch.exp(-x) + c * torch.exp(-x) - 1 - c)
        errors.append((pde.elliptic_paths(x[None]) - exact).abs().max().item())
    assert errors[-1] < 1e-6
    assert order(errors) > 3.7


def test_any_medium_agrees_with_solve_bvp(smooth):
    x = torch.linspace(0, 1, 401, dtype=D)
    b = 0.3 * smooth(2, x)
    found = pde.elliptic_paths(b, 3.0)
    for i in range(2):
        medium = lambda at, i=i: np.exp(np.interp(at, x.numpy(), b[i].numpy()))  # noqa: E731
        done = solve_bvp(
            lambda at, y, medium=medium: np.stack([y[1] / medium(at), np.full_like(at, -3.0)]),
            lambda left, right: np.array([left[0], right[0]]),
            np.linspace(0, 1, 50),
            np.zeros((2, 50)),
            tol=1e-6,
        )
        torch.testing.assert_close(found[i], torch.from_numpy(done.sol(x.numpy())[0]), atol=1e-5, rtol=0)


def test_the_mean_of_media_is_that_of_independent_draws(generator):
    scales = torch.tensor([0.2, 2.0], dtype=D)
    mean = pde.elliptic_mean(scales, 30, amplitude=0.5, n_paths=20_000, generator=generator)
    x = torch.linspace(0, 1, 30, dtype=D)
    for i, scale in enumerate(scales.tolist()):
        b = 0.5 * pde.GaussianField(x, pde.RBF(scale)).sample(20_000, generator)
        torch.testing.assert_close(pde.elliptic_paths(b).mean(0), mean[i], rtol=0.02, atol=1e-12)


def test_the_same_seed_gives_the_same_mean():
    first, again, other = (
        pde.elliptic_mean(torch.ones(1, dtype=D), 10, n_paths=4, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ones: pde.growth_mean(0 * ones, ones), "length_scale must be positive, not 0.0"),
        (lambda ones: pde.growth_mean(ones, -ones), "t must not be negative, not -1.0"),
        (lambda ones: pde.growth_paths(ones[None] * math.nan, 0.1), "u holds values that are not finite at index 0"),
        (lambda ones: pde.elliptic_paths(ones[None, :3]), "the number of points must be at least 4, not 3"),
        (lambda ones: pde.elliptic_paths(ones[None], math.nan), "forcing must be finite, not nan"),
        (
            lambda ones: pde.elliptic_mean(ones, 9, n_paths=3, generator=torch.Generator()),
            "n_paths must be a positive even number, not 3",
        ),
        (
            lambda ones: pde.elliptic_mean(ones, 9, amplitude=-1.0, generator=torch.Generator()),
            "amplitude must not be negative, not -1.0",
        ),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(5))
