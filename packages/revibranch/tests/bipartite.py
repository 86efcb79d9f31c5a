"""Small observations made by hand, for tests of the network."""

import torch

from revibranch.scip.observation import Observation
from revibranch.search.trees import Decision, Episode


def observation(seed=0, n=12, m=7, k=5, density=0.4):
    """A random bipartite graph with the features of a node's LP; every column is in some row."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(n, m, generator=generator) < density
    matrix[torch.arange(n), torch.randint(m, (n,), generator=generator)] = True
    edges = matrix.nonzero().T.contiguous()
    return Observation(
        torch.randn(n, 19, generator=generator),
        torch.randn(m, 14, generator=generator),
        edges,
        torch.randn(edges.shape[1], 1, generator=generator),
        torch.randperm(n, generator=generator)[:k],
    )


def another_node(first, seed):
    """Another node of the same LP: other dynamic features and candidates, the very same edges."""
    other = observation(seed, len(first.variables), len(first.rows), len(first.candidates))
    variables = torch.cat((first.variables[:, :5], other.variables[:, 5:]), 1)
    rows = torch.cat((first.rows[:, :6], other.rows[:, 6:]), 1)
    return Observation(variables, rows, first.edge_index, first.edge_attr, other.candidates)


def permuted(one, columns, rows):
    """The same node with its columns and rows in another order; candidates stay in their order."""
    where_columns, where_rows = columns.argsort(), rows.argsort()
    edges = torch.stack((where_columns[one.edge_index[0]], where_rows[one.edge_index[1]]))
    shuffle = torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(0))
    return Observation(
        one.variables[columns],
        one.rows[rows],
        edges[:, shuffle],
        one.edge_attr[shuffle],
        where_columns[one.candidates],
    )


def episode(parents, seed=0, n_programs=2, **sizes):
    """A search whose decisions have these parents, in order of time; its linear program changes once."""
    generator = torch.Generator().manual_seed(seed)
    firsts = [observation(1000 * seed + number, **sizes) for number in range(n_programs)]
    decisions, depths = [], []
    for index, parent in enumerate(parents):
        depths.append(0 if parent is None else depths[parent] + 1)
        node = another_node(firsts[index * n_programs // len(parents)], 7919 * seed + index)
        action = int(torch.randint(len(node.candidates), (), generator=generator))
        bound = 10.0 + depths[-1] + index / 100
        decisions.append(Decision(index, index + 1, parent, depths[-1], node, action, bound, (bound + 1, bound + 0.5)))
    return Episode(tuple(decisions), 2 * len(parents) + 1, 100, "optimal", 20.0, 20.0, 0.1)


#        0
#      1   5
#     2 4   6
#     3
PARENTS = (None, 0, 1, 2, 1, 0, 5)
"""A tree of seven decisions."""
