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
    grid = _Grid(x, low, high, parts)
    den, t = _buffers(2, x, parts, len(low))
    weights = torch.stack([grid.scale, grid.scale * weight])
    found = x.new_empty(2, len(x))
    for part in parts:
        number = x[part]
        exponential, inverse = grid.exponentials(number)
        d, r = den[:, : len(number)], t[:, : len(number)]
        torch.mul(grid.exp_sum, inverse, out=d).add_(exponential).add_(grid.exp_both)
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
    grid = _Grid(x, low, high, parts)
    of_total, of_weighted = of_sums
    in_x = torch.empty_like(x)
    # Of 2 exp(2 e) r / h times what follows in each derivative, its sums with both gradients over the numbers.
    from_low, from_high = x.new_zeros(len(low), 2), x.new_zeros(len(low), 2)
    in_weight = torch.zeros_like(weight)
    both = torch.stack([grid.scale, grid.scale * weight]).mul_(2)
    buffers = _buffers(6, x, parts, len(low))
    for part in parts:
        number = x[part]
        exponential, inverse = grid.exponentials(number)
        u1, u2, h, t1, t2, r = (one[:, : len(number)] for one in buffers)
        torch.mul(grid.exp_sum, inverse, out=h).add_(exponential).add_(grid.exp_both).reciprocal_()
        torch.mul(h, exponential, out=r)
        torch.addcmul(r, grid.exp_high, h, out=u1)
        torch.addcmul(r, grid.exp_low, h, out=u2)
        torch.sub(number, grid.low, out=t1)
        torch.sub(grid.high, number, out=t2)
        torch.addcmul(t1, t1, u1, value=-1, out=u1)
        u2.mul_(t2)
        torch.mul(t1, t2, out=r).mul_(h)
        h.mul_(r)
        in_weight += r.square_() @ of_weighted[part]
        t2.mul_(h).addcmul_(t2, u1)
        t1.mul_(h).addcmul_(t1, u2)
        for number_of, of_sum in enumerate((of_total[part], of_weighted[part])):
            from_low[:, number_of] -= t2 @ of_sum
            from_high[:, number_of] += t1 @ of_sum
        t2.sub_(t1)
        torch.mul(both[0] @ t2, of_total[part], out=in_x[part]).addcmul_(both[1] @ t2, of_weighted[part])
    in_low, in_high = ((one * both.T).sum(1) for one in (from_low, from_high))
    return in_x, in_low, in_high, grid.scale * in_weight


class _Grid:
    """Both ends of every function with their exponentials, (n, 1) each, and those of numbers."""

    def __init__(self, x: Tensor, low: Tensor, high: Tensor, parts: Sequence[slice]) -> None:
        self.low, self.high = low.detach()[:, None], high.detach()[:, None]
        self.exp_low, self.exp_high = self.low.exp(), self.high.exp()
        self.exp_both, self.exp_sum = self.exp_low + self.exp_high, (self.low + self.high).exp()
        self.scale = (2 * high.detach()).exp()
        self._exponential, self._inverse = (one[0] for one in _buffers(2, x, parts, 1))

    def exponentials(self, number: Float[Tensor, "chunk"]) -> tuple[Float[Tensor, "chunk"], Float[Tensor, "chunk"]]:
        """E and 1 / E of a part of the numbers, until the next part."""
        exponential, inverse = self._exponential[: len(number)], self._inverse[: len(number)]
        torch.clamp(number, -LARGEST, LARGEST, out=exponential).exp_()
        return exponential, torch.reciprocal(exponential, out=inverse)


def _buffers(number: int, x: Tensor, parts: Sequence[slice], n_functions: int) -> list[Tensor]:
    """Tensors that all parts write to, so that they stay in the cache."""
    size = max((len(range(*part.indices(len(x)))) for part in parts), default=0)
    return [x.new_empty(n_functions, size) for _ in range(number)]
