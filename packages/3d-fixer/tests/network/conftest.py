"""Small networks whose every weight is random, so that nothing is hidden by a zero."""

import pytest
import torch

from fixer3d.configs import FlowConfig
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk

SMALL = FlowConfig(
    resolution=4, in_channels=2, width=24, n_blocks=3, n_control_blocks=2, n_heads=2, cond_width=10, confidence_block=2
)


@pytest.fixture
def config():
    return SMALL


@pytest.fixture
def randomize():
    def change(module, scale=0.2):
        for parameter in module.parameters():
            parameter.data += scale * torch.randn_like(parameter)
        return module

    torch.manual_seed(0)
    return change


@pytest.fixture
def trunk(randomize):
    return randomize(FlowTrunk(SMALL))


@pytest.fixture
def flow(trunk, randomize):
    return DualBranchFlow(trunk, randomize(ControlBranch.from_trunk(trunk)))


@pytest.fixture
def make_conditions():
    def make(n=2, seed=1):
        draw = torch.Generator().manual_seed(seed)
        shapes = [(n, 5, 10), (n, 10, 10), (n, 7, 10), (n, 2, 4, 4, 4), (n, 8, 4, 4, 4)]
        return Conditions(*(torch.randn(shape, generator=draw) for shape in shapes), torch.rand(n, generator=draw))

    return make


@pytest.fixture
def inputs():
    draw = torch.Generator().manual_seed(2)
    return torch.randn(2, 2, 4, 4, 4, generator=draw), torch.tensor([130.0, 870.0])
