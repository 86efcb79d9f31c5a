"""Dendrites for a whole network: which modules get them, which parameters learn when, and a copy for inference."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise

from torch import nn

from .adapters import OutputAdapter
from .configs import DendriteConfig
from .copies import NORMS
from .module import DEFAULT, DendriticModule

TYPES: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d)
N_SEEN = 8
"""Kinds of modules that a message names."""


class NormalizedBlock(nn.Sequential):
    """A module and the normalization of its output, which get dendrites together."""


def add_dendrites(
    model: nn.Module,
    *,
    types: tuple[type[nn.Module], ...] = TYPES,
    names: Sequence[str] | None = None,
    skip: Sequence[str] = (),
    node_axis: int | Mapping[str, int] | None = None,
    config: DendriteConfig = DEFAULT,
    adapters: Mapping[str, OutputAdapter] | None = None,
    with_norms: bool = True,
) -> nn.Module:
    """Wrap modules of a network in place, so that each can get dendrites; it computes what it did before.

    Nothing inside a wrapped module is wrapped again. Modules inside `nn.MultiheadAttention`, which uses their weights
    without calling them, are left alone; a `nn.TransformerEncoderLayer` with wrapped modules no longer takes PyTorch's
    fast path, which does the same.

    Args:
        model: The network.
        types: Modules of these types are wrapped.
        names: Modules with weights whose names fit one of these patterns are wrapped, of whatever type, in place of
            `types`; `features.*` fits all below `features`.
        skip: Modules whose names fit one of these patterns are not wrapped.
        node_axis: Axis of the neurons, for all modules or by name; by the module's type if not given.
        config: What dendrites are, and how they learn.
        adapters: How to take the neurons out of what a module returns, by name.
        with_norms: Where a module is followed by its normalization in an `nn.Sequential`, wrap the two as one, so that
            dendrites are added after it, right before the nonlinearity. Only where modules are chosen by type.

    Returns:
        The network; another object only where it is itself one of these modules.

    Raises:
        ValueError: if there is no such module, or one has dendrites already.
    """
    if with_norms and names is None:
        _merge_norms(model, types)
    try:
        return _wrap(model, types, names, skip, node_axis, config, adapters)
    finally:
        # Whatever is not wrapped, because it was skipped or something is wrong, is as it was.
        _part_norms(model)


def _wrap(
    model: nn.Module,
    types: tuple[type[nn.Module], ...],
    names: Sequence[str] | None,
    skip: Sequence[str],
    node_axis: int | Mapping[str, int] | None,
    config: DendriteConfig,
    adapters: Mapping[str, OutputAdapter] | None,
) -> nn.Module:
    """`add_dendrites`, where norms are merged already."""
    found = [name for name, module in _outermost(model, types, names, skip)]
    if not found:
        kinds = list(dict.fromkeys(type(module).__name__ for module in model.modules()))
        seen = ", ".join(kinds[:N_SEEN]) + (", ..." if len(kinds) > N_SEEN else "")
        wanted = f"the name {' or '.join(names)}" if names else f"the type {' or '.join(t.__name__ for t in types)}"
        raise ValueError(f"no module of {wanted} was found to add dendrites to; there are {seen}")
    axis_of = node_axis if isinstance(node_axis, Mapping) else dict.fromkeys(found, node_axis)
    for name in {*axis_of, *(adapters or {})} - set(found):
        raise ValueError(f"there is no module {name} to add dendrites to; there are {', '.join(found)}")
    wrapped: dict[nn.Module, DendriticModule] = {}
    for name in found:
        module = model.get_submodule(name)
        if isinstance(module, DendriticModule):
            raise ValueError(f"{name or 'the network'} has dendrites already; add them once")
        if module not in wrapped:
            adapter = (adapters or {}).get(name)
            wrapped[module] = DendriticModule(module, axis_of.get(name), config, adapter=adapter, name=name)
    if model in wrapped:
        return wrapped[model]
    for parent in list(model.modules()):
        for child, used in list(parent._modules.items()):
            # A module that is used in several places is one in all of them.
            if used is not None and used in wrapped and not isinstance(parent, DendriticModule):
                parent._modules[child] = wrapped[used]
                if isinstance(parent, nn.TransformerEncoderLayer):
                    parent.activation_relu_or_gelu = 0
    _leave_fast_paths(model)
    return model


def _leave_fast_paths(model: nn.Module) -> None:
    """Keep PyTorch's transformer from computing with the weights of wrapped modules instead of calling them."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder) and any(isinstance(m, DendriticModule) for m in module.modules()):
            module.use_nested_tensor = False


def _merge_norms(model: nn.Module, types: tuple[type[nn.Module], ...]) -> None:
    """Make one block of each module of these types and the normalization after it."""
    for parent, first, second in _neighbors(model):
        before, after = parent._modules[first], parent._modules[second]
        if before is not None and isinstance(before, types) and isinstance(after, NORMS):
            parent._modules[first] = NormalizedBlock(before, after)
            parent._modules[second] = nn.Identity()


