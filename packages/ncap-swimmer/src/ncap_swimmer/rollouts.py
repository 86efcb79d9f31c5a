"""Episodes of a policy in an environment."""

import copy
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .actions import in_unit_box
from .configs import check_seed
from .controllers import Controller, make_controller

EnvFactory: TypeAlias = Callable[[], "gymnasium.Env[Any, Any]"]

MAX_EPISODES = 1_000_000
"""Of one evaluation."""


@dataclass(frozen=True)
class EvaluationReport:
    """Returns of several episodes."""

    returns: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(np.mean(self.returns))

    @property
    def std(self) -> float:
        """Sample standard deviation of the returns; 0 for one episode."""
        return float(np.std(self.returns, ddof=1)) if len(self.returns) > 1 else 0.0

    @property
    def ci(self) -> tuple[float, float]:
        """95 % confidence interval of the mean (Student's t); not a number for one episode."""
        from scipy.special import stdtrit

        n = len(self.returns)
        half = float(stdtrit(n - 1, 0.975)) * self.std / n**0.5 if n > 1 else float("nan")
        return self.mean - half, self.mean + half


def evaluate(policy: nn.Module, env: "gymnasium.Env[Any, Any]", episodes: int = 10, seed: int = 0) -> EvaluationReport:
    """Returns of `episodes` episodes, each until it ends or is truncated.

    Equal seeds give equal initial states for every policy, so that policies can be compared pairwise. Layers that act
    otherwise in training, such as dropout, are evaluated as `policy.eval()` would set them.

    Args:
        policy: From observations to actions in [-1, 1], which are clipped there and stretched linearly to the
            environment's box.
        env: Any gymnasium environment with a box of actions whose episodes end (else wrap it in gymnasium's
            `TimeLimit`).
        episodes: Number of episodes, from 1 to 1,000,000.
        seed: Seed of the initial states.

    Raises:
        ValueError: if there are no or too many episodes, the seed is negative or too large, the policy's actions do not
            fit the environment, or an observation is not finite.
    """
    if episodes < 1:
        raise ValueError(f"there must be at least 1 episode, not {episodes}")
    if episodes > MAX_EPISODES:
        raise ValueError(f"there are at most {MAX_EPISODES:,} episodes, not {episodes}")
    check_seed(seed)
    return EvaluationReport(tuple(episode_return(policy, env, each) for each in episode_seeds(seed, episodes)))


def episode_seeds(seed: int | Sequence[int], episodes: int) -> list[int]:
    """Independent seeds of several episodes."""
    return np.random.SeedSequence(seed).generate_state(episodes).tolist()


def episode_return(policy: nn.Module, env: "gymnasium.Env[Any, Any]", seed: int) -> float:
    """Sum of the rewards of one episode."""
    return float(sum(reward for _, reward in episode(make_controller(policy), env, seed)))


def episode(act: Controller, env: "gymnasium.Env[Any, Any]", seed: int) -> Iterator[tuple[np.ndarray, float]]:
    """Go through one episode; each step gives the observation that was acted on and the reward it brought.

    Actions are clipped to [-1, 1] and stretched linearly to the environment's box.

    Raises:
        ValueError: if the seed is negative or too large, the policy's actions do not fit the environment, or an
            observation is not finite.
    """
    check_seed(seed)
    env = in_unit_box(env)
    observation, _ = env.reset(seed=seed)
    is_over, t = False, 0
    while not is_over:
        # A sum is finite only if all its numbers are.
        if not np.isfinite(observation.sum()):
            raise ValueError(f"the observation at step {t} of the episode is not finite: {observation}")
        try:
            action = act(observation)
        except (ValueError, IndexError, RuntimeError) as error:
            if t > 0 or "observation" in str(error):
                raise
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"the policy does not fit the environment's observations of {len(observation)} numbers: {reason}"
            ) from None
        if t == 0 and action.shape != env.action_space.shape:
            raise ValueError(
                f"the policy gives actions {action.shape}, but the environment takes {env.action_space.shape}"
            )
        following, reward, terminated, truncated, _ = env.step(np.minimum(np.maximum(action, -1), 1))
        yield observation, float(reward)
        observation, is_over, t = following, terminated or truncated, t + 1


def get_parameters(policy: nn.Module) -> Float[Tensor, "parameters"]:
    """A copy of all trainable parameters as one vector."""
    return nn.utils.parameters_to_vector(_trainable(policy)).detach().clone()


@torch.no_grad()
def set_parameters(policy: nn.Module, vector: Float[Tensor, "parameters"]) -> None:
    """Copy a vector into all trainable parameters."""
    parameters = _trainable(policy)
    for parameter, part in zip(parameters, vector.split([p.numel() for p in parameters]), strict=True):
        parameter.copy_(part.view_as(parameter))


def _trainable(policy: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in policy.parameters() if parameter.requires_grad]


class Evaluator:
    """Evaluates many parameter vectors of one policy, on this process or several; what evolution asks for.

    Args:
        policy: Its parameters are replaced in a copy.
        env: Makes an environment; for several workers a function that can be pickled.
        workers: Processes.
    """

    def __init__(self, policy: nn.Module, env: EnvFactory, workers: int = 1) -> None:
        if workers < 1:
            raise ValueError(f"there must be at least 1 worker, not {workers}")
        policy = copy.deepcopy(policy)  # sending tensors to other processes moves them to other memory
        self._pool: ProcessPoolExecutor | None = None
        self._here = _Worker(policy, env) if workers == 1 else None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, context, _start_worker, (policy, env))

    def __call__(
        self, vectors: Float[Tensor, "n parameters"], seeds: Sequence[int], buffers: Mapping[str, Tensor] | None = None
    ) -> list[tuple[float, int]]:
        """Return and length of each parameter vector's episode with its seed; `buffers` are common to all."""
        given = {name: buffer.clone().numpy() for name, buffer in (buffers or {}).items()}
        tasks = [(vector.numpy(), given, seed) for vector, seed in zip(vectors, seeds, strict=True)]
        if self._here is not None:
            return [self._here(*task) for task in tasks]
        assert self._pool is not None  # noqa: S101 (one of the two is set)
        return list(self._pool.map(_evaluate_in_worker, tasks, chunksize=max(1, len(tasks) // 8)))

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class _Worker:
    current: "_Worker"

    def __init__(self, policy: nn.Module, env: EnvFactory) -> None:
        self.policy, self.env = policy, env()

    @torch.no_grad()
    def __call__(self, vector: np.ndarray, buffers: Mapping[str, np.ndarray], seed: int) -> tuple[float, int]:
        set_parameters(self.policy, torch.from_numpy(vector))
        for name, buffer in self.policy.named_buffers():
            if name in buffers:
                buffer.copy_(torch.from_numpy(buffers[name]))
        rewards = [reward for _, reward in episode(make_controller(self.policy), self.env, seed)]
        return sum(rewards), len(rewards)


def _start_worker(policy: nn.Module, env: EnvFactory) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends the workers
    torch.set_num_threads(1)
    _Worker.current = _Worker(copy.deepcopy(policy), env)


def _evaluate_in_worker(task: tuple[np.ndarray, Mapping[str, np.ndarray], int]) -> tuple[float, int]:
    return _Worker.current(*task)
