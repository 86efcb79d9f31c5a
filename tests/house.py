"""What the tests that span packages know of the source tree."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from beartype import BeartypeConf, beartype

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""Checks arguments against their annotations; an int is a float, as for every static checker."""


@dataclass(frozen=True)
class Package:
    """A folder of `packages/`."""

    root: Path

    @property
    def name(self) -> str:
        """Folder, distribution and command."""
        return self.root.name

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """What pyproject.toml says."""
        return tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))

    @property
    def source(self) -> Path:
        """The folder of the modules: the one in `src/` that is a Python package."""
        folders = [path.parent for path in sorted(self.root.glob("src/*/__init__.py"))]
        return folders[0] if folders else self.root / "src" / self.name.replace("-", "_")

    @property
    def module(self) -> str:
        """Import name."""
        return self.source.name

    @property
    def modules(self) -> list[Path]:
        """Every Python file of the source."""
        return sorted(self.source.rglob("*.py"))

    def __str__(self) -> str:
        return self.name


PACKAGES = tuple(Package(path.parent) for path in sorted(ROOT.glob("packages/*/pyproject.toml")))


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 300, env: Mapping[str, str] | None = None) -> Done:
    """Run a command as a person would in this environment, with its console scripts first on the path."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", **(env or {})}
    program = shutil.which(str(command[0]), path=path) or str(command[0])
    start = time.monotonic()
    done = subprocess.run(
        [program, *map(str, command[1:])],
        cwd=cwd,
        env=environment,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


python = partial(run, sys.executable)
"""Run the interpreter of this environment."""


FENCE = re.compile(
    r"^ *(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*).*\n(?P<text>[\s\S]*?)(?:^ *(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of Markdown."""

    language: str
    line: int
    text: str


def fenced_blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in order; one that is never closed ends with the text."""
    return [
        Block(match["language"], markdown.count("\n", 0, match.start()) + 1, textwrap.dedent(match["text"]))
        for match in FENCE.finditer(markdown)
    ]
