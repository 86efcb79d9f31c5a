"""Policies in other formats, and the circuit as a network that verifiers read."""

import re

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from ncap_swimmer import CircuitPolicy, LearnedSteering, MLPPolicy, SwimmerCircuit, make_env
from ncap_swimmer.exports import network_from_circuit, save_onnx, write, wrong_sign_property


def answer(path, observation):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["observation"]
    (torques,) = session.run(["torques"], {"observation": observation.numpy()})
    return torch.from_numpy(torques)


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.slow) for kind in ("circuit", "perceptron")), "navigator"]
)
def test_onnx_runtime_gives_the_same_torques_for_any_batch(kind, tmp_path):
    generator = torch.Generator().manual_seed(1)
    policy, size = {
        "circuit": lambda: (CircuitPolicy(SwimmerCircuit(5)), 24),
        "perceptron": lambda: (MLPPolicy(24, 5, (16,), generator=generator), 24),
        "navigator": lambda: (
            CircuitPolicy(SwimmerCircuit(4, share=False, init="uniform", turn=True, speed=True), LearnedSteering()),
            22,
        ),
    }[kind]()
    save_onnx(policy, tmp_path / "policy.onnx", size)
    onnx.checker.check_model(tmp_path / "policy.onnx")
    for batch in (1, 1000):
        observation = torch.randn(batch, size, generator=generator)
        observation[:, -1] = torch.linspace(-1, 1, batch)  # every phase of the oscillator
        torch.testing.assert_close(
            answer(tmp_path / "policy.onnx", observation), policy(observation), atol=1e-5, rtol=0
        )


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_a_phase_network_is_the_circuit(seed, share, signed, steers, proprioception):
    generator = torch.Generator().manual_seed(seed)
    options = {"share": share, "signed": signed, "turn": steers, "speed": steers, "proprioception": proprioception}
    circuit = SwimmerCircuit(4, n_turn_joints=2, generator=generator, **options)
    with torch.no_grad():
        for weight in circuit.weight.values():
            weight.copy_(2 * torch.randn(weight.shape, generator=generator))
    commands = {"right": 0.7, "left": 0.2, "speed": 0.4} if steers else {}
    joints = torch.randn(50, 4, generator=generator)
    for phase, t in (("dorsal", 0), ("ventral", 30)):
        network = network_from_circuit(circuit, phase, **commands)
        assert [type(layer).__name__ for layer in network] == ["Linear", "ReLU"] * 3 + ["Linear"]
        torch.testing.assert_close(network(joints), circuit(joints, t, **commands), atol=1e-5, rtol=0)


def least(network, output, low, high):
    """The least value of an output over a box, exactly: a mixed-integer program with a binary a ReLU."""
    layers = [(layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()) for layer in network[::2]]
    n_units = sum(len(bias) for _, bias in layers[:-1])
    n = len(low) + 2 * n_units  # inputs, what ReLUs give, and whether they are active
    constraints, before, bounds = [], slice(0, len(low)), (np.array(low, float), np.array(high, float))
    first = len(low)
    for weight, bias in layers[:-1]:
        lower = np.maximum(weight, 0) @ bounds[0] + np.minimum(weight, 0) @ bounds[1] + bias - 1
        upper = np.maximum(weight, 0) @ bounds[1] + np.minimum(weight, 0) @ bounds[0] + bias + 1
        for unit in range(len(bias)):
            given, active = np.zeros(n), np.zeros(n)
            given[first + unit], active[first + n_units + unit] = 1, 1
            sum_ = np.zeros(n)
            sum_[before] = weight[unit]
            constraints += [
                LinearConstraint(given - sum_, bias[unit], np.inf),
                LinearConstraint(given - sum_ - lower[unit] * active, -np.inf, bias[unit] - lower[unit]),
                LinearConstraint(given - upper[unit] * active, -np.inf, 0),
            ]
        before, bounds = slice(first, first + len(bias)), (np.maximum(lower, 0), np.maximum(upper, 0))
        first += len(bias)
    cost = np.zeros(n)
    cost[before] = layers[-1][0][output]
    box = Bounds([*low, *np.zeros(2 * n_units)], [*high, *np.full(n_units, np.inf), *np.ones(n_units)])
    binary = np.array([0] * (len(low) + n_units) + [1] * n_units)
    solved = milp(cost, integrality=binary, bounds=box, constraints=constraints)
    assert solved.success
    return solved.fun + layers[-1][1][output]


