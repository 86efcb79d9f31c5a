"""The commands, called as they are typed."""

from s_kan import cli
from s_kan.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.fit, cli.evaluate, cli.predict, cli.report, cli.image, cli.compare])

TINY = ("--hidden", "3", "--pool", "rbf,fourier", "--n-basis", "6", "--epochs", "12", "--device", "cpu")
