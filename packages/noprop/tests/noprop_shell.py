"""The commands, called as they are typed."""

from noprop import cli
from noprop.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.train, cli.train_block, cli.assemble, cli.predict, cli.curve, cli.export])

TINY = ("--channels", "3,4", "--width", "8", "--n-steps", "3", "--epochs", "2", "--batch-size", "32", "--device", "cpu")
