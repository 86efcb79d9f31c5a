"""The command line `convergent-learning`."""
from separata import cli
from .paper import PAPER


def main() -> None:
    """Run the command line."""
    cli.main(PAPER, [])
