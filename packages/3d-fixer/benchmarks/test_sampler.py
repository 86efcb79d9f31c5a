"""The sampler: both passes of guidance in one batch beside two, and what a step costs over the number of objects.

The peer is the sampler as it is usually written, which asks the network twice and embeds the conditions anew each time.
"""

from dataclasses import replace

import pytest
import torch

from fixer3d.configs import FlowConfig, SamplerConfig
from fixer3d.flow.sampling import make_velocity, sample, times
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk
from parallel import measures

CONFIG = FlowConfig()


@pytest.fixture(scope="module")
def flow(request):
    torch.manual_seed(0)
    trunk = FlowTrunk(CONFIG if measures(request.config) else replace(CONFIG, n_blocks=2, n_control_blocks=1))
    return DualBranchFlow(trunk, ControlBranch.from_trunk(trunk)).eval()


@pytest.fixture
def config(request):
    return SamplerConfig() if measures(request.config) else SamplerConfig(n_steps=2)


def conditions(n):
    c, r = CONFIG.cond_width, CONFIG.resolution
    shapes = [(n, 64, c), (n, 128, c), (n, 128, c), (n, 8, r, r, r), (n, CONFIG.confidence_block**3, r, r, r)]
    return Conditions(*(torch.randn(shape) for shape in shapes), torch.rand(n))


@torch.no_grad()
def two_passes(flow, given, noise, config):
    """The same samples, with the conditional and the unconditional pass one after the other."""
    x, steps, nothing = noise, times(config), given.zeroed()
    for t, following in zip(steps, steps[1:]):
        at = torch.full((len(x),), 1000 * t)
        v = flow(x, at, given)
        if config.interval[0] <= t <= config.interval[1]:
            v = (1 + config.guidance) * v - config.guidance * flow(x, at, nothing)
        x = x - (t - following) * v
    return x


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("name", ["one batch", "two passes"])
@pytest.mark.benchmark(group="25 guided steps of the tiny model, by objects")
def test_guidance(benchmark, flow, config, name, n):
    given, noise = conditions(n), torch.randn(n, 8, 8, 8, 8)

    def one_batch():
        return sample(make_velocity(flow, given), noise, config)

    found = benchmark(one_batch if name == "one batch" else lambda: two_passes(flow, given, noise, config))
    torch.testing.assert_close(found, two_passes(flow, given, noise, config), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16])
@pytest.mark.benchmark(group="one guided step of the tiny model, by objects")
def test_step(benchmark, flow, n):
    given, noise = conditions(n), torch.randn(n, 8, 8, 8, 8)
    velocity = make_velocity(flow, given)
    found = benchmark(lambda: sample(velocity, noise, SamplerConfig(n_steps=1)))
    assert found.shape == noise.shape
