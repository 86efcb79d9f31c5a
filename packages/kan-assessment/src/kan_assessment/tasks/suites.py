"""Tasks by name, and the suites that they make up."""

from pathlib import Path
from typing import get_args

from . import symbolic, tabular
from .continual import load_continual
from .files import load_file
from .symbolic import load_symbolic
from .tabular import load_tabular
from .targets import Kind, load_target
from .task import Task
from .text import load_corpus, load_stdlib
from .vision import load_vision

SUITES: dict[str, tuple[str, ...]] = {
    "symbolic": tuple(f"symbolic/{name}" for name in symbolic.SUITE),
    "tabular": tuple(f"tabular/{name}" for name in tabular.SMALL),
    "vision": ("vision/mnist5k",),
    "text": ("text/stdlib",),
    "continual": ("continual/mnist5k",),
}
"""The tasks of each suite: those that need no download. Others are asked for by name, as `vision/mnist`."""


def names_of(suite: str) -> tuple[str, ...]:
    """The names of a suite's tasks.

    Raises:
        ValueError: if there is no such suite.
    """
    if suite == "all":
        return tuple(name for names in SUITES.values() for name in names)
    if suite not in SUITES:
        raise ValueError(f"there is no suite {suite}; there are {', '.join(SUITES)} and all")
    return SUITES[suite]


def load_task(name: str, target: str | None = None) -> Task:
    """The task of a name.

    | name | task |
    | --- | --- |
    | `symbolic/ellipkinc`, ... | a function of `symbolic.FUNCTIONS` |
    | `formula:exp(sin(pi*x))` | a formula of your own |
    | `tabular/wine`, ... | a table |
    | `vision/mnist5k`, `vision/cifar10`, ... | images |
    | `text/stdlib`, `text/FOLDER` | texts |
    | `continual/mnist5k`, ... | images whose classes arrive in three stages |
    | `scaling/generic/4`, `scaling/compositional/4` | a target of 4 dimensions |
    | `FILE.csv`, `FILE.npz` | a file of your own |

    Args:
        name: As above.
        target: The column of a table to predict.

    Raises:
        ValueError: if there is no such task, or its data cannot be read.
        FileNotFoundError: if its data is not on this machine.
    """
    if Path(name).suffix.lower() in {".csv", ".npz"}:
        return load_file(name, target)
    if name.startswith(symbolic.FORMULA):
        return load_symbolic(name)
    suite, _, rest = name.partition("/")
    if suite == "text":
        return load_stdlib() if rest == "stdlib" else load_corpus(rest)
    if suite == "scaling":
        kind, _, dimensions = rest.partition("/")
        if not dimensions.isdecimal():
            raise ValueError(f"a target is named like scaling/generic/4, not {name}")
        if kind not in get_args(Kind):
            raise ValueError(f"a target is {' or '.join(get_args(Kind))}, not {kind}")
        return load_target(kind, int(dimensions))  # type: ignore[arg-type] # checked there
    loaders = {
        "symbolic": load_symbolic,
        "tabular": load_tabular,
        "vision": load_vision,
        "continual": load_continual,
    }
    if suite not in loaders:
        suites = ", ".join(SUITES)
        raise ValueError(
            f"there is no task {name}; tasks are named like symbolic/ellipkinc, with one of {suites}, or are .csv or "
            ".npz files"
        )
    return loaders[suite](rest)
