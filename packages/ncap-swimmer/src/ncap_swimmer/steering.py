"""From where the target is to the circuit's commands: turn right, turn left, swim or brake (section 3, navigation)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .circuit import SwimmerCircuit

SIDE_MARGIN = 0.1
"""Metres to a side within which a target counts as straight ahead."""

ARRIVED = 0.12
"""Metres along the body's axis within which the swimmer brakes."""


class Commands(NamedTuple):
    """Commands to a `SwimmerCircuit` with `turn` and `speed`, each (...,) in [0, 1] after its clip."""

    right: Tensor
    left: Tensor
    speed: Tensor


class FixedSteering(nn.Module):
    """The paper's hand-written rule: turn to the side of the target beyond 10 cm, brake within 12 cm along the axis."""

    def forward(self, to_target: Float[Tensor, "*batch 2"]) -> Commands:
        """Commands for a target at `to_target` metres from the nose, in the head's frame."""
        x, y = -to_target[..., 0], to_target[..., 1]
        return Commands((x > SIDE_MARGIN).to(x.dtype), (x < -SIDE_MARGIN).to(x.dtype), (y.abs() > ARRIVED).to(x.dtype))


class LearnedSteering(nn.Module):
    """The same inputs, (x, |y|), through a linear layer that training adapts.

    It starts near the fixed rule: commands grow with the distance to the side, and full speed from about 12 cm.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        with torch.no_grad():
            gain = 1 / SIDE_MARGIN
            self.linear.weight.copy_(torch.tensor([[gain, 0.0], [-gain, 0.0], [0.0, 1 / ARRIVED]]))
            self.linear.bias.zero_()

    def forward(self, to_target: Float[Tensor, "*batch 2"]) -> Commands:
        """Commands for a target at `to_target` metres from the nose, in the head's frame."""
        commands = self.linear(torch.stack((-to_target[..., 0], to_target[..., 1].abs()), -1))
        return Commands(*commands.unbind(-1))


def commands_from_target(
    circuit: SwimmerCircuit, steering: nn.Module, to_target: Float[Tensor, "*batch 2"]
) -> dict[str, Tensor]:
    """The keywords that this circuit's `forward` takes: those of the options it was made with."""
    given: Commands = steering(to_target)
    taken: dict[str, Tensor] = {}
    if circuit.turn:
        taken |= {"right": given.right, "left": given.left}
    if circuit.speed:
        taken["speed"] = given.speed
    return taken
