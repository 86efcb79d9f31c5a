"""Sums over the basis functions of a number without a tensor of all of them: forward and backward, chunk by chunk.

`global_attn` and `multistep` need of the n functions of a coordinate no more than their sum and one weighted sum. Both
are computed for a chunk of coordinates that stays in the cache; the backward pass keeps the inputs alone, and computes
the functions again. For SiLU and sigmoid one exponential of x serves all 2n activations of a coordinate, since

    sigmoid(x - s) = E / (E + exp(s))   and   sigmoid(e - x) = exp(e) / (E + exp(e)),   with E = exp(x),

which loses no accuracy: nothing is subtracted.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from af_kan.configs import Activation, Combination

from . import silu_quad
from .activations import activate, slope
from .combinations import combine, partials
from .features import basis_features

CHUNK = 250_000
"""Values of basis functions that are computed at a time, for each thread; several such tensors fit into the cache."""
GPU_CHUNK = 1 << 26
"""The same on a GPU, where there is no such cache, but memory is limited."""
LARGEST = 80.0
"""Of an exponent in single precision: its exponential, and the sum of two such, are finite."""
WIDEST = 40.0
"""Of the grid, up to which exponentials of x and of the grid are used."""


def basis_sums(
    x: Float[Tensor, "*batch"],
    low: Float[Tensor, "n"],
    high: Float[Tensor, "n"],
    weight: Float[Tensor, "n"],
    activation: Activation = "silu",
    combination: Combination = "quad1",
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """The sum Σ_i F_i(x) and the weighted sum Σ_i v_i F_i(x) of the basis functions of every number.

    The same as `basis_features(x, ...)` summed over its last axis, and multiplied by the weights, in a fraction of its
    time and memory. Gradients reach x, both ends of the grid, and the weights. Second derivatives (`create_graph=True`)
    are computed by way of `basis_features`.

    Args:
        x: Any numbers.
        low: The lower ends s.
        high: The upper ends e.
        weight: v.
        activation: a.
        combination: c.

    Raises:
        ValueError: if there is no such activation or combination.
    """
    total, weighted = _Sums.apply(x, low, high, weight, activation, combination)
    return total, weighted


def naive_sums(
    x: Float[Tensor, "*batch"],
    low: Float[Tensor, "n"],
    high: Float[Tensor, "n"],
    weight: Float[Tensor, "n"],
    activation: Activation = "silu",
    combination: Combination = "quad1",
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """What `basis_sums` gives, by its definition: for exporters and transforms that cannot look into it."""
    features = basis_features(x, low, high, activation, combination)
    return features.sum(-1), features @ weight


class _Sums(torch.autograd.Function):
    """`basis_sums`."""

    @staticmethod
    def forward(
        x: Tensor, low: Tensor, high: Tensor, weight: Tensor, activation: Activation, combination: Combination
    ) -> tuple[Tensor, Tensor]:
        flat = x.detach().reshape(-1)
        if silu_quad.applies(activation, combination, x, low, high):
            found = silu_quad.sums(flat, low, high, weight.detach(), _parts(len(flat), len(low), x.device))
            return found[0].view(x.shape), found[1].view(x.shape)
        total, weighted = torch.empty_like(flat), torch.empty_like(flat)
        pair = _Pair(activation, x, low, high)
        for part in _parts(len(flat), len(low), x.device):
            values = combine(combination, *pair.values(flat[part]))
            torch.sum(values, 0, out=total[part])
            torch.mv(values.T, weight.detach(), out=weighted[part])
        return total.view(x.shape), weighted.view(x.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401, ARG004
        ctx.save_for_backward(*inputs[:4])
        ctx.names = inputs[4:]

    @staticmethod
    def backward(ctx: Any, of_total: Tensor, of_weighted: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, low, high, weight = ctx.saved_tensors
        found: Sequence[Tensor | None]
        if torch.is_grad_enabled():
            found = _differentiable_gradients((x, low, high, weight), ctx.names, (of_total, of_weighted))
        else:
            found = _gradients((x, low, high, weight), ctx.names, of_total, of_weighted)
        return (*found, None, None)


def _parts(n_numbers: int, n_functions: int, device: torch.device) -> list[slice]:
    """The chunks of so many numbers."""
    most = CHUNK * torch.get_num_threads() if device.type == "cpu" else GPU_CHUNK
    size = max(1, most // n_functions)
    return [slice(start, start + size) for start in range(0, n_numbers, size)]


def _gradients(
    inputs: tuple[Tensor, Tensor, Tensor, Tensor],
    names: tuple[Activation, Combination],
    of_total: Tensor,
    of_weighted: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients in x, s, e and v, given those in the two sums."""
    x, low, high, weight = inputs
    activation, combination = names
    flat, of_total, of_weighted = x.reshape(-1), of_total.reshape(-1), of_weighted.reshape(-1)
    if silu_quad.applies(activation, combination, x, low, high):
        parts = _parts(len(flat), len(low), x.device)
        of_sums = (of_total, of_weighted)
        in_flat, in_low, in_high, in_weight = silu_quad.gradients(flat, low, high, weight, of_sums, parts)
        return in_flat.view(x.shape), in_low, in_high, in_weight
    in_x = torch.empty_like(flat)
    in_low, in_high, in_weight = torch.zeros_like(low), torch.zeros_like(high), torch.zeros_like(weight)
    pair = _Pair(activation, x, low, high)
    for part in _parts(len(flat), len(low), x.device):
        x1, slope1, x2, slope2 = pair.values_and_slopes(flat[part])
        c1, c2 = partials(combination, x1, x2)
        in_features = torch.addcmul(of_total[part], weight[:, None], of_weighted[part])
        from_low = slope1.mul_(c1).mul_(in_features)
        from_high = slope2.mul_(c2).mul_(in_features)
        in_low -= from_low.sum(1)
        in_high += from_high.sum(1)
        in_weight += combine(combination, x1, x2) @ of_weighted[part]
        torch.sum(from_low.sub_(from_high), 0, out=in_x[part])
    return in_x.view(x.shape), in_low, in_high, in_weight


