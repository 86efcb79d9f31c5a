"""Problems against closed forms: what a function in a space of one function is mapped to."""

import math

import pytest
import torch
from known_functions import OneFunction, constant, generator
from scipy.integrate import solve_ivp

from deeponet import GaussianRandomField, ProblemConfig, make_problem
from deeponet.problems.advection import Advection1, Advection2, Advection3, Advection4, AdvectionDiffusion
from deeponet.problems.diffusion import DiffusionReaction
from deeponet.problems.legendre import Legendre
from deeponet.problems.ode import Antiderivative, NonlinearOde, Pendulum
from deeponet.problems.stochastic import RandomGrowth, RandomMedium


def solved(problem, n_points=40):
    """One function of a problem: coordinates and values."""
    data = problem.sample(1, generator(), n_points=n_points)
    return *data.y[0].T, data.s[0, :, 0]


def test_an_antiderivative_is_the_integral():
    problem = Antiderivative(OneFunction(lambda x: (2 * math.pi * x).cos()))
    y, s = solved(problem)
    torch.testing.assert_close(s, (2 * math.pi * y).sin() / (2 * math.pi), atol=1e-8, rtol=0)
    data = problem.sample(1, generator())
    torch.testing.assert_close(data.u[0], (2 * math.pi * data.sensors).cos())
    assert (data.u.shape, data.y.shape, data.s.shape) == ((1, 100), (1, 1, 1), (1, 1, 1))


def test_the_nonlinear_ode_under_a_constant_is_a_hyperbolic_tangent():
    y, s = solved(NonlinearOde(constant(1.0)))
    torch.testing.assert_close(s, y.tanh(), atol=1e-9, rtol=0)


def test_solutions_that_leave_every_bound_are_drawn_again():
    data = make_problem("nonlinear-ode", ProblemConfig(length_scale=2.0, length=3.0)).sample(200, generator())
    assert data.s.isfinite().all()
    with pytest.raises(ValueError, match="leave every bound"):
        NonlinearOde(constant(-9.0)).sample(2, generator())


def test_a_pendulum_at_rest_stays_and_without_gravity_it_is_accelerated():
    _, s = solved(Pendulum(constant(0.0, 3.0)))
    assert not s.any()
    y, s = solved(Pendulum(constant(1.0, 3.0), k=0.0))
    torch.testing.assert_close(s, y.square() / 2, atol=1e-9, rtol=0)
    assert float(y.max()) > 2


@pytest.mark.parametrize(("name", "length"), [("nonlinear-ode", 1.0), ("pendulum", 3.0)])
def test_solutions_are_those_of_scipy(name, length):
    problem = make_problem(name, ProblemConfig(length=length, n_sensors=400))
    data = problem.sample(1, generator(), n_points=5)
    from scipy.interpolate import CubicSpline

    u = CubicSpline(data.sensors.numpy(), data.u[0].numpy())
    rhs = {
        "nonlinear-ode": lambda t, s: [-(s[0] ** 2) + u(t)],
        "pendulum": lambda t, s: [s[1], -math.sin(s[0]) + u(t)],
    }[name]
    start = [0.0] if name == "nonlinear-ode" else [0.0, 0.0]
    found = solve_ivp(rhs, (0, length), start, rtol=1e-9, atol=1e-10, dense_output=True)
    expected = torch.from_numpy(found.sol(data.y[0, :, 0].numpy())[0])
    torch.testing.assert_close(data.s[0, :, 0], expected, atol=1e-6, rtol=0)


def test_diffusion_and_reaction_are_those_of_scipy():
    n, problem = 41, make_problem("diffusion-reaction", ProblemConfig(n_grid=41, n_sensors=41))
    data = problem.sample(1, generator(), n_points=0)
    f, h = data.u[0].numpy(), 1 / (n - 1)

    def rhs(t, s):
        padded = [0, *s, 0]
        return [
            0.01 * (padded[i - 1] - 2 * padded[i] + padded[i + 1]) / h**2 + 0.01 * padded[i] ** 2 + f[i]
            for i in range(1, n - 1)
        ]

    end = solve_ivp(rhs, (0, 1), [0.0] * (n - 2), method="LSODA", rtol=1e-7, atol=1e-8).y[:, -1]
    last = data.s[0].view(n, n)[-1]
    torch.testing.assert_close(last[1:-1], torch.from_numpy(end), atol=1e-3, rtol=0)
    assert not data.s[0].view(n, n)[0].any()
    assert float(data.y[-n, 1]) == 1, "times are rows of the grid"


