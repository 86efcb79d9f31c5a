"""The property that gives the method its name: errors reach earlier layers through the original neurons alone."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .adapters import OutputAdapter
from .candidates import freeze_modes
from .module import DendriticModule
from .wrapping import dendritic_modules

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of a module, by position and by name."""
Key = int | str


def passed_back(module: nn.Module, call: Call, key: Key, error: Tensor, adapter: OutputAdapter) -> Tensor:
    """What a module passes back to its input for an error at its output: Σ_j error_j d out_j / dx.

    Args:
        module: The module.
        call: Its arguments.
        key: Which of them is x.
        error: The derivative of a loss by its output.
        adapter: Takes the neurons out of its output.
    """
    args, kwargs = list(call[0]), dict(call[1])
    where: Any = args if isinstance(key, int) else kwargs
    x = where[key] = where[key].detach().requires_grad_()
    with torch.enable_grad():
        out = adapter.split(module(*args, **kwargs))
    return torch.autograd.grad(out, x, error)[0]


def perforation_gap(
    model: nn.Module,
    *inputs: Any,  # noqa: ANN401 - those of the network
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """How far what each wrapped module passes back is from what its original neurons alone would.

    For a random error at the output, the norm of the difference relative to the norm of what the neurons pass back:
    zero up to rounding if dendrites are hidden from back-propagation, and of the order of one if they are not. The
    network runs in evaluation mode; afterwards, it is in the mode that it was in.

    Args:
        model: A network from `add_dendrites`, which has dendrites with gains that are not zero.
        inputs: Its arguments.
        generator: Draws the errors, on the CPU.

    Returns:
        The gap by module, of the modules that were used with a floating-point tensor, for the first such tensor among
        the arguments of their last use.
    """
    modules = dendritic_modules(model)
    modes = {module: module.training for module in model.modules()}
    freeze_modes(model)
    try:
        calls = _calls(model, modules, inputs)
        keys = {name: _first_tensor(call) for name, call in calls.items()}
        return {name: _gap(modules[name], calls[name], key, generator) for name, key in keys.items() if key is not None}
    finally:
        for module, mode in modes.items():
            module.training = mode


def _calls(model: nn.Module, modules: Mapping[str, DendriticModule], inputs: tuple[Any, ...]) -> dict[str, Call]:
    """The arguments of each module when the network runs."""
    found: dict[str, Call] = {}

    def see(name: str) -> Any:  # noqa: ANN401 - a handle of PyTorch's
        def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            found[name] = args, kwargs

        return modules[name].register_forward_pre_hook(record, with_kwargs=True)

    hooks = [see(name) for name in modules]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _first_tensor(call: Call) -> Key | None:
    """Where the first floating-point tensor is among arguments."""
    named: list[tuple[Key, Any]] = [*enumerate(call[0]), *call[1].items()]
    return next((key for key, value in named if isinstance(value, Tensor) and value.is_floating_point()), None)


def _gap(module: DendriticModule, call: Call, key: Key, generator: torch.Generator | None) -> float:
    with torch.no_grad():
        out = module.adapter.split(module(*call[0], **call[1]))
    error = torch.randn(out.shape, generator=generator).to(out)
    actual = passed_back(module, call, key, error, module.adapter)
    expected = passed_back(module.module, call, key, error, module.adapter)
    return float((actual - expected).norm() / expected.norm().clamp(min=torch.finfo(out.dtype).tiny))
