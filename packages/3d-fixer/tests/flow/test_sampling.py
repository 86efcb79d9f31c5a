import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from fixer3d.configs import FlowConfig, SamplerConfig
from fixer3d.flow.rectified import RectifiedFlow
from fixer3d.flow.sampling import make_velocity, sample, times
from fixer3d.network.conditions import Conditions
from fixer3d.network.control import ControlBranch, DualBranchFlow
from fixer3d.network.trunk import FlowTrunk

UNGUIDED = SamplerConfig(guidance=0.0)


def test_rescaled_times_run_from_noise_to_data():
    assert times(SamplerConfig(2, rescale=3.0)) == [1.0, 0.75, 0.0]
    assert times(SamplerConfig(4, rescale=1.0)) == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert times(SamplerConfig(4, rescale=5.0))[1] == pytest.approx(5 * 0.75 / (1 + 4 * 0.75))


@pytest.mark.parametrize("n_steps", [1, 7])
def test_the_right_velocity_leads_to_the_data(n_steps):
    x0, eps = torch.randn(2, 3, 8), torch.randn(2, 3, 8)
    found = sample(lambda x, t, guided: RectifiedFlow().target(x0, eps), eps, SamplerConfig(n_steps, guidance=0.0))
    torch.testing.assert_close(found, x0, atol=1e-4, rtol=0)


def gaussian_velocity(mean, std):
    """The exact velocity where data are normal: E[ε - x_0 | x_t], all being jointly normal."""

    def velocity(x, t, guided):
        t = (t / 1000).reshape(-1, 1)
        variance = (1 - t) ** 2 * std**2 + t**2
        residual = (x - (1 - t) * mean) / variance
        return t * residual - (mean + (1 - t) * std**2 * residual)

    return velocity


def test_a_normal_distribution_is_sampled_by_its_exact_velocity():
    mean, std = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 0.2])
    noise = torch.randn(5000, 2, generator=torch.Generator().manual_seed(0))
    found = sample(gaussian_velocity(mean, std), noise, SamplerConfig(200, 0.0))
    torch.testing.assert_close(found.mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(found.std(0), std, atol=0, rtol=0.04)
    # Its flow moves each coordinate by a line: quantiles stay where they are.
    torch.testing.assert_close(found, mean + std * noise, atol=0.05, rtol=0)


def test_fine_steps_agree_with_scipy():
    mean, std = torch.tensor([1.0]), torch.tensor([0.3])
    velocity = gaussian_velocity(mean, std)
    exact = solve_ivp(
        lambda t, x: velocity(torch.tensor(x)[None], torch.tensor([1000 * t]), guided=False)[0].numpy(),
        (1, 0),
        [0.7],
        rtol=1e-6,
    )
    found = sample(velocity, torch.tensor([[0.7]]), SamplerConfig(400, 0.0))
    np.testing.assert_allclose(found[0], exact.y[:, -1], atol=5e-3)


def test_smaller_steps_at_small_times_are_better_where_the_data_lie_close():
    mean, std = torch.tensor([1.0]), torch.tensor([0.02])
    noise = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))

    def error(rescale):
        found = sample(gaussian_velocity(mean, std), noise, SamplerConfig(12, 0.0, rescale=rescale))
        return (found - mean - std * noise).abs().max()

    assert error(1 / 3) < error(1.0) < error(3.0)


def test_guidance_applies_within_its_interval_and_doubles_the_batch_there():
    seen = []

    def velocity(x, t, guided):
        seen.append((round(float(t[0]) / 1000, 6), guided, len(x)))
        v = torch.full((len(x), 1), 2.0)
        if guided:
            v[3:] = 1
        return v

    config = SamplerConfig(4, guidance=5.0, interval=(0.5, 0.75), rescale=1.0)
    found = sample(velocity, torch.zeros(3, 1), config)
    assert seen == [(1.0, False, 3), (0.75, True, 6), (0.5, True, 6), (0.25, False, 3)]
    # (1 + 5) 2 - 5 1 = 7 for two of four steps, 2 for the others.
    torch.testing.assert_close(found, torch.full((3, 1), -0.25 * (2 + 7 + 7 + 2)))


def test_without_guidance_no_batch_is_doubled():
    def velocity(x, t, guided):
        assert not guided
        return x

    sample(velocity, torch.zeros(3, 1), UNGUIDED)


@pytest.fixture
def flow():
    torch.manual_seed(0)
    config = FlowConfig(4, 2, 2, 24, 2, 1, 2, 10, confidence_block=2)
    trunk = FlowTrunk(config)
    flow = DualBranchFlow(trunk, ControlBranch.from_trunk(trunk))
    for parameter in flow.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return flow


def conditions(n=2):
    shapes = [(n, 5, 10), (n, 10, 10), (n, 7, 10), (n, 2, 4, 4, 4), (n, 8, 4, 4, 4)]
    return Conditions(*(torch.randn(shape) for shape in shapes), torch.rand(n))


def test_one_pass_over_both_is_two_passes(flow):
    given, x, t = conditions(), torch.randn(2, 2, 4, 4, 4), torch.full((2,), 640.0)
    velocity = make_velocity(flow, given)
    both = velocity(torch.cat([x, x]), torch.cat([t, t]), guided=True)
    torch.testing.assert_close(both[:2], flow(x, t, given))
    torch.testing.assert_close(both[2:], flow(x, t, given.zeroed()))
    torch.testing.assert_close(velocity(x, t, guided=False), flow(x, t, given))


def test_the_trunk_alone_takes_image_tokens(flow):
    tokens, x, t = torch.randn(2, 5, 10), torch.randn(2, 2, 4, 4, 4), torch.full((2,), 640.0)
    both = make_velocity(flow.trunk, tokens)(torch.cat([x, x]), torch.cat([t, t]), guided=True)
    torch.testing.assert_close(both[2:], flow.trunk(x, t, torch.zeros(2, 5, 10)))


def test_a_users_own_network_is_sampled():
    class Toward(torch.nn.Module):
        def forward(self, x, t, conditions):
            assert conditions.shape == x.shape
            return x - conditions

    goal = torch.ones(3, 2)
    config = SamplerConfig(200, guidance=1.0, interval=(0.0, 1.0), rescale=1.0)
    found = sample(make_velocity(Toward(), goal), torch.zeros(3, 2), config)
    # With guidance v = 2 (x - 1) - x = x - 2, so that dx/dt = x - 2 from t = 1 to 0: x = 2 (1 - exp(-1)).
    torch.testing.assert_close(found, torch.full((3, 2), 2 * (1 - np.exp(-1.0))), atol=5e-3, rtol=0, check_dtype=False)


def test_objects_of_a_batch_are_sampled_as_they_are_alone_and_without_gradients(flow):
    given, noise, config = conditions(3), torch.randn(3, 2, 4, 4, 4), SamplerConfig(4)
    together = sample(make_velocity(flow, given), noise, config)
    assert not together.requires_grad
    alone = sample(make_velocity(flow, given[1:2]), noise[1:2], config)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("steps must be positive", {"n_steps": 0}),
        ("guidance must not be negative", {"guidance": -1.0}),
        ("interval", {"interval": (0.8, 0.5)}),
        ("interval", {"interval": (0.0, 1.5)}),
        ("rescale must be positive", {"rescale": float("nan")}),
        ("rescale must be finite", {"rescale": float("inf")}),
    ],
)
def test_settings_that_make_no_sense_are_refused(words, settings):
    with pytest.raises(ValueError, match=words):
        SamplerConfig(**settings)
