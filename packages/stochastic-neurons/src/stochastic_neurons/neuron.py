"""What all stochastic neurons share: where their noise comes from, and what they give at inference."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Inference = Literal["sample", "mean", "threshold"]
INFERENCE: tuple[Inference, ...] = ("sample", "mean", "threshold")
"""What a neuron gives in evaluation mode: a sample, its expectation, or 0 unless it is more likely on than off."""


class StochasticNeuron(nn.Module):
    """An activation h = f(a, z) with noise z: a drop-in for `nn.ReLU` or `nn.Sigmoid`.

    In training mode it draws a sample. In evaluation mode it does what `inference` says; with `"mean"` and
    `"threshold"` nothing is drawn.

    Args:
        inference: `"sample"`, as in training; `"mean"`, E[h]; or `"threshold"`, the output without noise where the unit
            is active with a probability above one half, else 0.
        generator: Draws the noise; PyTorch's own if None. It may be on the CPU whatever the device of the inputs.

    Raises:
        ValueError: if `inference` is none of these.
    """

    def __init__(self, *, inference: Inference = "sample", generator: torch.Generator | None = None) -> None:
        super().__init__()
        if inference not in INFERENCE:
            raise ValueError(f"inference must be {', '.join(INFERENCE)}, not {inference!r}")
        self.inference, self.generator = inference, generator

    def forward(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The output h of each unit for its pre-activation a; float32 inside, whatever autocast has made of a."""
        precise = a.float() if a.dtype in (torch.float16, torch.bfloat16) else a
        if self.training or self.inference == "sample":
            h = self.sample(precise)
        elif self.inference == "mean":
            h = self.expected(precise)
        else:
            p = self.probability(precise)
            h = torch.where(p > 0.5, self.active(precise), 0 * p)  # NaN stays NaN
        return h.to(a.dtype)

    def sample(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """A sample of h, through which the gradient passes as the estimator says."""
        raise NotImplementedError

    def expected(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """E[h], differentiable."""
        raise NotImplementedError

    def probability(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """P(h != 0), differentiable: what sparsity penalties act on."""
        raise NotImplementedError

    def active(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The output of a unit that is on, without noise."""
        return torch.ones_like(a)

    def uniform(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Noise from U[0, 1), of the shape of a."""
        device = a.device if self.generator is None else self.generator.device
        return torch.rand(a.shape, generator=self.generator, device=device, dtype=a.dtype).to(a.device)

    def normal(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Noise from N(0, 1), of the shape of a."""
        device = a.device if self.generator is None else self.generator.device
        return torch.randn(a.shape, generator=self.generator, device=device, dtype=a.dtype).to(a.device)

    def logistic(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Noise from the standard logistic distribution, log u − log(1 − u), of the shape of a."""
        tiny = torch.finfo(a.dtype).eps
        return self.uniform(a).clamp(tiny, 1 - tiny).logit()

    def extra_repr(self) -> str:
        """What is shown of it."""
        return f"inference={self.inference!r}"


def stochastic_neurons(model: nn.Module) -> list[StochasticNeuron]:
    """All stochastic neurons of a network, each once."""
    return [module for module in model.modules() if isinstance(module, StochasticNeuron)]


def seed_neurons(model: nn.Module, generator: torch.Generator | None) -> None:
    """Have all stochastic neurons of a network draw from one generator; from PyTorch's own if None."""
    for neuron in stochastic_neurons(model):
        neuron.generator = generator


def set_inference(model: nn.Module, inference: Inference) -> None:
    """Have all stochastic neurons of a network answer so in evaluation mode.

    Raises:
        ValueError: if `inference` is not `"sample"`, `"mean"` or `"threshold"`.
    """
    if inference not in INFERENCE:
        raise ValueError(f"inference must be {', '.join(INFERENCE)}, not {inference!r}")
    for neuron in stochastic_neurons(model):
        neuron.inference = inference
