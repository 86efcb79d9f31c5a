"""The tasks' names in gymnasium's registry: `gymnasium.make("ncap_swimmer/Swim-v0")`, once the package is imported.

Importing gymnasium takes longer than a command's help should, so that the package does not: where gymnasium is not
imported yet, the tasks are registered when it is.
"""

import importlib.abc
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

IDS = {"ncap_swimmer/Swim-v0": "SwimEnv", "ncap_swimmer/Navigate-v0": "NavigateEnv"}

_REGISTRY = "gymnasium.envs.registration"


class _WhenImported(importlib.abc.MetaPathFinder):
    """Finds gymnasium's registry as Python does, once, and fills it as soon as it is there."""

    def find_spec(
        self,
        fullname: str,
        path: Any,  # noqa: ANN401 - of a namespace package, it is no sequence
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Python's own answer, with a loader that also registers."""
        if fullname != _REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_fill(module: ModuleType) -> None:
                execute(module)
                _fill(module)

            spec.loader.exec_module = execute_and_fill  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Tell gymnasium of the tasks, now or when it is imported; once is enough, more does no harm."""
    if _REGISTRY in sys.modules:
        _fill(sys.modules[_REGISTRY])
    elif not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())


def _fill(registration: ModuleType) -> None:
    for name, kind in IDS.items():
        if name not in registration.registry:
            registration.register(name, entry_point=f"ncap_swimmer.environments:{kind}")
