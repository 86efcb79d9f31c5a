"""PPO and DDPG: stable-baselines3's algorithms, with the circuit or any other module as the actor."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv
from torch import nn

from separata.run import Compute
from separata.training import seeded

from .actions import in_unit_box
from .actor_critic import DDPGPolicy, DeterministicActor, PPOPolicy, StochasticActor
from .algorithms import DDPGConfig, PPOConfig
from .learning import Learner
from .policies import CircuitPolicy, Standardize
from .rollouts import EnvFactory


class _Returns(BaseCallback):
    """Collects the returns of episodes that end."""

    def __init__(self, n_envs: int) -> None:
        super().__init__()
        self.running = np.zeros(n_envs)
        self.finished: list[float] = []

    def _on_step(self) -> bool:
        self.running += self.locals["rewards"]
        for index in np.flatnonzero(self.locals["dones"]):
            self.finished.append(float(self.running[index]))
            self.running[index] = 0
        return True


class ReinforcementLearner(Learner):
    """One of stable-baselines3's algorithms, advanced piece by piece, and stopped and resumed exactly.

    The algorithms draw from PyTorch's and numpy's global generators; here they have a state of their own that is put
    in place while they run, so that nothing outside changes what they do, nor they it.
    """

    def __init__(self, policy: nn.Module, algorithm: "sb3.PPO | sb3.DDPG", piece: int, seed: int) -> None:
        self.policy, self.algorithm, self.piece = policy, algorithm, piece
        self._returns = _Returns(self._envs.num_envs)
        self._torch_state = torch.Generator().manual_seed(seed).get_state()
        self._numpy_state = np.random.RandomState(seed).get_state(legacy=False)

    @property
    def _envs(self) -> VecEnv:
        assert self.algorithm.env is not None  # noqa: S101 (given at construction)
        return self.algorithm.env

    def advance(self) -> float:
        """One segment of PPO, or some rounds of DDPG."""
        self._returns.finished.clear()
        with self._own_randomness():
            self.algorithm.learn(self.piece, callback=self._returns, log_interval=None, reset_num_timesteps=False)  # type: ignore[arg-type]
        self._standardize()
        self.steps = self.algorithm.num_timesteps
        finished = self._returns.finished
        return float(np.mean(finished)) if finished else math.nan

    def _standardize(self) -> None:
        """Take what was just seen into account, after learning: it was acted on with the old statistics."""
        modules = [module for module in self.algorithm.policy.modules() if isinstance(module, Standardize)]
        if modules:
            seen = torch.as_tensor(self._seen(), dtype=torch.float32, device=modules[0].running_mean.device)
            for module in modules:
                module.update(seen)

    def _seen(self) -> np.ndarray:
        if isinstance(self.algorithm, OnPolicyAlgorithm):
            seen: np.ndarray = self.algorithm.rollout_buffer.observations
            return seen.reshape(-1, seen.shape[-1])
        buffer = self.algorithm.replay_buffer
        assert buffer is not None  # noqa: S101 (made at construction)
        n = min(self.piece, buffer.buffer_size)
        newest = (buffer.pos - 1 - np.arange(n)) % buffer.buffer_size
        return buffer.observations[newest, 0]

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        numpy_outside = np.random.get_state(legacy=False)  # noqa: NPY002
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._torch_state)
            np.random.set_state(self._numpy_state)  # noqa: NPY002
            try:
                yield
            finally:
                self._torch_state = torch.get_rng_state()
                self._numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
                np.random.set_state(numpy_outside)  # noqa: NPY002

    def state(self) -> dict[str, Any]:
        """See `Learner`. Environments without `state` and `restore` begin new episodes when learning goes on."""
        algorithm = self.algorithm
        saved: dict[str, Any] = {
            "parameters": copy.deepcopy(algorithm.get_parameters()),
            "steps": algorithm.num_timesteps,
            "updates": algorithm._n_updates,
            "torch": self._torch_state,
            "numpy": self._numpy_state,
            "actions": algorithm.action_space.np_random.bit_generator.state,
            "running": self._returns.running.copy(),
            "environments": None,
        }
        if algorithm._last_obs is not None and _can_save(self._envs):
            saved["environments"] = self._envs.env_method("state")
            saved["starts"] = algorithm._last_episode_starts
        if isinstance(algorithm, OffPolicyAlgorithm):
            saved["replay"] = _replay(algorithm)
        return saved

    def restore(self, state: dict[str, Any]) -> None:
        """See `Learner`."""
        algorithm = self.algorithm
        algorithm.set_parameters(copy.deepcopy(state["parameters"]), exact_match=True, device=algorithm.device)
        algorithm.num_timesteps = self.steps = state["steps"]
        algorithm._n_updates = state["updates"]
        self._torch_state = state["torch"]
        self._numpy_state = state["numpy"]
        algorithm.action_space.np_random.bit_generator.state = state["actions"]
        if state["environments"] is not None and _can_save(self._envs):
            self._envs.reset()
            observations = [
                self._envs.env_method("restore", saved, indices=index)[0]
                for index, saved in enumerate(state["environments"])
            ]
            algorithm._last_obs = np.stack(observations)
            algorithm._last_episode_starts = state["starts"]
            self._returns.running[:] = state["running"]
        if isinstance(algorithm, OffPolicyAlgorithm):
            _restore_replay(algorithm, state["replay"])

    def close(self) -> None:
        """End the environments."""
        self._envs.close()


def _can_save(envs: VecEnv) -> bool:
    return all(envs.has_attr(name) for name in ("state", "restore"))


_REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def _replay(algorithm: OffPolicyAlgorithm) -> dict[str, Any]:
    buffer = algorithm.replay_buffer
    assert buffer is not None  # noqa: S101 (made at construction)
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {name: getattr(buffer, name)[:filled].copy() for name in _REPLAYED}
    return arrays | {"position": buffer.pos, "full": buffer.full, "episodes": algorithm._episode_num}


def _restore_replay(algorithm: OffPolicyAlgorithm, saved: dict[str, Any]) -> None:
    buffer = algorithm.replay_buffer
    assert buffer is not None  # noqa: S101 (made at construction)
    for name in _REPLAYED:
        getattr(buffer, name)[: len(saved[name])] = saved[name]
    buffer.pos, buffer.full = saved["position"], saved["full"]
    algorithm._episode_num = saved["episodes"]


def make_ppo_learner(
    policy: nn.Module,
    env: EnvFactory,
    config: PPOConfig,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
) -> ReinforcementLearner:
    """PPO on `config.n_envs` environments, in processes of their own if there is more than one worker."""
    fixed = isinstance(policy, CircuitPolicy)
    std = config.std if config.std is not None else (0.1 if fixed else 0.5)
    _check_clock(policy)
    actor = StochasticActor(policy, std, not fixed, config.lr, config.critic_lr)
    with seeded(seed):  # the critic's weights
        algorithm = sb3.PPO(
            PPOPolicy,
            _environments(env, config.n_envs, workers, seed),
            n_steps=config.segment // config.n_envs,
            batch_size=config.batch_size or config.segment,
            n_epochs=config.epochs,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
            clip_range=config.clip,
            # The library stops at 1.5 times what it is told.
            target_kl=config.target_kl / 1.5 if math.isfinite(config.target_kl) else None,
            vf_coef=1.0,
            max_grad_norm=math.inf,
            policy_kwargs={"actor": actor},
            device=Compute(device).torch_device,
        )
    algorithm.action_space.seed(seed)
    return ReinforcementLearner(policy, algorithm, config.segment, seed)


def make_ddpg_learner(
    policy: nn.Module,
    env: EnvFactory,
    config: DDPGConfig,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
) -> ReinforcementLearner:
    """DDPG on one environment (in a process of its own if there is more than one worker)."""
    _check_clock(policy)
    environments = _environments(env, 1, workers, seed)
    n_actions = environments.action_space.shape[0]  # type: ignore[index] # a box
    with seeded(seed):  # the critic's weights
        algorithm = sb3.DDPG(
            DDPGPolicy,
            environments,
            buffer_size=config.buffer_size,
            learning_starts=config.warmup,
            batch_size=config.batch_size,
            tau=config.tau,
            gamma=config.gamma,
            train_freq=config.every,
            gradient_steps=config.every,
            action_noise=NormalActionNoise(np.zeros(n_actions), np.full(n_actions, config.noise)),
            policy_kwargs={"actor": DeterministicActor(policy, config.lr, config.critic_lr)},
            device=Compute(device).torch_device,
        )
    algorithm.action_space.seed(seed)
    return ReinforcementLearner(policy, algorithm, 4 * config.every, seed)


def _check_clock(policy: nn.Module) -> None:
    if isinstance(policy, CircuitPolicy) and not policy.time_feature:
        raise ValueError("PPO and DDPG shuffle steps: the circuit must read the time from observations (time_feature)")


def _environments(env: EnvFactory, n: int, workers: int, seed: int) -> VecEnv:
    if workers < 1:
        raise ValueError(f"there must be at least 1 worker, not {workers}")
    factories: list[EnvFactory] = [partial(_in_unit_box, env)] * n
    made = DummyVecEnv(factories) if workers == 1 else SubprocVecEnv(factories, start_method="spawn")
    made.seed(seed)
    return made


def _in_unit_box(env: EnvFactory) -> gymnasium.Env[Any, Any]:
    return in_unit_box(env())
