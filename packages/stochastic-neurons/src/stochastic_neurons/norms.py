"""The constraint on weights that the paper trains with."""

import torch
from torch import nn


@torch.no_grad()
def max_norm_(module: nn.Module, most: float = 2.1) -> None:
    """Scale the incoming weights of each unit of all affine layers down to a norm, in place, after an update.

    Args:
        module: The network; biases stay as they are.
        most: Largest Euclidean norm of the weights into a unit.

    Raises:
        ValueError: if it is not positive.
    """
    if not most > 0:
        raise ValueError(f"the largest norm must be positive, not {most}")
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.renorm_(2, 0, most)
