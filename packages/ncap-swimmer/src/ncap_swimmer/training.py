"""Training of a policy by any of the algorithms, in any environment."""

from collections.abc import Callable

import torch
from torch import nn

from .actions import check_vectors, in_unit_box
from .algorithms import Algorithm, DDPGConfig, ESConfig
from .configs import TrainConfig
from .evolution import ESLearner
from .learning import Learner, Point, TrainResult, learn
from .rollouts import EnvFactory


def train(
    policy: nn.Module,
    env: EnvFactory,
    config: TrainConfig,
    algorithm: Algorithm,
    *,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    on_point: Callable[[Point], None] | None = None,
) -> TrainResult:
    """Train a policy, which is changed in place, and test it as it learns.

    Under PPO, its output is the mean of the actions drawn; under DDPG, noise is added to it. Under every algorithm, and
    in the tests, actions are clipped to [-1, 1] and stretched linearly to the environment's box.

    Args:
        policy: Any module from observations to actions in [-1, 1].
        env: Makes a gymnasium environment with a box of actions; with several workers it must be picklable.
        config: How long, and how often to test.
        algorithm: The algorithm, by its settings.
        seed: Seed of perturbations, actions, batches and initial states.
        workers: Processes that simulate.
        device: Where the networks of PPO and DDPG live: `cpu`, where small ones are fastest, `cuda`, or `auto`.
        on_point: Called at each new point of the learning curve.

    Raises:
        ValueError: if the policy, the environment and the algorithm do not fit together.
    """
    learner = make_learner(policy, env, algorithm, seed, workers, device)
    try:
        return learn(learner, env, config, on_point=on_point)
    finally:
        learner.close()


def make_learner(
    policy: nn.Module, env: EnvFactory, algorithm: Algorithm, seed: int = 0, workers: int = 1, device: str = "cpu"
) -> Learner:
    """A learner of the algorithm; arguments and errors as of `train`."""
    if workers < 1:
        raise ValueError(f"there must be at least 1 worker, not {workers}")
    check_fit(policy, env, algorithm)
    if isinstance(algorithm, ESConfig):
        if device != "cpu":
            raise ValueError("evolution runs on the CPU: the device is for the networks of ppo and ddpg")
        return ESLearner(policy, env, algorithm, seed, workers)
    from .reinforcement import make_ddpg_learner, make_ppo_learner

    if isinstance(algorithm, DDPGConfig):
        return make_ddpg_learner(policy, env, algorithm, seed, workers, device)
    return make_ppo_learner(policy, env, algorithm, seed, workers, device)


def check_fit(policy: nn.Module, env: EnvFactory, algorithm: Algorithm) -> None:
    """See that an algorithm can train a policy in an environment, as far as that shows without acting.

    Raises:
        ValueError: if it cannot.
    """
    if not callable(env):
        raise ValueError(
            "env must be a function that makes an environment, such as partial(make_env, 'swim', 6), "
            f"not the environment {env}"
        )
    if not any(parameter.requires_grad for parameter in policy.parameters()):
        raise ValueError("the policy has no trainable parameters")
    made = env()
    try:
        in_unit_box(made)
        if isinstance(algorithm, ESConfig):
            return
        check_vectors(made)
    finally:
        made.close()
    if other := {parameter.dtype for parameter in policy.parameters()} - {torch.float32}:
        raise ValueError(f"PPO and DDPG learn in single precision, not in {other.pop()}; give policy.float()")
