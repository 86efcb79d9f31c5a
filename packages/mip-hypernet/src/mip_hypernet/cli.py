"""The command line `mip-hypernet`."""

from separata import cli

from .paper import PAPER


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [])
