"""The commands, called as they are typed."""

from mip_hypernet.cli import compare, diagnose, evaluate, instantiate, train
from mip_hypernet.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [diagnose, train, compare, instantiate, evaluate])
