"""Adam, without all that `torch.optim` loads."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Adam:
    """Adam (Kingma and Ba 2015), the same steps as those of `torch.optim`, which takes over a second to load.

    Args:
        rates: Tensors to minimise over, each with its learning rate.
    """

    def __init__(self, rates: Sequence[tuple[Tensor, float]]) -> None:
        self.rates, self.steps = rates, 0
        self.moments = [(torch.zeros_like(tensor), torch.zeros_like(tensor)) for tensor, _ in rates]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], scale: float = 1.0) -> None:
        """Move against the gradients; a tensor without one stays where it is.

        Args:
            gradients: Of each tensor, in its shape.
            scale: What the learning rates are multiplied by at this step: their schedule.
        """
        self.steps += 1
        first, second = 1 - 0.9**self.steps, math.sqrt(1 - 0.999**self.steps)
        for (tensor, lr), (mean, square), gradient in zip(self.rates, self.moments, gradients, strict=True):
            if gradient is not None:
                mean.lerp_(gradient, 0.1)
                square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                tensor.addcdiv_(mean, (square.sqrt() / second).add_(1e-8), value=-lr * scale / first)
