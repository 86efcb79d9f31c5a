"""Print, as JSON, the tox environments that the changes since a commit call for.

Usage: python .github/changed.py [BASE]

A package is called for when a file of it changed or one of a package that it depends on; all packages, and the run of
everything together ("all"), when something changed that every package stands on, or when BASE is no commit known here.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
FOUNDATIONS = ("shared/", "tests/", ".github/", ".ci/")
FOUNDATION_FILES = {"conftest.py", "constraints.txt", "pyproject.toml", "tox.ini", "toxfile.py"}


def changed_files(base: str) -> list[str] | None:
    """Paths that differ from where this branch left `base`, or None when that cannot be told."""
    options = ["--name-only", "--no-renames", "--end-of-options"]
    command = ["git", "-c", "core.quotePath=false", "diff", *options, f"{base}...HEAD", "--"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.splitlines() if base and result.returncode == 0 else None


def dependencies() -> dict[str, set[str]]:
    """Each package and the names of the distributions that it requires."""
    return {
        path.parent.name: {
            _distribution(item) for item in _requirements(tomllib.loads(path.read_text(encoding="utf-8")))
        }
        for path in ROOT.glob("packages/*/pyproject.toml")
    }


def _requirements(pyproject: dict[str, Any]) -> list[str]:
    project = pyproject.get("project", {})
    extras = project.get("optional-dependencies", {}).values()
    return [*project.get("dependencies", []), *(item for extra in extras for item in extra)]


def _distribution(requirement: str) -> str:
    name = re.match(r"[\w.-]*", requirement.strip())
    return re.sub(r"[-_.]+", "-", name.group()).lower() if name else ""


def environments(files: list[str] | None, requires: dict[str, set[str]]) -> list[str]:
    """The environments to run for changes in `files` among packages that require one another as in `requires`."""
    if files is None or any(file in FOUNDATION_FILES or file.startswith(FOUNDATIONS) for file in files):
        return [*sorted(requires), "all"]
    called = {file.split("/")[1] for file in files if re.match("packages/[^/]+/", file)}
    while more := {name for name, needed in requires.items() if needed & called} - called:
        called |= more
    return sorted(called & requires.keys())


if __name__ == "__main__":
    print(json.dumps(environments(changed_files(sys.argv[1] if len(sys.argv) > 1 else ""), dependencies())))
