"""The noise schedule in continuous time, which is learned."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

N_HIDDEN = 64


class LearnedSchedule(nn.Module):
    """gamma(t), by which abar(t) = sigmoid(-gamma(t)) and SNR(t) = exp(-gamma(t)), for t in [0, 1].

    gamma(t) = gamma_0 + (gamma_1 - gamma_0) (1 - gbar(t)) falls from gamma_1 (noise) to gamma_0 (clean), where
    gbar(t) = (m(t) - m(0)) / (m(1) - m(0)) and m is a network with positive weights, so that it increases:
    m(t) = l t + mean_j v_j sigmoid(k_j t + b_j). Its derivative is known in closed form, so that the rates below have
    gradients like any other output.

    Args:
        gamma_0: Where gamma ends; -7 is abar = 0.999.
        gamma_1: Where it begins.
        n_hidden: Hidden units of m.

    Raises:
        ValueError: if gamma_1 is not larger than gamma_0, or there is no hidden unit.
    """

    def __init__(self, gamma_0: float = -7.0, gamma_1: float = 7.0, n_hidden: int = N_HIDDEN) -> None:
        super().__init__()
        if not gamma_1 > gamma_0:
            raise ValueError(f"gamma must fall from the noise to the clean end: {gamma_1} is not above {gamma_0}")
        if n_hidden < 1:
            raise ValueError(f"the schedule needs at least 1 hidden unit, not {n_hidden}")
        self.gamma_0 = nn.Parameter(torch.tensor(float(gamma_0)))
        span = gamma_1 - gamma_0
        self.raw_span = nn.Parameter(torch.tensor(span + math.log(-math.expm1(-span))))
        self.raw_slope = nn.Parameter(torch.tensor(0.5))
        self.raw_rate = nn.Parameter(torch.randn(n_hidden))
        self.bias = nn.Parameter(torch.randn(n_hidden))
        self.raw_weight = nn.Parameter(torch.randn(n_hidden))

    @property
    def gamma_1(self) -> Float[Tensor, ""]:
        """Where gamma begins."""
        return self.gamma_0 + softplus(self.raw_span)

    def monotone(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """m(t), which increases."""
        hidden = torch.sigmoid(softplus(self.raw_rate) * t[..., None] + self.bias)
        return softplus(self.raw_slope) * t + (softplus(self.raw_weight) * hidden).mean(-1)

    def _slope(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """m'(t)."""
        rate = softplus(self.raw_rate)
        hidden = torch.sigmoid(rate * t[..., None] + self.bias)
        inner = (softplus(self.raw_weight) * rate * hidden * (1 - hidden)).mean(-1)
        return softplus(self.raw_slope) + inner

    def _ends(self) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """m(0), and m(1) - m(0)."""
        low, high = self.monotone(self.bias.new_tensor([0.0, 1.0]))
        return low, high - low

    def gamma(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """Minus the log of the signal-to-noise ratio."""
        low, span = self._ends()
        return self.gamma_0 + softplus(self.raw_span) * (1 - (self.monotone(t) - low) / span)

    def abar(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """The share of the signal's power, sigmoid(-gamma(t))."""
        return torch.sigmoid(-self.gamma(t))

    def snr(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """The signal-to-noise ratio, exp(-gamma(t)) = abar / (1 - abar)."""
        return torch.exp(-self.gamma(t))

    def rate(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """lambda(t) = -gamma'(t) = abar'(t) / (abar (1 - abar)), which is positive."""
        return softplus(self.raw_span) * self._slope(t) / self._ends()[1]

    def snr_rate(self, t: Float[Tensor, "*times"]) -> Float[Tensor, "*times"]:
        """SNR'(t) = -gamma'(t) exp(-gamma(t)): the weight of the denoising loss."""
        return self.rate(t) * self.snr(t)
