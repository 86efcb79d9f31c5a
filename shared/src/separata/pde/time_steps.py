"""How a time stepper reaches the times that are asked for."""

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from . import checks


class Leg(NamedTuple):
    """Equal steps from one output time to the next."""

    start: float
    n_steps: int
    dt: float


def legs(times: Float[Tensor, "k"], dt: float) -> list[Leg]:
    """Equal steps of at most dt between 0 and each time, so that every time is hit exactly.

    Args:
        times: Increasing, from 0 (no step) or later.
        dt: The largest step.

    Raises:
        ValueError: if dt is not positive, or times do not increase or are negative.
    """
    checks.increasing("times", times, least=1)
    checks.positive("dt", dt)
    ends = times.tolist()
    if ends[0] < 0:
        raise ValueError(f"times must not be negative, not {ends[0]}")
    found = []
    for start, end in zip([0.0, *ends], ends, strict=False):
        n_steps = math.ceil((end - start) / dt * (1 - 1e-9))
        found.append(Leg(start, n_steps, (end - start) / max(n_steps, 1)))
    return found
