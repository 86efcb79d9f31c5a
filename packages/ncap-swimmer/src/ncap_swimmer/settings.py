"""What a training depends on, as plain values that a file keeps; from it the policy, the task and the learner."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_type_hints

import torch
from torch import nn

from separata import files

from .circuit import Init, SwimmerCircuit
from .environments import DESIRED_SPEED, SwimmerEnv, Task, make_env
from .policies import CircuitPolicy, MLPPolicy, RandomTorques, observation_size
from .rollouts import check_seed
from .steering import LearnedSteering

if TYPE_CHECKING:
    from .learning import Learner

PolicyName = Literal["ncap", "mlp", "random"]
AlgorithmName = Literal["es", "ppo", "ddpg"]
Steering = Literal["fixed", "learned"]


@dataclass(frozen=True)
class PolicySettings:
    """A policy before training.

    Args:
        policy: `ncap` (the circuit), `mlp` (a multilayer perceptron) or `random` (random torques).
        task: `swim` or `navigate`.
        n_links: Links of the body.
        hidden: Widths of the MLP's hidden layers.
        period: Steps of one oscillation of the circuit.
        share: Share the circuit's weights along the body.
        signed: Constrain the circuit's weights to the sign of their synapse.
        init: Initial weights of the circuit, `constant` or `uniform`.
        proprioception: Whether joints sense the joint before them (off: an ablation).
        oscillator: Whether the head oscillates (off: an ablation).
        steering: How a circuit that navigates turns a target into commands, `fixed` or `learned`.
        seed: Seed of the initial weights.

    Raises:
        ValueError: if a name is unknown or a number out of range.
    """

    policy: str = "ncap"
    task: str = "swim"
    n_links: int = 6
    hidden: tuple[int, ...] = (256, 256)
    period: int = 60
    share: bool = True
    signed: bool = True
    init: str = "constant"
    proprioception: bool = True
    oscillator: bool = True
    steering: str = "fixed"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (("policy", PolicyName), ("task", Task), ("init", Init), ("steering", Steering)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, not '{getattr(self, name)}'")
        if self.n_links < 3:
            raise ValueError(f"a swimmer needs at least 3 links, not {self.n_links}")
        check_seed(self.seed)

    def build(self, activation: Literal["tanh", "relu"] = "tanh") -> nn.Module:
        """The policy with its initial weights."""
        generator = torch.Generator().manual_seed(self.seed)
        n_joints = self.n_links - 1
        if self.policy == "random":
            return RandomTorques(n_joints, generator)
        if self.policy == "mlp":
            return MLPPolicy(
                observation_size(self.n_links, cast("Task", self.task)), n_joints, self.hidden, activation, generator
            )
        steers = self.task == "navigate"
        circuit = SwimmerCircuit(
            n_joints,
            self.period,
            share=self.share,
            signed=self.signed,
            init=cast("Init", self.init),
            turn=steers,
            speed=steers,
            proprioception=self.proprioception,
            oscillator=self.oscillator,
            generator=generator,
        )
        return CircuitPolicy(circuit, LearnedSteering() if steers and self.steering == "learned" else None)

    def fit(self, policy: nn.Module, n_links: int | None) -> nn.Module:
        """The policy for a body with another number of links.

        Raises:
            ValueError: if it cannot be moved there.
        """
        if n_links is None or n_links == self.n_links:
            return policy
        replace(self, n_links=n_links)  # refuses a body that cannot be
        if isinstance(policy, CircuitPolicy):
            return policy.for_body(n_links - 1)
        if isinstance(policy, RandomTorques):
            return RandomTorques(n_links - 1, policy.generator)
        raise ValueError(f"an MLP fits its own body of {self.n_links} links only, not one of {n_links}")


@dataclass(frozen=True)
class Training(PolicySettings):
    """A policy and how it is trained; what is None takes the algorithm's own value.

    Args:
        algo: `es`, `ppo` or `ddpg`.
        steps: Environment steps; training ends with the generation or segment that reaches them.
        desired_speed: Speed that *swim* pays in full, in metres a second.
        learning_rate: Learning rate of the policy.
        population: Population of ES.
        sigma: Standard deviation of the perturbations of ES.
        segment: Steps between two updates of PPO.
        std: Initial standard deviation of the actions of PPO.
        warmup: Steps of random torques before DDPG learns.
        test_every: Steps between two tests.
        test_episodes: Episodes of a test.
        patience: Steps without progress after which training ends.

    Raises:
        ValueError: if a name is unknown, a number out of range, or a setting belongs to another algorithm.
    """

    algo: str = "es"
    steps: int = 500_000
    desired_speed: float = DESIRED_SPEED
    learning_rate: float | None = None
    population: int | None = None
    sigma: float | None = None
    segment: int | None = None
    std: float | None = None
    warmup: int | None = None
    test_every: int = 20_000
    test_episodes: int = 5
    patience: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algo not in get_args(AlgorithmName):
            raise ValueError(f"algo must be one of {', '.join(get_args(AlgorithmName))}, not '{self.algo}'")
        if self.policy == "random":
            raise ValueError("random torques learn nothing: train ncap or mlp")
        for name in ("learning_rate", "std", "desired_speed"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive, not {value}")
        owners = {"population": "es", "sigma": "es", "segment": "ppo", "std": "ppo", "warmup": "ddpg"}
        for name, algo in owners.items():
            if getattr(self, name) is not None and self.algo != algo:
                raise ValueError(f"{name} is a setting of {algo}, not of {self.algo}")

    @property
    def env(self) -> "partial[SwimmerEnv]":
        """Makes the environment; can be sent to other processes."""
        return partial(make_env, cast("Task", self.task), self.n_links, desired_speed=self.desired_speed)

    def build_policy(self) -> nn.Module:
        """The policy before training, as the algorithm wants it."""
        return self.build("relu" if self.algo == "ddpg" else "tanh")

    def learner(self, policy: nn.Module, workers: int = 1, device: str = "cpu") -> "Learner":
        """The algorithm.

        Args:
            policy: What learns.
            workers: Processes that act.
            device: Where the networks of PPO and DDPG live.

        Raises:
            ValueError: if a setting is out of range.
        """
        if self.algo == "es":
            from .evolution import ESLearner, ESSettings

            given = self._given("learning_rate", "population", "sigma")
            defaults = ESSettings.for_policy(policy)
            return ESLearner(policy, self.env, self.seed, replace(defaults, **given), workers)
        from . import reinforcement, rl_settings

        if self.algo == "ppo":
            tuned = rl_settings.PPOSettings.for_policy(policy)
            given = self._given("segment", "learning_rate", "std")
            batch_size = min(tuned.batch_size or tuned.segment, given.get("segment", tuned.segment))
            ppo = replace(tuned, **given, batch_size=batch_size if tuned.batch_size else None)
            return reinforcement.ppo_learner(policy, self.env, self.seed, ppo, workers, device)
        ddpg = replace(rl_settings.DDPGSettings(), **self._given("learning_rate", "warmup"))
        return reinforcement.ddpg_learner(policy, self.env, self.seed, ddpg, workers, device)

    def _given(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def read(path: Path) -> Training:
    """The settings that a training wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else.
    """
    values = files.read_json(path)
    known = get_type_hints(Training)
    if not isinstance(values, dict) or set(values) != set(known):
        raise ValueError(f"{path} does not hold the settings of a training")
    values["hidden"] = tuple(values["hidden"]) if isinstance(values["hidden"], list) else values["hidden"]
    for name, value in values.items():
        if not _is_of(value, known[name]):
            raise ValueError(f"{path} does not hold the settings of a training: {name} is {value!r}")
    try:
        return Training(**values)
    except ValueError as error:
        raise ValueError(f"{path} does not hold the settings of a training: {error}") from None


def _is_of(value: object, kind: Any) -> bool:  # noqa: ANN401 (a type or something like it)
    """Whether a value from JSON is of the kind that a field has."""
    if kind == tuple[int, ...]:
        return isinstance(value, tuple) and all(type(item) is int for item in value)
    kinds = get_args(kind) or (kind,)
    return type(value) in kinds or (type(value) is int and float in kinds)
