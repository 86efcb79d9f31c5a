"""The circuit as a citizen of PyTorch: time, batches, dtypes, transforms, bad input."""

import copy

import numpy as np
import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from ncap_swimmer import CircuitPolicy, SwimmerCircuit

EVERYTHING = {"turn": True, "speed": True}
COMMANDS = {"right": 0.3, "left": 0.1, "speed": 0.6}


def heads(circuit, t, dtype=torch.float32):
    """Torque of the first joint: +1 in the oscillator's first half, -1 in the second."""
    return circuit(torch.zeros(*np.shape(t), circuit.n_joints, dtype=dtype), t)[..., 0]


def square(steps, period=60):
    return np.where(np.asarray(steps) % period < period / 2, 1.0, -1.0)


# ---- time


@pytest.mark.parametrize("period", [2, 14, 60, 62, 120])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_phase_through_the_time_feature_is_right_at_each_of_1000_steps(period, dtype):
    policy = CircuitPolicy(SwimmerCircuit(2, period))
    t = np.arange(1001)
    feature = torch.tensor(2 * t / 1000 - 1).to(dtype)
    observations = torch.cat((torch.zeros(1001, 4, dtype=dtype), feature[:, None]), 1)
    np.testing.assert_array_equal(policy(observations)[:, 0].detach().numpy(), square(t, period))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32])
def test_phase_does_not_depend_on_the_precision_of_the_joints(dtype, kind):
    circuit = SwimmerCircuit(2).to(dtype)
    t = torch.arange(1000).to(kind)
    np.testing.assert_array_equal(heads(circuit, t, dtype).detach().float().numpy(), square(t))


def test_steps_are_rounded_and_may_be_negative():
    circuit = SwimmerCircuit(2)
    assert [heads(circuit, t).item() for t in (29.4, 29.6, 59.6, -0.4, -1, -31)] == [1, -1, 1, 1, -1, 1]


def test_own_clock_advances_by_one_a_call_and_returns_to_zero_at_reset():
    circuit = SwimmerCircuit(3, 4)
    q = torch.zeros(3)
    assert [circuit(q)[0].item() for _ in range(6)] == [1, 1, -1, -1, 1, 1]
    circuit(q, 3)
    assert circuit.time == 6
    circuit.reset()
    assert circuit(torch.zeros(5, 3))[:, 0].tolist() == [1] * 5
    assert circuit.time == 1


# ---- shapes and types


@pytest.mark.parametrize("batch", [(), (0,), (1,), (4,), (2, 0), (2, 3, 4)])
@pytest.mark.parametrize("share", [True, False])
def test_batches_of_all_shapes_equal_single_calls(batch, share):
    circuit = SwimmerCircuit(5, share=share, init="uniform", n_turn_joints=2, **EVERYTHING)
    q, t = 2 * torch.rand(*batch, 5) - 1, torch.randint(0, 200, batch)
    command = {name: torch.rand(batch) for name in COMMANDS}
    out = circuit(q, t, **command)
    assert out.shape == q.shape
    for index in np.ndindex(*batch):
        one = circuit(q[index], t[index].item(), **{name: value[index].item() for name, value in command.items()})
        torch.testing.assert_close(out[index], one)


def test_time_and_commands_broadcast_from_numbers_and_smaller_tensors():
    circuit = SwimmerCircuit(5, init="uniform", **EVERYTHING)
    q = 2 * torch.rand(3, 4, 5) - 1
    everywhere = circuit(q, torch.full((3, 4), 40), **{k: torch.full((3, 4), v) for k, v in COMMANDS.items()})
    torch.testing.assert_close(circuit(q, 40, **COMMANDS), everywhere)
    for shape in ((), (4,), (1, 4), (3, 1)):
        command = {name: torch.full(shape, value) for name, value in COMMANDS.items()}
        torch.testing.assert_close(circuit(q, torch.full(shape, 40), **command), everywhere)


