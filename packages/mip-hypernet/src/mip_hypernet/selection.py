"""Which modules and parameters of a network are predicted: by name and by type."""

import difflib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

Pattern = str | re.Pattern[str]
Patterns = Pattern | Sequence[Pattern]
"""Globs such as `"features.*.weight"`, and regular expressions, compiled or as `"re:conv[12]"`, of the whole name."""

REGEX = "re:"
N_SHOWN = 3


def find_modules(
    model: nn.Module, types: type[nn.Module] | Sequence[type[nn.Module]] | None = None, pattern: Patterns = "*"
) -> dict[str, nn.Module]:
    """The modules of a network by name, each once; the network itself is never among them.

    Args:
        model: The network.
        types: Types of the modules, subclasses included; any by default.
        pattern: Their names; each pattern must match one.

    Raises:
        ValueError: if a pattern is no regular expression or matches nothing, or no module is of the types.
    """
    kinds = _types(types)
    named = {name: module for name, module in model.named_modules() if name and isinstance(module, kinds)}
    if not named and types is not None:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"the network has no {wanted}")
    matched = _match({name: (name,) for name in named}, pattern, "module")
    return {name: named[name] for name in named if name in matched}


def find_parameters(
    model: nn.Module, pattern: Patterns = "*", types: type[nn.Module] | Sequence[type[nn.Module]] | None = None
) -> dict[str, nn.Parameter]:
    """The parameters of a network by name; one that is tied has its first name, and is found by any.

    Args:
        model: The network.
        pattern: Their names; each pattern must match one.
        types: Types of the modules that own them; any by default.

    Raises:
        ValueError: if a pattern is no regular expression or matches nothing, or a parameter that is found is of
            integers or complex numbers, or not initialized yet.
    """
    kinds = _types(types)
    aliases = tied_names(model)
    if types is not None:
        owners = {name for name, module in model.named_modules() if isinstance(module, kinds)}
        aliases = {
            first: names for first, names in aliases.items() if any(name.rpartition(".")[0] in owners for name in names)
        }
        if not aliases:
            raise ValueError(f"the network has no parameters of {' or '.join(kind.__name__ for kind in kinds)}")
    matched = _match(aliases, pattern, "parameter")
    own = dict(model.named_parameters())
    found = {name: own[name] for name in aliases if name in matched}
    for name, parameter in found.items():
        _check_predictable(name, parameter)
    return found


def tied_names(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """All names of each parameter, by the first of them."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return {same[0]: tuple(same) for same in names.values()}


def _check_predictable(name: str, parameter: nn.Parameter) -> None:
    if isinstance(parameter, nn.parameter.UninitializedParameter):
        raise ValueError(f"the parameter {name} has no shape yet; call the network once on an example first")
    if not parameter.is_floating_point():
        raise ValueError(
            f"the parameter {name} is of {parameter.dtype}; only real numbers are predicted, so leave it out of the "
            f"pattern"
        )


def _types(types: type[nn.Module] | Sequence[type[nn.Module]] | None) -> tuple[type[nn.Module], ...]:
    if types is None:
        return (nn.Module,)
    return (types,) if isinstance(types, type) else tuple(types)


def _match(aliases: dict[str, tuple[str, ...]], patterns: Patterns, kind: str) -> set[str]:
    """First names of what has a name that matches."""
    given = [patterns] if isinstance(patterns, (str, re.Pattern)) else list(patterns)
    if not given:
        raise ValueError(f"there is no pattern, so that no {kind} is chosen; '*' chooses all")
    found: set[str] = set()
    for pattern in given:
        matched = {first for first, names in aliases.items() if any(_fits(name, pattern) for name in names)}
        if not matched:
            raise ValueError(_nothing(pattern, [name for names in aliases.values() for name in names], kind))
        found |= matched
    return found


def _fits(name: str, pattern: Pattern) -> bool:
    if isinstance(pattern, str) and not pattern.startswith(REGEX):
        return fnmatchcase(name, pattern)
    try:
        compiled = re.compile(pattern.removeprefix(REGEX)) if isinstance(pattern, str) else pattern
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return compiled.fullmatch(name) is not None


def _nothing(pattern: Pattern, names: Sequence[str], kind: str) -> str:
    text = pattern if isinstance(pattern, str) else pattern.pattern
    near = difflib.get_close_matches(text.removeprefix(REGEX), names, n=N_SHOWN, cutoff=0.4) or list(names[:N_SHOWN])
    told = f"; near are {', '.join(near)}" if near else f"; the network has no {kind}s"
    return f"the pattern {text!r} matches no {kind}{told}"
