import numpy as np
import pytest
import torch

from bab_verify.intervals import Interval
from bab_verify.operators.convex import Exp, Log, Square
from bab_verify.operators.gelu import Gelu
from bab_verify.operators.periodic import Sin
from bab_verify.operators.power import Power
from bab_verify.operators.product import Product
from bab_verify.operators.s_shaped import Sigmoid, Tanh
from bab_verify.search.branching_points import BranchingTable, cached_branching_table, make_branching_table

STEP = 0.1
CURVES = {"sigmoid": Sigmoid(), "tanh": Tanh(), "sin": Sin(), "gelu": Gelu(), "exp": Exp(), "cube": Power(3)}


@pytest.fixture(scope="module")
def tables():
    return {name: make_branching_table([(curve, 0)], STEP) for name, curve in CURVES.items()}


def grid(step=STEP):
    x = torch.arange(-round(5 / step), round(5 / step) + 1, dtype=torch.float64) * step
    i, j = torch.triu_indices(len(x), len(x), 2)
    return x[i], x[j]


def area(curve, lower, upper):
    """Area between the planes, by the trapezium rule on their distance."""
    x = Interval(lower.reshape(-1, 1, 1), upper.reshape(-1, 1, 1))
    planes = curve.relax((x,))
    ends = [
        (planes.upper_slopes[0] - planes.lower_slopes[0]) * end + planes.upper_intercept - planes.lower_intercept
        for end in x
    ]
    return ((ends[0] + ends[1]) / 2 * (x.upper - x.lower)).flatten()


@pytest.mark.parametrize("name", CURVES)
def test_points_leave_less_area_than_the_middle(tables, name):
    lower, upper = grid()
    curve = CURVES[name]
    point, middle = tables[name].lookup(lower, upper), (lower + upper) / 2
    assert ((point > lower) & (point < upper)).all()
    best = area(curve, lower, point) + area(curve, point, upper)
    usual = area(curve, lower, middle) + area(curve, middle, upper)
    # The middle is a candidate wherever it lies on the grid.
    on_grid = ((upper - lower) / STEP).round() % 2 == 0
    assert (best[on_grid] <= usual[on_grid] * (1 + 1e-6) + 2e-9).all()
    assert best.mean() < usual.mean()


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "sin"])
def test_points_are_the_best_of_an_enumeration(tables, name):
    curve = CURVES[name]
    for low, high in [(-3.0, 1.5), (-1.0, 4.0), (0.5, 3.7), (-5.0, 5.0)]:
        candidates = torch.arange(low + STEP, high - STEP / 2, STEP, dtype=torch.float64)
        start, end = torch.full_like(candidates, low), torch.full_like(candidates, high)
        total = area(curve, start, candidates) + area(curve, candidates, end)
        point = tables[name].lookup(start[:1], end[:1])
        found = area(curve, start[:1], point) + area(curve, point, end[:1])
        assert found.item() <= total.min().item() * (1 + 1e-6) + 2e-9


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_wide_symmetric_intervals_are_split_in_the_middle(tables, name):
    upper = torch.arange(4, 5.01, STEP, dtype=torch.float64)
    assert tables[name].lookup(-upper, upper).abs().max() <= STEP / 2


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_narrow_symmetric_intervals_are_split_on_a_side(tables, name):
    # There the curve is a cubic: splitting at +-0.63 of the end leaves a tenth less than splitting at zero.
    curve, end = CURVES[name], torch.ones(1, dtype=torch.float64)
    side, zero = tables[name].lookup(-end, end), torch.zeros(1, dtype=torch.float64)
    assert side.abs().item() == pytest.approx(0.63, abs=0.1)
    areas = [area(curve, -end, p) + area(curve, p, end) for p in (side, -side, zero)]
    assert areas[0].item() == pytest.approx(areas[1].item(), rel=1e-3)
    assert areas[0] < 0.97 * areas[2]


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "cube", "gelu"])
def test_points_mirror(tables, name):
    lower, upper = grid()
    one_sided = ((lower + upper).abs() > 0.5) & ((lower >= 0) | (upper <= 0) | ((lower + upper).abs() > 2))
    lower, upper = lower[one_sided], upper[one_sided]
    point, mirrored = tables[name].lookup(lower, upper), -tables[name].lookup(-upper, -lower)
    curve = CURVES[name]
    # Equally good points may stand for each other.
    first = area(curve, lower, point) + area(curve, point, upper)
    second = area(curve, lower, mirrored) + area(curve, mirrored, upper)
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-8)
    assert ((point - mirrored).abs() <= STEP * 1.01).double().mean() > 0.97


