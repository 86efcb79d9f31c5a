"""Other layers in the place of a network's own, chosen by kind and by name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

Targets = str | Sequence[str] | Callable[[str, nn.Module], bool]
"""Globs over the dotted names of modules, `"*.mlp.*"` say, or a function of name and module."""

FIRST, LAST = "first", "last"
_NOT_TARGETED = "not among the targets"


@dataclass(frozen=True)
class Conversion:
    """What was converted, and what was not."""

    model: nn.Module
    """The network: the one that was given, unless it was a single layer that has been replaced."""
    converted: tuple[str, ...]
    """Names of the layers that were replaced, in the order of their definition; a shared layer has all its names."""
    left: dict[str, str] = field(default_factory=dict)
    """Names of the other modules with parameters of their own, and why each was left as it is."""

    def __str__(self) -> str:
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left.items():
            by_reason.setdefault(reason, []).append(name or "the network itself")
        lines = [f"converted {len(self.converted)}: {_few(self.converted)}"]
        lines += [f"left {len(names)} ({reason}): {_few(names)}" for reason, names in by_reason.items()]
        return "\n".join(lines)


def convert(
    model: nn.Module,
    make: Callable[[str, nn.Module], nn.Module],
    kinds: Sequence[type[nn.Module]],
    *,
    targets: Targets = "*",
    skip: str | Sequence[str] = (),
    opaque: Sequence[type[nn.Module]] = (),
) -> Conversion:
    """Puts another layer in the place of each of a network's layers of some kinds.

    A layer that stands at several places is replaced once, at all of them. Left alone, each with its reason, is what
    cannot be replaced faithfully: subclasses of the kinds, layers with hooks or parametrizations or a parameter that
    another module shares, and everything inside `nn.MultiheadAttention`, which reads the weights of its layers itself.
    `nn.TransformerEncoder` does so too, but only on its fast path for inference, which is turned off where a layer
    within it is replaced. Convert before wrapping in `DistributedDataParallel` and before making an optimizer.

    Args:
        model: The network; changed in place. If it is itself a layer of a kind, the replacement is in the result.
        make: Gives the replacement from the layer's name and the layer; the network is untouched if it raises.
        kinds: Exact types of the layers to replace.
        targets: Which of them; each glob must match one.
        skip: Globs of those that stay, and `"first"` and `"last"` for the first and the last layer of the kinds in the
            order of their definition.
        opaque: Types of modules that are not looked into, such as layers that were converted before.

    Returns:
        The network, what was converted, and what was left and why.

    Raises:
        ValueError: if nothing is left to convert, a glob matches no layer, or the network is already distributed.
    """
    if isinstance(model, DistributedDataParallel):
        raise ValueError("convert the network before it is wrapped in DistributedDataParallel")
    found = list(_walk(model, "", (*opaque, nn.MultiheadAttention)))
    layers = [(name, module) for name, module in found if type(module) in kinds]
    names_of: dict[int, list[str]] = {}
    for name, module in layers:
        names_of.setdefault(id(module), []).append(name)
    skipped = _skipped(layers, (skip,) if isinstance(skip, str) else tuple(skip), kinds)
    targeted = _targeted(layers, targets, kinds)
    sharing = _sharing(model)
    left: dict[str, str] = {}
    chosen: dict[int, nn.Module] = {}
    for name, module in found:
        reason = _reason(module, kinds, opaque, sharing)
        same = names_of.get(id(module), [name])
        if not reason and not targeted.intersection(same):
            reason = _NOT_TARGETED
        if not reason and skipped.intersection(same):
            reason = "skipped"
        if not reason:
            chosen[id(module)] = module
        elif next(module.parameters(), None) is not None and (_owns(module) or _is_closed(module, opaque)):
            left[name] = reason
    if not chosen:
        raise ValueError(f"there is nothing to convert: {_nothing(left, kinds)}")
    made = {key: make(names_of[key][0], module).train(module.training) for key, module in chosen.items()}
    converted = [(name, made[key]) for name, module in found if (key := id(module)) in made]
    for name, replacement in converted:
        model = _put(model, name, replacement)
    _leave_fast_path(model, set(map(id, made.values())))
    return Conversion(model, tuple(name for name, _ in converted), left)


def _walk(module: nn.Module, name: str, opaque: tuple[type[nn.Module], ...]) -> Iterator[tuple[str, nn.Module]]:
    """Every place of every module, outermost first, without what is inside opaque ones."""
    yield name, module
    if not isinstance(module, opaque) and not parametrize.is_parametrized(module):
        for child_name, child in module._modules.items():
            if child is not None:
                yield from _walk(child, f"{name}.{child_name}" if name else child_name, opaque)


def _skipped(
    layers: Sequence[tuple[str, nn.Module]], skip: Sequence[str], kinds: Sequence[type[nn.Module]]
) -> set[str]:
    """Names of the layers that stay."""
    names = [name for name, _ in layers]
    found: set[str] = set()
    for pattern in skip:
        if pattern in (FIRST, LAST):
            found.update(names[:1] if pattern == FIRST else names[-1:])
        else:
            found.update(_matching(names, pattern, "skip", kinds))
    return found


def _targeted(layers: Sequence[tuple[str, nn.Module]], targets: Targets, kinds: Sequence[type[nn.Module]]) -> set[str]:
    """Names of the layers that are to be replaced."""
    if callable(targets):
        return {name for name, module in layers if targets(name, module)}
    patterns = (targets,) if isinstance(targets, str) else tuple(targets)
    names = [name for name, _ in layers]
    found: set[str] = set()
    for pattern in patterns:
        found.update(names if pattern == "*" else _matching(names, pattern, "targets", kinds))
    return found


def _matching(names: Sequence[str], pattern: str, role: str, kinds: Sequence[type[nn.Module]]) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ValueError(
            f"{role}: {pattern!r} matches no {_kinds(kinds)} of the network; there are {_few(names) or 'none'}"
        )
    return found


def _sharing(model: nn.Module) -> dict[int, list[tuple[int, str]]]:
    """For each parameter, the modules that hold it, each once, with a name."""
    holders: dict[int, list[tuple[int, str]]] = {}
    for name, module in model.named_modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                holders.setdefault(id(parameter), []).append((id(module), name))
    return holders


def _reason(
    module: nn.Module,
    kinds: Sequence[type[nn.Module]],
    opaque: Sequence[type[nn.Module]],
    sharing: dict[int, list[tuple[int, str]]],
) -> str:
    """Why a module cannot be replaced, or nothing."""
    if isinstance(module, tuple(opaque)):
        return "converted before"
    if parametrize.is_parametrized(module):
        return "its weights are parametrized"
    if type(module) not in kinds:
        return f"{type(module).__name__}, not {_kinds(kinds)}"
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
        return "it has hooks, which would be lost"
    for parameter in module._parameters.values():
        others = [name for key, name in sharing.get(id(parameter), []) if key != id(module)]
        if others:
            return f"it shares a parameter with {others[0] or 'the network itself'}"
    return ""


def _owns(module: nn.Module) -> bool:
    return any(parameter is not None for parameter in module._parameters.values())


def _is_closed(module: nn.Module, opaque: Sequence[type[nn.Module]]) -> bool:
    """Whether the module was not looked into, so that it stands for all within."""
    return isinstance(module, (*opaque, nn.MultiheadAttention)) or parametrize.is_parametrized(module)


def _put(model: nn.Module, name: str, replacement: nn.Module) -> nn.Module:
    """Sets a module at its place; the network is the replacement where it is replaced itself."""
    if not name:
        return replacement
    parent, _, last = name.rpartition(".")
    model.get_submodule(parent)._modules[last] = replacement
    return model


def _leave_fast_path(model: nn.Module, made: set[int]) -> None:
    """Has PyTorch's encoders call their layers, rather than read the weights of them, where one is new."""
    for module in model.modules():
        if any(id(inner) in made for inner in module.modules()):
            if isinstance(module, nn.TransformerEncoderLayer):
                module.activation_relu_or_gelu = 0
            elif isinstance(module, nn.TransformerEncoder):
                module.use_nested_tensor = False


def _nothing(left: dict[str, str], kinds: Sequence[type[nn.Module]]) -> str:
    """What the network has instead."""
    if not left:
        return f"the network has no {_kinds(kinds)}"
    told = [f"{name or 'the network itself'} ({reason})" for name, reason in left.items()]
    return _few(told)


def _kinds(kinds: Sequence[type[nn.Module]]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def _few(names: Sequence[str], most: int = 12) -> str:
    """A list of names that stays readable."""
    shown = ", ".join(name or "the network itself" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
