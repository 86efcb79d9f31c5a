import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from torch.func import functional_call, jacrev

from ncap_swimmer import SwimmerCircuit, count_parameters

EXCITATORY, INHIBITORY = ("prop", "osc", "ipsi", "turn"), ("contra", "speed")
EVERYTHING = {"turn": True, "speed": True}
COMMANDS = {"right": 0.3, "left": 0.1, "speed": 0.6}


def perturbed(circuit, scale=1.5, seed=0):
    """Weights of both signs and all sizes, in float64."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in circuit.double().parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return circuit


def with_commands(circuit, **given):
    """Only those commands that the circuit takes."""
    taken = (["right", "left"] if circuit.turn else []) + (["speed"] if circuit.speed else [])
    return {name: value for name, value in given.items() if name in taken}


def angles(*shape, seed=1):
    return 2.4 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1.2


def clip01(x):
    return min(max(x, 0.0), 1.0)


def loop(circuit, q, t, right=0.0, left=0.0, speed=1.0):
    """Section 1 of the paper's file, one joint and one neuron after the other, for one state of the body."""

    def weight(name, row, side):
        value = circuit.weight[name].detach().tolist()
        value = value if circuit.share else value[row][side]
        if not circuit.signed:
            return value
        return max(value, 0.0) if name in EXCITATORY else min(value, 0.0)

    first_half = round(t) % circuit.period < circuit.period // 2
    osc = (1.0, 0.0) if first_half else (0.0, 1.0)
    torques = []
    for i in range(circuit.n_joints):
        b = []
        for side in (0, 1):
            x = 0.0
            if i == 0 and circuit.oscillator:
                x += weight("osc", 0, side) * osc[side]
            if i > 0 and circuit.proprioception:
                bend = q[i - 1] if side == 0 else -q[i - 1]
                x += weight("prop", i - 1, side) * clip01(bend)
            if circuit.speed:
                x += weight("speed", i, side) * (1 - clip01(speed))
            if circuit.turn and i < circuit.n_turn_joints:
                x += weight("turn", i, side) * clip01((right, left)[side])
            b.append(clip01(x))
        dorsal = clip01(weight("ipsi", i, 0) * b[0] + weight("contra", i, 0) * b[1])
        ventral = clip01(weight("ipsi", i, 1) * b[1] + weight("contra", i, 1) * b[0])
        torques.append(dorsal - ventral)
    return torques


# ---- the mathematics


@pytest.mark.parametrize(
    ("q", "t", "torques"),
    [
        ((0, 0, 0), 0, (1, 0, 0)),
        ((0, 0, 0), 29, (1, 0, 0)),
        ((0, 0, 0), 30, (-1, 0, 0)),
        ((0, 0, 0), 59, (-1, 0, 0)),
        ((0, 0, 0), 60, (1, 0, 0)),
        ((0.5, -0.25, 0.7), 0, (1, 0.5, -0.25)),
        ((0.5, -0.25, -9), 30, (-1, 0.5, -0.25)),
        ((7, -7, 0), 0, (1, 1, -1)),
    ],
)
def test_truth_table(q, t, torques):
    assert SwimmerCircuit(3)(torch.tensor(q, dtype=torch.float32), t).tolist() == list(torques)


def test_equal_drive_of_both_sides_gives_no_torque_without_contralateral_inhibition():
    circuit = SwimmerCircuit(2, turn=True, n_turn_joints=2)
    circuit.weight["contra"].data.zero_()
    activity = circuit(torch.zeros(2), 0, right=1.0, left=1.0, return_activity=True)
    assert activity.dorsal_neurons.tolist() == activity.ventral_neurons.tolist() == [1, 1]
    assert activity.torques.tolist() == [0, 0]


