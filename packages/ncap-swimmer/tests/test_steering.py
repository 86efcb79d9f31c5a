import pytest
import torch

from ncap_swimmer import FixedSteering, LearnedSteering, SwimmerCircuit
from ncap_swimmer.steering import commands_from_target

# The head looks along -y of its own frame, so its right-hand side is -x.
TABLE = [
    ((-0.5, -1.0), (1, 0, 1)),
    ((0.5, -1.0), (0, 1, 1)),
    ((0.05, -1.0), (0, 0, 1)),
    ((-0.05, 1.0), (0, 0, 1)),
    ((-0.11, -0.11), (1, 0, 0)),
    ((0.11, 0.13), (0, 1, 1)),
    ((0.0, 0.0), (0, 0, 0)),
]


@pytest.mark.parametrize(("to_target", "expected"), TABLE)
def test_fixed_rule(to_target, expected):
    assert [x.item() for x in FixedSteering()(torch.tensor(to_target))] == list(expected)


def test_fixed_rule_in_batches():
    found = FixedSteering()(torch.tensor([row[0] for row in TABLE]).expand(2, -1, -1))
    assert [side.shape for side in found] == [(2, len(TABLE))] * 3
    torch.testing.assert_close(torch.stack(found, -1)[1], torch.tensor([row[1] for row in TABLE]).float())


@pytest.mark.parametrize("seed", range(3))
def test_learned_rule_is_an_affine_map_of_side_and_distance(seed):
    steering = LearnedSteering()
    with torch.no_grad():
        for parameter in steering.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    x, y = (4 * torch.rand(2, 9) - 2).unbind()
    weight, bias = steering.linear.weight, steering.linear.bias
    for row, found in enumerate(steering(torch.stack((x, y), -1))):
        torch.testing.assert_close(found, -weight[row, 0] * x + weight[row, 1] * y.abs() + bias[row])
    assert sum(parameter.numel() for parameter in steering.parameters()) == 9


@pytest.mark.parametrize(("to_target", "expected"), [row for row in TABLE if abs(row[0][0]) != 0.05])
def test_learned_rule_begins_near_the_fixed_one(to_target, expected):
    found = [x.clamp(0, 1).item() for x in LearnedSteering()(torch.tensor(to_target))]
    assert found[:2] == pytest.approx(expected[:2], abs=1e-6)
    assert found[2] == pytest.approx(min(abs(to_target[1]) / 0.12, 1), abs=1e-6)


@pytest.mark.parametrize("turn", [True, False])
@pytest.mark.parametrize("speed", [True, False])
def test_a_circuit_is_given_what_it_takes(turn, speed):
    circuit = SwimmerCircuit(3, turn=turn, speed=speed)
    given = commands_from_target(circuit, FixedSteering(), torch.tensor([[-1.0, -1.0]]))
    assert set(given) == ({"right", "left"} if turn else set()) | ({"speed"} if speed else set())
    assert all(value.item() == (name != "left") for name, value in given.items())
    assert circuit(torch.zeros(1, 3), 0, **given).shape == (1, 3)


def test_steering_learns_through_the_circuit():
    circuit, steering = SwimmerCircuit(3, turn=True, speed=True, oscillator=False), LearnedSteering()
    steering.linear.bias.data.fill_(0.1)
    circuit(torch.zeros(3), 0, **commands_from_target(circuit, steering, torch.tensor([-0.04, -0.1])))[0].backward()
    assert steering.linear.weight.grad[0].abs().sum() > 0
    assert steering.linear.weight.grad[2].abs().sum() > 0
