"""Solutions as people have them, and a problem that the package does not know."""

import pytest
import torch

from udc_solver.answers import answer_of, judge, judge_executed, row_of
from udc_solver.configs import ConquerorConfig, DividerConfig, TrainConfig
from udc_solver.divider import Divider
from udc_solver.problems import get_problem
from udc_solver.problems.independent_set import MIS
from udc_solver.selections import ABSENT, StochasticPrizes
from udc_solver.solver import UDC
from udc_solver.training import Trainer

ANSWERS = {
    "tsp": [2, 0, 1, 3],
    "atsp": [2, 0, 1, 3],
    "cvrp": [[2, 1], [4, 3]],
    "ovrp": [[4], [3, 2, 1]],
    "mtsp": [[2, 1, 4, 3]],
    "op": [2, 4],
    "pctsp": [4, 3, 2, 1],
    "spctsp": [1, 2, 3, 4],
    "kp": [0],
    "mis": [3],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_there_and_back(name):
    problem, answer = get_problem(name), ANSWERS[name]
    instance = problem.generate(4, 1, torch.Generator().manual_seed(0))
    row = row_of(problem, instance, answer)
    assert answer_of(problem, row) == answer
    if name == "op":
        instance = type(instance)(instance.points, instance.prizes, torch.tensor([99.0]))
    # A row that the solver itself takes, and means the same by.
    problem.check(instance, row[None])
    value = float(problem.objective(problem.cost(instance, row[None])))
    assert judge(problem, instance, answer) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("tsp", [[0, 1, 2, 3]], "a list of numbers"),
        ("cvrp", [1, 2, 3, 4], "routes, lists of places"),
        ("op", [5], "names 5, but numbers are from 0 to 4"),
        ("kp", [4], "names 4, but numbers are from 0 to 3"),
        ("op", [1, 2, 3, 4, 1], "twice"),
        ("cvrp", [[1, 2], [3, 4, 1]], "visited 2 times"),
        ("tsp", [0, 1], "never visited"),
    ],
)
def test_what_is_no_answer(name, answer, words):
    problem = get_problem(name)
    instance = problem.generate(4, 1, torch.Generator().manual_seed(0))
    if name == "op":
        instance = type(instance)(instance.points, instance.prizes, torch.tensor([99.0]))
    with pytest.raises(ValueError, match=words):
        judge(problem, instance, answer)


def test_executed_plans_are_judged_by_what_was_found():
    points = torch.tensor([[[0, 0], [3, 0], [3, 4.0]]])
    prizes, penalties = torch.tensor([[0, 1.0, 1]]), torch.tensor([[0, 5.0, 7]])
    instance = StochasticPrizes(points, prizes, penalties, torch.tensor([1.0]), torch.tensor([[0, 0.5, 2]]))
    assert judge(get_problem("spctsp"), instance, [1]) == 6 + 7
    assert judge_executed(instance, [1, 2]) == 12
    with pytest.raises(ValueError, match=r"collects 0.5, but must collect 1"):
        judge_executed(instance, [1])


class VertexCover(MIS):
    """The fewest nodes that touch every edge: a problem of a user's own."""

    name, title, is_maximized = "vertex-cover", "Minimum vertex cover", False

    def finish(self, instance, state):
        return ~super().finish(instance, state)

    def split(self, instance, solution, window, roll, generator):
        return super().split(instance, ~solution, window, roll, generator)

    def merge(self, instance, division, answers):
        return ~super().merge(instance, division, answers)

    def cost(self, instance, solution):
        return solution.sum(1).float()

    def check(self, instance, solution):
        super().check(instance, ~solution)


def test_a_problem_of_the_user_s_own():
    torch.manual_seed(0)
    problem = VertexCover()
    conqueror = problem.make_conqueror(ConquerorConfig(16, 2))
    solver = UDC(problem, Divider(problem, DividerConfig(8, 2)), conqueror, window=10)
    Trainer(solver, TrainConfig(n_steps=2, sizes=(20, 20), n_samples=3, n_starts=3)).fit()
    graphs = problem.generate(20, 3, torch.Generator().manual_seed(1))
    found = solver.solve(graphs, samples=4, rounds=6)
    costs = [point.cost for point in found.trace]
    assert costs == sorted(costs, reverse=True)
    for row in range(3):
        edges = [edge for edge in graphs.edges[row].tolist() if edge[0] != ABSENT]
        cover = set(answer_of(problem, found.solution[row]))
        assert all(a in cover or b in cover for a, b in edges)
        assert judge(problem, graphs[row : row + 1], sorted(cover)) == len(cover) == float(found.cost[row])
        with pytest.raises(ValueError, match="adjacent"):
            judge(problem, graphs[row : row + 1], [])
