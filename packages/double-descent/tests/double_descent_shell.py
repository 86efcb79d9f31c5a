"""The commands, called as they are typed."""

from double_descent import cli
from double_descent.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.sweep, cli.networks, cli.report, cli.minimal, cli.compare])
