from dataclasses import replace

import pytest
import torch

import udc_solver
from udc_solver import UDC, ConquerorConfig, Coordinates, DividerConfig, SolverConfig, get_problem, make_solver
from udc_solver.conquering import chunks, roll_of
from udc_solver.dividers import RuleDivider
from udc_solver.graphs import NeighborGraph, nearest
from udc_solver.problems import problem as problems
from udc_solver.problems.problem import register_problem
from udc_solver.problems.tsp import TSP

SMALL = SolverConfig("tsp", 8, DividerConfig(8, 1, 2, 6), ConquerorConfig(dim=16, layers=1, hidden=16))


def draw(n=20, batch=3, seed=0):
    return get_problem("tsp").generate(n, batch, torch.Generator().manual_seed(seed))


def test_costs_fall_round_by_round_to_those_of_the_solutions():
    solver, instances = make_solver(SMALL), draw()
    found = solver.solve(instances, samples=4, rounds=5)
    solver.problem.check(instances, found.solution)
    torch.testing.assert_close(solver.problem.cost(instances, found.solution), found.cost)
    costs = [point.cost for point in found.trace]
    assert [point.rounds for point in found.trace] == list(range(6))
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]
    assert costs[-1] == pytest.approx(found.cost.mean().item(), rel=1e-6)


def test_equal_seeds_give_equal_solutions_and_leave_torch_alone():
    before = torch.random.get_rng_state()
    one, other = (
        make_solver(SMALL, 3).solve(draw(), 3, 2, torch.Generator().manual_seed(5)).solution for _ in range(2)
    )
    assert torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_instances_that_are_solved_in_groups_are_all_solved(monkeypatch):
    monkeypatch.setattr(udc_solver.solver, "MAX_ELEMENTS", 1)
    solver, instances = make_solver(SMALL), draw(12, 4)
    found = solver.solve(instances, 3, 2)
    solver.problem.check(instances, found.solution)
    torch.testing.assert_close(solver.problem.cost(instances, found.solution), found.cost)


def test_given_tours_are_improved_and_never_get_worse():
    solver, instances = make_solver(SMALL), draw()
    tours = torch.stack([torch.randperm(20) for _ in range(3)])
    before = solver.problem.cost(instances, tours)
    found = solver.improve(instances, tours, rounds=4)
    assert (found.cost < before).all()
    again = solver.improve(instances, found.solution, rounds=3)
    assert (again.cost <= found.cost).all()
    assert torch.equal(solver.improve(instances, tours, rounds=0).solution, tours)


def test_of_several_given_tours_the_best_is_improved():
    solver, instances = make_solver(SMALL), draw(20, 2)
    tours = torch.stack([torch.randperm(20) for _ in range(6)])
    found = solver.improve(instances, tours, rounds=0)
    torch.testing.assert_close(found.cost, solver.problem.cost(instances, tours).view(2, 3).amin(1))


def test_no_round_begins_after_the_time_limit():
    found = make_solver(SMALL).solve(draw(), 2, 1000, time_limit=0.0)
    assert len(found.trace) == 1


def test_a_solver_comes_back_from_its_folder(tmp_path):
    solver, instances = make_solver(SMALL, 4), draw()
    udc_solver.save(solver, tmp_path / "it")
    again = udc_solver.load(tmp_path / "it", "cpu")
    assert again.config == solver.config
    assert torch.equal(again.solve(instances, 2, 2).solution, solver.solve(instances, 2, 2).solution)


