"""Solutions against closed forms."""

import math

import pytest
import torch
from tiny import generator

from mt_deeponet import (
    ProblemConfig,
    is_trained,
    make_plates,
    make_reaction,
    nodes,
    plate_designs,
    plate_mask,
    rasterize,
    sample_darcy,
    sample_fisher,
    sample_plates,
    solve_plate,
)
from mt_deeponet.problems.plate import THICKNESS, WIDTH
from separata.pde import solve_masked, solve_reaction_diffusion


@pytest.mark.parametrize("name", ["F1", "F2"])
def test_a_constant_function_follows_the_logistic_law(name):
    a, u0 = 0.8, torch.full((1, 9), 0.3, dtype=torch.float64)
    times = torch.tensor([0.5, 1.0], dtype=torch.float64)
    found = solve_reaction_diffusion(u0, times, make_reaction(name, a=a))[0, :, 4]
    growth = torch.exp(a * times)
    expected = 0.3 * growth / (0.7 + 0.3 * growth)
    if name == "F2":
        expected = (1 / (1 + (1 / 0.3**2 - 1) * torch.exp(-2 * a * times))).sqrt()
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)


def test_fisher_s_samples_are_of_their_laws():
    config = ProblemConfig(resolution=24, n_times=5, families="F1,F4")
    data = sample_fisher(3, generator(), config)
    assert data.names == ("F1", "F4")
    assert data.points[25].tolist() == pytest.approx([0.25, 1 / 23])
    one = data.select("F4")
    a_e, second = one.codes[:, 0], one.codes[:, 1]
    b = second / a_e + 1
    a = a_e * torch.exp(b)
    assert ((a * 10 - (a * 10).round()).abs() < 1e-9).all()
    torch.testing.assert_close(one.values.reshape(3, 5, 24)[:, 0], one.functions)
    times = torch.linspace(0, 1, 5, dtype=torch.float64)[1:]
    again = solve_reaction_diffusion(one.functions, times, make_reaction("F4", a=a, b=b), dt=0.005)
    torch.testing.assert_close(one.values.reshape(3, 5, 24)[:, 1:], again, atol=1e-6, rtol=0)


def disc_error(size):
    mask = rasterize("disc", size, size)
    one = torch.ones(1, size, size, dtype=torch.float64)
    found = solve_masked(one, mask, 1.0, 1 / (size - 1))[0]
    radius = (nodes(size, size) - 0.5).norm(dim=1).reshape(size, size)
    return float(((0.25 - radius.square()) / 4 - found)[mask].abs().max())


def test_on_a_disc_the_error_is_of_first_order():
    errors = [disc_error(size) for size in (17, 65)]
    assert errors[1] < 0.005
    assert errors[1] < errors[0] / 3


def test_known_values_on_the_square_and_the_triangle():
    config = ProblemConfig(geometry="square,triangle", resolution=65, sigma=0.0)
    data = sample_darcy(1, generator(), config)
    square, triangle = data.values.reshape(2, 65, 65)
    assert float(square[32, 32]) == pytest.approx(0.07367, rel=2e-3)
    assert float(triangle.max()) == pytest.approx(1 / 36, rel=0.05)
    row, column = divmod(int(triangle.argmax()), 65)
    assert (column / 64, row / 64) == pytest.approx((0.5, math.sqrt(3) / 6), abs=0.02)


def test_coefficients_are_hidden_outside_unless_asked():
    config = ProblemConfig(geometry="disc", resolution=12)
    data, whole = (sample_darcy(2, generator(), config, keeps_outside=keeps) for keeps in (False, True))
    inside = data.domain.reshape(2, 12, 12)
    assert not data.functions[~inside].any()
    assert whole.functions[~inside].all()
    torch.testing.assert_close(data.functions[inside], whole.functions[inside])
    torch.testing.assert_close(data.values, whole.values)


