import itertools

import pytest
import torch

from house import peer
from snn_continual import SurrogateLIF

OPTIONS = [
    dict(zip(("soft_reset", "detach_reset", "decay_input"), values, strict=True))
    for values in itertools.product((True, False), repeat=3)
]


class Spike(torch.autograd.Function):
    """A step, with the derivative of a sigmoid of slope 4."""

    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance)

    @staticmethod
    def backward(ctx, grad):
        s = torch.sigmoid(4 * ctx.saved_tensors[0])
        return grad * 4 * s * (1 - s)


def by_autograd(current, tau, *, soft_reset, detach_reset, decay_input):
    u, spikes = torch.zeros_like(current[0]), []
    for x in current:
        u = (1 - 1 / tau) * u + (x / tau if decay_input else x)
        spike = Spike.apply(u - 1)
        reset = spike.detach() if detach_reset else spike
        u = u - reset if soft_reset else u * (1 - reset)
        spikes.append(spike)
    return torch.stack(spikes)


def both_ways(function, current, grad):
    current = current.detach().clone().requires_grad_()
    spikes = function(current)
    spikes.backward(grad)
    return spikes.detach(), current.grad


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(key for key in o if o[key]) or "none")
@pytest.mark.parametrize("tau", [1.0, 2.0, 3.5])
def test_gradients_are_autograd_s_through_the_steps(tau, options):
    current = 2 * torch.randn(7, 4, 5, dtype=torch.float64) + 0.5
    grad = torch.randn_like(current)
    found = both_ways(SurrogateLIF(tau, **options), current, grad)
    expected = both_ways(lambda x: by_autograd(x, tau, **options), current, grad)
    assert 0 < found[0].mean() < 1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_defaults_are_soft_detached_reset_and_no_decay_of_the_input():
    current, grad = 2 * torch.randn(6, 9), torch.randn(6, 9)
    expected = both_ways(
        lambda x: by_autograd(x, 2.0, soft_reset=True, detach_reset=True, decay_input=False), current, grad
    )
    for one, other in zip(both_ways(SurrogateLIF(), current, grad), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(key for key in o if o[key]) or "none")
def test_spikes_and_gradients_are_spikingjelly_s(options):
    neuron, surrogate = (peer(f"spikingjelly.activation_based.{name}") for name in ("neuron", "surrogate"))
    theirs = neuron.LIFNode(
        tau=3.0,
        decay_input=options["decay_input"],
        v_reset=None if options["soft_reset"] else 0.0,
        detach_reset=options["detach_reset"],
        surrogate_function=surrogate.Sigmoid(alpha=4.0),
        step_mode="m",
    )
    current, grad = 2 * torch.randn(7, 4, 5) + 0.5, torch.randn(7, 4, 5)
    expected = both_ways(theirs, current, grad)
    for one, other in zip(both_ways(SurrogateLIF(3.0, **options), current, grad), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_spikes_are_snntorch_s():
    snntorch = peer("snntorch", "Leaky")
    theirs = snntorch.Leaky(beta=0.5, threshold=1.0, reset_mechanism="subtract", reset_delay=False)
    current = torch.rand(9, 4, 5)
    membrane, expected = theirs.init_leaky(), []
    for x in current:
        spike, membrane = theirs(x, membrane)
        expected.append(spike)
    spikes = SurrogateLIF(2.0)(current)
    assert 0 < spikes.mean() < 1
    torch.testing.assert_close(spikes, torch.stack(expected))


def test_flattened_time_is_the_same():
    current = 2 * torch.randn(6, 4, 5)
    torch.testing.assert_close(SurrogateLIF(timesteps=6)(current.flatten(0, 1)), SurrogateLIF()(current).flatten(0, 1))


def test_a_repeated_current_and_evaluation_without_gradients_give_the_same_spikes():
    once, neuron = 2 * torch.randn(4, 5), SurrogateLIF()
    spikes = neuron(once.expand(6, 4, 5))
    assert torch.equal(spikes, neuron(once.repeat(6, 1, 1)))
    with torch.no_grad():
        assert torch.equal(neuron(once.expand(6, 4, 5)), spikes)


@pytest.mark.parametrize("tau", [0.5, float("nan"), float("inf")])
def test_a_time_constant_below_one_step_is_refused(tau):
    with pytest.raises(ValueError, match=f"at least 1, not {tau}"):
        SurrogateLIF(tau)
