"""What the tests that span packages know of the source tree."""

import importlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
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
    core_seconds: float
    """Of processor time, which other work on the machine does not lengthen."""


INTERRUPTIBLE = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Gives a command the default of the signal back that shells ignore in what they start in the background."""


@contextmanager
def started(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command as a person would start it in this environment, with its console scripts first on the path.

    It can be interrupted even where the tests cannot, and neither it nor what it started outlives the block.
    """
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    program = shutil.which(str(command[0]), path=path)
    if program is None:
        raise FileNotFoundError(f"there is no command {command[0]}")
    going = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", INTERRUPTIBLE, program, *map(str, command[1:])],
        cwd=cwd,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield going
    finally:
        with suppress(ProcessLookupError):
            os.killpg(going.pid, signal.SIGKILL)
        going.communicate()


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 300, env: Mapping[str, str] | None = None) -> Done:
    """Run a command to its end, as `started` starts it.

    Raises:
        TimeoutError: if it takes longer than so many seconds.
    """
    before = os.times()
    with started(*command, cwd=cwd, env=env) as going:
        try:
            out, err = going.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{command} takes longer than {timeout} s") from error
    spent = sum(os.times()[2:4]) - sum(before[2:4])
    return Done(going.returncode, out, err, spent)


python = partial(run, sys.executable)
"""Run the interpreter of this environment."""


def peer(module: str, *names: str) -> Any:
    """A library that a benchmark compares with; the test is skipped where it is not there or does not work.

    Args:
        module: What to import.
        names: What is needed of it, for libraries that import their parts on first use.
    """
    try:
        found = importlib.import_module(module)
        for name in names:
            getattr(found, name)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises
        pytest.skip(f"{module} does not import: {' '.join(str(error).split())}", allow_module_level=True)
    return found


def script(name: str) -> ModuleType:
    """A script of `.github/` as a module; it works in the current folder."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / ".github" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
