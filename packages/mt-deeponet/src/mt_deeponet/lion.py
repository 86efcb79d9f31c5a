"""Lion, an optimizer that moves every weight by the same amount."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn


class Lion(torch.optim.Optimizer):
    """`w -= lr sign(β₁ m + (1 - β₁) g)`, then `m = β₂ m + (1 - β₂) g`, g being the gradient (Chen et al. 2023).

    Args:
        params: What it trains.
        lr: By how much each number moves in a step; a tenth to a third of Adam's.
        betas: β₁ and β₂.

    Raises:
        ValueError: if the learning rate is not positive.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 1e-5, betas: tuple[float, float] = (0.9, 0.99)
    ) -> None:
        if lr <= 0:
            raise ValueError(f"lr must be positive, not {lr}")
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override] # as in PyTorch
        """One step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._move([p for p in group["params"] if p.grad is not None], group)
        return loss

    def _move(self, params: list[nn.Parameter], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        for parameter in params:
            state = self.state[parameter]
            momentum = state.setdefault("momentum", torch.zeros_like(parameter))
            direction = torch.lerp(parameter.grad, momentum, first).sign()  # type: ignore[arg-type] # there is one
            parameter.sub_(group["lr"] * direction)
            momentum.lerp_(parameter.grad, 1 - second)
