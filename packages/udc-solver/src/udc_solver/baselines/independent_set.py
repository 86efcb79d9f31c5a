"""Independent sets: greedy rules, and an integer program solved by HiGHS."""

import heapq

import numpy as np
from jaxtyping import Bool, Int
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array


def neighbor_lists(n: int, edges: Int[np.ndarray, "m 2"]) -> list[list[int]]:
    """The neighbors of each node."""
    neighbors: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges.tolist():
        neighbors[a].append(b)
        neighbors[b].append(a)
    return neighbors


def minimum_degree_greedy(n: int, edges: Int[np.ndarray, "m 2"], seed: int = 0) -> Bool[np.ndarray, " n"]:
    """A maximal independent set: of the nodes that are left, always one with the fewest neighbors left.

    Args:
        n: Number of nodes.
        edges: Edges, each once.
        seed: Random seed by which ties are broken.
    """
    neighbors = neighbor_lists(n, edges)
    degree = [len(own) for own in neighbors]
    tie = np.random.default_rng(seed).permutation(n).tolist()
    queue = [(degree[node], tie[node], node) for node in range(n)]
    heapq.heapify(queue)
    chosen, is_left = np.zeros(n, dtype=bool), [True] * n
    while queue:
        known, _, node = heapq.heappop(queue)
        if not is_left[node] or known != degree[node]:
            continue
        chosen[node], is_left[node] = True, False
        removed = [other for other in neighbors[node] if is_left[other]]
        for other in removed:
            is_left[other] = False
        for other in removed:
            for third in neighbors[other]:
                if is_left[third]:
                    degree[third] -= 1
                    heapq.heappush(queue, (degree[third], tie[third], third))
    return chosen


def random_order_greedy(n: int, edges: Int[np.ndarray, "m 2"], seed: int = 0) -> Bool[np.ndarray, " n"]:
    """A maximal independent set: nodes in random order, each unless a neighbor was chosen before.

    Args:
        n: Number of nodes.
        edges: Edges, each once.
        seed: Random seed of the order.
    """
    neighbors = neighbor_lists(n, edges)
    chosen = np.zeros(n, dtype=bool)
    for node in np.random.default_rng(seed).permutation(n).tolist():
        chosen[node] = not any(chosen[other] for other in neighbors[node])
    return chosen


def independent_set_milp(n: int, edges: Int[np.ndarray, "m 2"], seconds: float = 60.0) -> Bool[np.ndarray, " n"]:
    """The best independent set that HiGHS finds, or the greedy one by degree, where it finds none in time.

    It maximizes sum x_i where sum x_i <= 1 over each of some cliques that cover all edges, which bounds far better than
    a constraint for each edge.

    Args:
        n: Number of nodes.
        edges: Edges, each once.
        seconds: Time after which the best so far is taken.
    """
    if not len(edges):
        return np.ones(n, dtype=bool)
    cliques = clique_cover(n, edges)
    rows = np.repeat(np.arange(len(cliques)), [len(clique) for clique in cliques])
    columns = np.concatenate([np.array(clique) for clique in cliques])
    matrix = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(cliques), n)).tocsr()
    found = milp(
        -np.ones(n),
        constraints=LinearConstraint(matrix, ub=1.0),
        bounds=Bounds(0, 1),
        integrality=np.ones(n),
        options={"time_limit": seconds},
    )
    greedy = minimum_degree_greedy(n, edges)
    if found.x is None or (found.x > 0.5).sum() < greedy.sum():
        return greedy
    return found.x > 0.5


def clique_cover(n: int, edges: Int[np.ndarray, "m 2"]) -> list[list[int]]:
    """Cliques that cover each edge: one that is not covered yet is extended by nodes as long as there are any."""
    neighbors = [set(own) for own in neighbor_lists(n, edges)]
    is_covered: set[tuple[int, int]] = set()
    cliques = []
    for a, b in np.sort(edges, axis=1).tolist():
        if (a, b) in is_covered:
            continue
        clique, common = [a, b], neighbors[a] & neighbors[b]
        while common:
            node = min(common)
            clique.append(node)
            common &= neighbors[node]
        is_covered.update((min(i, j), max(i, j)) for i in clique for j in clique if i != j)
        cliques.append(clique)
    return cliques
