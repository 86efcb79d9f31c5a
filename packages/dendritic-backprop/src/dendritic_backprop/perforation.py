"""The property that gives the method its name: errors reach earlier layers through the original neurons alone."""

from typing import Any

import torch
from torch import Tensor, nn

from .module import DendriticModule
from .wrapping import dendritic_modules


def passed_back(
    module: nn.Module,
    x: Tensor,
    error: Tensor,
    *others: Any,  # noqa: ANN401 - those of the module
    node_output: DendriticModule | None = None,
) -> Tensor:
    """What a module passes back to its input for an error at its output: Σ_j error_j d out_j / dx.

    Args:
        module: The module.
        x: Its first argument.
        error: The derivative of a loss by its output.
        others: Its other arguments.
        node_output: Takes the neurons out of an output that is no tensor.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        output = module(x, *others)
    out = node_output.adapter.split(output) if node_output is not None else output
    return torch.autograd.grad(out, x, error)[0]


def perforation_gap(
    model: nn.Module,
    *inputs: Any,  # noqa: ANN401 - those of the network
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """How far what each wrapped module passes back is from what its original neurons alone would.

    For a random error at the output, the norm of the difference relative to the norm of what the neurons pass back:
    zero up to rounding if dendrites are hidden from back-propagation, and of the order of one if they are not.

    Args:
        model: A network from `add_dendrites`, which has dendrites with gains that are not zero.
        inputs: Its arguments.
        generator: Draws the errors, on the CPU.

    Returns:
        The gap by module, of the modules that were used with a floating-point tensor.
    """
    modules = dendritic_modules(model)
    arguments: dict[str, tuple[Any, ...]] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: arguments.__setitem__(name, args))
        for name, module in modules.items()
    ]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    found = {}
    for name, (x, *others) in arguments.items():
        if isinstance(x, Tensor) and x.is_floating_point():
            found[name] = _gap(modules[name], x, others, generator)
    return found


def _gap(module: DendriticModule, x: Tensor, others: list[Any], generator: torch.Generator | None) -> float:
    with torch.no_grad():
        out = module.adapter.split(module(x, *others))
    error = torch.randn(out.shape, generator=generator).to(out)
    actual = passed_back(module, x, error, *others, node_output=module)
    expected = passed_back(module.module, x, error, *others, node_output=module)
    return float((actual - expected).norm() / expected.norm().clamp(min=torch.finfo(out.dtype).tiny))
