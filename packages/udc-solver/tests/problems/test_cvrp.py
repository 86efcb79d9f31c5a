import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from udc_solver import ConquerorConfig, DividerConfig, Routing, SolverConfig, get_problem, make_solver
from udc_solver.answers import answer_of, judge
from udc_solver.conquering import conquer
from udc_solver.construction import construct
from udc_solver.problems.routes import routes_of, sequence_of, sort_by_angle, sums_at_borders

SIZES = {"divider": DividerConfig(8, 1, 2, 6), "conqueror": ConquerorConfig(dim=16, layers=1, hidden=16, clip=2.0)}


def assess(name, instance, solution):
    """The objectives of all rows by the independent evaluators."""
    problem, each = get_problem(name), len(solution) // len(instance)
    return [
        judge(problem, instance[r // each : r // each + 1], answer_of(problem, row)) for r, row in enumerate(solution)
    ]


def solver(name="cvrp", window=8):
    return make_solver(SolverConfig(name, window, **SIZES))


def draw(n, batch=2, seed=0, capacity=30.0, *, whole=True):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(batch, n + 1, 2, generator=generator)
    demands = torch.randint(1, 10, (batch, n + 1), generator=generator).float()
    demands = demands if whole else demands * torch.rand(demands.shape, generator=generator)
    demands[:, 0] = 0
    return Routing(points, demands, torch.full((batch,), capacity))


@settings(max_examples=20)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6).filter(any), min_size=1, max_size=4))
def test_sequences_hold_the_same_circle_of_routes_as_customers_and_ends(flags):
    ends = torch.tensor(flags)
    customers = torch.stack([torch.randperm(6) + 1 for _ in flags])
    sequence = sequence_of(customers, ends)
    for row, text in enumerate(sequence.tolist()):
        circle = customers[row].tolist()
        begins = [i for i in range(6) if flags[row][i - 1]]
        expected = set()
        for begin in begins:
            route = [circle[begin]]
            while not flags[row][(begin + len(route) - 1) % 6]:
                route.append(circle[(begin + len(route)) % 6])
            expected.add(tuple(route))
        found = " ".join(map(str, text)).replace(" 0", " |").split("|")
        assert {tuple(map(int, one.split())) for one in found if one.strip()} == expected
    again, again_ends = routes_of(sequence, 6)
    torch.testing.assert_close(sequence_of(again, again_ends), sequence)


def test_routes_are_sorted_by_the_angle_of_their_centers():
    angles = torch.tensor([[2.0, 2.2, -1.0, 0.5, 0.7, 0.6]])
    ends = torch.tensor([[False, True, True, False, False, True]])
    vectors = torch.stack([angles.cos(), angles.sin()], -1)
    assert sort_by_angle(vectors, ends).tolist() == [[2, 3, 4, 5, 0, 1]]


@settings(max_examples=20)
@given(st.integers(0, 500))
def test_sums_at_borders_are_those_of_the_cut_route(seed):
    generator = torch.Generator().manual_seed(seed)
    values, ends = torch.rand(3, 9, generator=generator), torch.rand(3, 9, generator=generator) < 0.3
    ends[:, seed % 9] = True
    before, after = sums_at_borders(values, ends, torch.arange(9))
    for row in range(3):
        for border in range(9):
            expected_before = expected_after = 0.0
            if not ends[row, border]:
                i = border
                while True:
                    expected_before += float(values[row, i % 9])
                    i -= 1
                    if ends[row, i % 9]:
                        break
                i = border + 1
                while True:
                    expected_after += float(values[row, i % 9])
                    if ends[row, i % 9]:
                        break
                    i += 1
            assert before[row, border].item() == pytest.approx(expected_before, abs=1e-5)
            assert after[row, border].item() == pytest.approx(expected_after, abs=1e-5)


@pytest.mark.parametrize("name", ["cvrp", "ovrp"])
def test_cost_is_what_the_independent_evaluator_says(name):
    instance, problem = draw(14), get_problem(name)
    generator = torch.Generator().manual_seed(0)
    routes = construct(problem, solver(name).divider, instance, 3, 8, generator, greedy=False).solution
    assert problem.cost(instance, routes).tolist() == pytest.approx(assess(name, instance, routes), rel=1e-5)


