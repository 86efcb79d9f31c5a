"""ReCU (Xu et al. 2021): standardized weights, clamped to a quantile so that outliers can still change sign."""

import math
from typing import Any

import torch
from torch import Tensor

from biper.binarizers import EPSILON, sgn
from biper.layers import BinaryConv2d, BinaryLinear, LearnedScale
from biper.schedules import exponential

TAU_START, TAU_END = 0.85, 0.99
"""Quantiles at the beginning and at the end of a training, as published."""
DEVIATION = 2 * math.sqrt(2)
"""Standard deviation of the standardized weights: that of a Laplace distribution of scale 2."""


class ReCULayer(LearnedScale):
    """b = sgn(clamp(ŵ, -Q, Q)) with the gradient of the clamped weights.

    ŵ are the weights of an output, centered and scaled; Q = -mean|ŵ| log(2 - 2τ) is the quantile τ of a Laplace
    distribution fitted to the layer's; τ goes from 0.85 to 0.99 over the training.
    """

    method = "recu"
    tau: Tensor

    def standardized(self) -> Tensor:
        """The weights of each output, centered, with a standard deviation of 2 sqrt(2)."""
        axes = tuple(range(1, self.weight.ndim))
        centered = self.weight - self.weight.mean(axes, keepdim=True)
        return centered * (DEVIATION * torch.rsqrt(centered.var(axes, keepdim=True) + EPSILON))

    def effective_weight(self) -> Tensor:
        """The sign of the clamped weights, with their gradient."""
        w = self.standardized()
        bound = (-w.abs().mean() * torch.log(2 - 2 * self.tau)).detach()
        clamped = torch.minimum(torch.maximum(w, -bound), bound)
        signs = sgn(clamped.detach(), zero_is_one=self.zero_is_one)
        # Exactly the signs, since the difference is exactly 0, with the gradient of what is clamped.
        return signs + (clamped - clamped.detach())

    def begin_epoch(self, progress: float) -> None:
        """Set the quantile."""
        self.tau.fill_(exponential(TAU_START, TAU_END, progress))

    def _prepare(self) -> None:
        self.make_alpha()
        self.register_buffer("tau", torch.tensor(TAU_START, device=self.weight.device))


class ReCUConv2d(ReCULayer, BinaryConv2d):
    """ReCU's convolution; its arguments are those of `nn.Conv2d`, `binarize_input` and `zero_is_one`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - those of nn.Conv2d
        super().__init__(*arguments, **settings)
        self._prepare()


class ReCULinear(ReCULayer, BinaryLinear):
    """ReCU's linear map; its arguments are those of `nn.Linear`, `binarize_input` and `zero_is_one`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - those of nn.Linear
        super().__init__(*arguments, **settings)
        self._prepare()
