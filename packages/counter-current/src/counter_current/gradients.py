"""What is done to gradients before a step: scaling, centralization and clipping."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_


@torch.no_grad()
def centralize_gradients(parameters: nn.Module | Iterable[Tensor]) -> None:
    """Subtract from each gradient its mean over all dimensions but the first; those of biases stay.

    Args:
        parameters: A module, or parameters whose gradients are there.
    """
    for parameter in _parameters(parameters):
        if parameter.grad is not None and parameter.grad.ndim > 1:
            axes = tuple(range(1, parameter.grad.ndim))
            parameter.grad.sub_(parameter.grad.mean(axes, keepdim=True))


@torch.no_grad()
def scale_gradients(parameters: nn.Module | Iterable[Tensor], factor: float) -> None:
    """Multiply the gradients, as if the loss had been multiplied."""
    gradients = [p.grad for p in _parameters(parameters) if p.grad is not None]
    if gradients and factor != 1:
        torch._foreach_mul_(gradients, factor)


def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> None:
    """Shorten the gradients, taken together, to a largest norm; 0 stands for no limit."""
    given = [p for p in parameters if p.grad is not None]
    if max_norm and given:
        clip_grad_norm_(given, max_norm, foreach=True)


def _parameters(parameters: nn.Module | Iterable[Tensor]) -> Iterable[Tensor]:
    return parameters.parameters() if isinstance(parameters, nn.Module) else parameters
