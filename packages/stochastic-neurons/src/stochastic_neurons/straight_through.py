"""The straight-through estimator: the gradient with respect to the output, copied to the argument (section 4)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .neuron import StochasticNeuron


class StraightThroughBernoulli(StochasticNeuron):
    """A binary neuron h ~ Bernoulli(sigm(a)) whose gradient is copied: dL/da := dL/dh.

    Biased. The sign of each component is right where a single layer of such neurons lies before the loss, and need not
    be with several. For the derivative of an expectation use `UnbiasedBernoulli`.

    Args:
        scale_by_sigmoid: Multiply by the derivative of the sigmoid, dL/da := dL/dh sigm'(a), which is unbiased for a
            loss that is linear in h. The paper reports better results without it.
        threshold: h = 1[a > 0] without noise, also in training.
        settings: `inference` and `generator`, as of every stochastic neuron.
    """

    def __init__(self, *, scale_by_sigmoid: bool = False, threshold: bool = False, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        self.scale_by_sigmoid, self.threshold = scale_by_sigmoid, threshold

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """0 or 1, exactly; the gradient is that of a, or of sigm(a)."""
        p = a.sigmoid()
        h = ((a > 0) if self.threshold else (self.uniform(a) < p)).to(a.dtype)
        # Clamped, since the difference of infinite numbers would be NaN, and a unit may be masked with -inf.
        limit = torch.finfo(a.dtype).max
        passed = p if self.scale_by_sigmoid else a.clamp(-limit, limit)
        return h.detach() + (passed - passed.detach())

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a), or 1[a > 0] where there is no noise."""
        return (a > 0).to(a.dtype) if self.threshold else a.sigmoid()

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a), also with a threshold, so that a penalty has a gradient."""
        return a.sigmoid()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"scale_by_sigmoid={self.scale_by_sigmoid}, threshold={self.threshold}, {super().extra_repr()}"


class RelaxedBernoulli(StochasticNeuron):
    """The binary Concrete distribution (Maddison et al. 2017; Jang et al. 2017), a modern reference, not in the paper.

    h = sigm((a + z) / t) with logistic z, which tends to Bernoulli(sigm(a)) as the temperature t goes to 0.

    Args:
        temperature: t.
        hard: Round the output to 0 or 1 and copy the gradient of the relaxed one.
        settings: `inference` and `generator`, as of every stochastic neuron.

    Raises:
        ValueError: if the temperature is not positive.
    """

    def __init__(self, temperature: float = 0.5, *, hard: bool = False, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        if not temperature > 0:
            raise ValueError(f"the temperature must be positive, not {temperature}")
        self.temperature, self.hard = temperature, hard

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Between 0 and 1; 0 or 1 exactly if it is hard."""
        soft = ((a + self.logistic(a)) / self.temperature).sigmoid()
        return (soft > 0.5).to(a.dtype) + (soft - soft.detach()) if self.hard else soft

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """sigm(a) if it is hard; else the mean over 64 quantiles of the noise."""
        if self.hard:
            return a.sigmoid()
        z = ((torch.arange(64, dtype=a.dtype, device=a.device) + 0.5) / 64).logit()
        return ((a[..., None] + z) / self.temperature).sigmoid().mean(-1)

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """P(h > 1/2) = sigm(a)."""
        return a.sigmoid()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"temperature={self.temperature}, hard={self.hard}, {super().extra_repr()}"
