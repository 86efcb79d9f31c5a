"""SplitSGD: gradient descent that takes small fixed steps where the gradient is large."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class SplitSGD(Optimizer):
    """SGD with dampened momentum, except in the coordinates of the largest gradients, which take steps of fixed size.

    With the gradient g, m <- beta m + (1 - beta) g. A coordinate j with |g_j| <= tau moves by -lr m_j, others by
    -lr_large sign(m_j). The threshold tau is set every `refresh` steps so that a share `quantile` of all coordinates is
    above it. The rule follows the description of the case study of Adam and SGD; its details are ours.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate below the threshold, that of a tuned SGD.
        lr_large: Size of the steps above it, about that of Adam's learning rate.
        momentum: beta; 0 for none.
        quantile: Share of the coordinates above the threshold.
        threshold: A fixed tau instead of one by `quantile`: infinity makes it SGD with dampened momentum, 0 a sign
            method.
        refresh: Steps between changes of the threshold.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        lr_large: float = 1e-3,
        momentum: float = 0.9,
        quantile: float = 0.1,
        *,
        threshold: float | None = None,
        refresh: int = 100,
    ) -> None:
        if not (lr > 0 and math.isfinite(lr) and lr_large > 0 and math.isfinite(lr_large)):
            raise ValueError(f"learning rates must be positive, not {lr} and {lr_large}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be at least 0 and less than 1, not {momentum}")
        if not 0 < quantile < 1:
            raise ValueError(f"quantile must lie between 0 and 1, not {quantile}")
        if threshold is not None and not threshold >= 0:
            raise ValueError(f"threshold must be at least 0, not {threshold}")
        if refresh < 1:
            raise ValueError(f"refresh must be at least 1 step, not {refresh}")
        defaults = {
            "lr": lr,
            "lr_large": lr_large,
            "momentum": momentum,
            "quantile": quantile,
            "threshold": threshold,
            "refresh": refresh,
            "n_steps": 0,
            "tau": math.inf,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """One step; returns what the closure does, if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            trained = [one for one in group["params"] if one.grad is not None]
            if trained:
                self._set_threshold(group, [one.grad for one in trained])
                for parameter in trained:
                    self._move(group, parameter, parameter.grad)
            group["n_steps"] += 1
        return loss

    def _set_threshold(self, group: dict[str, Any], gradients: list[Tensor]) -> None:
        if group["threshold"] is not None:
            group["tau"] = group["threshold"]
        elif group["n_steps"] % group["refresh"] == 0:
            sizes = torch.cat([one.abs().flatten() for one in gradients])
            n_large = max(1, round(group["quantile"] * len(sizes)))
            group["tau"] = float(sizes.kthvalue(max(1, len(sizes) - n_large)).values)

    def _move(self, group: dict[str, Any], parameter: torch.nn.Parameter, gradient: Tensor) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        m: Tensor = state["momentum"].mul_(group["momentum"]).add_(gradient, alpha=1 - group["momentum"])
        is_large = gradient.abs() > group["tau"]
        parameter.sub_(torch.where(is_large, group["lr_large"] * m.sign(), group["lr"] * m))
