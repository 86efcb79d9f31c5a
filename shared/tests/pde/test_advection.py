"""Advection, against moved functions and the characteristics."""

import math

import pytest
import torch

from separata import pde

D = torch.float64


def wave(x, t=0.0, speed=1.1):
    return torch.sin(2 * math.pi * (x - speed * t))


def test_a_shift_by_whole_cells_is_exact(generator):
    u0 = torch.randn(3, 15, generator=generator, dtype=D)
    moved = pde.advect_periodic(u0, 2.0, torch.tensor([1 / 30, 0.1], dtype=D))
    torch.testing.assert_close(moved[:, 0], u0.roll(1, 1))
    torch.testing.assert_close(moved[:, 1], u0.roll(3, 1))


def test_each_sample_has_its_speed_on_a_period_of_any_length():
    x = 3 * torch.arange(16, dtype=D) / 16
    u0 = torch.cos(4 * math.pi * x / 3).expand(2, -1)
    moved = pde.advect_periodic(u0, torch.tensor([0.3, -1.0], dtype=D), torch.tensor([0.7], dtype=D), length=3.0)
    for i, speed in enumerate((0.3, -1.0)):
        torch.testing.assert_close(moved[i, 0], torch.cos(4 * math.pi * (x - 0.7 * speed) / 3))


def test_wendroff_moves_a_wave_in_second_order(order):
    errors = []
    for m in (26, 51, 101):
        x = torch.linspace(0, 1, m, dtype=D)
        t = torch.linspace(0, 1, m, dtype=D)
        u = pde.wendroff(torch.full((1, m), 1.1, dtype=D), wave(x), wave(0, t), m - 1)
        assert u.shape == (1, m, m)
        errors.append((u[0] - wave(x, t[:, None])).abs().max().item())
    assert errors[-1] < 1e-3
    assert order(errors) == pytest.approx(2, abs=0.1)


def characteristic(x, t):
    """Where what is at x at time t was at time 0 under the speed `1 + x²/2`: its arc tangent moves evenly."""
    root = math.sqrt(2)
    return root * torch.tan(torch.atan(x / root) - t / root)


def test_wendroff_with_a_variable_speed_follows_the_characteristics(order):
    def exact(x, t):
        return torch.exp(-characteristic(x, t))

    errors = []
    for m, n_steps in ((21, 30), (41, 60), (81, 120)):
        x, t = torch.linspace(0, 1, m, dtype=D), torch.linspace(0, 0.6, n_steps + 1, dtype=D)
        u = pde.wendroff((1 + x**2 / 2)[None], exact(x, 0 * x)[None], exact(0 * t, t)[None], n_steps, final_time=0.6)
        errors.append((u[0] - exact(x, t[:, None])).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.15)


def test_periodic_wendroff_follows_the_characteristics(order):
    # The speed 1/(1 + sin(2πx)/2) makes `x + (1 - cos(2πx))/(4π)` move evenly: after one unit of time all is back.
    errors, moved = [], []
    for m in (40, 80, 160):
        x = torch.arange(m, dtype=D) / m
        u0 = torch.exp(torch.sin(2 * math.pi * x))
        u = pde.wendroff_periodic(1 / (1 + torch.sin(2 * math.pi * x) / 2)[None], u0, m)
        errors.append((u[0, -1] - u0).abs().max().item())
        moved.append((u[0, m // 2] - u0).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.2)
    assert min(moved) > 0.5


@pytest.mark.parametrize("n_steps", [1, 3, 20])
def test_samples_do_not_touch_each_other(n_steps, generator):
    speed = 0.5 + torch.rand(4, 9, generator=generator, dtype=D)
    initial, inflow = (torch.randn(4, k, generator=generator, dtype=D) for k in (9, n_steps + 1))
    together = pde.wendroff(speed, initial, inflow, n_steps)
    apart = [pde.wendroff(speed[i : i + 1], initial[i], inflow[i], n_steps) for i in range(4)]
    torch.testing.assert_close(torch.cat(apart), together)
    together = pde.wendroff_periodic(speed, initial, n_steps)
    apart = [pde.wendroff_periodic(speed[i : i + 1], initial[i], n_steps) for i in range(4)]
    torch.testing.assert_close(torch.cat(apart), together)


def test_the_scheme_is_the_box_scheme(generator):
    speed = 0.5 + torch.rand(2, 6, generator=generator, dtype=D)
    initial = torch.randn(2, 6, generator=generator, dtype=D)

    def defect(u, a):
        """Of the equation in the middle of each box of 0.5 by 0.6."""
        in_time = (u[:, 1:, 1:] + u[:, 1:, :-1] - u[:, :-1, 1:] - u[:, :-1, :-1]) / 1.0
        in_space = (u[:, 1:, 1:] + u[:, :-1, 1:] - u[:, 1:, :-1] - u[:, :-1, :-1]) / 1.2
        return (in_time + (a[:, None, 1:] + a[:, None, :-1]) / 2 * in_space).abs().max()

    assert defect(pde.wendroff(speed, initial, 0.3, 4, final_time=2.0, length=3.0), speed) < 1e-12
    u = pde.wendroff_periodic(speed, initial, 4, final_time=2.0, length=3.6)
    closed = torch.cat([u, u[..., :1]], 2)
    assert defect(closed, torch.cat([speed, speed[:, :1]], 1)) < 1e-12


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": torch.zeros(2, 5)}, "speed must be positive, not 0.0"),
        ({"initial": torch.zeros(4)}, "initial must be one value, 5 values or 5 for each of 2 samples, not of shape"),
        ({"initial": torch.full((5,), math.nan)}, "initial holds values that are not finite"),
        ({"inflow": torch.zeros(5)}, "inflow must be one value, 4 values or 4 for each of 2 samples, not of shape"),
        ({"n_steps": 0}, "n_steps must be at least 1, not 0"),
        ({"final_time": -1.0}, "final_time must be positive"),
        ({"length": 0.0}, "length must be positive"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    good = {"speed": torch.ones(2, 5), "initial": torch.zeros(5), "inflow": 0.0, "n_steps": 3}
    with pytest.raises(ValueError, match=message):
        pde.wendroff(**good | change)
    if "inflow" not in change:
        given = good | change
        del given["inflow"]
        with pytest.raises(ValueError, match=message):
            pde.wendroff_periodic(**given)
