"""What a policy and its training depend on: plain values that the command line takes and a file keeps."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .algorithms import Algorithm, DDPGConfig, ESConfig, PPOConfig
from .tasks import DESIRED_SPEED, Task

Init = Literal["constant", "uniform"]
Activation = Literal["tanh", "relu"]
PolicyName = Literal["ncap", "mlp", "random"]
AlgorithmName = Literal["es", "ppo", "ddpg"]

NAMES = {"ncap": "circuit", "mlp": "MLP", "random": "random torques"} | {"es": "ES", "ppo": "PPO", "ddpg": "DDPG"}
"""Policies and algorithms as people call them."""

OVERRIDES = {"es": ("lr", "population", "sigma"), "ppo": ("lr", "segment", "std"), "ddpg": ("lr", "warmup")}
"""What a training may set of each algorithm."""

CIRCUITS = ("period", "share", "signed", "init", "proprioception", "oscillator", "steering")
"""Settings of the circuit alone."""

TASKS = {"steering": "navigate", "desired_speed": "swim"}
"""Settings of one task alone."""

SEEDS = 2**32
"""Seeds are smaller than this: more, and some random generators refuse them."""


def check_seed(seed: int) -> None:
    """See that a seed is one that every random generator takes.

    Raises:
        ValueError: if it is not.
    """
    if not 0 <= seed < SEEDS:
        raise ValueError(f"a seed must be between 0 and {SEEDS - 1}, not {seed}")


@dataclass(frozen=True)
class PolicyConfig:
    """A policy before training, and the body and task that it is for.

    Args:
        policy: The circuit (ncap), a multilayer perceptron (mlp) or random torques (random).
        task: Task to learn.
        n_links: Links of the body, at least 3; one more than joints.
        seed: Seed of the initial weights, the exploration and the initial states.
        hidden: Widths of the MLP's hidden layers.
        period: Period of the circuit's oscillator in steps of 30 ms; must be even.
        share: Share the circuit's weights along the body; with --no-share each joint and side has its own.
        signed: Constrain the circuit's weights to the sign of their synapse; with --no-signed they may take any.
        init: Initial weights of the circuit: +1 and -1 (constant), or drawn between 0 and those (uniform).
        proprioception: Let each joint sense the joint before it; --no-proprioception is an ablation.
        oscillator: Drive the head with the oscillator; --no-oscillator is an ablation.
        steering: How a navigating circuit turns the target into commands: the paper's rule, or a learned linear map.
        desired_speed: Speed from which swim pays its full reward, in m/s.

    Raises:
        ValueError: if a name is unknown or a number out of range.
    """

    policy: PolicyName = "ncap"
    task: Task = "swim"
    n_links: int = 6
    seed: int = 0
    hidden: tuple[int, ...] = (256, 256)
    period: int = 60
    share: bool = True
    signed: bool = True
    init: Init = "constant"
    proprioception: bool = True
    oscillator: bool = True
    steering: Literal["fixed", "learned"] = "fixed"
    desired_speed: float = DESIRED_SPEED

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(kind) is Literal and value not in get_args(kind):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, not '{value}'")
        if self.n_links < 3:
            raise ValueError(f"a swimmer needs at least 3 links, not {self.n_links}")
        check_seed(self.seed)
        self._check_positive("desired_speed")
        self._check_owners()

    def _check_owners(self) -> None:
        """See that nothing is set that this policy, or this task, has no use for."""
        for name in (field.name for field in fields(PolicyConfig) if getattr(self, field.name) != field.default):
            if name in CIRCUITS and self.policy != "ncap":
                raise ValueError(f"{name} is a setting of the policy ncap, not of {self.policy}")
            if TASKS.get(name, self.task) != self.task:
                raise ValueError(f"{name} is a setting of the task {TASKS[name]}, not of {self.task}")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive, not {value}")

    @property
    def activation(self) -> Activation:
        """Activation of the MLP's hidden layers."""
        return "tanh"


@dataclass(frozen=True)
class TrainConfig:
    """How long a policy learns, and how often it is tested without exploration.

    Args:
        steps: Environment steps to train for; the generation or segment that reaches them is the last.
        test_every: Steps between two tests of the policy without exploration.
        test_episodes: Episodes of each test.
        test_seed: Seed of the initial states of the tests, the same for each.
        patience: Stop at a plateau: when no test has exceeded the best so far by 1 % for this many steps.
        until: Stop as soon as a test reaches this return.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int = 500_000
    test_every: int = 20_000
    test_episodes: int = 5
    test_seed: int = 1_000_003
    patience: int | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.test_every < 1 or self.test_episodes < 1:
            raise ValueError(
                "steps, test_every and test_episodes must be at least 1, not "
                f"{self.steps}, {self.test_every} and {self.test_episodes}"
            )
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience must be at least 1 step, not {self.patience}")
        if self.test_episodes > 1_000_000:
            raise ValueError(f"there are at most 1,000,000 test_episodes, not {self.test_episodes}")
        if self.until is not None and not math.isfinite(self.until):
            raise ValueError(f"until must be a finite return, not {self.until}")
        check_seed(self.test_seed)


@dataclass(frozen=True)
class RunConfig(PolicyConfig):
    """A policy and how it is trained; what is None has the algorithm's own value.

    Args:
        policy: Policy to train: the circuit (ncap) or a multilayer perceptron (mlp).
        algo: Learning algorithm.
        lr: Learning rate of the policy; by default the one tuned for policy and algorithm.
        population: Population size of ES; must be even.
        sigma: Standard deviation of the perturbations of ES.
        segment: Steps between two updates of PPO; must be a multiple of 8.
        std: Initial standard deviation of the actions of PPO.
        warmup: Steps of random torques before DDPG begins to learn.
        train: Length of the training, and its tests.

    Raises:
        ValueError: if a name is unknown, a number out of range, or a setting belongs to another algorithm.
    """

    policy: Literal["ncap", "mlp"] = "ncap"
    algo: AlgorithmName = "es"
    lr: float | None = None
    population: int | None = None
    sigma: float | None = None
    segment: int | None = None
    std: float | None = None
    warmup: int | None = None
    train: TrainConfig = TrainConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("lr", "std")
        for algo, names in OVERRIDES.items():
            for name in names:
                if name not in OVERRIDES[self.algo] and getattr(self, name) is not None:
                    raise ValueError(f"{name} is a setting of {algo}, not of {self.algo}")
        _ = self.algorithm  # refuses what the algorithm does

    @property
    def activation(self) -> Activation:
        """As each algorithm wants it."""
        return "relu" if self.algo == "ddpg" else "tanh"

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm's settings: those given here, and else those tuned for the policy."""
        given: dict[str, Any] = {
            name: getattr(self, name) for name in OVERRIDES[self.algo] if getattr(self, name) is not None
        }
        if self.algo == "es":
            return replace(ESConfig.for_policy(self.policy), **given)
        if self.algo == "ddpg":
            return replace(DDPGConfig(), **given)
        tuned = PPOConfig.for_policy(self.policy)
        if tuned.batch_size:
            given["batch_size"] = min(tuned.batch_size, given.get("segment", tuned.segment))
        return replace(tuned, **given)
