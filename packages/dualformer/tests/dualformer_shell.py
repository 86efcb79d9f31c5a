"""What the tests of the command line share: the commands, a maze, a level, and options of a tiny training."""

from dualformer import cli
from dualformer.paper import PAPER
from separata.testing import Commands

TINY = ("--dim", "16", "--n-layers", "1", "--n-heads", "1", "--steps", "6", "--batch-size", "4", "--device", "cpu")
MAZE = "S..#\n.#..\n....\n#..G\n"
LEVEL = "######\n# .. #\n# $$ #\n# @  #\n######\n"

call = Commands(PAPER, [cli.generate, cli.trace, cli.train, cli.solve, cli.evaluate])
