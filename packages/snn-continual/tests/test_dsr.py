import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snn_continual import DSRIF, DSRLIF, MeanRate, WeightedRate
from snn_continual.rates import is_constant, repeat

DT, TAU, ALPHA, VTH = 0.05, 1.0, 0.3, 0.3


def simulate(currents, threshold, leak, gain, alpha, dt):
    """One neuron, in Python's own numbers."""
    u, spikes = 0.0, []
    for current in currents:
        u = leak * u + gain * current
        fires = u >= alpha * threshold
        u -= threshold * fires
        spikes.append(threshold / dt * fires)
    return spikes


def weighted(values, dt=DT, tau=TAU):
    """The weighted rate over the first axis, in double precision."""
    steps = len(values)
    w = np.exp(-(steps - np.arange(1, steps + 1)) * dt / tau)
    return np.tensordot(w, np.asarray(values, dtype=float), 1) / w.sum()


@pytest.mark.parametrize(
    ("current", "expected"),
    [(-1, 0), (0, 0), (0.5, 0.57), (1, 1.25), (2, 2.06), (3, 2.93), (4, 4.22), (5, 5.12), (6, 6), (9, 6)],
)
def test_rate_of_a_neuron_under_constant_current(current, expected):
    spikes = DSRLIF()(torch.full((20, 1), float(current)))
    exact = expected in {0, 6}
    assert weighted(spikes.detach())[0] == pytest.approx(expected, abs=1e-5 if exact else 0.01)


@pytest.mark.parametrize(("timesteps", "error"), [(20, 0.31), (400, 0.22)])
def test_rate_stays_within_a_spike_of_the_clipped_current(timesteps, error):
    current = torch.linspace(-2, 9, 221)
    spikes = DSRLIF()(current.expand(timesteps, -1)).detach()
    assert abs(weighted(spikes) - current.clamp(0, 6).numpy()).max() <= error


@given(
    st.lists(st.floats(-3, 12, width=32), min_size=1, max_size=12),
    st.sampled_from([(0.3, 1.0, 0.05, 0.3), (0.7, 0.5, 0.1, 0.5)]),
)
def test_spikes_are_those_of_a_neuron_simulated_by_itself(currents, constants):
    threshold, tau, dt, alpha = constants
    neuron = DSRLIF(threshold, tau=tau, dt=dt, alpha=alpha).double()
    leak = math.exp(-dt / tau)
    expected = simulate(currents, neuron.threshold.item(), leak, 1 - leak, alpha, dt)
    found = neuron(torch.tensor(currents, dtype=torch.float64)[:, None])
    np.testing.assert_allclose(found[:, 0].detach(), expected)


@given(st.lists(st.floats(-1, 2, width=32), min_size=1, max_size=12))
def test_neurons_without_leak_add_up_their_input(currents):
    found = DSRIF(0.5).double()(torch.tensor(currents, dtype=torch.float64)[:, None])
    np.testing.assert_allclose(found[:, 0].detach(), simulate(currents, 0.5, 1.0, 1.0, 0.5, 1.0))


def test_without_leak_the_mean_rate_is_the_clipped_current_to_one_spike():
    current = torch.linspace(-1, 2, 61)
    rate = DSRIF(1.0)(current.expand(50, -1)).mean(0)
    assert (rate - current.clamp(0, 1)).abs().max() <= 1 / 50 + 1e-6


@pytest.mark.parametrize("constants", [(0.3, 1.0, 0.05), (0.4, 0.5, 0.1)])
def test_gradients_are_the_paper_s_formulas(constants):
    threshold, tau, dt = constants
    neuron = DSRLIF(threshold, tau=tau, dt=dt).double()
    threshold = neuron.threshold.item()
    current = (torch.randn(7, 5, 6, dtype=torch.float64) + 8 * torch.randn(5, 6)).requires_grad_()
    grad = torch.randn(7, 5, 6, dtype=torch.float64)
    neuron(current).backward(grad)
    rate = weighted(current.detach(), dt, tau)
    error = 7 * weighted(grad, dt, tau)
    largest = tau * threshold / dt
    assert (rate > largest).any()
    assert ((rate > 0) & (rate < largest)).any()
    expected = np.where((rate > 0) & (rate < largest), error / tau, 0) / 7
    np.testing.assert_allclose(current.grad, np.broadcast_to(expected, (7, 5, 6)), atol=1e-8)
    assert neuron.threshold.grad.item() == pytest.approx(dt * error[rate > largest].sum(), rel=1e-6)


def test_gradients_without_leak_are_autograd_s_of_the_clipped_mean():
    neuron = DSRIF(1.0).double()
    current = (2 * torch.randn(6, 40, dtype=torch.float64)).requires_grad_()
    error = torch.randn(40, dtype=torch.float64)
    (MeanRate()(neuron(current)) * error).sum().backward()
    other, threshold = (
        current.detach().clone().requires_grad_(),
        torch.ones((), dtype=torch.float64, requires_grad=True),
    )
    (torch.minimum(other.mean(0).clamp_min(0), threshold) * error).sum().backward()
    torch.testing.assert_close(current.grad, other.grad)
    torch.testing.assert_close(neuron.threshold.grad, threshold.grad)


@pytest.mark.parametrize("neuron", [DSRLIF(), DSRIF()])
def test_a_repeated_current_gives_what_its_copies_give_both_ways(neuron):
    once, grad = (3 * torch.randn(4, 5)).requires_grad_(), torch.randn(8, 4, 5)
    spikes = neuron(repeat(once, 8))
    spikes.backward(grad)
    copies = repeat(once.detach(), 8).contiguous().requires_grad_()
    neuron.zero_grad()
    expected = neuron(copies)
    expected.backward(grad)
    torch.testing.assert_close(spikes, expected)
    torch.testing.assert_close(once.grad, copies.grad.sum(0))


def test_the_error_is_handed_down_as_one_step_repeated():
    seen = []
    current = (3 * torch.randn(8, 4, 5)).requires_grad_()
    current.register_hook(lambda grad: seen.append(is_constant(grad)))
    DSRLIF()(current).sum().backward()
    assert seen == [True]


def test_flattened_time_is_the_same():
    current = 3 * torch.randn(6, 4, 5)
    torch.testing.assert_close(DSRLIF(timesteps=6)(current.flatten(0, 1)), DSRLIF()(current).flatten(0, 1))


def test_evaluation_without_gradients_gives_the_same_spikes():
    neuron, current = DSRLIF(), 3 * torch.randn(6, 4)
    spikes = neuron(current)
    with torch.no_grad():
        assert torch.equal(neuron(current), spikes)


def test_the_threshold_is_held_above_its_bound_in_training_alone():
    neuron = DSRLIF(min_threshold=0.1)
    neuron.threshold.data.fill_(-1.0)
    neuron.eval()(torch.zeros(2, 1))
    assert neuron.threshold.item() == -1
    neuron.train()(torch.zeros(2, 1))
    assert neuron.threshold.item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"tau": -1}, {"dt": 0}, {"alpha": 0}, {"tau": math.nan}, {"threshold": math.inf}]
)
def test_constants_that_are_not_positive_are_refused(options):
    with pytest.raises(ValueError, match="must be positive"):
        DSRLIF(**options)


def test_its_rate_is_the_weighted_one_of_its_own_constants():
    assert DSRLIF(tau=0.5, dt=0.1).rate == WeightedRate(0.5, 0.1)
    assert DSRIF().rate == MeanRate()
