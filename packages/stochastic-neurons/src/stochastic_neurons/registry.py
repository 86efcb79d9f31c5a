"""The neurons by name, as commands and configurations have them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch

from .neuron import StochasticNeuron
from .noise_injection import MultiplicativeNoise, NoisyHardSigmoid, NoisyRectifier, NoisySigmoid, Rectifier
from .reinforce import UnbiasedBernoulli
from .smooth_times_stochastic import SmoothTimesStochastic
from .straight_through import RelaxedBernoulli, StraightThroughBernoulli

Make = Callable[..., StochasticNeuron]


def _plain(make: Callable[..., StochasticNeuron], **fixed: Any) -> Make:  # noqa: ANN401 - passed on
    """Made alike for any number of units."""
    return lambda n_units, **settings: make(**{**fixed, **settings})  # noqa: ARG005 - the number of units


NEURONS: Final[Mapping[str, Make]] = {
    "sbn": UnbiasedBernoulli,
    "st": _plain(StraightThroughBernoulli),
    "st-sigmoid": _plain(StraightThroughBernoulli, scale_by_sigmoid=True),
    "sts": _plain(SmoothTimesStochastic),
    "noisy-relu": _plain(NoisyRectifier),
    "noisy-relu-logistic": _plain(NoisyRectifier, noise="logistic"),
    "semi-hard": _plain(NoisyHardSigmoid),
    "multiplicative": _plain(MultiplicativeNoise),
    "relaxed": _plain(RelaxedBernoulli),
    "sigmoid": _plain(NoisySigmoid, sigma=0.0),
    "noisy-sigmoid": _plain(NoisySigmoid),
    "relu": _plain(Rectifier),
}
"""How each neuron is made, from the number of its units and its settings."""

NAMES: Final[Mapping[str, str]] = {
    "sbn": "unbiased (REINFORCE)",
    "st": "straight-through",
    "st-sigmoid": "straight-through, times sigm'",
    "sts": "smooth times stochastic",
    "noisy-relu": "noisy rectifier",
    "noisy-relu-logistic": "noisy rectifier, logistic",
    "semi-hard": "clipped noisy line",
    "multiplicative": "multiplicative noise",
    "relaxed": "relaxed Bernoulli (not in the paper)",
    "sigmoid": "sigmoid",
    "noisy-sigmoid": "sigmoid of a noisy argument",
    "relu": "rectifier",
}
BINARY: Final = ("sbn", "st", "st-sigmoid")
"""Neurons whose outputs are 0 and 1."""


def available_neurons() -> tuple[str, ...]:
    """Names that `make_neuron` takes."""
    return tuple(NEURONS)


def make_neuron(name: str, n_units: int, **settings: Any) -> StochasticNeuron:  # noqa: ANN401 - passed on
    """A layer of neurons by name.

    Args:
        name: One of `available_neurons()`.
        n_units: Number of units.
        settings: Those of the class, such as `baseline` of `sbn` or `sigma` of `noisy-relu`, and `inference`.

    Raises:
        ValueError: if there is no such neuron, or it has no such setting.
    """
    if name not in NEURONS:
        raise ValueError(f"there is no neuron {name!r}; there are {', '.join(NEURONS)}")
    try:
        return NEURONS[name](n_units, **settings)
    except TypeError:
        raise ValueError(f"the neuron {name} has no setting {' or '.join(settings)}") from None


def argument_of(neuron: StochasticNeuron, p: float) -> float:
    """The pre-activation at which a neuron is active with probability p, by bisection.

    Raises:
        ValueError: if p is not within 0 and 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"a probability between 0 and 1 is needed, not {p}")
    if isinstance(neuron, Rectifier | MultiplicativeNoise):
        return 0.0
    if float(neuron.probability(torch.tensor(-60.0, dtype=torch.float64))) > p:
        return 0.0  # it is never as seldom active, as smooth times stochastic with next to nothing stochastic
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        is_above = float(neuron.probability(torch.tensor(middle, dtype=torch.float64))) > p
        low, high = (low, middle) if is_above else (middle, high)
    return (low + high) / 2
