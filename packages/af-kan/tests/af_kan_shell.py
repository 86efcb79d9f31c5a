"""The commands, called as they are typed."""

from af_kan import cli
from af_kan.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.train, cli.evaluate, cli.predict, cli.fit, cli.compare, cli.ablate, cli.export])

TINY = ("--hidden", "10", "--epochs", "3", "--batch-size", "32", "--lr", "0.01", "--device", "cpu")
