"""The commands, called as they are typed, and curves for them."""

import numpy as np

from epochwise_descent import cli
from epochwise_descent.paper import PAPER
from separata.testing import Commands

call = Commands(PAPER, [cli.predict, cli.simulate, cli.heatmap, cli.phase, cli.detect, cli.train])

KNOTS, LEVELS = (0.0, 1.0, 2.5, 4.0), (0.6, 0.2, 0.35, 0.1)
"""Logarithms of time at which a synthetic curve turns, and its values there."""


def wave(t):
    """A smooth double descent: minimum 0.2 at 10, peak 0.35 at 316, end 0.1 at 10,000."""
    x = np.log10(t)
    out = np.empty_like(x)
    for left, right, low, high in zip(KNOTS, KNOTS[1:], LEVELS, LEVELS[1:]):
        inside = (x >= left) & (x <= right)
        out[inside] = low + (high - low) * (1 - np.cos(np.pi * (x[inside] - left) / (right - left))) / 2
    return out