def test_one_s_own_mask_is_a_domain():
    mask = torch.zeros(10, 10, dtype=torch.bool)
    mask[2:8, 3:9] = True
    data = sample_darcy(2, generator(), ProblemConfig(resolution=10), masks={"mine": mask})
    assert data.names == ("mine",)
    assert (data.values[:, mask.flatten()] > 0).all()
    assert not data.values[:, ~mask.flatten()].any()
    with pytest.raises(ValueError, match="the mask of mine"):
        sample_darcy(2, generator(), ProblemConfig(resolution=12), masks={"mine": mask})


def test_a_plate_without_holes_has_the_height_for_its_temperature():
    found = solve_plate(torch.ones(1, 9, 7, 4, dtype=torch.bool))[0]
    height = torch.linspace(0, WIDTH, 9, dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(found, height.expand(9, 7, 4))


def test_all_heat_that_enters_a_plate_leaves_it():
    rows, columns, layers = 17, 17, 5
    mask = plate_mask(3, 1.2, rows, columns, layers)
    found = solve_plate(mask[None])[0]
    spacing = WIDTH / (rows - 1)
    widths = torch.ones(columns).double()
    depths = torch.ones(layers).double()
    widths[[0, -1]] = depths[[0, -1]] = 0.5
    area = widths[:, None] * depths * WIDTH / (columns - 1) * THICKNESS / (layers - 1)
    assert float((found[1] / spacing * area).sum()) == pytest.approx(WIDTH * THICKNESS, rel=1e-9)


def test_a_plate_s_solution_converges_as_the_grid_is_refined():
    def middle(size):
        # A block instead of holes lies on the lines of every grid.
        grid = nodes(size, size, 5).reshape(size, size, 5, 3)
        block = ((grid[..., :2] - 0.5).abs() <= 0.125).all(-1) & (grid[..., 2] <= 0.5)
        return solve_plate(~block[None])[0, -1, size // 2, 0]

    coarse, medium, fine = (float(middle(size)) for size in (9, 17, 33))
    assert abs(fine - medium) < 0.7 * abs(medium - coarse)
    assert fine > 4


def test_holes_are_where_the_design_says():
    mask = plate_mask(2, 1.2, 41, 41, 5)
    assert not mask[32, 20].any()
    assert not mask[8, 20].any()
    assert mask[20, 20].all()
    assert mask[..., -1].sum() < mask[..., 0].sum()
    designs = plate_designs()
    assert len(designs) == 64
    assert is_trained().sum() == 24
    assert (~is_trained()).nonzero()[:13, 0].tolist() == [1, 2, 4, 5, 6, 9, 10, 12, 13, 14, 17, 18, 20]


def test_the_temperature_is_three_dimensional():
    data = make_plates(torch.tensor([[4.0, 1.2]], dtype=torch.float64), 21, 21, 5)
    values, inside = (part.reshape(21, 21, 5) for part in (data.values, data.domain))
    through = inside.all(2)
    assert float((values[..., 0] - values[..., -1])[through].abs().max()) > 0.02


def test_sampled_plates_are_of_the_design():
    data = sample_plates(5, generator(), ProblemConfig(resolution=8, depth=3))
    known = {tuple(row) for row in plate_designs().tolist()}
    assert {tuple(row) for row in data.functions.tolist()} <= known
    assert len(data) == 5
    parts = [
        sample_plates(None, generator(), ProblemConfig(resolution=8, depth=3, designs=part))
        for part in ("train", "test")
    ]
    assert [len(part) for part in parts] == [24, 40]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sample_fisher(0, generator()), "at least 1"),
        (lambda: sample_fisher(2, generator(), ProblemConfig(families="F1,F3")), "not F3"),
        (lambda: sample_darcy(0, generator()), "n must be at least 1"),
        (lambda: sample_plates(65, generator()), "1 to 64, not 65"),
        (lambda: plate_mask(2, 1.9, 9, 9, 3), "at a distance of 0 to 1.7"),
    ],
)
def test_what_cannot_be_posed_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
