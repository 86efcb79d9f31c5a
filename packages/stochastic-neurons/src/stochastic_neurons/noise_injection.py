"""Noise injected into a graph that is otherwise differentiable, where back-propagation is unbiased (section 3)."""

import math
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from .neuron import StochasticNeuron

Noise = Literal["gaussian", "logistic"]
N_NODES = 32
"""Of the Gauss-Hermite quadrature."""


class _Noisy(StochasticNeuron):
    """A neuron with additive noise sigma z."""

    def __init__(self, noise: Noise = "gaussian", sigma: float = 1.0, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        if noise not in ("gaussian", "logistic"):
            raise ValueError(f"the noise must be gaussian or logistic, not {noise!r}")
        if not sigma > 0:
            raise ValueError(f"the scale of the noise, sigma, must be positive, not {sigma}")
        self.noise, self.sigma = noise, sigma

    def noisy(self, a: Tensor) -> Tensor:
        """The argument plus its noise."""
        return a + self.sigma * (self.normal(a) if self.noise == "gaussian" else self.logistic(a))

    def rectified(self, a: Tensor) -> Tensor:
        """E[max(0, a + sigma z)]."""
        x = a / self.sigma
        if self.noise == "logistic":
            return self.sigma * softplus(x)
        density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
        return self.sigma * density + a * torch.special.ndtr(x)

    def positive(self, a: Tensor) -> Tensor:
        """P(a + sigma z > 0)."""
        return (a / self.sigma).sigmoid() if self.noise == "logistic" else torch.special.ndtr(a / self.sigma)

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"noise={self.noise!r}, sigma={self.sigma}, {super().extra_repr()}"


class NoisyRectifier(_Noisy):
    """h = max(0, a + sigma z): 0 with a probability, and otherwise linear.

    With logistic noise and sigma = 1, P(h > 0) = sigm(a) and E[h] = softplus(a); with Gaussian noise they are
    Φ(a/sigma) and sigma φ(a/sigma) + a Φ(a/sigma). The derivative 1[h > 0] is an unbiased estimate of dE[h]/da.

    Args:
        noise: `"gaussian"` or `"logistic"`.
        sigma: Scale of the noise; for Gaussian noise its standard deviation.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if there is no such noise, or its scale is not positive.
    """

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """max(0, a + sigma z)."""
        return self.noisy(a).relu()

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """E[h] in closed form."""
        return self.rectified(a)

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """P(h > 0)."""
        return self.positive(a)

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """max(0, a)."""
        return a.relu()


class NoisyHardSigmoid(_Noisy):
    """h = min(1, max(0, a + sigma z)): 0 or 1 most of the time, if the noise is wide, and linear between.

    Args:
        noise: `"gaussian"` or `"logistic"`.
        sigma: Scale of the noise.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if there is no such noise, or its scale is not positive.
    """

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The argument plus its noise, clipped to [0, 1]."""
        return self.noisy(a).clamp(0, 1)

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """E[h]: the rectifier's at a, less that at a − 1."""
        return self.rectified(a) - self.rectified(a - 1)

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """P(h > 0)."""
        return self.positive(a)

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """a, clipped to [0, 1]."""
        return a.clamp(0, 1)


class NoisySigmoid(StochasticNeuron):
    """h = sigm(a + sigma z) with Gaussian z, the paper's baseline; never 0. Without noise (sigma = 0), the sigmoid.

    Args:
        sigma: Standard deviation of the noise.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if sigma is negative.
    """

    def __init__(self, sigma: float = 1.0, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        if not sigma >= 0:
            raise ValueError(f"the standard deviation of the noise must not be negative, not {sigma}")
        self.sigma = sigma

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a + sigma z)."""
        return (a + self.sigma * self.normal(a)).sigmoid() if self.sigma else a.sigmoid()

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """E[h], by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
        z, w = (torch.as_tensor(one, dtype=a.dtype, device=a.device) for one in (nodes, weights / weights.sum()))
        return ((a[..., None] + self.sigma * z).sigmoid() * w).sum(-1)

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """E[h], the part of the output that passes on average: a unit that is never 0 has no sparsity of its own."""
        return self.expected(a)

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a)."""
        return a.sigmoid()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"sigma={self.sigma}, {super().extra_repr()}"


class MultiplicativeNoise(StochasticNeuron):
    """h = a (1 + sigma z) with Gaussian z, so that E[h] = a.

    Args:
        sigma: Standard deviation of the factor.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if sigma is negative.
    """

    def __init__(self, sigma: float = 1.0, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        if not sigma >= 0:
            raise ValueError(f"the standard deviation of the noise must not be negative, not {sigma}")
        self.sigma = sigma

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The argument times 1 + sigma z."""
        return a * (1 + self.sigma * self.normal(a))

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The argument itself."""
        return a

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """1 where a is not 0."""
        return (a != 0).to(a.dtype)

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The argument itself."""
        return a

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"sigma={self.sigma}, {super().extra_repr()}"


class Rectifier(StochasticNeuron):
    """h = max(0, a): the deterministic baseline, with exact zeros and no noise.

    Args:
        settings: `inference` and `generator`, as of every stochastic neuron; neither changes anything.
    """

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """max(0, a)."""
        return a.relu()

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """max(0, a)."""
        return a.relu()

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """1[a > 0], whose gradient is taken from sigm(a), so that a penalty can act."""
        soft = a.sigmoid()
        return (a > 0).to(a.dtype) + (soft - soft.detach())

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """max(0, a)."""
        return a.relu()
