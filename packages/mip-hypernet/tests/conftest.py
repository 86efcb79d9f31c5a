"""What the tests share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seed():
    """Initial weights are the same in every run."""
    torch.manual_seed(0)
