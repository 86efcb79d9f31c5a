"""Training of a policy by any of the algorithms, in any environment."""

from collections.abc import Callable

from torch import nn

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

    Under PPO, its output is the mean of the actions drawn; under DDPG, noise is added to it.

    Args:
        policy: Any module from an observation to an action; for PPO and DDPG in [-1, 1].
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
    if isinstance(algorithm, ESConfig):
        if device != "cpu":
            raise ValueError("evolution runs on the CPU: the device is for the networks of ppo and ddpg")
        return ESLearner(policy, env, algorithm, seed, workers)
    from .reinforcement import make_ddpg_learner, make_ppo_learner

    if isinstance(algorithm, DDPGConfig):
        return make_ddpg_learner(policy, env, algorithm, seed, workers, device)
    return make_ppo_learner(policy, env, algorithm, seed, workers, device)
