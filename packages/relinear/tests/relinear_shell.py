"""The commands, called as they are typed."""

from relinear import cli
from relinear.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.train, cli.evaluate, cli.sweep, cli.convert, cli.expressivity])
