"""Random numbers for instances, drawn on the CPU so that a seed gives the same ones everywhere."""

import torch
from jaxtyping import Float
from torch import Tensor

from .instances import Routing, Salesmen


def uniform_points(batch: int, n_nodes: int, generator: torch.Generator) -> Float[Tensor, "batch nodes 2"]:
    """Points drawn uniformly from the unit square."""
    return torch.rand(batch, n_nodes, 2, generator=generator)


TEST_CAPACITIES = {500: 100, 1000: 200, 2000: 300}
"""Capacity of the paper's test instances, from so many customers on."""


def routing_instances(n_customers: int, batch: int, generator: torch.Generator, capacity: int | None = None) -> Routing:
    """Uniform points, whole demands from 1 to 9, and one capacity for all.

    Args:
        n_customers: The depot is not counted.
        batch: Instances.
        generator: On the CPU.
        capacity: Drawn from 100 to 200 by default, as in the paper's training; its tests have `TEST_CAPACITIES`.
    """
    points = uniform_points(batch, n_customers + 1, generator)
    demands = torch.randint(1, 10, (batch, n_customers + 1), generator=generator).float()
    demands[:, 0] = 0
    drawn = int(torch.randint(100, 201, (), generator=generator))
    return Routing(points, demands, torch.full((batch,), float(capacity or drawn)))


def salesmen_instances(
    n_customers: int, batch: int, generator: torch.Generator, n_salesmen: int | None = None
) -> Salesmen:
    """Uniform points, and one number of salesmen for all.

    Args:
        n_customers: The depot is not counted.
        batch: Instances.
        generator: On the CPU.
        n_salesmen: Drawn from 30 to 50 by default, as in the paper's training; fewer where there are few customers.
    """
    points = uniform_points(batch, n_customers + 1, generator)
    drawn = int(torch.randint(30, 51, (), generator=generator))
    number = n_salesmen or max(1, min(drawn, n_customers // 10))
    return Salesmen(points, torch.full((batch,), number))


def asymmetric_matrices(batch: int, n_nodes: int, generator: torch.Generator) -> Float[Tensor, "batch nodes nodes"]:
    """Whole costs below a million, closed under the triangle inequality, in millions.

    The closure is the matrix of shortest paths (Floyd and Warshall).
    """
    costs = torch.randint(1, 1_000_000, (batch, n_nodes, n_nodes), generator=generator).float()
    diagonal = torch.arange(n_nodes)
    costs[:, diagonal, diagonal] = 0
    for through in range(n_nodes):
        costs = torch.minimum(costs, costs[:, :, through, None] + costs[:, None, through])
    return costs / 1e6