@given(
    st.fixed_dictionaries(
        {name: st.booleans() for name in ("share", "signed", "turn", "speed", "proprioception", "oscillator")}
    ),
    st.integers(2, 7),
    st.integers(1, 40),
    st.integers(0, 10**6),
    st.data(),
)
def test_forward_equals_a_loop_over_joints_and_sides(options, n_joints, half, seed, data):
    n_turn_joints = data.draw(st.integers(1, n_joints))
    circuit = perturbed(SwimmerCircuit(n_joints, 2 * half, n_turn_joints=n_turn_joints, **options), seed=seed)
    q, t = angles(3, n_joints, seed=seed), torch.tensor([0, half, seed % 1000], dtype=torch.float64)
    command = {name: 1.6 * torch.rand(3, dtype=torch.float64) - 0.3 for name in with_commands(circuit, **COMMANDS)}
    found = circuit(q, t, **command)
    for row in range(3):
        expected = loop(circuit, q[row].tolist(), t[row].item(), **{k: v[row].item() for k, v in command.items()})
        np.testing.assert_allclose(found[row].detach().numpy(), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_mirrored_body_half_a_period_later_gets_mirrored_torques(signed, seed):
    circuit = perturbed(SwimmerCircuit(6, signed=signed, **EVERYTHING), seed=seed)
    q, t = angles(50, 6), torch.arange(50)
    mirrored = circuit(-q, t + 30, right=0.1, left=0.3, speed=0.6)
    torch.testing.assert_close(circuit(q, t, **COMMANDS), -mirrored, atol=1e-12, rtol=0)


@pytest.mark.parametrize("share", [True, False])
def test_each_torque_depends_on_the_joint_before_it_alone(share):
    circuit = SwimmerCircuit(6, share=share).double()
    with torch.no_grad():
        for name in ("prop", "ipsi"):
            circuit.weight[name].mul_(0.7)
    jacobian = jacrev(lambda q: circuit(q, 0))(torch.tensor([0.4, -0.3, 0.2, -0.5, 0.6, 0.1], dtype=torch.float64))
    torch.testing.assert_close(jacobian, torch.diag(torch.full((5,), 0.49, dtype=torch.float64), -1))


@pytest.mark.parametrize("share", [True, False])
def test_gradients_equal_finite_differences_away_from_the_kinks(share):
    circuit = SwimmerCircuit(4, share=share, **EVERYTHING).double()
    with torch.no_grad():
        for i, (name, weight) in enumerate(sorted(circuit.weight.items())):
            weight.fill_((0.31 + 0.07 * i) * (1 if name in EXCITATORY else -0.6))
    weights = {name: p.detach().requires_grad_() for name, p in circuit.named_parameters()}
    q = torch.tensor([[0.5, -0.6, 0.7, 0.2], [-0.8, 0.55, 0.75, -0.3]], dtype=torch.float64, requires_grad=True)
    command = {"right": 0.7, "left": 0.9, "speed": 0.8}

    def torques(q, *values):
        return functional_call(circuit, dict(zip(weights, values, strict=True)), (q, 0), command)

    assert torch.autograd.gradcheck(torques, (q, *weights.values()))


def test_nothing_but_the_head_is_driven_by_the_oscillator_and_a_full_brake_stops_all():
    circuit = SwimmerCircuit(5, speed=True)
    still = torch.zeros(5)
    assert circuit(still, 0, speed=1.0).tolist() == [1, 0, 0, 0, 0]
    assert circuit(torch.ones(5), 0, speed=0.0).tolist() == [0] * 5
    assert circuit(torch.ones(5), 0, speed=-3.0).tolist() == [0] * 5
    assert SwimmerCircuit(5, oscillator=False)(still, 0).tolist() == [0] * 5
    assert SwimmerCircuit(5, proprioception=False)(torch.ones(5), 0).tolist() == [1, 0, 0, 0, 0]


def test_turning_bends_the_first_joints_only():
    circuit = SwimmerCircuit(4, turn=True, n_turn_joints=2, oscillator=False)
    assert circuit(torch.zeros(4), 0, right=1.0, left=0.0).tolist() == [1, 1, 0, 0]
    assert circuit(torch.zeros(4), 0, right=0.0, left=2.0).tolist() == [-1, -1, 0, 0]


def test_activity_tells_what_the_torques_come_from():
    circuit = perturbed(SwimmerCircuit(5, **EVERYTHING))
    q, t = angles(7, 5), torch.arange(7) * 10
    activity = circuit(q, t, **COMMANDS, return_activity=True)
    torch.testing.assert_close(activity.torques, circuit(q, t, **COMMANDS))
    torch.testing.assert_close(activity.torques, activity.dorsal_muscles - activity.ventral_muscles)
    assert activity.oscillator.tolist() == [1, 1, 1, 0, 0, 0, 1]
    assert all(cell.min() >= 0 and cell.max() <= 1 for cell in activity)


# ---- weights


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 4),
        (EVERYTHING, 6),
        ({"oscillator": False}, 3),
        ({"proprioception": False}, 3),
        ({"share": False}, 8 + 2 + 20),
        ({"share": False, "speed": True}, 30 + 10),
        ({"share": False, "turn": True, "n_turn_joints": 3}, 30 + 6),
    ],
)
def test_parameter_counts(options, count):
    circuit = SwimmerCircuit(5, **options)
    assert count_parameters(circuit) == count == len(circuit.weights())