def test_the_checkpoint_of_another_solver_is_refused(tmp_path):
    udc_solver.save(make_solver(SMALL), tmp_path / "it")
    text = (tmp_path / "it" / "config.json").read_text()
    (tmp_path / "it" / "config.json").write_text(text.replace('"tsp"', '"cvrp"'))
    with pytest.raises(ValueError, match="weights of another model"):
        udc_solver.load(tmp_path / "it", "cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"samples": 0}, "at least one sample"), ({"rounds": -1}, "no negative rounds")],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_solver(SMALL).solve(draw(), **arguments)


def test_instances_and_solutions_that_make_no_sense_are_refused():
    solver, instances = make_solver(SMALL), draw()
    with pytest.raises(ValueError, match="type Coordinates, not Routing"):
        solver.solve(get_problem("cvrp").generate(9, 1, torch.Generator()))
    with pytest.raises(ValueError, match="not finite"):
        solver.solve(Coordinates(torch.full((1, 5, 2), torch.inf)))
    with pytest.raises(ValueError, match="exactly once"):
        solver.improve(instances, torch.zeros(3, 20, dtype=torch.long))
    with pytest.raises(ValueError, match="2 solutions cannot be those of 3 instances"):
        solver.improve(instances, torch.zeros(2, 20, dtype=torch.long))
    with pytest.raises(ValueError, match="no problem 'tps'; the problems are tsp, atsp"):
        make_solver(replace(SMALL, problem="tps"))
    with pytest.raises(ValueError, match="window must have at least 4"):
        SolverConfig(window=3)


def test_a_rule_in_place_of_the_network_divides(tmp_path):
    instances = draw()
    solver = UDC(TSP(), RuleDivider(TSP(), config=SMALL.divider), make_solver(SMALL).conqueror, 8)
    found = solver.solve(instances, 4, 3)
    solver.problem.check(instances, found.solution)
    assert found.trace[-1].cost < found.trace[0].cost
    with pytest.raises(ValueError, match="whose divider is a network"):
        udc_solver.save(solver, tmp_path / "it")


class CityBlock(TSP):
    """The problem of a stranger: tours along the streets of a grid, divided by nearest streets."""

    name = "city-block"

    def graph(self, instance, k):
        points = instance.points
        neighbors, distances = nearest(
            instance.n_nodes, k, lambda first, last: torch.cdist(points[:, first:last], points, p=1), len(instance)
        )
        return NeighborGraph(points, neighbors, -torch.stack([distances, distances], -1))

    def cost(self, instance, solution):
        batch = len(instance)
        points = instance.points.repeat_interleave(len(solution) // batch, 0)
        ordered = points.gather(1, solution[..., None].expand(-1, -1, 2))
        return (ordered - ordered.roll(-1, 1)).abs().sum((1, 2))


def test_the_problem_of_a_stranger_is_solved_by_its_name(monkeypatch):
    monkeypatch.setattr(problems, "PROBLEMS", {})
    monkeypatch.setattr("udc_solver.problems.PROBLEMS", problems.PROBLEMS)
    register_problem("city-block", CityBlock)
    with pytest.raises(ValueError, match="already a problem city-block"):
        register_problem("city-block", CityBlock)
    solver, instances = make_solver(replace(SMALL, problem="city-block")), draw()
    found = solver.solve(instances, 4, 4)
    points, tour = instances.points[0].tolist(), found.solution[0].tolist()
    expected = sum(
        abs(points[a][0] - points[b][0]) + abs(points[a][1] - points[b][1])
        for a, b in zip(tour, [*tour[1:], tour[0]], strict=True)
    )
    assert found.cost[0].item() == pytest.approx(expected, rel=1e-5)
    assert found.trace[-1].cost < found.trace[0].cost


def test_the_second_round_has_the_borders_of_the_first_in_the_middle_of_its_windows():
    generator = torch.Generator().manual_seed(0)
    assert (roll_of(1, 20, generator) - roll_of(0, 20, generator)) % 20 == 10
    later = {roll_of(number, 20, generator) for number in range(2, 300)}
    assert later == set(range(1, 21))


def test_chunks_cover_all_sub_problems_once():
    covered = [i for part in chunks(10, 2**24) for i in range(*part.indices(10))]
    assert covered == list(range(10))
    assert len(list(chunks(10, 2**24))) == 5
