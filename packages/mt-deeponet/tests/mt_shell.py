"""The commands, called as they are typed."""

from mt_deeponet import cli
from mt_deeponet.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.generate, cli.train, cli.transfer, cli.evaluate, cli.predict, cli.export])

TINY = ("--branch", "8", "--trunk", "8,8", "--latent", "6", "--filters", "2,4", "--steps", "12", "--check-every", "4")
