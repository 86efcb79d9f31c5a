"""The papers that are installed."""

from importlib.metadata import entry_points

from .paper import Paper

GROUP = "separata.papers"
"""The entry-point group under which a package announces its `Paper`."""


def installed() -> list[Paper]:
    """Every installed paper, by name."""
    return sorted((entry.load() for entry in entry_points(group=GROUP)), key=lambda paper: paper.name)


def find(name: str) -> Paper:
    """The installed paper of that name.

    Raises:
        ValueError: if it is not installed; the message lists what is.
    """
    names = sorted(entry.name for entry in entry_points(group=GROUP))
    if name not in names:
        raise ValueError(f"no paper '{name}' is installed; installed: {', '.join(names) or 'none'}")
    return entry_points(group=GROUP)[name].load()