def test_diffusion_without_reaction_is_its_steady_state_in_the_end():
    problem = DiffusionReaction(constant(1.0), diffusivity=1.0, reaction=0.0)
    x, t, s = solved(problem, 400)
    late = t > 0.9
    torch.testing.assert_close(s[late], (x * (1 - x) / 2)[late], atol=1e-4, rtol=0)


def line(x):
    return x


def test_advection_moves_the_initial_function():
    x, t, s = solved(Advection1(OneFunction(line)))
    torch.testing.assert_close(s, (math.pi * (x - t)).sin().square(), atol=1e-12, rtol=0)
    x, t, s = solved(Advection2(constant(1.0)))
    torch.testing.assert_close(s, (x - t).clamp(min=0), atol=1e-12, rtol=0)


def test_advection_at_a_constant_speed_of_eleven_tenths():
    x, t, s = solved(Advection4(constant(1.0)))
    torch.testing.assert_close(s, (2 * math.pi * (x - 1.1 * t)).sin(), atol=5e-3, rtol=0)
    x, t, s = solved(Advection3(constant(1.0)), 200)
    back = x - 1.1 * t
    expected = torch.where(back > 0, back.square(), (-math.pi * back / 1.1).sin())
    away = back.abs() > 0.1  # the slope has a jump where the two meet
    torch.testing.assert_close(s[away], expected[away], atol=1e-2, rtol=0)


def test_diffusion_damps_what_is_advected():
    x, t, s = solved(AdvectionDiffusion(OneFunction(line)))
    wave = (-4 * math.pi**2 * 0.1 * t).exp() * (2 * math.pi * (x - t)).cos()
    torch.testing.assert_close(s, 0.5 - 0.5 * wave, atol=1e-10, rtol=0)


def test_sensors_see_what_the_equation_sees():
    data = Advection1(OneFunction(line), n_sensors=5).sample(1, generator())
    torch.testing.assert_close(data.u[0], torch.tensor([0, 0.5, 1, 0.5, 0]).double())
    data = Advection4(OneFunction(lambda x: x**2), n_sensors=3).sample(1, generator())
    torch.testing.assert_close(data.u[0], torch.tensor([0.5, 0.25, 0.5]).double())


@pytest.mark.parametrize("k", [0, 3, 7])
def test_legendre_polynomials_are_orthogonal(k):
    space = OneFunction(lambda x: torch.special.legendre_polynomial_p(x - 1, k), 2.0)
    data = Legendre(space).sample(1, generator())
    expected = torch.zeros(20, dtype=torch.float64)
    expected[k] = 2 / (2 * k + 1)
    assert data.is_grid
    torch.testing.assert_close(data.s[0, :, 0], expected, atol=1e-6, rtol=0)


def test_the_mean_of_random_growth_is_that_of_its_paths():
    mean = RandomGrowth().sample(1, generator(), n_points=0)
    paths = RandomGrowth(pathwise=True)
    found = paths.sample(1, generator(), n_points=20_000)
    torch.testing.assert_close(found.u, mean.u)
    late = found.y[0, :, 0] > 0.95
    average = float(found.s[0, late, 0].mean())
    assert average == pytest.approx(float(mean.s[0, 97, 0]), rel=0.1)
    assert average > 1.2
    xi = found.y[0, :, 1:]
    assert float(xi.std()) == pytest.approx(1, abs=0.02)


