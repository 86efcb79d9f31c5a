"""Random numbers for instances, drawn on the CPU so that a seed gives the same ones everywhere."""

import torch
from jaxtyping import Float
from torch import Tensor


def uniform_points(batch: int, n_nodes: int, generator: torch.Generator) -> Float[Tensor, "batch nodes 2"]:
    """Points drawn uniformly from the unit square."""
    return torch.rand(batch, n_nodes, 2, generator=generator)
