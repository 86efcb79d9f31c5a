"""What the tests of opposing-signals share."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

# For `opposing_signals_shell`: each test module is imported on its own.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def small():
    """A network of about 100 parameters in double precision, with samples and classes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(40, 5, dtype=torch.float64, generator=generator)
    return net, x, torch.randint(3, (40,), generator=generator)
