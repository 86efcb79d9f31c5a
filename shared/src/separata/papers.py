"""The papers that are installed."""

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from .paper import Paper

GROUP = "separata.papers"
"""The entry-point group under which a package announces its `Paper`."""


@dataclass(frozen=True)
class Broken:
    """A package that is installed but cannot be used."""

    name: str
    reason: str


def survey() -> tuple[list[Paper], list[Broken]]:
    """Every installed paper by name, and the packages that do not import."""
    loaded = [_load(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)]
    return [one for one in loaded if isinstance(one, Paper)], [one for one in loaded if isinstance(one, Broken)]


def _load(entry: EntryPoint) -> Paper | Broken:
    try:
        paper = entry.load()
    except Exception as error:  # noqa: BLE001 - whatever a package does, the others are still there
        return Broken(entry.name, f"does not import: {type(error).__name__}: {' '.join(str(error).split())}")
    return paper if isinstance(paper, Paper) else Broken(entry.name, f"{entry.value} is no Paper")


def installed() -> list[Paper]:
    """Every installed paper that can be used, by name; what cannot is named on standard error."""
    found, broken = survey()
    for one in broken:
        print(f"{one.name} {one.reason}", file=sys.stderr)  # noqa: T201
    return found


def find(name: str) -> Paper:
    """The installed paper of that name.

    Raises:
        ValueError: if it is not installed, or does not import; the message lists what is installed.
    """
    entries = entry_points(group=GROUP)
    names = sorted(entry.name for entry in entries)
    if name not in names:
        raise ValueError(f"no paper '{name}' is installed; installed: {', '.join(names) or 'none'}")
    paper = _load(entries[name])
    if isinstance(paper, Broken):
        raise ValueError(f"{paper.name} {paper.reason}")
    return paper
