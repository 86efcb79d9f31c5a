"""Elliptic problems on the square and on masks, against closed forms and each other."""

import math

import pytest
import torch

from separata import pde

D = torch.float64


def grid(m, low=0.0, high=1.0):
    return torch.linspace(low, high, m, dtype=D)


def test_a_product_of_sines_is_met_in_second_order(order):
    errors = []
    for m in (9, 17, 33):
        sine = torch.sin(math.pi * grid(m))
        exact = sine[:, None] * sine
        found = pde.solve_darcy(torch.ones(2, m, m, dtype=D), 2 * math.pi**2 * exact)
        errors.append((found[1] - exact).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.05)


def test_a_smooth_coefficient_on_a_rectangle_of_nodes_is_met_in_second_order(order):
    """`u = sin(πy) sin(2πx)` with `a = exp(y) (1 + x²)`."""
    errors = []
    for m in (9, 17, 33):
        y, x = torch.meshgrid(grid(m), grid(2 * m - 1), indexing="ij")
        a = torch.exp(y) * (1 + x**2)
        sy, cy, sx, cx = (f(k * math.pi * z) for k, z in ((1, y), (2, x)) for f in (torch.sin, torch.cos))
        exact = sy * sx
        f = 5 * math.pi**2 * a * exact - a * math.pi * cy * sx - torch.exp(y) * 2 * x * 2 * math.pi * sy * cx
        errors.append((pde.solve_darcy(a[None], f)[0] - exact).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.1)


def test_a_layered_medium_has_the_flux_of_resistors_in_series():
    # Two materials in layers between a wall at one and a wall at zero: the exact solution is linear in each.
    z = grid(9)
    a = torch.where(z < 0.5, 1.0, 10.0).expand(1, 4, 9).to(D)
    found = pde.solve_masked(a, torch.ones(4, 9, dtype=torch.bool), 0.0, 1 / 8, faces=((None, None), (1.0, 0.0)))
    # The jump lies in the middle between two nodes.
    resistance = torch.where(z < 0.5, z, 3.5 / 8 + (z - 3.5 / 8) / 10)
    torch.testing.assert_close(found[0, 1], 1 - resistance / resistance[-1])


def test_the_centre_of_the_unit_square():
    found = pde.solve_darcy(torch.ones(1, 65, 65, dtype=D))
    assert found[0, 32, 32].item() == pytest.approx(0.07367, abs=2e-5)
    assert not found[0, [0, -1]].any()
    assert not found[0, :, [0, -1]].any()


def test_a_disc_is_met_in_first_order(order):
    errors = []
    for m in (33, 65, 129):
        radius2 = grid(m, -1, 1)[:, None] ** 2 + grid(m, -1, 1) ** 2
        found = pde.solve_masked(torch.ones(1, m, m, dtype=D), radius2 < 0.81, 1.0, 2 / (m - 1))
        errors.append((found[0] - ((0.81 - radius2) / 4).clamp(min=0)).abs().max().item())
        assert not found[0][radius2 >= 0.81].any()
    assert errors[-1] < 0.01
    assert order([errors[0], errors[-1]]) > 1.5  # over two halvings; a staircase makes single steps uneven


def test_the_peak_of_an_equilateral_triangle():
    m = 97
    y, x = torch.meshgrid(grid(m), grid(m), indexing="ij")
    inside = (y > 0) & (y < math.sqrt(3) * x) & (y < math.sqrt(3) * (1 - x))
    found = pde.solve_masked(torch.ones(1, m, m, dtype=D), inside, 1.0, 1 / (m - 1))
    assert found.max().item() == pytest.approx(1 / 36, rel=0.03)


def test_in_a_plate_with_insulated_sides_and_holes_heat_only_rises():
    """Straight holes do not change a flow along them."""
    mask = torch.ones(7, 6, 5, dtype=torch.bool)
    mask[2:4, 2:4] = False
    a = torch.full((2, 7, 6, 5), 3.0, dtype=D)
    a[:, ~mask] = math.nan  # is not looked at
    faces = ((None, None), (None, None), (0.0, 2.0))
    f = torch.where(mask, 0.0, math.nan).to(D)  # nor is this
    found = pde.solve_masked(a, mask, f, (0.1, 0.2, 0.3), faces=faces, outside="insulated")
    expected = torch.where(mask, torch.linspace(0, 2, 5, dtype=D), 0.0)
    torch.testing.assert_close(found, expected.expand(2, -1, -1, -1))
    cooled = pde.solve_masked(a, mask, 0.0, (0.1, 0.2, 0.3), faces=faces)
    assert (cooled <= found + 1e-12).all()
    assert cooled[0, 0, 0, 2] < 0.9


def test_a_flow_through_an_insulated_face_is_a_source_at_its_nodes():
    a, spacing, flow = 2.0, 0.25, 3.0
    source = torch.zeros(4, 5, dtype=D)
    source[:, -1] = 2 * flow / spacing
    mask = torch.ones(4, 5, dtype=torch.bool)
    found = pde.solve_masked(torch.full((1, 4, 5), a, dtype=D), mask, source, spacing, faces=((None,) * 2, (1.0, None)))
    torch.testing.assert_close(found[0], (1 + flow / a * grid(5)).expand(4, -1))


