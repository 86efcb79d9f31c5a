"""Families of models by name: those of the package, registered ones, entry points, and factories of your own."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from torch import nn

from .families import FAMILIES
from .family import DEPTH, Builder, FlopsFunction, ModelFamily, check_outputs

GROUP = "kan_assessment.models"
"""Entry points of this group are builders, `(in_features, hidden, out_features, **settings) -> nn.Module`."""

_REGISTERED: dict[str, ModelFamily] = {family.name: family for family in FAMILIES}


def register_model(
    name: str,
    builder: Builder,
    flops: FlopsFunction | None = None,
    *,
    label: str = "",
    space: Mapping[str, Sequence[Any]] | None = None,
    is_batched: bool = False,
) -> ModelFamily:
    """Make a family of models known under a name.

    Args:
        name: What it is called.
        builder: `(in_features, hidden, out_features, **settings) -> nn.Module`, with `hidden` a list of widths.
        flops: `(widths, sharing, **settings) -> float`; FLOPs are measured where there is none.
        label: What it is called in tables and figures; the name if not given.
        space: For each setting the values that a search tries, the usual one first; `depth` is the number of hidden
            layers.
        is_batched: Whether `torch.func.vmap` can train several networks of one shape as one: true of modules whose
            forward pass is made of plain tensor operations without state.

    Raises:
        ValueError: if the name is taken, or has a colon.
    """
    if ":" in name:
        raise ValueError(f"a model's name has no colon, which stands between module and factory: '{name}'")
    if name in available_models():
        raise ValueError(f"there is a model {name} already; choose another name")
    _REGISTERED[name] = _family(name, builder, flops, label=label, space=space, is_batched=is_batched)
    return _REGISTERED[name]


def _family(
    name: str,
    builder: Builder,
    flops: FlopsFunction | None = None,
    *,
    label: str = "",
    space: Mapping[str, Sequence[Any]] | None = None,
    is_batched: bool = False,
) -> ModelFamily:
    """A family, with what the builder says of itself in `flops`, `space` and `is_batched` where nothing is given."""
    space = dict(space or getattr(builder, "space", {}))
    space.setdefault(DEPTH, (1, 2, 3))
    is_batched = is_batched or bool(getattr(builder, "is_batched", False))
    return ModelFamily(name, builder, label or name, flops or getattr(builder, "flops", None), space, is_batched)


def available_models() -> list[str]:
    """The names of all families, those of entry points too."""
    return [*_REGISTERED, *(name for name in _entry_points() if name not in _REGISTERED)]


def _entry_points() -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def get_family(name: str) -> ModelFamily:
    """The family of a name.

    Args:
        name: One of `available_models()`, or `module:factory` for a builder in a module that Python can import, or that
            lies in the working directory.

    Raises:
        ValueError: if there is none; the sentence lists those there are.
    """
    if ":" in name:
        return _family(name, _import(name))
    plain = name.replace("-", "_")
    if plain in _REGISTERED:
        return _REGISTERED[plain]
    if name in (found := _entry_points()):
        return _family(name, found[name].load())
    raise ValueError(f"there is no model {name}; there are {', '.join(available_models())}, and module:factory")


def _import(name: str) -> Callable[..., nn.Module]:
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"the module {module_name} of the model {name} cannot be imported: {error}") from None
    finally:
        sys.path.remove(here)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ValueError(f"the module {module_name} has no function {attribute} that makes a model")
    return factory


def build(name: str, in_features: int, hidden: Sequence[int], out_features: int, **settings: Any) -> nn.Module:  # noqa: ANN401 - a builder's
    """A network of a family.

    Args:
        name: As for `get_family`.
        in_features: Inputs.
        hidden: Widths of the hidden layers.
        out_features: Outputs.
        settings: What the family takes: `grid`, `order`, `activation`, ...

    Raises:
        ValueError: if there is no such family or setting, or what it makes is no module or has other outputs.
    """
    model = get_family(name).build(in_features, hidden, out_features, **settings)
    check_outputs(model, name, in_features, out_features)
    return model
