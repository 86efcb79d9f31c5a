"""What a synapse computes and how it learns: the true forward pass, and a gradient projected away from earlier tasks.

`W x` is computed with the true weight and activity. Going back, the error travels through a feedback weight, which need
not be `W` (feedback alignment, sign-symmetric feedback), and the weight's gradient `δ x⊥ᵀ` uses the presynaptic
activity, or its trace, without the part that lies in the subspace of earlier tasks (paper, section 4.2). Equally, the
gradient can be projected after it was formed; with many samples for each weight, as in convolutions, that is cheaper.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .rates import is_constant
from .subspace import HebbianSubspace

Projection = Literal["input", "weight"]


class Connection(ABC):
    """How presynaptic neurons reach postsynaptic ones: all to all, or by convolution."""

    @abstractmethod
    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The postsynaptic current."""

    @abstractmethod
    def input_gradient(self, grad: Tensor, feedback: Tensor, x: Tensor) -> Tensor:
        """The error that `feedback` carries back."""

    @abstractmethod
    def weight_gradient(self, grad: Tensor, activity: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weight."""

    @abstractmethod
    def samples(self, x: Tensor) -> Tensor:
        """The vectors, (samples, features), that the weight's rows are multiplied with."""

    @abstractmethod
    def weight_gradient_from_samples(self, grad: Tensor, samples: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weight from these vectors."""

    @abstractmethod
    def bias_gradient(self, grad: Tensor) -> Tensor:
        """The gradient of the bias."""


class Dense(Connection):
    """All to all: (batch, in) to (batch, out)."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The postsynaptic current."""
        return F.linear(x, weight, bias)

    def input_gradient(self, grad: Tensor, feedback: Tensor, x: Tensor) -> Tensor:  # noqa: ARG002
        """The error that `feedback` carries back."""
        return grad @ feedback.to(grad.dtype)

    def weight_gradient(self, grad: Tensor, activity: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weight."""
        return self.weight_gradient_from_samples(grad, self.samples(activity), weight)

    def samples(self, x: Tensor) -> Tensor:
        """The activity itself."""
        return x.reshape(-1, x.shape[-1])

    def weight_gradient_from_samples(self, grad: Tensor, samples: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG002
        """The gradient of the weight from these vectors."""
        return grad.reshape(-1, grad.shape[-1]).T @ samples.to(grad.dtype)

    def bias_gradient(self, grad: Tensor) -> Tensor:
        """The gradient of the bias."""
        return grad.reshape(-1, grad.shape[-1]).sum(0)


class Convolution(Connection):
    """By a two-dimensional convolution: (batch, in, height, width) to (batch, out, height, width)."""

    def __init__(
        self, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
    ):
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The postsynaptic current."""
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation)

    def input_gradient(self, grad: Tensor, feedback: Tensor, x: Tensor) -> Tensor:
        """The error that `feedback` carries back."""
        return self._backward(grad, x.to(grad.dtype), feedback.to(grad.dtype), 0)

    def weight_gradient(self, grad: Tensor, activity: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weight."""
        return self._backward(grad, activity.to(grad.dtype), weight.to(grad.dtype), 1)

    def samples(self, x: Tensor) -> Tensor:
        """The patches under the kernel."""
        patches = F.unfold(x, self.kernel, self.dilation, self.padding, self.stride)
        return patches.transpose(1, 2).reshape(-1, patches.shape[1])

    def weight_gradient_from_samples(self, grad: Tensor, samples: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weight from these patches."""
        by_position = grad.flatten(2).transpose(1, 2).reshape(-1, grad.shape[1])
        return (by_position.T @ samples.to(grad.dtype)).reshape(weight.shape)

    def bias_gradient(self, grad: Tensor) -> Tensor:
        """The gradient of the bias."""
        return grad.sum((0, 2, 3))

    def _backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: int) -> Tensor:
        """The gradient of the input (0) or of the weight (1)."""
        geometry = (self.stride, self.padding, self.dilation)
        gradients = torch.ops.aten.convolution_backward(
            grad,
            x,
            weight,
            None,
            *geometry,
            False,  # noqa: FBT003 - not transposed
            (0, 0),
            1,
            (wanted == 0, wanted == 1, False),
        )
        return gradients[wanted]


class Synapses(torch.autograd.Function):
    """Forward with the true weight; back with a feedback weight and a projected gradient. Tensors are time first."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes no keywords
        ctx: Any,  # noqa: ANN401 - PyTorch's
        x: Tensor,
        activity: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        feedback: Tensor | None,
        connection: Connection,
        subspace: HebbianSubspace | None,
        project: Projection,
    ) -> Tensor:
        """The current that `x` (time, batch, ...) causes. `activity` stands for `x` in the gradient, if it is given."""
        ctx.save_for_backward(x, activity, weight, feedback, None if subspace is None else subspace.fixed)
        ctx.connection, ctx.subspace, ctx.project, ctx.has_bias = connection, subspace, project, bias is not None
        return through_time(lambda one: connection.forward(one, weight, bias), x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - PyTorch's
        """The error for the layer below, and the projected gradients."""
        x, activity, weight, feedback, basis = ctx.saved_tensors
        wants_x, _, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        grad_x = grad_weight = grad_bias = None
        if wants_x:
            back = weight if feedback is None else feedback
            example = x[0] if is_constant(grad) else x.flatten(0, 1)
            grad_x = through_time(lambda one: ctx.connection.input_gradient(one, back, example), grad).to(x.dtype)
        if wants_weight:
            seen = x if activity is None else activity
            grad_weight = _weight_gradient(ctx, grad, seen, weight, basis).to(weight.dtype)
        if ctx.has_bias and wants_bias:
            total = grad[0] * grad.shape[0] if is_constant(grad) else grad.flatten(0, 1)
            grad_bias = ctx.connection.bias_gradient(total)
        return grad_x, None, grad_weight, grad_bias, None, None, None, None


def through_time(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of (batch, ...) at every step of (time, batch, ...); once, if the steps are all the same."""
    if is_constant(x):
        return function(x[0]).expand(x.shape[0], *(-1,) * (x.dim() - 1))
    y = function(x.flatten(0, 1))
    if y.requires_grad:
        return y.unflatten(0, x.shape[:2])
    # Inside a custom function, whose result nobody could work on in place if it were a view.
    return torch.ops.aten._unsafe_view(y, (*x.shape[:2], *y.shape[1:]))


def _weight_gradient(
    ctx: Any,  # noqa: ANN401 - PyTorch's
    grad: Tensor,
    seen: Tensor,
    weight: Tensor,
    basis: Tensor | None,
) -> Tensor:
    connection: Connection = ctx.connection
    if basis is None or not len(basis):
        return connection.weight_gradient(*_without_time(grad, seen), weight)
    if ctx.project == "weight":
        gradient = connection.weight_gradient(*_without_time(grad, seen), weight)
        rows = gradient.flatten(1).to(basis.dtype)
        return (rows - (rows @ basis.T) @ basis).reshape(weight.shape)
    if ctx.subspace.spiking is None:
        grad, seen = _without_time(grad, seen)
        samples = connection.samples(seen).to(basis.dtype)
        responses = samples @ basis.T
    else:
        grad, samples, responses = _bursts(ctx, grad, seen, basis)
    return connection.weight_gradient_from_samples(grad.to(basis.dtype), samples - responses @ basis, weight)


def _bursts(
    ctx: Any,  # noqa: ANN401 - PyTorch's
    grad: Tensor,
    seen: Tensor,
    basis: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Error, activity and the bursts that answer it, (batch, ...): bursts are not linear, so they are added after."""
    timesteps = seen.shape[0]
    steps = seen[0] if is_constant(seen) else seen.flatten(0, 1)
    samples = ctx.connection.samples(steps).to(basis.dtype)
    responses = ctx.subspace.spiking(samples @ basis.T)
    if is_constant(seen):
        return grad[0] * timesteps if is_constant(grad) else grad.sum(0), samples, responses
    if is_constant(grad):
        return grad[0], *(each.unflatten(0, (timesteps, -1)).sum(0) for each in (samples, responses))
    return grad.flatten(0, 1), samples, responses


def _without_time(grad: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Error and activity, (batch, ...), whose product is the sum over time; steps are joined if neither is constant."""
    if is_constant(grad):
        return grad[0], seen[0] * seen.shape[0] if is_constant(seen) else seen.sum(0)
    if is_constant(seen):
        return grad.sum(0), seen[0]
    return grad.flatten(0, 1), seen.flatten(0, 1)