def test_a_joint_that_is_not_a_number_is_not_hidden():
    q = torch.tensor([0.1, float("nan"), 0.2, 0.3])
    assert torch.isnan(SwimmerCircuit(4)(q, 0)).tolist() == [False, False, True, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_output_has_the_type_of_module_and_input(dtype):
    circuit = SwimmerCircuit(4, share=False, **EVERYTHING).to(dtype)
    q = torch.tensor([0.5, -0.25, 1.0, 0.0], dtype=dtype)
    assert circuit(q, 0, right=0.0, left=0.0, speed=1.0).tolist() == [1, 0.5, -0.25, 1]
    assert circuit(q, 0, **COMMANDS).dtype == dtype


def test_autocast_changes_nothing():
    circuit = SwimmerCircuit(5, share=False, init="uniform", **EVERYTHING)
    q, t = 2 * torch.rand(16, 5) - 1, torch.arange(16) * 61
    with torch.autocast("cpu", torch.bfloat16):
        out = circuit(q, t, **COMMANDS)
    torch.testing.assert_close(out.float(), circuit(q, t, **COMMANDS), atol=0.02, rtol=0)


# ---- transforms, copies


@pytest.mark.parametrize("share", [True, False])
def test_vmap_over_states_and_over_weights(share):
    circuits = [SwimmerCircuit(4, share=share, init="uniform", n_turn_joints=2, **EVERYTHING) for _ in range(3)]
    q, t = 2 * torch.rand(3, 6, 4) - 1, torch.arange(6) * 17
    parameters, buffers = stack_module_state(circuits)

    def one(parameters, q, t):
        return functional_call(circuits[0], (parameters, {}), (q, t), COMMANDS)

    assert buffers == {}
    found = vmap(vmap(one, (None, 0, 0)), (0, 0, None))(parameters, q, t)
    expected = torch.stack([circuit(each, t, **COMMANDS) for circuit, each in zip(circuits, q)])
    torch.testing.assert_close(found, expected)


def test_export_keeps_time_and_batch_free():
    circuit = SwimmerCircuit(5, init="uniform")
    batch = torch.export.Dim("batch", min=2)
    given = (torch.rand(4, 5), torch.arange(4.0))
    program = torch.export.export(circuit, given, dynamic_shapes=({0: batch}, {0: batch}))
    q, t = 2 * torch.rand(9, 5) - 1, torch.arange(9.0) * 13
    torch.testing.assert_close(program.module()(q, t), circuit(q, t))


def test_copies_and_state_dicts_are_the_same_circuit():
    circuit = SwimmerCircuit(5, share=False, init="uniform", **EVERYTHING)
    circuit.time = 17
    twin, other = copy.deepcopy(circuit), SwimmerCircuit(5, share=False, **EVERYTHING)
    assert list(other.state_dict()) == list(dict(other.named_parameters()))
    other.load_state_dict(circuit.state_dict())
    q = 2 * torch.rand(8, 5) - 1
    for same in (twin, other):
        torch.testing.assert_close(same(q, 3, **COMMANDS), circuit(q, 3, **COMMANDS), rtol=0, atol=0)
    twin.weight["ipsi"].data.zero_()
    twin(q, **COMMANDS)
    assert (twin.time, circuit.time) == (18, 17)
    assert circuit.weight["ipsi"].abs().sum() > 0


def test_printing_shows_the_configuration():
    assert "n_joints=5" in repr(SwimmerCircuit(5))
    assert "oscillator=False" in repr(SwimmerCircuit(5, oscillator=False))


# ---- bad input


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"n_joints": 1}, "at least 2 joints"),
        ({"n_joints": 0}, "at least 2 joints"),
        ({"n_joints": 5, "period": 0}, "even and at least 2"),
        ({"n_joints": 5, "period": 61}, "even and at least 2"),
        ({"n_joints": 5, "n_turn_joints": 0}, "between 1 and the 5"),
        ({"n_joints": 5, "n_turn_joints": 6}, "between 1 and the 5"),
        ({"n_joints": 5, "init": "normal"}, "'constant' or 'uniform'"),
    ],
)
def test_bad_options(unchecked, options, remedy):
    with pytest.raises(ValueError, match=remedy):
        SwimmerCircuit(**options)


@pytest.mark.parametrize(
    ("options", "command", "remedy"),
    [
        ({"turn": True}, {}, "give right="),
        ({"turn": True}, {"right": 1.0}, "give left="),
        ({"speed": True}, {}, "give speed="),
        (EVERYTHING, {"right": 1.0, "left": 0.0}, "give speed="),
        ({}, {"speed": 1.0}, "speed=True"),
        ({}, {"left": 1.0}, "turn=True"),
    ],
)
def test_commands_missing_or_not_expected(unchecked, options, command, remedy):
    with pytest.raises(ValueError, match=remedy):
        SwimmerCircuit(5, **options)(torch.zeros(5), 0, **command)


@pytest.mark.parametrize("shape", [(4,), (3, 6), (5, 1)])
def test_joints_of_another_body(unchecked, shape):
    with pytest.raises(ValueError, match=r"must be \(\.\.\., 5\)"):
        SwimmerCircuit(5)(torch.zeros(shape), 0)


def test_unshared_weights_do_not_move_to_another_body():
    with pytest.raises(ValueError, match="share=True"):
        SwimmerCircuit(5, share=False).for_body(7)