def _part_norms(model: nn.Module) -> None:
    """Put the parts of blocks without dendrites back in their own places."""
    for parent, first, second in _neighbors(model):
        if isinstance(block := parent._modules[first], NormalizedBlock):
            parent._modules[first], parent._modules[second] = block


def _neighbors(model: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Names of modules that follow each other in a sequence, such as those of torchvision, and are run by it alone."""
    for parent in list(model.modules()):
        is_plain = isinstance(parent, nn.Sequential) and type(parent).forward is nn.Sequential.forward
        if is_plain and not isinstance(parent, NormalizedBlock):
            yield from ((parent, first, second) for first, second in pairwise(list(parent._modules)))


def _outermost(
    model: nn.Module, types: tuple[type[nn.Module], ...], names: Sequence[str] | None, skip: Sequence[str]
) -> Iterator[tuple[str, nn.Module]]:
    """Modules to wrap by name, without those inside of others."""
    inside: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer) for outer in inside):
            continue
        by_type = isinstance(module, (*types, NormalizedBlock, DendriticModule))
        has_weights = any(True for _ in module.parameters())
        is_wanted = by_type if names is None else _fits(name, names) and has_weights
        if is_wanted and not _fits(name, skip):
            inside.append(f"{name}." if name else "")
            yield name, module
        elif isinstance(module, (nn.MultiheadAttention, DendriticModule, NormalizedBlock)):
            inside.append(f"{name}." if name else "")


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def dendritic_modules(model: nn.Module) -> dict[str, DendriticModule]:
    """The wrapped modules of a network by name.

    Raises:
        ValueError: if there is none.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, DendriticModule)}
    if not found:
        raise ValueError("the network has no module with dendrites; call add_dendrites first")
    return found


def num_dendrites(model: nn.Module) -> int:
    """The largest number of dendrites that any neuron of a network has."""
    return max(module.num_dendrites for module in dendritic_modules(model).values())


def gains(model: nn.Module) -> list[nn.Parameter]:
    """The gains of all dendrites."""
    return [module.gain for module in dendritic_modules(model).values() if module.num_dendrites]


def dendrite_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The weights of the dendrites, and between dendrites: frozen, unless they learn by gradient."""
    return [
        parameter
        for module in dendritic_modules(model).values()
        for parameter in (*module.dendrites.parameters(), module.lateral)
        if parameter.numel()
    ]


def neuron_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Every other parameter: those of the original network, and the gains."""
    modules = dendritic_modules(model).values()
    others = {id(parameter) for parameter in dendrite_parameters(model)}
    others |= {id(parameter) for module in modules for parameter in module.candidate_parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in others and parameter.numel()]


def parameter_groups(model: nn.Module) -> list[dict[str, object]]:
    """What a neuron phase trains, for an optimizer: the gains in a group of their own, without weight decay.

    Weight decay would pull gains, which begin at zero, back to it.
    """
    own = gains(model)
    apart = {id(parameter) for parameter in own}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter.numel()]
    groups: list[dict[str, object]] = [{"params": [one for one in trained if id(one) not in apart]}]
    if own:
        groups.append({"params": own, "weight_decay": 0.0})
    return groups


def count_parameters(model: nn.Module) -> int:
    """Numbers of a network with its dendrites, frozen ones included, and candidates left out.

    D dendrites add D P + D C + C D (D - 1) / 2 to a module of P numbers and C neurons.
    """
    total = sum(parameter.numel() for parameter in model.parameters())
    modules = [module for module in model.modules() if isinstance(module, DendriticModule)]
    candidates = (
        parameter.numel()
        for module in modules
        for parameter in (*(module.candidates.parameters() if module.candidates else ()), module.candidate_lateral)
        if parameter is not None
    )
    return total - sum(candidates)


def strip(model: nn.Module) -> nn.Module:
    """A copy of a network for inference: without candidates, in evaluation mode, with nothing left to train.

    Modules that have no dendrites are again what they were before `add_dendrites`; the others keep theirs.
    """
    model = copy.deepcopy(model)
    if isinstance(model, DendriticModule) and not model.num_dendrites:
        model = model.module
    for parent in list(model.modules()):
        if isinstance(parent, DendriticModule):
            parent.discard()
        for child, module in list(parent._modules.items()):
            if isinstance(module, DendriticModule) and not module.num_dendrites:
                parent._modules[child] = module.module
    _part_norms(model)
    return model.eval().requires_grad_(requires_grad=False)


def prune(model: nn.Module, threshold: float = 0.0) -> int:
    """Drop the newest dendrites of each module while no gain of theirs is above a threshold, in place.

    Older ones stay, because newer dendrites may see them. With a threshold of zero, the network computes what it did.

    Returns:
        How many were dropped, over all modules.
    """
    dropped = 0
    for module in dendritic_modules(model).values():
        small = [bool(row.detach().abs().max() <= threshold) for row in module.gain]
        n = len(small)
        while n and small[n - 1]:
            n -= 1
        dropped += module.num_dendrites - n
        if n < module.num_dendrites:
            module.truncate(n)
    return dropped
