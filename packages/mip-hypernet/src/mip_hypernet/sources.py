"""A user's own hypernetwork, by the name of what makes it."""

import importlib
import sys
from pathlib import Path
from typing import Any

from torch import nn


def hypernetwork_named(factory: str) -> Any:  # noqa: ANN401 - whatever predicts weights
    """The hypernetwork that `module:attribute` names, found as Python imports it, the current folder first.

    The attribute is a `torch.nn.Module`, or a function without arguments that makes a hypernetwork: a module, or a
    function of one input.

    Raises:
        ValueError: if there is no such thing, or importing or making it fails.
    """
    module, _, name = factory.partition(":")
    if not module or not name:
        raise ValueError(f"a hypernetwork is named as module:attribute, such as my_models:make, not {factory!r}")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ValueError(f"{factory} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise ValueError(f"{factory} is neither a module nor a function that makes one, but {type(found).__name__}")
    try:
        made = found()
    except Exception as error:
        raise ValueError(f"{factory}() fails: {type(error).__name__}: {error}") from error
    if not callable(made):
        raise ValueError(f"{factory}() gives no hypernetwork, but {type(made).__name__}")
    return made
