"""Where evidence comes from: the hardware, the versions and the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .paper import Paper


def hardware() -> dict[str, Any]:
    """The machine, and the versions that numbers depend on."""
    import torch

    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("separata", "torch", "numpy")},
    }


def _cpu() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def commit(paper: Paper) -> str | None:
    """The git commit of the source tree that a paper's package runs from, or None outside one.

    It ends in `-dirty` when a source file (evidence does not count) differs from the commit.
    """
    from .evidence import folder_of

    root = folder_of(paper).parent
    head = _git(root, "rev-parse", "HEAD")
    if head is None or _git(root, "ls-files", "--error-unmatch", "pyproject.toml") is None:
        return None
    sources = (
        "-c",
        "core.quotepath=off",
        "status",
        "--porcelain",
        "--",
        ".",
        ":(top)shared",
        ":(exclude)results",
        ":(exclude)README.md",
    )
    return f"{head}-dirty" if _git(root, *sources) else head


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None if it cannot."""
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
