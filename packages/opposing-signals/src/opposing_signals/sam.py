"""Sharpness-aware minimization, around any optimizer."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer


class SAM:
    """Steps with the gradient at a point a little uphill (Foret et al. 2021), which keeps the sharpness low.

    Not an optimizer of its own: it wraps one.

        sam = SAM(torch.optim.SGD(model.parameters(), lr=0.1), rho=0.05)
        sam.step(lambda: criterion(model(x), y).mean())

    Args:
        optimizer: Makes the steps.
        rho: How far uphill, the norm of the displacement of all parameters.

    Raises:
        ValueError: if rho is not positive.
    """

    def __init__(self, optimizer: Optimizer, rho: float = 0.05) -> None:
        if not (rho > 0 and math.isfinite(rho)):
            raise ValueError(f"rho must be positive, not {rho}")
        self.optimizer, self.rho = optimizer, rho

    def step(self, loss: Callable[[], Tensor]) -> Tensor:
        """One step.

        Args:
            loss: Computes the loss, without a backward pass; it is called twice.

        Returns:
            The loss before the step.
        """
        parameters = [one for group in self.optimizer.param_groups for one in group["params"] if one.requires_grad]
        self.optimizer.zero_grad()
        with torch.enable_grad():
            before = loss()
            before.backward()
        trained = [one for one in parameters if one.grad is not None]
        self.climb(trained, lambda: self._backward(loss))
        self.optimizer.step()
        return before.detach()

    def _backward(self, loss: Callable[[], Tensor]) -> None:
        self.optimizer.zero_grad()
        with torch.enable_grad():
            loss().backward()

    def climb(self, parameters: list[torch.nn.Parameter], backward: Callable[[], None]) -> None:
        """Replace the gradients of parameters by those that `backward` finds uphill; the parameters stay."""
        gradients = [one.grad for one in parameters if one.grad is not None]
        norm = torch.stack([one.norm() for one in gradients]).norm().clamp(min=1e-12)
        moves = [self.rho / norm * one.clone() for one in gradients]
        before = [one.detach().clone() for one in parameters]
        with torch.no_grad():
            for one, move in zip(parameters, moves, strict=True):
                one.add_(move)
        backward()
        with torch.no_grad():
            for one, value in zip(parameters, before, strict=True):
                one.copy_(value)
