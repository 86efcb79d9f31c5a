import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snn_continual import OTTT, HLOPLinear, LeakyTrace, OnlineLIF, SpikingMLP, SurrogateLIF, carry_state


def surrogate(distance):
    s = torch.sigmoid(4 * distance)
    return 4 * s * (1 - s)


@pytest.mark.parametrize("tau", [1.0, 2.0, 5.0])
def test_trace_is_the_explicit_sum_of_faded_spikes(tau):
    spikes = (torch.rand(7, 3, 4) < 0.4).float()
    expected = torch.stack(
        [sum((1 - 1 / tau) ** k * spikes[t - k] for k in range(t + 1)) * torch.ones(3, 4) for t in range(7)]
    )
    torch.testing.assert_close(LeakyTrace(tau)(spikes), expected)


def test_trace_is_its_own_recursion_however_it_is_cut():
    x = torch.randn(9, 2, 3)
    whole = LeakyTrace(3.0)(x)
    trace = LeakyTrace(3.0)
    carry_state(trace, carries=True)
    torch.testing.assert_close(torch.cat([trace(part) for part in x.split([1, 3, 4, 1])]), whole)
    carry_state(trace, carries=True)
    torch.testing.assert_close(trace(x[:2]), whole[:2])
    carry_state(trace, carries=False)
    torch.testing.assert_close(trace(x), trace(x))


def test_spikes_are_those_of_back_propagation_through_time_s_neurons():
    current = 2 * torch.randn(8, 3, 4)
    torch.testing.assert_close(OnlineLIF(3.0)(current), SurrogateLIF(3.0)(current))


def test_an_error_reaches_the_current_of_its_own_step_only():
    current = (2 * torch.randn(6, 3, dtype=torch.float64)).requires_grad_()
    grad = torch.zeros(6, 3, dtype=torch.float64)
    grad[2] = torch.randn(3, dtype=torch.float64)
    spikes = OnlineLIF()(current)
    spikes.backward(grad)
    membrane = torch.zeros(3, dtype=torch.float64)
    for t in range(3):
        membrane = membrane / 2 + current[t]
        distance, membrane = membrane - 1, membrane - spikes[t]
    expected = torch.zeros_like(grad)
    expected[2] = grad[2] * surrogate(distance.detach())
    torch.testing.assert_close(current.grad, expected)


def test_weight_gradient_of_a_layer_is_the_sum_over_steps_of_error_times_trace():
    """Two layers; the upper is fed by spikes, so its gradient takes their trace."""
    lower = HLOPLinear(5, 6, bias=False, dtype=torch.float64)
    upper = HLOPLinear(6, 3, bias=False, dtype=torch.float64, trace=LeakyTrace(4.0))
    x = 3 * torch.randn(5, 2, 5, dtype=torch.float64)
    weights = torch.randn(5, 2, 3, dtype=torch.float64)
    (OnlineLIF(4.0)(upper(OnlineLIF(4.0)(lower(x)))) * weights).sum().backward()

    expected_lower, expected_upper = torch.zeros_like(lower.weight), torch.zeros_like(upper.weight)
    u = torch.zeros(2, 6, dtype=torch.float64)
    v, trace = torch.zeros(2, 3, dtype=torch.float64), torch.zeros_like(u)
    with torch.no_grad():
        for t in range(5):
            u = 0.75 * u + x[t] @ lower.weight.T
            spike = (u >= 1).double()
            trace = 0.75 * trace + spike
            v = 0.75 * v + spike @ upper.weight.T
            error = weights[t] * surrogate(v - 1)
            expected_upper += error.T @ trace
            expected_lower += ((error @ upper.weight) * surrogate(u - 1)).T @ x[t]
            u, v = u - spike, v - (v >= 1).double()
    torch.testing.assert_close(upper.weight.grad, expected_upper)
    torch.testing.assert_close(lower.weight.grad, expected_lower)


@pytest.mark.parametrize("chunk", [1, 2])
def test_going_step_by_step_gives_the_outputs_and_gradients_of_all_steps_at_once(chunk):
    model = SpikingMLP((7, 6, 6, 3), OTTT(timesteps=6)).double()
    x, y = 3 * torch.randn(4, 7, dtype=torch.float64), torch.randint(3, (4,))
    model.loss(x, y).backward()
    whole = [parameter.grad.clone() for parameter in model.parameters()]
    with torch.no_grad():
        expected = model.step_outputs(x)
    model.zero_grad()
    carry_state(model, carries=True)
    outputs = []
    for _ in range(6 // chunk):
        out = model.step_outputs(x, timesteps=chunk)
        (F.cross_entropy(out.flatten(0, 1), y.repeat(chunk)) * chunk / 6).backward()
        outputs.append(out.detach())
    torch.testing.assert_close(torch.cat(outputs), expected)
    for one, other in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(one.grad, other)
    carry_state(model, carries=False)
    torch.testing.assert_close(model.step_outputs(x), expected)


def test_going_step_by_step_works_without_gradients_too():
    model = SpikingMLP((7, 6, 3), OTTT(timesteps=5)).eval()
    x = 3 * torch.randn(4, 7)
    with torch.no_grad():
        expected = model.step_outputs(x)
        carry_state(model, carries=True)
        found = torch.cat([model.step_outputs(x, timesteps=1) for _ in range(5)])
    torch.testing.assert_close(found, expected)


def test_flattened_time_is_the_same():
    current = 2 * torch.randn(6, 4, 5)
    torch.testing.assert_close(OnlineLIF(timesteps=6)(current.flatten(0, 1)), OnlineLIF()(current).flatten(0, 1))


def test_state_is_no_part_of_what_is_saved():
    model = nn.Sequential(OnlineLIF())
    carry_state(model, carries=True)
    model(torch.ones(2, 3))
    assert not model.state_dict()


@pytest.mark.parametrize("kind", [OnlineLIF, LeakyTrace])
@pytest.mark.parametrize("tau", [0.5, float("nan")])
def test_a_time_constant_below_one_step_is_refused(kind, tau):
    with pytest.raises(ValueError, match=f"at least 1, not {tau}"):
        kind(tau)
