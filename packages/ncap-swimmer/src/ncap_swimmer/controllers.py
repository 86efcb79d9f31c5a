"""Policies as plain numpy functions of one observation: what a rollout calls a thousand times an episode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .circuit import SwimmerCircuit
from .policies import CircuitPolicy, MLPPolicy
from .steering import ARRIVED, SIDE_MARGIN, FixedSteering, LearnedSteering

Array: TypeAlias = NDArray[np.floating]
Controller: TypeAlias = Callable[[Array], Array]


@runtime_checkable
class Resettable(Protocol):
    """A policy with a memory of the episode."""

    def reset(self) -> None:
        """Begin an episode."""


def make_controller(policy: nn.Module) -> Controller:
    """The policy, with the weights it has now, as a function from one observation to one action.

    The circuit and MLPs become numpy code, several times faster for one observation than PyTorch. Any other module is
    called without gradients on a batch of one observation, with layers such as dropout as `policy.eval()` sets them. A
    module with a method `reset` is told when an episode begins, which is now.
    """
    # Exactly these classes: one derived from them may compute something else.
    if type(policy) is CircuitPolicy and type(policy.circuit) is SwimmerCircuit and type(policy.steering) in _STEERINGS:
        return _CircuitController(policy)
    if type(policy) is MLPPolicy and all(type(layer) is nn.Linear for layer in policy.layers):
        return _perceptron(policy)
    if isinstance(policy, Resettable):
        policy.reset()
    like = next(policy.parameters(), torch.zeros(()))

    @torch.no_grad()
    def act(observation: Array) -> Array:
        given = torch.as_tensor(observation, dtype=like.dtype, device=like.device)
        with _evaluating(policy):
            actions = policy(given[None])
        if actions.ndim == 0 or len(actions) != 1:
            raise ValueError(
                "a policy maps a batch of observations to a batch of actions, "
                f"but from {(1, *given.shape)} it made {tuple(actions.shape)}"
            )
        action: Array = actions[0].cpu().numpy()
        return action

    return act


@contextmanager
def _evaluating(policy: nn.Module) -> Iterator[None]:
    """Inside the block, no module trains; after it, those that did do again."""
    training = [module for module in policy.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


_STEERINGS = (FixedSteering, LearnedSteering, type(None))


class _CircuitController:
    """The circuit on arrays (2, joints), dorsal first."""

    def __init__(self, policy: CircuitPolicy) -> None:
        circuit = policy.circuit
        n = circuit.n_joints
        self.n, self.period, self.limit = n, circuit.period, policy.limit
        self.episode_steps = policy.episode_steps if policy.time_feature else None
        self.prop = _by_side(circuit, "prop", n - 1) if circuit.proprioception else np.zeros((2, n - 1))
        self.osc = _by_side(circuit, "osc", 1)[:, 0] if circuit.oscillator else np.zeros(2)
        self.ipsi, self.contra = _by_side(circuit, "ipsi", n), _by_side(circuit, "contra", n)
        self.brake = _by_side(circuit, "speed", n) if circuit.speed else None
        self.turn = _by_side(circuit, "turn", circuit.n_turn_joints) if circuit.turn else None
        self.linear: tuple[Array, Array] | None = None
        if isinstance(policy.steering, LearnedSteering):
            self.linear = (_array(policy.steering.linear.weight), _array(policy.steering.linear.bias))
        self.time = 0
        self._bends, self._drive, self._muscles = np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n))
        self._scale = np.array([[1.0], [-1.0]]) / policy.limit
        heads = np.diag(self.osc)  # what the oscillator drives in each half, dorsal first
        self._heads = (heads[1], heads[0])
        # Views, made once: slicing anew costs more than computing.
        self._before, self._body, self._head = self._bends[:, :-1], self._drive[:, 1:], self._drive[:, 0]
        self._other = self._drive[::-1]

    def __call__(self, observation: Array) -> Array:
        n, bends, drive, muscles = self.n, self._bends, self._drive, self._muscles
        np.multiply(observation[:n], self._scale, out=bends)
        _clip(bends)
        np.multiply(self.prop, self._before, out=self._body)
        self._head[...] = self._heads[self._step(observation) % self.period < self.period // 2]
        if self.turn is not None or self.brake is not None:
            right, left, speed = self._commands(float(observation[n]), float(observation[n + 1]))
            if self.brake is not None:
                drive += self.brake * (1 - speed)
            if self.turn is not None:
                drive[:, : self.turn.shape[1]] += self.turn * ((right,), (left,))
        _clip(drive)
        np.multiply(self.ipsi, drive, out=muscles)
        muscles += self.contra * self._other
        _clip(muscles)
        torques: Array = muscles[0] - muscles[1]
        return torques

    def _step(self, observation: Array) -> int:
        if self.episode_steps is None:
            self.time += 1
            return self.time - 1
        return round((float(observation[-1]) + 1) / 2 * self.episode_steps)

    def _commands(self, target_x: float, target_y: float) -> tuple[float, float, float]:
        x, y = -target_x, abs(target_y)
        if self.linear is None:
            return float(x > SIDE_MARGIN), float(x < -SIDE_MARGIN), float(y > ARRIVED)
        weight, bias = self.linear
        right, left, speed = np.clip(weight @ (x, y) + bias, 0, 1).tolist()
        return right, left, speed


def _clip(x: Array) -> None:
    """g(x), in place; on arrays as small as here, twice as fast as `numpy.clip`."""
    np.maximum(x, 0, out=x)
    np.minimum(x, 1, out=x)


def _perceptron(policy: MLPPolicy) -> Controller:
    mean = policy.standardize.running_mean.double()
    std = policy.standardize.running_var.double().sqrt().clamp(min=0.01)
    first, *others = policy.linears
    # Standardizing is part of the first layer's affine map.
    weights = [_array(first.weight.double() / std), *(_array(layer.weight) for layer in others)]
    biases = [
        _array(first.bias.double() - first.weight.double() @ (mean / std)),
        *(_array(layer.bias) for layer in others),
    ]
    hidden = list(zip(weights, biases, strict=True))[:-1]
    weight, bias = weights[-1], biases[-1]
    is_tanh = policy.activation == "tanh"

    def act(observation: Array) -> Array:
        x = observation
        for w, b in hidden:
            x = w @ x
            x += b
            x = np.tanh(x, out=x) if is_tanh else np.maximum(x, 0, out=x)
        action: Array = np.tanh(weight @ x + bias)
        return action

    return act


def _by_side(circuit: SwimmerCircuit, name: str, n: int) -> Array:
    """Effective weights of a kind as (side, joint)."""
    effective = circuit.effective(name).detach().double().cpu()
    return effective.expand(n, 2).T.contiguous().numpy()


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().float().cpu().contiguous().numpy().copy()
    return array
