"""The commands, called as they are typed."""

from convergent_learning import cli
from convergent_learning.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.collect, cli.match, cli.sparse, cli.cluster, cli.align])