def test_where_fixed_faces_meet_the_later_axis_counts():
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[0, 0] = False
    found = pde.solve_masked(torch.ones(1, 4, 5, dtype=D), mask, 0.0, 0.1, faces=((1.0, 2.0), (3.0, None)))[0]
    assert found[0].tolist() == [0, 1, 1, 1, 1]
    assert found[1:, 0].tolist() == [3, 3, 3]
    assert found[-1, 1:].tolist() == [2, 2, 2, 2]


def test_three_dimensions_are_met_in_second_order(order):
    """`u = sin(πz) cos(πy) exp(x)`: fixed below, above and on both sides in x, insulated in y."""
    errors = []
    for m in (5, 9, 17):
        z, y, x = torch.meshgrid(grid(m), grid(m), grid(m), indexing="ij")
        exact = torch.sin(math.pi * z) * torch.cos(math.pi * y) * (torch.exp(x) - 1 - x * (math.e - 1))
        second = torch.sin(math.pi * z) * torch.cos(math.pi * y) * torch.exp(x)
        found = pde.solve_masked(
            torch.ones(1, m, m, m, dtype=D),
            torch.ones(m, m, m, dtype=torch.bool),
            2 * math.pi**2 * exact - second,
            1 / (m - 1),
            faces=((0.0, 0.0), (None, None), (0.0, 0.0)),
        )
        errors.append((found[0] - exact).abs().max().item())
    assert order(errors) == pytest.approx(2, abs=0.1)


def test_samples_are_solved_as_one_by_one(generator):
    a = 0.5 + torch.rand(3, 8, 6, generator=generator, dtype=D)
    mask = torch.rand(3, 8, 6, generator=generator) < 0.8
    f = torch.randn(3, 8, 6, generator=generator, dtype=D)
    together = pde.solve_masked(a, mask, f, (0.1, 0.2))
    for i in range(3):
        torch.testing.assert_close(pde.solve_masked(a[i : i + 1], mask[i], f[i], (0.1, 0.2))[0], together[i])
    whole = torch.ones(8, 6, dtype=torch.bool)
    torch.testing.assert_close(pde.solve_darcy(a, f), pde.solve_masked(a, whole, f, (1 / 7, 1 / 5)))


def test_the_type_of_the_coefficient_is_kept():
    found = pde.solve_darcy(torch.ones(1, 9, 9))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), pde.solve_darcy(torch.ones(1, 9, 9, dtype=D)), atol=1e-6, rtol=0)


@pytest.mark.gpu
def test_a_gpu_finds_the_same(generator):
    a = torch.exp(pde.neumann_field(4, (20, 30), alpha=2.0, tau=3.0, generator=generator))
    torch.testing.assert_close(pde.solve_darcy(a.cuda()).cpu(), pde.solve_darcy(a), atol=1e-10, rtol=1e-8)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": torch.zeros(2, 5, 5)}, "a must be positive, not 0.0"),
        ({"a": torch.full((2, 5, 5), math.nan)}, "a must be positive, not nan"),
        ({"a": torch.full((2, 5, 5), math.inf)}, "a holds values that are not finite at index 0"),
        ({"a": torch.ones(2, 5)}, "a must be given on a grid of two or three dimensions, at least 2 nodes each, not"),
        ({"mask": torch.ones(4, 5)}, "mask must have the shape \\(5, 5\\), or \\(2, 5, 5\\), not \\(4, 5\\)"),
        ({"mask": torch.zeros(5, 5)}, "mask 0 has no inner node: there is nothing to solve for"),
        ({"mask": torch.stack([torch.ones(5, 5), torch.eye(5) * 0])}, "mask 1 has no inner node"),
        ({"f": torch.full((2, 5, 5), math.inf)}, "f holds values that are not finite at index 0"),
        ({"spacing": 0.0}, "spacing must be positive, not 0.0"),
        ({"spacing": (0.1, 0.1, 0.1)}, "spacing must have an entry for each of 2 axes, not 3"),
        ({"faces": ((None, None),)}, "faces must have an entry for each of 2 axes, not 1"),
        ({"faces": ((None, None),) * 2}, "a part of mask 0 is insulated on all sides"),
        ({"outside": "wet"}, 'outside must be "zero" or "insulated", not "wet"'),
    ],
)
def test_what_is_wrong_is_named(change, message):
    good = {"a": torch.ones(2, 5, 5), "mask": torch.ones(5, 5), "f": 1.0, "spacing": 0.25}
    with pytest.raises(ValueError, match=message):
        pde.solve_masked(**good | change)


@pytest.mark.usefixtures("unchecked")
def test_an_island_in_insulation_is_refused():
    mask = torch.ones(7, 7, dtype=torch.bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    with pytest.raises(ValueError, match="a part of mask 0 is insulated on all sides"):
        pde.solve_masked(torch.ones(1, 7, 7), mask, 1.0, 0.1, outside="insulated")
    with pytest.raises(ValueError, match="the number of nodes along each side must be at least 3, not 2"):
        pde.solve_darcy(torch.ones(1, 2, 5))
