"""The policies that come with this package: a folder for each, with weights, settings, history and results."""

from pathlib import Path

from separata.runs import MODEL

SHIPPED = Path(__file__).parent


def shipped() -> list[str]:
    """The names of the policies that come with this package, those of the families that they were trained on."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{MODEL}"))


def find(policy: Path | str) -> Path:
    """The file of a policy: one's own, or under its name one that comes with this package.

    Such a name always means that policy; a file of the same name is `./name`, or a `Path`.
    """
    return SHIPPED / policy / MODEL if isinstance(policy, str) and policy in shipped() else Path(policy)
