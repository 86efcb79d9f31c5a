"""The commands, called as they are typed."""

from opposing_signals import cli
from opposing_signals.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.trace, cli.groups, cli.sharpness, cli.toy, cli.optimizers])

TINY = ("--n", "200", "--n-steps", "40", "--hidden", "16", "--sharpness-every", "20", "--lr", "0.5", "--device", "cpu")
