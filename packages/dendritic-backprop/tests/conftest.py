"""Modules with dendrites, as they are after some cycles."""

import pytest
from torch import nn

from dendritic_backprop import DendriteConfig, DendriticModule


def grow(module, n, config=DendriteConfig(), scale=1.0, **settings):  # noqa: B008 - immutable
    """A module with n dendrites of random weights and gains."""
    found = DendriticModule(module, config=config, **settings).double()
    for _ in range(n):
        found.start_candidates(1)
        for parameter in found.candidate_parameters():
            nn.init.normal_(parameter, std=scale)
        found.accept()
        nn.init.normal_(found.gain)
    return found


@pytest.fixture(scope="session")
def grown():
    """Makes a module with dendrites."""
    return grow