@pytest.mark.parametrize("share", [True, False])
def test_initial_weights(share):
    constant = SwimmerCircuit(4, share=share, **EVERYTHING).weight
    assert all((constant[name] == (1 if name in EXCITATORY else -1)).all() for name in constant)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    ("signed", "init", "name", "low", "high"),
    [(True, "uniform", "ipsi", 0, 1), (True, "uniform", "contra", -1, 0), (False, "uniform", "contra", -1, 1)],
)
def test_uniform_initial_weights(share, signed, init, name, low, high):
    circuits = [SwimmerCircuit(9, share=share, signed=signed, init=init) for _ in range(400 if share else 25)]
    drawn = torch.cat([circuit.weight[name].detach().ravel() for circuit in circuits]).double().numpy()
    assert kstest(drawn, "uniform", (low, high - low)).pvalue > 1e-3


@pytest.mark.parametrize("share", [True, False])
def test_unsigned_constant_initial_weights_are_coin_tosses(share):
    circuits = [SwimmerCircuit(9, share=share, signed=False) for _ in range(400 if share else 25)]
    for name in ("prop", "contra"):
        drawn = torch.cat([circuit.weight[name].detach().ravel() for circuit in circuits])
        assert drawn.abs().eq(1).all()
        assert drawn.mean().abs() < 0.2


def test_initial_weights_come_from_the_generator_alone():
    torch.manual_seed(3)
    one = SwimmerCircuit(5, share=False, init="uniform", generator=torch.Generator().manual_seed(7))
    torch.manual_seed(4)
    state = torch.get_rng_state()
    two = SwimmerCircuit(5, share=False, init="uniform", generator=torch.Generator().manual_seed(7))
    assert one.weights() == two.weights()
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_of_the_wrong_sign_act_as_zero_without_gradient_until_projected():
    circuit = SwimmerCircuit(3)
    circuit.weight["prop"].data.fill_(-0.5)
    q = torch.tensor([0.4, 0.3, 0.2])
    torques = circuit(q, 0)
    torques.sum().backward()
    assert torques.tolist() == [1, 0, 0]
    assert circuit.weights()["prop"] == 0
    assert circuit.weight["prop"].grad == 0
    assert circuit.project_() is circuit
    assert circuit.weight["prop"] == 0
    circuit.zero_grad()
    circuit(q, 0).sum().backward()
    assert circuit.weight["prop"].grad > 0.6