def test_a_medium_without_noise_has_a_parabola():
    problem = RandomMedium(n_paths=200, n_grid=50)
    x = torch.linspace(0, 1, 50, dtype=torch.float64)
    torch.testing.assert_close(problem.paths(torch.zeros(2, 50).double())[0], 5 * x * (1 - x), atol=1e-12, rtol=0)
    data = problem.sample(3, generator(), n_points=0)
    assert data.u.shape == (3, 240)
    torch.testing.assert_close(data.s[0, :, 0], 5 * x * (1 - x), atol=0.03, rtol=0)
    torch.testing.assert_close(data.u[0].view(30, 8).square().sum(1), torch.ones(30).double(), atol=1e-3, rtol=0)


def test_points_are_drawn_from_the_grid_and_the_whole_grid_is_shared():
    problem = make_problem("advection-1", ProblemConfig(n_grid=11))
    data = problem.sample(3, generator())
    assert data.y.shape == (3, 100, 2)
    torch.testing.assert_close(data.y * 10, (data.y * 10).round())
    whole = problem.sample(3, generator(), n_points=0)
    assert whole.is_grid
    assert whole.y.shape == (121, 2)
    index = (data.y[1, :, 1] * 110 + data.y[1, :, 0] * 10).round().long()
    torch.testing.assert_close(data.s[1, :, 0], whole.s[1, index, 0])


@pytest.mark.parametrize("length", [0.05, 1.0, 1.5])
def test_the_grid_of_an_equation_has_both_ends(length):
    data = Antiderivative(constant(1.0, length)).sample(1, generator(), n_points=0)
    assert (data.y[0], data.y[-1]) == (0, length)
    assert data.n_points <= 101
    torch.testing.assert_close(data.s[0], data.y)


@pytest.mark.parametrize("name", ["antiderivative", "advection-2", "sode"])
def test_the_same_seed_gives_the_same_data_whatever_the_parts(name, monkeypatch):
    problem = make_problem(name, ProblemConfig(n_grid=10) if name == "advection-2" else ProblemConfig())
    one = problem.sample(5, generator(3))
    other = problem.sample(5, generator(3))
    assert torch.equal(one.s, other.s)
    assert not torch.equal(one.s, problem.sample(5, generator(4)).s)
    monkeypatch.setattr("deeponet.problems.base.SAMPLES", 2 * problem.values_per_function)
    parts = problem.sample(5, generator(3))
    assert (parts.u.shape, parts.y.shape, parts.s.shape) == (one.u.shape, one.y.shape, one.s.shape)


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("legendre", ProblemConfig(length=2.0), "length does not apply to the problem legendre"),
        ("antiderivative", ProblemConfig(pathwise=True), "pathwise does not apply"),
        ("sode", ProblemConfig(length_scale=0.5), "length_scale does not apply"),
        ("pendulum", ProblemConfig(n_grid=50), "n_grid does not apply"),
    ],
)
def test_settings_that_would_change_nothing_are_refused(name, config, words):
    with pytest.raises(ValueError, match=words):
        make_problem(name, config)


def test_bad_numbers_are_refused():
    problem = Antiderivative(GaussianRandomField())
    with pytest.raises(ValueError, match="at least 1, not 0"):
        problem.sample(0, generator())
    with pytest.raises(ValueError, match="not be negative"):
        problem.sample(1, generator(), n_points=-1)
    with pytest.raises(ValueError, match="at least 2 sensors"):
        Antiderivative(GaussianRandomField(), n_sensors=1)
    with pytest.raises(ValueError, match="length 1, not 2"):
        Advection1(GaussianRandomField(length=2.0))
    with pytest.raises(ValueError, match="length 2, not 1"):
        Legendre(GaussianRandomField())
    with pytest.raises(ValueError, match="at least 4 points"):
        Advection1(GaussianRandomField(), n_grid=3)
    with pytest.raises(ValueError, match="no grid"):
        RandomGrowth(pathwise=True).sample(1, generator(), n_points=0)
    with pytest.raises(ValueError, match="n sensors|n_sensors"):
        ProblemConfig(n_sensors=1)
    with pytest.raises(ValueError, match="even"):
        ProblemConfig(n_paths=3)
