"""Generated functions: that they solve what they say, independently of the solvers."""

import math

import pytest
import torch

from mgno import HeatFlow, MultiscaleDarcy, NavierStokes, ProblemConfig, TwoPhaseDarcy, make_problem


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("name", "values"), [("darcy", [3, 12]), ("darcy-rough", [2, 12])])
def test_two_phase_solutions_balance_their_source(name, values):
    data = make_problem(name, 17).sample(3, generator())
    assert data.x.unique().tolist() == values
    assert data.y.shape == (3, 1, 17, 17)
    assert not data.y[..., 0].any()
    a, u, h = data.x[:, 0], data.y[:, 0], 1 / 16
    # What flows out of the cell of a node through faces with the harmonic mean of the coefficients is h² times one.
    out = torch.zeros(3, 15, 15, dtype=torch.float64)
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        b, v = a.roll(-step, axis), u.roll(-step, axis)
        out += (2 * a * b / (a + b) * (u - v))[:, 1:-1, 1:-1]
    torch.testing.assert_close(out / h**2, torch.ones_like(out))


def test_a_refined_grid_holds_the_coarse_one():
    fine, coarse = TwoPhaseDarcy(17), TwoPhaseDarcy(9, 2)
    assert torch.equal(coarse.sample(2, generator()).y, fine.sample(2, generator()).y[..., ::2, ::2])


def test_multiscale_coefficients_are_the_product_of_waves():
    problem = MultiscaleDarcy(5)
    a = problem.draw(1, generator())[0]
    waves = 2.0 ** torch.arange(6) * (1 + torch.rand(6, generator=generator(), dtype=torch.float64) / 2)
    x, y = 0.25, 0.75
    expected = 1.0
    for w in waves.tolist():
        expected *= 1 + math.cos(w * math.pi * (x + y)) / 2
        expected *= 1 + math.sin(w * math.pi * (y - 3 * x)) / 2
    assert float(a[1, 3]) == pytest.approx(expected)


def test_an_unforced_flow_commutes_with_shifts_and_a_forced_one_does_not():
    for is_forced in (False, True):
        problem = NavierStokes(16, viscosity=1e-3, is_forced=is_forced, n_frames=3)
        w = problem.draw(1, generator())
        by = (4, 8)
        difference = problem.solve(w.roll(by, (1, 2))) - problem.solve(w).roll(by, (2, 3))
        assert (float(difference.abs().max()) < 1e-10) != is_forced
    frames = problem.sample(2, generator()).frames
    assert frames.shape == (2, 3, 16, 16)
    torch.testing.assert_close(frames[0, 0], w[0] * 0 + problem.draw(2, generator())[0])


def test_pressures_oscillate_with_the_frequency():
    problems = [make_problem("helmholtz", 33, ProblemConfig(frequency=f)) for f in (100.0, 800.0)]
    slow, fast = (problem.sample(1, generator()) for problem in problems)
    assert float(slow.x.min()) > 19
    signs = [int((u.diff(dim=0).sign().diff(dim=0) != 0).sum()) for u in (slow.y[0, 0], fast.y[0, 0])]
    assert signs[1] > 2 * signs[0]


@pytest.mark.parametrize("padding_mode", ["zeros", "circular", "reflect"])
def test_heat_flow_solves_the_heat_equation(padding_mode):
    """u_t by differences in time against the Laplacian by differences in space with the padding's ghost points."""
    n, h = 64, {"zeros": 1 / 65, "circular": 1 / 64, "reflect": 1 / 63}[padding_mode]
    before, after = (HeatFlow(padding_mode, n, time).sample(1, generator()).y[0, 0] for time in (0.002, 0.00201))
    mode = "constant" if padding_mode == "zeros" else padding_mode
    padded = torch.nn.functional.pad(before[None, None], [1] * 4, mode=mode)[0, 0]
    laplacian = (padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * before) / h**2
    rate = (after - before) / 1e-5
    assert float((rate - laplacian).norm() / rate.norm()) < 0.05


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="frequency does not apply to the problem darcy"):
        make_problem("darcy", config=ProblemConfig(frequency=3.0))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        make_problem("darcy", 8).sample(0, generator())
    with pytest.raises(ValueError, match="resolution must be at least 4"):
        ProblemConfig(resolution=3)