def test_a_parabola_is_split_in_the_middle():
    lower, upper = grid()
    even = ((upper - lower) / STEP).round() % 2 == 0
    lower, upper = lower[even], upper[even]
    torch.testing.assert_close(make_branching_table([(Square(), 0)], STEP).lookup(lower, upper), (lower + upper) / 2)


def test_bounds_that_the_table_does_not_cover_are_split_in_the_middle(tables):
    lower = torch.tensor([-7.0, 0.01, -3.0, -2.0])
    upper = torch.tensor([1.0, 0.05, 8.0, -2.0])
    torch.testing.assert_close(tables["tanh"].lookup(lower, upper), (lower + upper) / 2)
    log = make_branching_table([(Log(), 0)], STEP)
    inside = log.lookup(torch.tensor([-1.0, 0.1]), torch.tensor([2.0, 4.9]))
    assert inside[0] == 0.5
    assert 0.1 < inside[1] < 2


def test_points_lie_strictly_inside_off_the_grid(tables):
    lower = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 10 - 5
    upper = lower + torch.rand(1000, generator=torch.Generator().manual_seed(1)) * 3 + 0.01
    for table in tables.values():
        point = table.lookup(lower.reshape(10, 100), upper.reshape(10, 100)).flatten()
        assert ((point > lower) & (point < upper)).all()


def test_two_inputs():
    table = make_branching_table([(Product(), 0), (Sigmoid(), 0)], 0.2, 1.0)
    lower, upper = torch.tensor([-4.0, -4.0, -4.0]), torch.tensor([1.0, 1.0, 1.0])
    other = torch.tensor([[0.0, -2.0, 0.0], [0.0, 2.0, 9.0]])
    points = table.lookup(lower, upper, *other)
    alone = make_branching_table([(Sigmoid(), 0)], 0.2).lookup(lower, upper)
    # A product with a point is affine: only the sigmoid counts. With an interval it pulls towards the middle.
    assert points[0].item() == pytest.approx(alone[0].item())
    assert abs(points[1].item() + 1.5) <= abs(points[0].item() + 1.5) + 0.1
    assert points[2].item() == -1.5
    with pytest.raises(ValueError, match="bounds of both"):
        table.lookup(lower, upper)
    second = make_branching_table([(Product(), 1), (Sigmoid(), 0)], 0.2, 1.0)
    torch.testing.assert_close(second.lookup(lower, upper, *other), points)


def test_the_cache_is_used_and_repaired(tmp_path, monkeypatch):
    monkeypatch.setenv("BAB_VERIFY_CACHE", str(tmp_path))
    built = cached_branching_table([(Tanh(), 0)], 0.5)
    (path,) = tmp_path.iterdir()
    with np.load(path, allow_pickle=False) as file:
        fractions = file["fractions"]
    np.savez(path, fractions=np.full_like(fractions, 0.25))
    assert (cached_branching_table([(Tanh(), 0)], 0.5).fractions == 0.25).all()
    np.savez_compressed(path, fractions=fractions)
    broken = bytearray(path.read_bytes())
    broken[64:80] = b"\xff" * 16  # past the headers, in what is compressed
    for damaged in (b"", b"PK\x03\x04 nonsense", b"nothing", broken):
        path.write_bytes(damaged)
        torch.testing.assert_close(cached_branching_table([(Tanh(), 0)], 0.5).fractions, built.fractions)
    np.savez(path, fractions=np.zeros((2, 2)))
    torch.testing.assert_close(cached_branching_table([(Tanh(), 0)], 0.5).fractions, built.fractions)
    np.savez(path, fractions=np.array([{}]))
    torch.testing.assert_close(cached_branching_table([(Tanh(), 0)], 0.5).fractions, built.fractions)


def test_each_set_of_consumers_has_its_own_file(tmp_path, monkeypatch):
    monkeypatch.setenv("BAB_VERIFY_CACHE", str(tmp_path))
    sets = [[(Tanh(), 0)], [(Tanh(), 0), (Sin(), 0)], [(Power(3), 0)], [(Power(5), 0)]]
    for consumers in sets:
        cached_branching_table(consumers, 0.5)
    cached_branching_table(sets[1][::-1], 0.5)
    cached_branching_table(sets[0], 1.0)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("BAB_VERIFY_CACHE", str(blocked))
    assert isinstance(cached_branching_table([(Tanh(), 0)], 0.5), BranchingTable)
