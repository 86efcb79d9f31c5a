"""Independent sets against networkx, and feasible at every step by the independent evaluator."""

import numpy as np
import pytest
import torch

from udc_solver import evaluation
from udc_solver.configs import ConquerorConfig, DividerConfig, SolverConfig
from udc_solver.conquering import conquer
from udc_solver.construction import construct
from udc_solver.problems import get_problem
from udc_solver.selection_generators import random_graphs
from udc_solver.selections import ABSENT, network_from_edges, stack_networks
from udc_solver.solver import make_solver


def solver_of(window=12):
    return make_solver(SolverConfig("mis", window, DividerConfig(16, 2), ConquerorConfig(16, 2)))


def check(problem, instance, solution):
    problem.check(instance, solution)
    samples = len(solution) // len(instance)
    for row, mask in enumerate(solution.numpy()):
        edges = instance.edges[row // samples].numpy()
        chosen = np.flatnonzero(mask).tolist()
        size = evaluation.independent_set_size(instance.n_nodes, edges[edges[:, 0] != ABSENT], chosen)
        assert size == len(chosen)
    assert problem.cost(instance, solution).tolist() == (-solution.sum(1)).tolist()


@pytest.mark.parametrize("greedy", [True, False])
def test_feasible_after_each_step_and_never_worse(greedy):
    solver, generator = solver_of(), torch.Generator().manual_seed(0)
    problem = solver.problem
    instance = problem.generate(41, 20, generator)
    with torch.no_grad():
        solution = construct(problem, solver.divider, instance, 4, 12, generator, greedy=greedy).solution
    check(problem, instance, solution)
    first = cost = problem.cost(instance, solution)
    for _ in range(6):
        solution, new = conquer(
            problem, solver.conqueror, instance, solution, cost, window=12, roll=6, generator=generator
        )
        check(problem, instance, solution)
        assert (new <= cost).all()
        cost = new
    assert (cost < first).any()


def test_parts_against_loops():
    problem, generator = get_problem("mis"), torch.Generator().manual_seed(1)
    instance = random_graphs(20, 2, generator, 0.3)
    solver = solver_of()
    with torch.no_grad():
        solution = construct(problem, solver.divider, instance, 3, 12, generator, greedy=False).solution
    division = problem.split(instance, solution, 9, 0, generator)
    for row in range(6):
        members = division.plan.members[row].tolist()
        edges = {frozenset(edge) for edge in instance.edges[row // 3].tolist() if edge[0] != ABSENT}
        outside = set(solution[row].nonzero()[:, 0].tolist()) - set(members)
        for i, a in enumerate(members):
            assert bool(division.sub.free[row, i]) == (not any(frozenset((a, b)) in edges for b in outside))
            for j, b in enumerate(members):
                assert bool(division.sub.adjacency[row, i, j]) == (frozenset((a, b)) in edges)
    torch.testing.assert_close(problem.merge(instance, division, division.sub.current), solution)


@pytest.mark.parametrize("seed", range(3))
def test_small_graphs(seed):
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    instance = random_graphs(12, 1, torch.Generator().manual_seed(seed), 0.3)
    peer = networkx.empty_graph(12)
    peer.add_edges_from(edge for edge in instance.edges[0].tolist() if edge[0] != ABSENT)
    best = max(len(clique) for clique in networkx.find_cliques(networkx.complement(peer)))
    found = solver_of().solve(instance, samples=8, rounds=10)
    check(get_problem("mis"), instance, found.solution)
    # One window holds the whole graph, and its eight answers begin with different nodes.
    assert best - 1 <= -float(found.cost) <= best


def test_graphs_of_different_numbers_of_edges():
    instance = stack_networks([torch.tensor([[0, 1], [2, 1], [3, 2]]), torch.zeros(0, 2, dtype=torch.long)], 4)
    instance.check()
    found = solver_of(4).solve(instance, samples=4, rounds=3)
    assert found.cost.tolist() == [-2, -4]
    index = get_problem("mis").graph(instance, 1).index
    assert index.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]]


def test_edges_count_once():
    doubled = network_from_edges(3, np.array([[0, 1], [1, 0], [0, 1]]))
    assert doubled.directed().T.tolist() == [[0, 1], [1, 0]]


def test_adjacent_nodes():
    instance = network_from_edges(3, np.array([[0, 2]]))
    with pytest.raises(ValueError, match="0 and 2 are adjacent"):
        get_problem("mis").check(instance, torch.tensor([[True, True, True]]))
