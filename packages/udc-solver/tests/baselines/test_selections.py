"""Knapsacks and independent sets against enumeration."""

import itertools

import numpy as np
import pytest

from udc_solver.baselines.independent_set import independent_set_milp, minimum_degree_greedy, random_order_greedy
from udc_solver.baselines.knapsack import knapsack_milp, knapsack_table, ratio_greedy
from udc_solver.evaluation import independent_set_size, knapsack_value


def chosen(mask):
    return np.flatnonzero(mask).tolist()


def best_value(weights, values, capacity):
    masks = np.array(list(itertools.product([0, 1], repeat=len(weights))))
    return (masks @ values)[masks @ weights <= capacity].max()


@pytest.mark.parametrize("seed", range(5))
def test_knapsack_table_and_branch_and_bound(seed):
    rng = np.random.default_rng(seed)
    weights, values = rng.integers(0, 12, 12), rng.random(12)
    best = best_value(weights, values, 25)
    assert knapsack_value(weights, values, 25, chosen(knapsack_table(weights, values, 25))) == pytest.approx(best)
    found = knapsack_milp(weights.astype(float), values, 25.0)
    assert knapsack_value(weights, values, 25, chosen(found)) == pytest.approx(best)


def test_knapsack_table_is_not_greedy():
    weights, values = np.array([6, 5, 5]), np.array([9.0, 6, 6])
    assert chosen(knapsack_table(weights, values, 10)) == [1, 2]
    assert chosen(ratio_greedy(weights.astype(float), values, 10.0)) == [0]
    with pytest.raises(ValueError, match="table"):
        knapsack_table(weights, values, 10**9)


def test_ratio_greedy_goes_on_past_what_does_not_fit():
    weights, values = np.array([5.0, 6, 1, 0]), np.array([50.0, 42, 2, 0])
    assert chosen(ratio_greedy(weights, values, 7.0)) == [0, 2, 3]


def graph(seed, n=12, p=0.3):
    rng = np.random.default_rng(seed)
    return np.argwhere(np.triu(rng.random((n, n)) < p, 1))


@pytest.mark.parametrize("seed", range(5))
def test_independent_sets(seed):
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    edges = graph(seed)
    peer = networkx.empty_graph(12)
    peer.add_edges_from(edges.tolist())
    best = max(len(clique) for clique in networkx.find_cliques(networkx.complement(peer)))
    assert independent_set_size(12, edges, chosen(independent_set_milp(12, edges))) == best
    for rule in (minimum_degree_greedy, random_order_greedy):
        found = chosen(rule(12, edges, seed))
        assert independent_set_size(12, edges, found) <= best
        # Maximal: every other node has a neighbor in it.
        assert all(set(peer[node]) & set(found) for node in set(range(12)) - set(found))


def test_minimum_degree_is_exact_on_trees():
    # A leaf is in some maximum set, so the rule is exact on forests; a caterpillar has its leaves and every other end.
    spine = [(i, i + 1) for i in range(9)]
    legs = [(i, 10 + 2 * i + j) for i in range(10) for j in range(2)]
    edges = np.array(spine + legs)
    assert independent_set_size(30, edges, chosen(minimum_degree_greedy(30, edges))) == 20


def test_minimum_degree_beats_random_order():
    edges = graph(1, 300, 0.05)
    sizes = [
        independent_set_size(300, edges, chosen(rule(300, edges, 0)))
        for rule in (minimum_degree_greedy, random_order_greedy)
    ]
    assert sizes[0] > sizes[1]


def test_graph_without_edges():
    assert independent_set_milp(3, np.zeros((0, 2), dtype=np.int64)).all()
