"""A package's command as a plain install has it: without extras, and without what else is installed here.

The tests import this module to `ask` a package's command several questions in one process. That process runs it as a
script, in which modules that a plain install would not bring cannot be found, nor in the processes that it starts.
"""

import contextlib
import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder, PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from house import Package

HIDDEN = "SEPARATA_HIDDEN"
"""The environment variable with the names, as JSON: modules and distributions."""


# ---- in the tests' process


def ask(
    package: "Package", calls: Sequence[tuple[Sequence[str], Path]], env: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What a package's command answers, as after a plain install.

    Args:
        package: The package.
        calls: The words after the command, and the folder in which it is given.
        env: Environment variables.

    Returns:
        First what importing the package alone, and its paper, has loaded of what is slow to import; then for each call
        its exit code (`code`), output (`out`, `err`), core-seconds (`seconds`) and the files in the folder (`left`).
    """
    from house import PACKAGES, python

    hidden = _beyond(package.name, {other.name: other.module for other in PACKAGES})
    questions = {
        "command": package.name,
        "module": package.module,
        "calls": [[list(words), str(folder)] for words, folder in calls],
    }
    done = python(
        *("-P", __file__, json.dumps(questions)),
        env={**(env or {}), HIDDEN: json.dumps({key: sorted(names) for key, names in hidden.items()})},
    )
    assert done.code == 0, f"{package} ended the process: {done.code}\n{done.err}"
    return json.loads(done.out)


def _beyond(name: str, ours: Mapping[str, str]) -> dict[str, set[str]]:
    """The modules and distributions here that installing a distribution without extras would not bring."""
    from importlib.metadata import packages_distributions

    brought = brought_by(name)
    owners = {**packages_distributions(), **{module: [distribution] for distribution, module in ours.items()}}
    return {
        "modules": {module for module, names in owners.items() if not brought & set(map(_canonical, names))},
        "distributions": set(_installed()) - brought,
    }


def brought_by(name: str) -> set[str]:
    """The distributions that come with one that is installed without extras."""
    from packaging.requirements import Requirement

    found: set[tuple[str, str]] = set()
    waiting = [(_canonical(name), "")]
    while waiting:
        distribution, extra = waiting.pop()
        if (distribution, extra) in found or distribution not in _installed():
            continue
        found.add((distribution, extra))
        for line in _installed()[distribution].requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(_canonical(needed.name), wanted) for wanted in ("", *needed.extras)]
    return {distribution for distribution, _ in found}


@cache
def _installed() -> dict[str, Distribution]:
    from importlib.metadata import distributions

    return {_canonical(one.name): one for one in distributions()}


def _canonical(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


# ---- in the process that answers


class PlainInstall(PathFinder):
    """Finds what is on the path but what is hidden."""

    hidden: Mapping[str, Sequence[str]] = json.loads(os.environ.get(HIDDEN, "{}"))

    @classmethod
    def find_spec(cls, fullname: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The specification of a module, or None."""
        if fullname.partition(".")[0] in cls.hidden["modules"]:
            return None
        return super().find_spec(fullname, path, target)  # type: ignore[arg-type]

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context | None = None) -> Iterable[PathDistribution]:
        """The distributions that are asked for and not hidden."""
        found = super().find_distributions(context or DistributionFinder.Context())
        return [one for one in found if _canonical(one.name) not in cls.hidden["distributions"]]


if PlainInstall.hidden:
    sys.meta_path = [PlainInstall if finder is PathFinder else finder for finder in sys.meta_path]


def _answer(command: str, module: str, calls: Sequence[tuple[Sequence[str], str]]) -> list[dict[str, Any]]:
    importlib.import_module(module)
    with_package = _slow()
    importlib.import_module(f"{module}.paper")
    return [{"package": with_package, "paper": _slow()}, *(_call(command, module, *call) for call in calls)]


def _slow() -> list[str]:
    return [name for name in ("torch", "numpy") if name in sys.modules]


def _call(command: str, module: str, words: Sequence[str], folder: str) -> dict[str, Any]:
    """Give a command as the shell would, in a folder."""
    os.chdir(folder)
    sys.argv = [command, *words]
    before = sum(os.times()[:4])
    with _captured() as told:
        code = _exit_code(module)
    out, err = told
    return {
        "code": code,
        "out": out,
        "err": err,
        "seconds": sum(os.times()[:4]) - before,
        "left": sorted(path.name for path in Path(folder).iterdir()),
    }


def _exit_code(module: str) -> int:
    try:
        importlib.import_module(f"{module}.cli").main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the interpreter would show any
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _captured() -> Iterator[list[str]]:
    """In the end, what was written to standard output and error, by this process and by those that it started."""
    told: list[str] = []
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            yield told
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, (kept, file) in enumerate(zip(saved, (out, err), strict=True), 1):
                os.dup2(kept, number)
                os.close(kept)
                file.seek(0)
                told.append(file.read().decode("utf-8", "replace"))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(_answer(asked["command"], asked["module"], asked["calls"])))  # noqa: T201
