"""The commands, called as they are typed."""

from modular_addition import cli
from modular_addition.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.train, cli.diagnose, cli.grok, cli.lottery, cli.logits, cli.plot])

TINY = ("--p", "7", "--width", "16", "--steps", "40", "--log-every", "10", "--lr", "0.01", "--device", "cpu")
