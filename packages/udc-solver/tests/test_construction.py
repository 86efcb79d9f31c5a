import itertools
import math

import pytest
import torch

from udc_solver import Coordinates, Divider, DividerConfig, Routing, get_problem
from udc_solver.baselines.nearest import nearest_neighbor_tour
from udc_solver.construction import construct
from udc_solver.dividers import RuleDivider

TSP, CVRP = get_problem("tsp"), get_problem("cvrp")


def divider(problem, k=100, seed=0):
    torch.manual_seed(seed)
    return Divider(problem, DividerConfig(units=8, depth=2, head_depth=2, n_neighbors=k)).eval()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def naive_log_prob(problem, network, instance, tour, window, stops=None):
    """The probability of a tour of one instance, choice by choice, from the definition of the heat map."""
    heat = network(problem.graph(instance, network.n_neighbors))
    total, query = 0.0, None
    for step in range(1, len(tour)):
        past, here = tour[:step], tour[step - 1]
        if query is None or (step - 1) % window == 0:
            query = (
                sum(heat.visited[0, node] for node in past) / len(past) + heat.first[0, tour[0]] + heat.last[0, here]
            )
            query = query if heat.depot is None else query + heat.depot[0]
        logits = {j: float(query @ heat.keys[0, here, e]) for e, j in enumerate(heat.neighbors[0, here].tolist())}
        options = {j: value for j, value in logits.items() if (stops or (lambda p, j: j not in p))(past, j)}
        if tour[step] in options:
            total += options[tour[step]] - math.log(sum(map(math.exp, options.values())))
        else:
            assert not options
    return total


@pytest.mark.parametrize("k", [100, 3])
def test_log_probabilities_are_those_of_the_choices_one_by_one(k):
    instance, network = TSP.generate(11, 1, generator(1)), divider(TSP, k)
    built = construct(TSP, network, instance, 5, 4, generator(2), greedy=False, record=True)
    found = built.log_probs().tolist()
    for row, tour in enumerate(built.solution.tolist()):
        assert found[row] == pytest.approx(naive_log_prob(TSP, network, instance, tour, 4), abs=1e-4)


def test_log_probabilities_of_routes_leave_out_what_does_not_fit():
    instance, network = CVRP.generate(9, 1, generator(1)), divider(CVRP)
    instance = Routing(instance.points, instance.demands, torch.tensor([14.0]))
    demands = instance.demands[0].tolist()
    n_vehicles = math.ceil(sum(demands) / 14) + 1
    built = construct(CVRP, network, instance, 6, 5, generator(2), greedy=False, record=True)

    def may_follow(past, j):
        load = sum(demands[i] for i in list(itertools.takewhile(bool, reversed(past))))
        fits = {i for i in range(1, 10) if i not in past and load + demands[i] <= 14}
        if j:
            return j in fits
        left = sum(demands) - sum(demands[i] for i in past)
        return past[-1] != 0 and (left <= (n_vehicles - (past.count(0) - 1)) * 14 or not fits)

    found = built.log_probs().tolist()
    for row, routes in enumerate(built.solution.tolist()):
        while routes[-1] == 0:
            routes.pop()
        assert found[row] == pytest.approx(
            naive_log_prob(CVRP, network, instance, [0, *routes], 5, may_follow), abs=1e-4
        )


def test_probabilities_of_all_tours_from_a_node_add_up_to_one():
    instance, network = TSP.generate(5, 1, generator(1)), divider(TSP)
    tours = [[0, *rest] for rest in itertools.permutations(range(1, 5))]
    total = sum(math.exp(naive_log_prob(TSP, network, instance, tour, 2)) for tour in tours)
    assert total == pytest.approx(1, abs=1e-5)


def test_tours_are_drawn_with_their_probabilities():
    instance, network = TSP.generate(4, 1, generator(1)), divider(TSP)
    built = construct(TSP, network, instance, 6000, 9, generator(2), greedy=False, record=True)
    rows = list(zip(map(tuple, built.solution.tolist()), built.log_probs().exp().tolist(), strict=True))
    for tour, probability in set(rows):
        assert rows.count((tour, probability)) / 6000 == pytest.approx(probability / 4, abs=0.02)


def test_the_nearest_neighbor_rule_is_the_classical_one():
    instance = TSP.generate(40, 2, generator(1))
    built = construct(TSP, RuleDivider(TSP, config=DividerConfig(n_neighbors=5)), instance, 3, 9, generator(3))
    for row, tour in enumerate(built.solution.tolist()):
        points = instance.points[row // 3].double().numpy()
        assert tour == nearest_neighbor_tour(points, tour[0]).tolist()


def test_random_edges_give_other_tours_than_the_nearest():
    instance = TSP.generate(40, 1, generator(1))
    at_random = construct(TSP, RuleDivider(TSP, "random"), instance, 3, 9, generator(3)).solution
    TSP.check(instance, at_random)
    nearest = construct(TSP, RuleDivider(TSP), instance, 3, 9, generator(3)).solution
    assert (TSP.cost(instance, at_random) > 2 * TSP.cost(instance, nearest)).all()


def test_rules_follow_edges_only():
    with pytest.raises(ValueError, match="nodes"):
        RuleDivider(get_problem("mis"))


def test_greedy_tours_differ_by_where_they_begin_and_nothing_else():
    instance, network = TSP.generate(12, 1, generator(1)), divider(TSP, 5)
    one = construct(TSP, network, instance, 40, 4, generator(2)).solution
    of_start = {}
    for tour in one.tolist():
        assert of_start.setdefault(tour[0], tour) == tour
    assert len(of_start) > 6


def test_renamed_nodes_give_renamed_tours():
    instance, network = TSP.generate(12, 1, generator(1)), divider(TSP, 6)
    order = torch.randperm(12, generator=generator(5))
    renamed = Coordinates(instance.points[:, order])
    tours = construct(TSP, network, instance, 30, 4, generator(2)).solution.tolist()
    others = order[construct(TSP, network, renamed, 30, 4, generator(2)).solution].tolist()
    by_start = {tour[0]: tour for tour in tours}
    shared = [tour for tour in others if tour[0] in by_start]
    assert len(shared) > 10
    assert all(by_start[tour[0]] == tour for tour in shared)


def test_gradients_reach_every_parameter_of_the_divider():
    instance, network = CVRP.generate(12, 1, generator(1)), divider(CVRP, 6).train()
    built = construct(CVRP, network, instance, 4, 4, generator(2), greedy=False, record=True)
    (built.log_probs() * torch.arange(4.0)).sum().backward()
    idle = {name for name, value in network.named_parameters() if value.grad is None or not value.grad.abs().sum()}
    # Edges of the last layer are read by the head, but biases before a batch normalization change nothing.
    assert all(name.endswith("bias") for name in idle)
