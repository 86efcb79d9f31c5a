"""Smooth times stochastic: a binary part, times a smooth one through which the gradient passes (section 3)."""

from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from .neuron import StochasticNeuron


class SmoothTimesStochastic(StochasticNeuron):
    """h = b s with b ~ Bernoulli(p^r) and s = p^(1 − r), p = sigm(a), so that E[h] = p.

    The gradient passes through s with b held fixed. In expectation it is (1 − r) times the derivative of the expected
    output, that is half of it with r = 1/2: right to first order but for a factor that a learning rate can take.

    Args:
        ratio: r, the share of p that is stochastic; 0 is the sigmoid, 1 has no gradient.
        rescale: Divide the gradient by 1 − r, so that it is unbiased for a loss that is linear in h.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if the ratio is not within [0, 1], or is 1 and the gradient is to be rescaled.
    """

    def __init__(self, ratio: float = 0.5, *, rescale: bool = False, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        if not 0 <= ratio <= 1:
            raise ValueError(f"the stochastic ratio must lie within 0 and 1, not {ratio}")
        if ratio == 1 and rescale:
            raise ValueError("with a stochastic ratio of 1 there is no gradient to rescale; choose a smaller ratio")
        self.ratio, self.rescale = ratio, rescale

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """0, or p^(1 − r)."""
        b = (self.uniform(a) < (self.ratio * logsigmoid(a)).exp()).to(a.dtype)
        return b.detach() * self._smooth(a)

    def _smooth(self, a: Tensor) -> Tensor:
        s = ((1 - self.ratio) * logsigmoid(a)).exp()
        return s.detach() + (s - s.detach()) / (1 - self.ratio) if self.rescale else s

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a)."""
        return a.sigmoid()

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """P(b = 1) = p^r, since s is never 0."""
        return (self.ratio * logsigmoid(a)).exp()

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """p^(1 − r)."""
        return ((1 - self.ratio) * logsigmoid(a)).exp()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"ratio={self.ratio}, rescale={self.rescale}, {super().extra_repr()}"
