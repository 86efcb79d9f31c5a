"""The tasks as numbers: how long an episode is, what it pays for, and how many numbers an observation has."""

from typing import Literal

Task = Literal["swim", "navigate"]

EPISODE_STEPS = 1000
"""Control steps of an episode: 30 s."""

STEP_SECONDS = 0.03
"""Seconds of a control step."""

DESIRED_SPEED = 0.1
"""Metres a second from which *swim* pays its full reward."""


def observation_size(n_links: int, task: Task = "swim", *, time_feature: bool = True) -> int:
    """Numbers in an observation of a body with `n_links` links."""
    return 4 * n_links - 1 + 2 * (task == "navigate") + int(time_feature)
