"""Actions between -1 and 1, whatever the box of the environment: one convention for learning, tests and returns."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


def in_unit_box(env: "gymnasium.Env[Any, Any]") -> "gymnasium.Env[Any, Any]":
    """The environment with actions in [-1, 1], which are stretched linearly to its own box.

    An environment whose box is [-1, 1] already, as the swimmer's, is returned as it is.

    Raises:
        ValueError: if its actions are not a box with finite bounds.
    """
    space = env.action_space
    if not isinstance(space, spaces.Box):
        raise ValueError(f"the environment takes actions in {space}, but policies act in a box (gymnasium.spaces.Box)")
    if not space.is_bounded():
        raise ValueError(
            "the environment's box of actions has no finite bounds to which those of a policy, in [-1, 1], could be "
            "stretched; wrap it in gymnasium.wrappers.TransformAction, which gives it some"
        )
    if (space.low == -1).all() and (space.high == 1).all():
        return env
    return gymnasium.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))


def check_vectors(env: "gymnasium.Env[Any, Any]") -> None:
    """See that observations are vectors, as the critics of PPO and DDPG take them.

    Raises:
        ValueError: if they are not.
    """
    space = env.observation_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ValueError(
            f"PPO and DDPG learn from observations that are vectors, not from {space}; "
            "wrap the environment in gymnasium.wrappers.FlattenObservation"
        )