def test_clamp_passes_gradient_at_its_edges_and_none_beyond():
    circuit = SwimmerCircuit(2)
    circuit(torch.zeros(2), 0).sum().backward()
    assert circuit.weight["osc"].grad == 1
    assert circuit.weight["ipsi"].grad == 1
    circuit.weight["osc"].data.fill_(1.5)
    circuit.zero_grad()
    circuit(torch.zeros(2), 0).sum().backward()
    assert circuit.weight["osc"].grad == 0
    assert circuit.weight["ipsi"].grad == 1


@pytest.mark.parametrize("share", [True, False])
def test_projection_is_the_nearest_allowed_point_and_idempotent(share):
    circuit = perturbed(SwimmerCircuit(5, share=share, **EVERYTHING))
    before = {name: weight.detach().clone() for name, weight in circuit.weight.items()}
    torques = circuit(angles(9, 5), 0, **COMMANDS)
    circuit.project_().project_()
    for name, weight in circuit.weight.items():
        torch.testing.assert_close(weight.data, before[name].clamp(*((0, None) if name in EXCITATORY else (None, 0))))
    torch.testing.assert_close(circuit(angles(9, 5), 0, **COMMANDS), torques)
    free = perturbed(SwimmerCircuit(5, share=share, signed=False))
    assert copy.deepcopy(free).project_().weights() == free.weights()


def test_weights_are_named_with_joint_and_side():
    circuit = perturbed(SwimmerCircuit(3, share=False, signed=False, turn=True))
    named = circuit.weights()
    assert named["prop[1].dorsal"] == circuit.weight["prop"][0, 0].item()
    assert named["prop[2].ventral"] == circuit.weight["prop"][1, 1].item()
    assert named["ipsi[2].ventral"] == circuit.weight["ipsi"][2, 1].item()
    assert {"osc[0].dorsal", "turn[0].ventral"} <= named.keys()
    assert "prop[0].dorsal" not in named


@pytest.mark.parametrize("n_joints", [2, 12])
def test_for_body_keeps_weights_options_and_dtype_in_a_copy(n_joints):
    circuit = perturbed(SwimmerCircuit(5, 40, n_turn_joints=4, signed=False, **EVERYTHING))
    other = circuit.for_body(n_joints)
    assert other.weights() == circuit.weights()
    assert other.config() == circuit.config() | {"n_joints": n_joints, "n_turn_joints": min(4, n_joints)}
    assert other(angles(n_joints), 0, **COMMANDS).dtype == torch.float64
    other.weight["prop"].data.add_(1)
    assert other.weights() != circuit.weights()


def test_for_body_of_its_own_size_copies_unshared_weights():
    circuit = perturbed(SwimmerCircuit(5, share=False))
    assert circuit.for_body(5).weights() == circuit.weights()


def test_config_makes_it_again_from_json():
    circuit = SwimmerCircuit(7, 44, share=False, init="uniform", n_turn_joints=2, oscillator=False, **EVERYTHING)
    other = SwimmerCircuit(**json.loads(json.dumps(circuit.config())))
    assert other.config() == circuit.config()
    other.load_state_dict(circuit.state_dict())
    assert other.weights() == circuit.weights()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_joints": 2.5}, "n_joints must be a whole number, not 2.5"),
        ({"n_joints": 5, "period": 60.0}, "period must be a whole number, not 60.0"),
    ],
)
def test_parts_of_joints_and_steps(unchecked, options, words):
    with pytest.raises(ValueError, match=words):
        SwimmerCircuit(**options)


def test_a_time_that_is_not_a_number_is_not_hidden():
    torques = SwimmerCircuit(3)(torch.zeros(2, 3), torch.tensor([0.0, torch.nan]))
    assert torques[0].tolist() == [1, 0, 0]
    assert torques[1].isnan().tolist() == [True, False, False]


@pytest.mark.parametrize("shape", [(31,), (32, 1), (1, 32)])
def test_times_of_another_shape(unchecked, shape):
    with pytest.raises(ValueError, match=r"t must be one number or \(32,\)"):
        SwimmerCircuit(5)(torch.rand(32, 5), torch.zeros(shape))
