"""The commands, called as they are typed."""

from kan_assessment import cli
from kan_assessment.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.run, cli.count, cli.profile, cli.scaling, cli.verdict])
