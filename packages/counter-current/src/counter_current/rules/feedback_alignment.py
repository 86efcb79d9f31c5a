"""Feedback alignment: errors go back through fixed random weights instead of the forward ones."""

import copy
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.grad import conv2d_input, conv2d_weight

from counter_current.networks.dual import CounterCurrentNetwork

from .base import OutputRule, random_like


class _AlignedLinear(torch.autograd.Function):
    """x Wᵀ, whose gradient in x goes through R."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, feedback: Tensor) -> Tensor:  # noqa: ANN401 - PyTorch's own
        ctx.save_for_backward(x, feedback)
        return x @ weight.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # noqa: ANN401
        # Under autocast, the gradient has fewer bits than what was saved.
        x, feedback = (one.to(gradient.dtype) for one in ctx.saved_tensors)
        of_input, of_weight = ctx.needs_input_grad[:2]
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            gradient @ feedback if of_input else None,
            rows.T @ x.reshape(-1, x.shape[-1]) if of_weight else None,
            None,
        )


class _AlignedConv2d(torch.autograd.Function):
    """A convolution, whose gradient in x goes through the kernel R."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:  # noqa: ANN401 - PyTorch's own
        x, weight, feedback, settings = inputs
        ctx.save_for_backward(x, weight, feedback)
        ctx.settings = settings
        return torch.nn.functional.conv2d(x, weight, None, *settings)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # noqa: ANN401
        x, weight, feedback = (one.to(gradient.dtype) for one in ctx.saved_tensors)
        of_input, of_weight = ctx.needs_input_grad[:2]
        into_x = conv2d_input(x.shape, feedback, gradient, *ctx.settings) if of_input else None
        into_weight = conv2d_weight(x, weight.shape, gradient, *ctx.settings) if of_weight else None
        return into_x, into_weight, None, None


class FeedbackAlignmentLinear(nn.Linear):
    """A linear map that sends errors back through a fixed random matrix R: the gradient of the input is g R, not g W.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        bias: Whether there is a bias.
        generator: Draws R, on the CPU; PyTorch's own by default.
    """

    feedback: Tensor

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.register_buffer("feedback", random_like(self.weight.detach(), generator or torch.default_generator))

    def forward(self, x: Shaped[Tensor, "*batch inputs"]) -> Shaped[Tensor, "*batch outputs"]:
        """W x + bias."""
        y = _AlignedLinear.apply(x, self.weight, self.feedback)
        return y if self.bias is None else y + self.bias


class FeedbackAlignmentConv2d(nn.Conv2d):
    """A convolution that sends errors back through a fixed random kernel. Its arguments are those of `nn.Conv2d`."""

    feedback: Tensor

    def __init__(self, *args: Any, generator: torch.Generator | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        _check_padding(self)
        self.register_buffer("feedback", random_like(self.weight.detach(), generator or torch.default_generator))

    def forward(self, x: Shaped[Tensor, "batch inputs height width"]) -> Shaped[Tensor, "batch outputs *size"]:
        """The convolved maps."""
        settings = (self.stride, self.padding, self.dilation, self.groups)
        y = _AlignedConv2d.apply(x, self.weight, self.feedback, settings)
        return y if self.bias is None else y + self.bias[:, None, None]


def feedback_alignment(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """A twin of a module that shares its weights, and sends errors back through fixed random ones.

    Args:
        module: Of which each `nn.Linear` and `nn.Conv2d` is replaced; it stays as it is.
        generator: Draws the random weights, on the CPU.
    """
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        return _aligned(module, generator)
    if not module._modules:
        return module
    twin = copy.copy(module)
    twin._modules = {
        name: None if child is None else feedback_alignment(child, generator) for name, child in module._modules.items()
    }
    return twin


def _check_padding(convolution: nn.Conv2d) -> None:
    if isinstance(convolution.padding, str) or convolution.padding_mode != "zeros":
        raise ValueError("feedback alignment needs convolutions with a number of zeros as padding")


def _aligned(module: nn.Linear | nn.Conv2d, generator: torch.Generator) -> nn.Module:
    if isinstance(module, nn.Conv2d):
        _check_padding(module)
    twin = copy.copy(module)
    # A copy has the dictionaries of the original; the random weights must not become the original's.
    twin._buffers = dict(module._buffers)
    twin.__class__ = FeedbackAlignmentLinear if isinstance(module, nn.Linear) else FeedbackAlignmentConv2d
    twin.register_buffer("feedback", random_like(module.weight.detach(), generator), persistent=False)
    return twin


class FeedbackAlignment(OutputRule):
    """Feedback alignment: back-propagation through fixed random weights (Lillicrap et al. 2016).

    Args:
        network: A classifier or an autoencoder.
        generator: Draws the random weights, on the CPU.
    """

    def __init__(self, network: CounterCurrentNetwork, generator: torch.Generator) -> None:
        super().__init__(network)
        self.paths = [feedback_alignment(layer.forward_module, generator) for layer in network.dual_layers()]

    def output(self, x: Shaped[Tensor, "n *sample"]) -> Float[Tensor, "n *output"]:
        """The output, whose errors go back through the random weights."""
        signal = self.network.standardize(x)
        for path in self.paths:
            signal = path(signal)
        return signal
