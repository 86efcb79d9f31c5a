"""The commands, called as they are typed."""

from mgno import cli
from mgno.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.generate, cli.train, cli.evaluate, cli.predict, cli.export])

TINY = ("--width", "3", "--num-layers", "1", "--epochs", "2", "--batch-size", "4", "--device", "cpu")
