"""Policies: modules from observations to torques. The circuit, and the perceptrons (MLPs) it is compared with."""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from separata.models import count_parameters as count_parameters  # noqa: PLC0414 - public here

from .body import joint_limit
from .circuit import CircuitActivity, SwimmerCircuit
from .configs import Activation, PolicyConfig
from .steering import FixedSteering, LearnedSteering, commands_from_target
from .tasks import EPISODE_STEPS, observation_size


class CircuitPolicy(nn.Module):
    """A circuit that reads a swimmer's observation: joint angles, a target if the task has one, and the time.

    Angles are divided by the body's joint limit and clipped; the oscillator's clock is the observation's last entry,
    mapped back from [-1, 1] to steps, or the circuit's own clock without `time_feature` (then call `reset` when an
    episode begins).

    Args:
        circuit: With `turn` or `speed`, the observation must hold a target.
        steering: From the target to commands, when the circuit takes any; by default the paper's fixed rule.
        time_feature: Whether observations end with the time.
        episode_steps: Steps that the time feature spans.
    """

    def __init__(
        self,
        circuit: SwimmerCircuit,
        steering: nn.Module | None = None,
        *,
        time_feature: bool = True,
        episode_steps: int = EPISODE_STEPS,
    ) -> None:
        super().__init__()
        self.circuit = circuit
        self.steering = (steering or FixedSteering()) if circuit.turn or circuit.speed else None
        self.time_feature, self.episode_steps = time_feature, episode_steps
        self.limit = joint_limit(circuit.n_joints + 1)

    def reset(self) -> None:
        """Begin an episode."""
        self.circuit.reset()

    def project_(self) -> None:
        """Move weights of the wrong sign to zero, in place."""
        self.circuit.project_()

    def forward(self, observation: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch joints"]:
        """Torques in [-1, 1].

        Raises:
            ValueError: if the observation is too short for this circuit.
        """
        joints, t, given = self._inputs(observation)
        torques: Tensor = self.circuit(joints, t, **given)
        return torques

    def activity(self, observation: Float[Tensor, "*batch features"], t: Tensor | None = None) -> CircuitActivity:
        """What every cell does at an observation; errors as of `forward`.

        Args:
            observation: As of `forward`.
            t: (...) steps since the episode began; None: as `forward` finds them.
        """
        joints, clock, given = self._inputs(observation)
        activity: CircuitActivity = self.circuit(joints, clock if t is None else t, **given, return_activity=True)
        return activity

    def _inputs(self, observation: Tensor) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        n = self.circuit.n_joints
        needed = n + 2 * (self.steering is not None) + int(self.time_feature)
        if observation.shape[-1] < needed:
            raise ValueError(
                f"this circuit reads at least {needed} numbers of an observation, not {observation.shape[-1]}"
            )
        given = (
            {}
            if self.steering is None
            else commands_from_target(self.circuit, self.steering, observation[..., n : n + 2])
        )
        t = (observation[..., -1] + 1) / 2 * self.episode_steps if self.time_feature else None
        return (observation[..., :n] / self.limit).clamp(-1, 1), t, given

    def for_body(self, n_joints: int) -> "CircuitPolicy":
        """The same policy for another number of joints (see `SwimmerCircuit.for_body`)."""
        circuit, steering = self.circuit.for_body(n_joints), copy.deepcopy(self.steering)
        return CircuitPolicy(circuit, steering, time_feature=self.time_feature, episode_steps=self.episode_steps)


class Standardize(nn.Module):
    """Subtract the mean and divide by the standard deviation (at least 0.01) of all observations seen so far."""

    running_mean: Tensor
    running_var: Tensor
    running_count: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self.register_buffer("running_count", torch.zeros(()))

    @torch.no_grad()
    def update(self, observations: Float[Tensor, "n features"]) -> None:
        """Take more observations into account (the pooled mean and variance of both sets)."""
        n, seen = len(observations), self.running_count
        if n == 0:
            return
        mean, var = observations.mean(0), observations.var(0, correction=0)
        total = seen + n
        shift = mean - self.running_mean
        pooled = (seen * self.running_var + n * var + shift.square() * seen * n / total) / total
        self.running_mean += shift * n / total
        self.running_var.copy_(pooled)
        self.running_count.copy_(total)

    def forward(self, observation: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """Standardised observations."""
        return (observation - self.running_mean) / self.running_var.sqrt().clamp(min=0.01)


class MLPPolicy(nn.Module):
    """A multilayer perceptron from standardised observations to torques, bounded by a tanh.

    Args:
        n_observations: Numbers in an observation.
        n_actions: Torques.
        hidden: Width of each hidden layer; the paper's baseline has (256, 256).
        activation: `tanh` (the default, as under PPO) or `relu` (as under DDPG).
        generator: Source of the initial weights, which are PyTorch's own kind: U(-1, 1) / sqrt(inputs).
    """

    def __init__(
        self,
        n_observations: int,
        n_actions: int,
        hidden: Sequence[int] = (256, 256),
        activation: Activation = "tanh",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if n_observations < 1 or n_actions < 1 or any(width < 1 for width in hidden):
            raise ValueError(f"every layer needs at least one unit, not {(n_observations, *hidden, n_actions)}")
        if activation not in get_args(Activation):
            raise ValueError(f"activation must be 'tanh' or 'relu', not {activation!r}")
        self.hidden, self.activation = tuple(hidden), activation
        self.standardize = Standardize(n_observations)
        sizes = (n_observations, *hidden, n_actions)
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )
        with torch.no_grad():
            for parameter, fan_in in ((p, layer.in_features) for layer in self.linears for p in layer.parameters()):
                parameter.uniform_(-1, 1, generator=generator).mul_(fan_in**-0.5)

    @property
    def linears(self) -> list[nn.Linear]:
        """The affine maps, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, observation: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch actions"]:
        """Torques in [-1, 1]."""
        x = self.standardize(observation)
        nonlinearity = torch.tanh if self.activation == "tanh" else torch.relu
        for layer in self.layers[:-1]:
            x = nonlinearity(layer(x))
        return self.layers[-1](x).tanh()


class RandomTorques(nn.Module):
    """Uniform random torques, blind to the observation: the floor of every comparison."""

    def __init__(self, n_joints: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.n_joints, self.generator = n_joints, generator

    def forward(self, observation: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch joints"]:
        """Torques, uniform in [-1, 1]."""
        return 2 * torch.rand(*observation.shape[:-1], self.n_joints, generator=self.generator) - 1


class ShuffledCircuit(CircuitPolicy):
    """A control: the same circuit with its sensors in the wrong places, so that joints follow joints at random.

    Args:
        circuit: As of a `CircuitPolicy` that does not steer.
        sources: For each joint but the first, the joint that its neurons sense instead of the one before it.

    Raises:
        ValueError: if there are too few or too many sources.
    """

    def __init__(self, circuit: SwimmerCircuit, sources: Sequence[int]) -> None:
        super().__init__(circuit)
        if len(sources) != circuit.n_joints - 1:
            raise ValueError(f"a circuit of {circuit.n_joints} joints has one sensor fewer, not {len(sources)}")
        self.sources = tuple(sources)

    def _inputs(self, observation: Tensor) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        joints, t, given = super()._inputs(observation)
        # The last joint's bend drives nothing.
        return joints[..., [*self.sources, self.circuit.n_joints - 1]], t, given


def make_policy(config: PolicyConfig) -> nn.Module:
    """The policy that a configuration describes, with its initial weights.

    Raises:
        ValueError: if a number is out of range.
    """
    generator = torch.Generator().manual_seed(config.seed)
    n_joints = config.n_links - 1
    if config.policy == "random":
        return RandomTorques(n_joints, generator)
    if config.policy == "mlp":
        n_observations = observation_size(config.n_links, config.task)
        return MLPPolicy(n_observations, n_joints, config.hidden, config.activation, generator)
    steers = config.task == "navigate"
    circuit = SwimmerCircuit(
        n_joints,
        config.period,
        share=config.share,
        signed=config.signed,
        init=config.init,
        turn=steers,
        speed=steers,
        proprioception=config.proprioception,
        oscillator=config.oscillator,
        generator=generator,
    )
    return CircuitPolicy(circuit, LearnedSteering() if steers and config.steering == "learned" else None)
