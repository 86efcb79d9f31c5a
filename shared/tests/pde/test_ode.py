"""Ordinary differential equations, against closed forms and SciPy's `solve_ivp`."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from separata import pde

D = torch.float64
T = torch.linspace(0, 2, 101, dtype=D)


def test_it_agrees_with_solve_ivp_at_any_times(generator):
    def van_der_pol(t, s):
        return torch.stack([s[:, 1], (1 - s[:, 0] ** 2) * s[:, 1] - s[:, 0] + torch.cos(t)], 1)

    s0 = torch.randn(3, 2, generator=generator, dtype=D)
    t = torch.tensor([0.5, 0.501, 1.234, 3.0], dtype=D)
    found = pde.solve_ode(van_der_pol, s0, t, 1000)
    for i in range(3):
        done = solve_ivp(
            lambda t, s: van_der_pol(torch.tensor(t), torch.from_numpy(s)[None])[0].numpy(),
            (0.5, 3),
            s0[i].numpy(),
            t_eval=t.numpy(),
            rtol=1e-10,
            atol=1e-12,
        )
        torch.testing.assert_close(found[i], torch.from_numpy(done.y.T), atol=1e-8, rtol=0)


def test_the_order_is_four_on_and_between_the_steps(order):
    t = torch.tensor([0, 0.31, 0.777, 1], dtype=D)
    for column in (2, 3):
        errors = []
        for n_steps in (10, 20, 40, 80):
            found = pde.solve_ode(lambda t, s: -2 * t * s, torch.ones(1, 1, dtype=D), t, n_steps)
            errors.append((found[0, column, 0] - torch.exp(-(t[column] ** 2))).abs().item())
        assert order([errors[0], errors[-1]]) / 3 == pytest.approx(4, abs=0.4)


def test_a_constant_input_gives_a_hyperbolic_tangent():
    s = pde.nonlinear_ode(torch.ones(1, 101, dtype=D), T)
    assert (s - torch.tanh(T)).abs().max() < 1e-8


def test_a_free_pendulum_stays_and_one_without_gravity_accelerates():
    assert not pde.pendulum(torch.zeros(1, 101, dtype=D), T).any()
    s = pde.pendulum(torch.ones(1, 101, dtype=D), T, k=0.0)
    torch.testing.assert_close(s[0], torch.stack([T**2 / 2, T], 1))


@pytest.mark.parametrize("name", ["pendulum", "nonlinear_ode"])
def test_random_inputs_agree_with_solve_ivp(name, smooth):
    u = smooth(3, T)
    found = pde.pendulum(u, T, k=1.5) if name == "pendulum" else pde.nonlinear_ode(u, T)[..., None]
    for i in range(3):
        torque = CubicSpline(T.numpy(), u[i].numpy())
        rates = {
            "pendulum": lambda t, s, torque=torque: [s[1], -1.5 * math.sin(s[0]) + torque(t)],
            "nonlinear_ode": lambda t, s, torque=torque: [-(s[0] ** 2) + torque(t)],
        }
        start = [0.0] * found.shape[-1]
        done = solve_ivp(rates[name], (0, 2), start, t_eval=T.numpy(), rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(found[i], torch.from_numpy(done.y.T), atol=2e-7, rtol=0)


def test_the_order_of_driven_equations_is_four(order):
    def error(m, substeps):
        t = torch.linspace(0, 1, m, dtype=D)
        # Its solution is sin(3 t).
        u = (3 * torch.cos(3 * t) + torch.sin(3 * t) ** 2)[None]
        return (pde.nonlinear_ode(u, t, substeps=substeps)[0] - torch.sin(3 * t)).abs().max().item()

    assert order([error(m, 1) for m in (21, 41, 81)]) == pytest.approx(4, abs=0.3)
    assert error(41, 2) < error(41, 1)


def test_samples_do_not_touch_each_other(smooth):
    u = smooth(4, T)
    torch.testing.assert_close(torch.cat([pde.pendulum(one[None], T) for one in u]), pde.pendulum(u, T))


def test_a_solution_that_goes_to_infinity_is_not_finite_from_there_on():
    # s = -3 tan(3 t) leaves every bound at t = π/6.
    s = pde.nonlinear_ode(torch.full((1, 101), -9.0, dtype=D), T, substeps=10)[0]
    before = T < 0.5
    torch.testing.assert_close(s[before], -3 * torch.tan(3 * T[before]), atol=1e-3, rtol=1e-3)
    assert not s[-1].isfinite()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pde.solve_ode(lambda t, s: s, torch.ones(1, 1), torch.tensor([1.0, 0.0]), 5),
            "t must increase strictly",
        ),
        (lambda: pde.solve_ode(lambda t, s: s, torch.ones(1, 1), torch.tensor([0.0, 1.0]), 0), "n_steps must be at le"),
        (lambda: pde.solve_ode(lambda t, s: s, torch.full((2, 1), math.nan), T, 5), "s0 holds values that are not fin"),
        (lambda: pde.pendulum(torch.zeros(1, 4), torch.tensor([0.0, 1.0, 2.0, 4.0])), "t must be equispaced"),
        (lambda: pde.pendulum(torch.zeros(1, 101), T, k=math.inf), "k must be finite, not inf"),
        (
            lambda: pde.nonlinear_ode(torch.zeros(1, 100), T),
            "values must have the shape \\(any, 101\\), not \\(1, 100\\)",
        ),
        (lambda: pde.nonlinear_ode(torch.zeros(1, 101), T, substeps=0), "substeps must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
