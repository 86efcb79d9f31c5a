"""The commands, called as they are typed."""

from deeponet import cli
from deeponet.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.generate, cli.train, cli.evaluate, cli.predict, cli.export])

TINY = ("--branch", "8,8", "--trunk", "8,8", "--steps", "30", "--check-every", "10", "--device", "cpu")
