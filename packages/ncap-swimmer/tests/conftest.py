from contextlib import contextmanager
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from ncap_swimmer import DeterministicActor
from separata import states


@pytest.fixture(scope="module")
def short_episodes():
    """Episodes of 50 steps, for tests of training that ask nothing of how well is swum."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ncap_swimmer.environments.EPISODE_STEPS", 50)
        yield


@pytest.fixture
def small_critics(monkeypatch):
    """DDPG with critics of (16, 16) units, for tests that ask nothing of how well is learned."""
    from ncap_swimmer import reinforcement

    monkeypatch.setattr(reinforcement, "DeterministicActor", partial(DeterministicActor, critic_hidden=(16, 16)))


class Bowl(gymnasium.Env):
    """Reward is minus the squared distance of the action from a goal; what happens is written down in `log`."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    goal = np.array([0.5, -0.3])

    def __init__(self, length=1, *, terminates=True, log=None, varied=False):
        self.length, self.terminates, self.log, self.varied = length, terminates, log, varied
        self.t = 0

    def observe(self):
        draw = self.np_random.uniform(-1, 1, 3) if self.varied else (0.1, -0.2, 0.3)
        return np.array(draw, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        if self.log is not None:
            self.log.append(("reset", seed))
        return self.observe(), {}

    def step(self, action):
        self.t += 1
        if self.log is not None:
            self.log.append(("step", np.array(action)))
        is_over = self.t == self.length
        reward = -float(np.sum((action - self.goal) ** 2))
        return self.observe(), reward, is_over and self.terminates, is_over and not self.terminates, {}


class Constant(nn.Module):
    """An action that does not depend on the observation."""

    def __init__(self, *action):
        super().__init__()
        self.action = nn.Parameter(torch.tensor(action))

    def forward(self, observation):
        return self.action + 0 * observation[..., :1]


@pytest.fixture
def bowl():
    return Bowl


@pytest.fixture
def constant():
    return Constant


@pytest.fixture
def through_file(tmp_path):
    """Save as a checkpoint and load again."""

    def save_and_load(state):
        states.save(tmp_path / "state.safetensors", state)
        return states.load(tmp_path / "state.safetensors")

    return save_and_load


@pytest.fixture
def untouched():
    """Asserts that a block draws nothing from the global random generators."""

    @contextmanager
    def check():
        before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
        yield
        after = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
        assert torch.equal(before[0], after[0]), "drew from PyTorch's global generator"
        assert all(np.array_equal(*parts) for parts in zip(before[1], after[1])), "drew from numpy's global generator"

    return check
