"""Policies for other programs: ONNX, and a circuit at one phase as a network of linear layers and ReLUs to verify."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from separata import files, onnx

from .circuit import SwimmerCircuit
from .policies import CircuitPolicy

if TYPE_CHECKING:
    from .environments import SwimmerEnv

N_OBSERVATIONS = 64
"""On which a policy and its export are compared, but for one, so that their number is another than the example's."""


def write(
    policy: nn.Module, env: "SwimmerEnv", out: Path, phase: str | None = None, property_out: Path | None = None
) -> None:
    """Export a policy as the command line does: whole, or a circuit at a phase, with a property to verify beside it.

    Raises:
        ValueError: if a phase or a property is asked for without what it needs, or a suffix is another.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    if phase is None:
        if property_out is not None:
            raise ValueError("a property is about the circuit at one phase: also give --phase dorsal or ventral")
        save_onnx(policy, out, env.n_observations)
        return
    if not isinstance(policy, CircuitPolicy):
        raise ValueError("only a circuit has a phase")
    if property_out is not None and property_out.suffix != ".vnnlib":
        raise ValueError(f"a property is written as .vnnlib, not as {property_out.name}")
    files.check_writable(property_out)
    save_onnx(network_from_circuit(policy.circuit, phase), out, env.n_joints)
    if property_out is not None:
        files.write_text(property_out, wrong_sign_property(env.n_joints))


def save_onnx(policy: nn.Module, path: Path, n_observations: int) -> None:
    """Write a policy as an ONNX model from `observation` (batch, n_observations) to `torques`, any batch size.

    ONNX Runtime then computes random observations; the file is kept only if it agrees with PyTorch. What is written
    is a copy of the policy on the CPU, in single precision, as it is after `eval()`; the policy itself stays as it is.

    Args:
        policy: A module of one tensor, without a memory of earlier steps.
        path: File to write, whole or not at all.
        n_observations: Numbers in an observation.

    Raises:
        ValueError: if the path does not end in .onnx, PyTorch cannot export the policy, outputs differ, or a circuit
            counts its steps itself, since its oscillator would stand still in the file.
        OSError: if the path is a folder, or its folder cannot be written to.
        MissingExtraError: if the extra `onnx` is not installed.
    """
    _check_clocks(copy.deepcopy(policy).cpu().eval(), n_observations)
    observation = torch.randn(N_OBSERVATIONS, n_observations, generator=torch.Generator().manual_seed(0))
    onnx.save(
        policy,
        path,
        {"observation": observation},
        ["torques"],
        dynamic_axes={"observation": {0: "batch"}},
        extra="ncap-swimmer[onnx]",
    )


def _check_clocks(policy: nn.Module, n_observations: int) -> None:
    """See that no oscillator's clock is in the policy, where each call moves it on.

    Raises:
        ValueError: if one is.
    """
    circuits = [module for module in policy.modules() if isinstance(module, SwimmerCircuit) and module.oscillator]
    before = [circuit.time for circuit in circuits]
    if circuits:
        with torch.no_grad():
            policy(torch.zeros(2, n_observations))
    if before != [circuit.time for circuit in circuits]:
        raise ValueError(
            "this circuit counts its steps itself, and in the file its oscillator would stand still: export a policy "
            "that reads the time from observations (time_feature=True), or one phase of it (network_from_circuit)"
        )


def network_from_circuit(
    circuit: SwimmerCircuit, phase: str, *, right: float = 0.0, left: float = 0.0, speed: float = 1.0
) -> nn.Sequential:
    """The circuit while its oscillator drives one side: from normalised joints to torques, equal for every input.

    Without the clock the circuit is piecewise linear: g(x) = clip(x, 0, 1) = relu(x) - relu(x - 1), so three rounds of
    it (stretch, neuron, muscle) are four linear layers with ReLUs between, which any verifier of networks reads.

    Args:
        circuit: Any, in any precision, on any device; the network is in the same.
        phase: The side that the oscillator drives, `dorsal` or `ventral`.
        right: Command, for a circuit that turns.
        left: As `right`.
        speed: Command, for a circuit that brakes.

    Returns:
        Linear, ReLU, Linear, ReLU, Linear, ReLU, Linear, from (..., J) to (..., J).

    Raises:
        ValueError: if the phase is neither.
    """
    if phase not in ("dorsal", "ventral"):
        raise ValueError(f"phase must be 'dorsal' or 'ventral', not {phase!r}")
    n = circuit.n_joints
    like = circuit.weight["ipsi"]
    weight = {name: circuit.effective(name).detach().cpu().double() for name in circuit.weight}
    # Units are numbered dorsal joints first, then ventral ones.
    eye = torch.eye(n, dtype=torch.float64)
    stretch = torch.cat((eye, -eye))
    drive, constant = eye.new_zeros(2 * n, 2 * n), eye.new_zeros(2, n)
    if circuit.proprioception:
        by_side = weight["prop"].expand(n - 1, 2).T
        for side in range(2):
            before = torch.arange(n - 1) + side * n
            drive[before + 1, before] = by_side[side]
    if circuit.oscillator:
        side = 0 if phase == "dorsal" else 1
        constant[side, 0] += weight["osc"].expand(1, 2)[0, side]
    if circuit.speed:
        constant += weight["speed"].expand(n, 2).T * (1 - min(max(speed, 0.0), 1.0))
    if circuit.turn:
        commands = eye.new_tensor([[right], [left]]).clamp(0, 1)
        constant[:, : circuit.n_turn_joints] += weight["turn"].expand(circuit.n_turn_joints, 2).T * commands
    same = torch.diag(weight["ipsi"].expand(n, 2).T.flatten())
    other = torch.diag(weight["contra"].expand(n, 2).T.flatten()).roll(n, 1)
    return nn.Sequential(
        *_clipped(stretch, eye.new_zeros(2 * n)),
        *_clipped(_after_clip(drive), constant.flatten()),
        *_clipped(_after_clip(same + other), eye.new_zeros(2 * n)),
        _linear(_after_clip(torch.cat((eye, -eye), 1)), eye.new_zeros(n)),
    ).to(like.device, like.dtype)


def _clipped(weight: Tensor, bias: Tensor) -> tuple[nn.Linear, nn.ReLU]:
    """The two halves of g: relu(x), and relu(x - 1), which is to be subtracted."""
    return _linear(torch.cat((weight, weight)), torch.cat((bias, bias - 1))), nn.ReLU()


def _after_clip(weight: Tensor) -> Tensor:
    return torch.cat((weight, -weight), 1)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def wrong_sign_property(n_joints: int, margin: float = 1e-3) -> str:
    """A VNN-LIB property of a circuit's phase: a positive bend of the head gives no torque of the wrong sign behind it.

    It asks for joints in [-1, 1], the head's not negative, and a torque of the second joint below `-margin`: a verifier
    that answers `unsat` has proved that there are none.

    Raises:
        ValueError: if there are fewer than 2 joints or the margin is not positive.
    """
    if n_joints < 2 or not margin > 0:
        raise ValueError(f"the property needs at least 2 joints and a positive margin, not {n_joints} and {margin}")
    names = [f"(declare-const {letter}_{i} Real)" for letter in "XY" for i in range(n_joints)]
    low = [0.0] + [-1.0] * (n_joints - 1)
    box = [f"(assert (>= X_{i} {low[i]}))\n(assert (<= X_{i} 1.0))" for i in range(n_joints)]
    return "\n".join([*names, *box, f"(assert (<= Y_1 {-margin:.10f}))"]) + "\n"