def test_the_property_holds_for_the_circuit_and_not_for_one_with_a_wrong_sign():
    text = wrong_sign_property(5)
    low = [float(value) for value in re.findall(r">= X_\d ([^)]+)\)", text)]
    high = [float(value) for value in re.findall(r"<= X_\d ([^)]+)\)", text)]
    unsafe = float(re.search(r"<= Y_1 ([^)]+)\)", text)[1])
    assert (low, high, unsafe) == ([0, -1, -1, -1, -1], [1] * 5, -1e-3)
    circuit = SwimmerCircuit(5)
    for phase in ("dorsal", "ventral"):
        assert least(network_from_circuit(circuit, phase), 1, low, high) > unsafe
    wrong = SwimmerCircuit(5, signed=False)
    with torch.no_grad():
        for name, value in (("prop", 1.0), ("osc", 1.0), ("ipsi", -1.0), ("contra", 1.0)):
            wrong.weight[name].fill_(value)
    assert least(network_from_circuit(wrong, "dorsal"), 1, low, high) == pytest.approx(-1)


def test_bad_exports_are_refused_and_leave_nothing(tmp_path):
    env, circuit = make_env("swim", 6), CircuitPolicy(SwimmerCircuit(5))
    for call, words in (
        (lambda: write(circuit, env, tmp_path / "x.pt"), r"\.onnx"),
        (lambda: write(circuit, env, tmp_path / "x.onnx", "up"), "'dorsal' or 'ventral'"),
        (lambda: write(circuit, env, tmp_path / "x.onnx", None, tmp_path / "x.vnnlib"), "--phase"),
        (lambda: write(circuit, env, tmp_path / "x.onnx", "dorsal", tmp_path / "x.txt"), r"\.vnnlib"),
        (lambda: write(MLPPolicy(24, 5), env, tmp_path / "x.onnx", "dorsal"), "only a circuit"),
        (lambda: wrong_sign_property(1), "at least 2 joints"),
        (lambda: wrong_sign_property(3, 0.0), "positive margin"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("alone", [True, False])
def test_a_clock_that_would_stand_still_is_not_exported(alone, tmp_path):
    circuit = SwimmerCircuit(3)
    policy, size = (circuit, 3) if alone else (CircuitPolicy(circuit, time_feature=False), 15)
    with pytest.raises(ValueError, match="oscillator would stand still.*time_feature=True"):
        save_onnx(policy, tmp_path / "x.onnx", size)
    assert circuit.time == 0
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_is_exported_stays_as_it_is(tmp_path, monkeypatch):
    exported = []
    monkeypatch.setattr(torch.onnx, "export", lambda policy, *_, **__: exported.append(policy))
    monkeypatch.setattr("separata.onnx.check", lambda *_: (tmp_path / "x.onnx").touch())
    policy = MLPPolicy(9, 2, (4,)).train()
    with pytest.raises(FileNotFoundError):
        save_onnx(policy, tmp_path / "x.onnx", 9)
    assert policy.training
    assert not exported[0].training


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_phase_network_has_the_precision_of_its_circuit(dtype):
    circuit = SwimmerCircuit(3, share=False, init="uniform", turn=True, speed=True).to(dtype)
    network = network_from_circuit(circuit, "dorsal", right=0.25, speed=0.5)
    joints = torch.rand(20, 3, dtype=dtype) * 2 - 1
    expected = circuit(joints, 0, right=0.25, left=0.0, speed=0.5)
    torch.testing.assert_close(network(joints), expected, atol=0.05 if dtype == torch.bfloat16 else 1e-12, rtol=0)