def _differentiable_gradients(
    inputs: tuple[Tensor, ...], names: tuple[Activation, Combination], of_sums: tuple[Tensor, Tensor]
) -> list[Tensor | None]:
    """The same as functions of the inputs, for a second derivative."""
    x, low, high, weight = inputs
    wanted = [one for one in inputs if one.requires_grad]
    found = iter(torch.autograd.grad(naive_sums(x, low, high, weight, *names), wanted, of_sums, create_graph=True))
    return [next(found) if one.requires_grad else None for one in inputs]


class _Pair:
    """The activations x1 = a(x - s_i) and x2 = a(e_i - x) of a chunk, (n, chunk) each.

    Args:
        activation: a.
        x: All numbers.
        low: The lower ends s.
        high: The upper ends e.
    """

    def __init__(self, activation: Activation, x: Tensor, low: Tensor, high: Tensor) -> None:
        self.activation = activation
        self.low, self.high = low.detach()[:, None], high.detach()[:, None]
        # On a GPU, asking for the width of the grid would make it wait; there, exponentials are cheap.
        may_share = activation in {"silu", "sigmoid"} and x.device.type == "cpu" and x.dtype != torch.float16
        ends = torch.cat([self.low, self.high]).abs()
        self.shares_exponential = may_share and bool((ends <= WIDEST).all())
        if self.shares_exponential:
            self.exp_low, self.exp_high = self.low.exp(), self.high.exp()

    def values(self, x: Float[Tensor, "chunk"]) -> tuple[Tensor, Tensor]:
        """x1 and x2."""
        t1, t2 = x - self.low, self.high - x
        if not self.shares_exponential:
            return activate(self.activation, t1), activate(self.activation, t2)
        exponential = _bounded_exp(x)
        below, above = exponential + self.exp_low, exponential + self.exp_high
        if self.activation == "sigmoid":
            return torch.div(exponential, below, out=below), torch.div(self.exp_high, above, out=above)
        return t1.mul_(exponential).div_(below), t2.mul_(self.exp_high).div_(above)

    def values_and_slopes(self, x: Float[Tensor, "chunk"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x1, a'(x - s_i), x2 and a'(e_i - x), all of which may be written to."""
        t1, t2 = x - self.low, self.high - x
        if not self.shares_exponential:
            x1, x2 = activate(self.activation, t1), activate(self.activation, t2)
            return x1, slope(self.activation, t1, x1), x2, slope(self.activation, t2, x2)
        exponential = _bounded_exp(x)
        below, above = exponential + self.exp_low, exponential + self.exp_high
        sigmoid1, sigmoid2 = torch.div(exponential, below, out=below), torch.div(self.exp_high, above, out=above)
        if self.activation == "sigmoid":
            return sigmoid1, sigmoid1 * (1 - sigmoid1), sigmoid2, sigmoid2 * (1 - sigmoid2)
        x1, x2 = t1.mul_(sigmoid1), t2.mul_(sigmoid2)
        return x1, _silu_slope(x1, sigmoid1), x2, _silu_slope(x2, sigmoid2)


def _bounded_exp(x: Tensor) -> Tensor:
    return x.clamp(-LARGEST, LARGEST).exp_()


def _silu_slope(value: Tensor, sigmoid: Tensor) -> Tensor:
    """σ + x σ (1 - σ), with x σ the value."""
    return torch.addcmul(sigmoid + value, value, sigmoid, value=-1)
