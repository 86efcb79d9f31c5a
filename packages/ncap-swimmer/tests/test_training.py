"""What holds under every algorithm."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from ncap_swimmer import DDPGConfig, ESConfig, PPOConfig, RandomTorques, TrainConfig, evaluate, train

pytestmark = pytest.mark.usefixtures("small_critics")

ONCE = TrainConfig(8, test_every=10**6, test_episodes=1)
ALGORITHMS = {
    "es": ESConfig(population=2, sigma=1e-9, lr=1e-9),
    "ppo": PPOConfig(segment=8, n_envs=1, epochs=1, lr=0.0, std=1e-6),
    "ddpg": DDPGConfig(warmup=0, noise=0.0, buffer_size=100, every=8, batch_size=4, lr=0.0),
}
WIDE = spaces.Box(np.array([-2, 0], np.float32), np.array([2, 10], np.float32))


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize(("action", "expected"), [((0.9, -0.5), (1.8, 2.5)), ((3.0, -7.0), (2.0, 0.0))])
def test_actions_are_stretched_to_any_box_in_learning_and_in_tests(name, action, expected, bowl, constant):
    log = []

    class Wide(bowl):
        action_space = WIDE

    policy = constant(*action)
    train(policy, lambda: Wide(4, log=log), ONCE, ALGORITHMS[name])
    n_learned = len(log)
    evaluate(policy, Wide(4, log=log), 1)
    assert len(log) > n_learned > 8
    for kind, seen in log:
        if kind == "step":
            np.testing.assert_allclose(seen, expected, atol=1e-4)


class Choice(gymnasium.Env):
    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(2)


class Endless(Choice):
    action_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize(
    ("make", "policy", "words"),
    [
        (Choice, lambda: nn.Linear(3, 2), r"takes actions in Discrete\(2\), but policies act in a box"),
        (Endless, lambda: nn.Linear(3, 2), "no finite bounds"),
        (lambda: None, lambda: RandomTorques(2), "no trainable parameters"),
    ],
)
def test_what_does_not_fit_is_refused(name, make, policy, words):
    with pytest.raises(ValueError, match=words):
        train(policy(), make, ONCE, ALGORITHMS[name])


def test_an_environment_is_not_what_makes_one(unchecked, bowl):
    with pytest.raises(ValueError, match="a function that makes an environment"):
        train(nn.Linear(3, 2), bowl(), ONCE, ALGORITHMS["es"])


@pytest.mark.parametrize("name", ["ppo", "ddpg"])
def test_double_precision_is_for_evolution_only(name, bowl):
    with pytest.raises(ValueError, match=r"single precision, not in torch.float64; give policy.float\(\)"):
        train(nn.Linear(3, 2).double(), bowl, ONCE, ALGORITHMS[name])
    assert torch.isfinite(
        torch.tensor(train(nn.Linear(3, 2).double(), bowl, ONCE, ALGORITHMS["es"]).rows()[-1]["test_return"])
    )


@pytest.mark.parametrize("name", ["ppo", "ddpg"])
def test_observations_that_are_no_vectors(name, bowl):
    class Picture(bowl):
        observation_space = spaces.Box(-1, 1, (3, 3), np.float32)

    with pytest.raises(ValueError, match="FlattenObservation"):
        train(nn.Linear(3, 2), Picture, ONCE, ALGORITHMS[name])
