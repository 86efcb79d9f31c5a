"""Maximum independent sets of scale-free graphs."""

from itertools import combinations

import numpy as np
from jaxtyping import Int
from scipy import sparse

from .checks import check
from .configs import IndependentSetConfig
from .milp import MILP


def make_independent_set(config: IndependentSetConfig, generator: np.random.Generator) -> MILP:
    """Choose as many nodes as possible of a Barabási-Albert graph, no two of them neighbors.

    The rows are cliques: those of a greedy partition of the nodes, and the edges that are in none of them (Bergman et
    al. 2016, as in Gasse et al. 2019).

    Raises:
        ValueError: if the graph has no more nodes than each new one has neighbors.
    """
    n, affinity = config.n_nodes, config.affinity
    check(1 <= affinity < n, f"the affinity must be at least 1 and below the number of nodes, {n}, not {affinity}")
    cliques = clique_cover(barabasi_albert(n, affinity, generator), n)
    sizes = np.array([len(clique) for clique in cliques])
    matrix = sparse.csr_array(
        (np.ones(sizes.sum()), np.concatenate(cliques), np.r_[0, sizes.cumsum()]), shape=(len(cliques), n)
    )
    return MILP(
        objective=np.ones(n),
        matrix=matrix,
        lhs=np.full(len(cliques), -np.inf),
        rhs=np.ones(len(cliques)),
        lower=np.zeros(n),
        upper=np.ones(n),
        types=np.full(n, "B"),
        sense="maximize",
        name="indset",
    )


def barabasi_albert(n_nodes: int, affinity: int, generator: np.random.Generator) -> Int[np.ndarray, "edges 2"]:
    """Edges of a graph in which new nodes attach to `affinity` older ones, more likely to those with many neighbors.

    It begins with a star of `affinity` + 1 nodes (Barabási and Albert 1999).
    """
    degrees = np.zeros(n_nodes)
    edges = np.empty((n_nodes - affinity, affinity, 2), dtype=int)
    for new in range(affinity, n_nodes):
        older = np.arange(affinity)
        if new > affinity:
            older = generator.choice(new, affinity, replace=False, p=degrees[:new] / degrees[:new].sum())
        edges[new - affinity, :, 0] = older
        edges[new - affinity, :, 1] = new
        degrees[older] += 1
        degrees[new] = affinity
    return edges.reshape(-1, 2)


def clique_cover(edges: Int[np.ndarray, "edges 2"], n_nodes: int) -> list[list[int]]:
    """Cliques that together have all edges of a graph, each of them once: large ones first, then single edges.

    Nodes with many neighbors are the first to gather a clique, of nodes that are in none yet, again those with many
    neighbors first.
    """
    neighbors: list[set[int]] = [set() for _ in range(n_nodes)]
    for one, other in edges.tolist():
        neighbors[one].add(other)
        neighbors[other].add(one)
    order = sorted(range(n_nodes), key=lambda node: -len(neighbors[node]))
    rank = {node: index for index, node in enumerate(order)}
    left, cliques = set(order), []
    for center in order:
        if center not in left:
            continue
        clique = [center]
        for node in sorted(neighbors[center] & left, key=rank.__getitem__):
            if neighbors[node].issuperset(clique):
                clique.append(node)
        left.difference_update(clique)
        if len(clique) > 1:
            cliques.append(sorted(clique))
    covered = {pair for clique in cliques for pair in combinations(clique, 2)}
    pairs = sorted({(min(pair), max(pair)) for pair in edges.tolist()})
    return cliques + [list(pair) for pair in pairs if pair not in covered]
