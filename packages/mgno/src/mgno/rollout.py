"""Many time steps from one: a network that predicts the next state is given its own prediction."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .grids import evaluating


@torch.no_grad()
def rollout(model: nn.Module, x0: Float[Tensor, "n c h w"], steps: int) -> Float[Tensor, "n steps c h w"]:
    """The states after each of so many steps.

    Args:
        model: Gives the next state of a state, with as many channels; run in evaluation mode.
        x0: States to begin from, on the model's device.
        steps: How many steps.

    Raises:
        ValueError: if there is no step, or the next state has other channels.
    """
    if steps < 1:
        raise ValueError(f"there must be at least 1 step, not {steps}")
    states, x = [], x0
    with evaluating(model):
        for _ in range(steps):
            x = model(x)
            if x.shape != x0.shape:
                raise ValueError(
                    f"the next state is {tuple(x.shape)}, and the first one {tuple(x0.shape)}: none can follow"
                )
            states.append(x)
    return torch.stack(states, 1)