@pytest.mark.parametrize("name", ["cvrp", "ovrp"])
@settings(max_examples=12)
@given(
    n=st.integers(2, 40),
    seed=st.integers(0, 10_000),
    capacity=st.sampled_from([9.0, 12.0, 30.0, 90.0, 1000.0]),
    whole=st.booleans(),
)
def test_routes_stay_feasible_and_never_get_longer(name, n, seed, capacity, whole):
    problem, network = get_problem(name), solver(name)
    instance, generator = draw(n, seed=seed, capacity=capacity, whole=whole), torch.Generator().manual_seed(seed)
    routes = construct(problem, network.divider, instance, 2, 8, generator, greedy=False).solution
    cost = problem.cost(instance, routes)
    for roll in (4, 8, 3):
        division = problem.split(instance, routes, 8, roll, generator)
        drawn = network.conqueror.rollout(division.sub, 3, generator)
        # Any answers at all, good or bad, give feasible routes together.
        for number in range(3):
            assess(name, instance, problem.merge(instance, division, drawn.answers[:, number]))
        routes, new = conquer(
            problem, network.conqueror, instance, routes, cost, window=8, roll=roll, generator=generator
        )
        problem.check(instance, routes)
        assert (new <= cost).all()
        cost = new
    assert cost.tolist() == pytest.approx(assess(name, instance, routes), rel=1e-5)


@pytest.mark.parametrize("name", ["cvrp", "ovrp"])
def test_an_answer_changes_the_cost_by_as_much_as_its_window(name):
    problem, network, instance = get_problem(name), solver(name), draw(24, 1)
    generator = torch.Generator().manual_seed(0)
    routes = construct(problem, network.divider, instance, 1, 8, generator, greedy=False).solution
    division = problem.split(instance, routes, 8, 5, generator)
    assert torch.equal(problem.merge(instance, division, division.sub.current).sort(1).values, routes.sort(1).values)
    drawn = network.conqueror.rollout(division.sub, 1, generator)
    # Windows have coordinates of their own; the widest side of each was made 1.
    for window in range(3):
        answers = division.sub.current.clone()
        answers[window] = drawn.answers[window, 0]
        inside = division.sub.points[window]
        parts = division.plan[0].parts[window]
        real = instance.points[0, torch.cat([torch.tensor([0]), parts])]
        scale = (real.amax(0) - real.amin(0)).max() / (inside.amax(0) - inside.amin(0)).max()
        change = (drawn.costs[window, 0] - division.sub.cost[window]) * scale
        merged = problem.merge(instance, division, answers)
        before = problem.cost(instance, problem.merge(instance, division, division.sub.current))
        assert (problem.cost(instance, merged) - before).item() == pytest.approx(change.item(), abs=1e-4)


def optimum(instance, *, returns):
    """The best partition of an order of the customers into routes, over all orders."""
    points, demands = instance.points[0].tolist(), instance.demands[0].tolist()
    capacity = float(instance.capacity[0])
    best = math.inf
    for order in itertools.permutations(range(1, len(points))):
        # The cheapest way to have served the first customers.
        cheapest = [0.0]
        for end in range(1, len(order) + 1):
            options = []
            for begin in range(end):
                route = order[begin:end]
                if sum(demands[i] for i in route) <= capacity:
                    stops = [0, *route, *([0] if returns else [])]
                    length = sum(math.dist(points[a], points[b]) for a, b in itertools.pairwise(stops))
                    options.append(cheapest[begin] + length)
            cheapest.append(min(options))
        best = min(best, cheapest[-1])
    return best


@pytest.mark.parametrize("name", ["cvrp", "ovrp"])
def test_no_routes_are_shorter_than_the_optimum_and_small_ones_come_near(name):
    instance = draw(5, 1, capacity=15.0)
    found = solver(name).solve(instance, samples=30, rounds=10)
    best = optimum(instance, returns=name == "cvrp")
    assert best * (1 - 1e-5) <= found.cost[0].item() <= 1.05 * best


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([1, 2, 0, 0, 0, 0], "customer 3 is visited 0 times"),
        ([1, 2, 0, 2, 3, 0], "customer 2 is visited 2 times"),
        ([1, 2, 3, 0, 0, 0], "above the capacity 10"),
        ([1, 2, 0, 4, 3, 0], "1 to 3"),
    ],
)
def test_what_is_not_feasible_is_refused(routes, message):
    instance = Routing(torch.rand(1, 4, 2), torch.tensor([[0.0, 4, 5, 6]]), torch.tensor([10.0]))
    with pytest.raises(ValueError, match=message):
        get_problem("cvrp").check(instance, torch.tensor([routes]))
