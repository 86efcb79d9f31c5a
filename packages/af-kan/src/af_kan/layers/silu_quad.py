"""The sums of `fused` for SiLU and quad1, a layer's defaults, in fewer passes over the basis functions.

With E = exp(x), F_i = (x1 x2)² of x1 = silu(x - s_i) and x2 = silu(e_i - x) is exp(2 e_i) r_i², where

    r_i = (x - s_i)(e_i - x) / h_i   and   h_i = E + exp(s_i) + exp(e_i) + exp(s_i + e_i) / E,

because E h_i = (E + exp(s_i))(E + exp(e_i)) is the product of both sigmoids' denominators. Nothing is subtracted but
what SiLU subtracts. The factors exp(2 e_i) do not depend on x and go into the weights of the sums. In the same way,

    ∂F_i/∂s_i = -2 exp(2 e_i) r_i / h_i (e_i - x) (1 + (x - s_i) (1 - σ(x - s_i))),
    ∂F_i/∂e_i =  2 exp(2 e_i) r_i / h_i (x - s_i) (1 + (e_i - x) (1 - σ(e_i - x))),
    1 - σ(x - s_i) = (exp(s_i) + exp(s_i + e_i) / E) / h_i,   1 - σ(e_i - x) = (E + exp(s_i)) / h_i,

and ∂F_i/∂x is minus the sum of both.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 80.0
"""Bound of the exponent x: neither E nor exp(s + e) / E leaves the range of single precision."""
WIDEST = 3.0
"""Of the grid, up to which that is so."""


def applies(activation: str, combination: str, x: Tensor, low: Float[Tensor, "n"], high: Float[Tensor, "n"]) -> bool:
    """Whether these functions are of this kind, on a CPU, whose time goes into passes over memory."""
    is_default = activation == "silu" and combination == "quad1" and x.device.type == "cpu"
    if not is_default or x.dtype not in {torch.float32, torch.float64}:
        return False
    return bool((torch.cat([low.detach(), high.detach()]).abs() <= WIDEST).all())


def sums(
    x: Float[Tensor, "numbers"],
    low: Float[Tensor, "n"],
    high: Float[Tensor, "n"],
    weight: Float[Tensor, "n"],
    parts: Sequence[slice],
) -> Float[Tensor, "2 numbers"]:
    """The sum and the weighted sum of the functions of every number, computed part by part."""
    grid = _Grid(x, low, high)
    den, t = _buffers(2, x, parts, len(low))
    weights = torch.stack([grid.scale, grid.scale * weight])
    found = x.new_empty(2, len(x))
    for part in parts:
        number, exponential, inverse = x[part], grid.exponential[part], grid.inverse[part]
        d, r = den[:, : len(number)], t[:, : len(number)]
        torch.add(exponential, grid.exp_low + grid.exp_high, out=d).addcmul_(grid.exp_sum, inverse)
        torch.sub(number, grid.low, out=r).div_(d)
        r.mul_(torch.sub(grid.high, number, out=d)).square_()
        torch.mm(weights, r, out=found[:, part])
    return found


def gradients(
    x: Float[Tensor, "numbers"],
    low: Float[Tensor, "n"],
    high: Float[Tensor, "n"],
    weight: Float[Tensor, "n"],
    of_sums: tuple[Float[Tensor, "numbers"], Float[Tensor, "numbers"]],
    parts: Sequence[slice],
) -> tuple[Float[Tensor, "numbers"], Float[Tensor, "n"], Float[Tensor, "n"], Float[Tensor, "n"]]:
    """The gradients in x, s, e and v, given those in the two sums."""
    grid = _Grid(x, low, high)
    of_total, of_weighted = of_sums
    twice = 2 * grid.scale[:, None]
    weighted_twice = twice * weight[:, None]
    in_x = torch.empty_like(x)
    in_low, in_high, in_weight = torch.zeros_like(low), torch.zeros_like(high), torch.zeros_like(weight)
    buffers = _buffers(6, x, parts, len(low))
    for part in parts:
        number, exponential, inverse = x[part], grid.exponential[part], grid.inverse[part]
        u1, u2, h, t1, t2, r = (one[:, : len(number)] for one in buffers)
        torch.addcmul(grid.exp_low, grid.exp_sum, inverse, out=u1)
        torch.add(exponential, grid.exp_low, out=u2)
        torch.add(u1, exponential, out=h).add_(grid.exp_high).reciprocal_()
        torch.sub(number, grid.low, out=t1)
        torch.sub(grid.high, number, out=t2)
        u1.mul_(h).mul_(t1)
        u2.mul_(h).mul_(t2)
        torch.mul(t1, t2, out=r).mul_(h)
        h.mul_(r)
        in_weight += r.square_() @ of_weighted[part]
        # The gradient in F times 2 exp(2 e) r / h.
        h.mul_(torch.addcmul(twice * of_total[part], weighted_twice, of_weighted[part], out=r))
        t2.mul_(h).addcmul_(t2, u1)
        t1.mul_(h).addcmul_(t1, u2)
        in_low -= t2.sum(1)
        in_high += t1.sum(1)
        torch.sum(t2.sub_(t1), 0, out=in_x[part])
    return in_x, in_low, in_high, grid.scale * in_weight


class _Grid:
    """Both ends of every function with their exponentials, (n, 1) each, and those of all numbers."""

    def __init__(self, x: Tensor, low: Tensor, high: Tensor) -> None:
        self.low, self.high = low.detach()[:, None], high.detach()[:, None]
        self.exp_low, self.exp_high = self.low.exp(), self.high.exp()
        self.exp_sum = (self.low + self.high).exp()
        self.scale = (2 * high.detach()).exp()
        self.exponential = x.clamp(-LARGEST, LARGEST).exp_()
        self.inverse = self.exponential.reciprocal()


def _buffers(number: int, x: Tensor, parts: Sequence[slice], n_functions: int) -> list[Tensor]:
    """Tensors that all parts write to, so that they stay in the cache."""
    size = max((len(range(*part.indices(len(x)))) for part in parts), default=0)
    return [x.new_empty(n_functions, size) for _ in range(number)]
