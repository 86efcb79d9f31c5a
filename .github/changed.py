"""Print, as JSON, what the changes since a commit call for.

Usage: python .github/changed.py [BASE]

`environments` are tox environments: those of the packages that a change touches or that depend on such a package, and
"all" for a change of what every package stands on, or where BASE is no commit known here. `compositions` are the
packages whose compositions are to be tested besides.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOUNDATIONS = ("shared/", "tests/", ".github/", ".ci/")
FOUNDATION_FILES = {"conftest.py", "pyproject.toml", "tox.ini", "toxfile.py"}
PINS = "constraints.txt"
CORE = "separata"

Needs = Mapping[str, set[str]]
"""Each package, the core and the tests, with the names of the distributions that they require."""


def git(*arguments: str) -> str | None:
    """What git prints, or None if it fails."""
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def changed_files(base: str) -> list[str] | None:
    """Paths that differ from where this branch left `base`, or None when that cannot be told."""
    found = git("diff", "--name-only", "--no-renames", "--end-of-options", f"{base}...HEAD", "--") if base else None
    return None if found is None else found.splitlines()


def changed_pins(base: str) -> set[str]:
    """The distributions whose pins differ from where this branch left `base`."""
    fork = (git("merge-base", base, "HEAD") or "").strip()
    before = _pins(git("show", f"{fork}:{PINS}") or "")
    now = _pins(Path(PINS).read_text(encoding="utf-8") if Path(PINS).exists() else "")
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def _pins(text: str) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return {_distribution(line): line for line in lines if line}


def needs() -> dict[str, set[str]]:
    """What each package requires, and what the core does."""
    found = {path.parent.name: _requirements(path) for path in Path().glob("packages/*/pyproject.toml")}
    return {**found, CORE: _requirements(Path("shared/pyproject.toml"))}


def _requirements(path: Path) -> set[str]:
    """The names of the distributions that a pyproject.toml names: as dependencies, in extras and in groups."""
    pyproject: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    project = pyproject.get("project", {})
    lists = [
        project.get("dependencies", []),
        *project.get("optional-dependencies", {}).values(),
        *pyproject.get("dependency-groups", {}).values(),
    ]
    return {_distribution(item) for items in lists for item in items if isinstance(item, str)}


def _distribution(requirement: str) -> str:
    name = re.match(r"[\w.-]*", requirement.strip())
    return re.sub(r"[-_.]+", "-", name.group()).lower() if name else ""


def linters() -> set[str]:
    """The tools of the environment `lint`, which runs for every change."""
    root = Path("pyproject.toml")
    groups = tomllib.loads(root.read_text(encoding="utf-8")).get("dependency-groups", {}) if root.exists() else {}
    return {_distribution(item) for item in groups.get("lint", []) if isinstance(item, str)}


def dependents(names: Iterable[str], requires: Needs) -> set[str]:
    """The names with whatever requires one of them."""
    found = set(names)
    while more := {name for name, needed in requires.items() if needed & found} - found:
        found |= more
    return found


def called(files: Iterable[str], pins: Iterable[str], requires: Needs) -> set[str] | None:
    """The packages that changes in `files` and of `pins` call for, or None for everything."""
    if any(file in FOUNDATION_FILES or file.startswith(FOUNDATIONS) for file in files):
        return None
    declared = set().union(*requires.values())
    pins = set(pins) - linters()
    if pins - declared or pins & requires[CORE]:
        return None
    touched = {file.split("/")[1] for file in files if re.match("packages/[^/]+/", file)}
    return dependents({*touched, *pins}, requires) & requires.keys() - {CORE}


def plan(base: str) -> dict[str, list[str]]:
    """What the changes since `base` call for."""
    requires, files = needs(), changed_files(base)
    pins = changed_pins(base) if files and PINS in files else set()
    packages = None if files is None else called(files, pins, requires)
    if packages is None:
        return {"environments": [*sorted(requires.keys() - {CORE}), "all"], "compositions": []}
    return {"environments": sorted(packages), "compositions": sorted(packages & composing())}


def composing() -> set[str]:
    """The packages that take part in a composition."""
    path = Path("tests/test_compositions.py")
    marks = re.findall(r"mark\.composes\(([^)]*)\)", path.read_text(encoding="utf-8") if path.exists() else "")
    return {name for mark in marks for name in re.findall(r'"([\w-]+)"', mark)}


if __name__ == "__main__":
    print(json.dumps(plan(sys.argv[1] if len(sys.argv) > 1 else "")))
