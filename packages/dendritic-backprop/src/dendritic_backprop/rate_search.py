"""The learning rate of a phase: short trials of several, from the same weights."""

import math
from collections.abc import Callable, Sequence

from torch import nn


def search_rate(model: nn.Module, rates: Sequence[float], trial: Callable[[float], float]) -> float:
    """The rate whose short training ends with the best score; the first of several.

    The network is left as it was. What the trials cost counts as training: they are epochs like others.

    Args:
        model: The network.
        rates: Learning rates, or factors on one.
        trial: Trains the network briefly at a rate, and gives its score; larger is better. Of a score that is not a
            number, as where training diverges, the rate is never chosen over one that has a score.

    Raises:
        ValueError: if there is no rate.
    """
    if not rates:
        raise ValueError("there is no learning rate to choose from")
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    best, best_score = rates[0], -math.inf
    for rate in rates:
        score = trial(rate)
        model.load_state_dict(before)
        if score > best_score:
            best, best_score = rate, score
    return best
