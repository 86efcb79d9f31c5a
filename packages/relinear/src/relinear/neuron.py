"""The quadratic neuron: (x·w_r + b_r)(x·w_g + b_g) + (x∘x)·w_b + b_b, for whole layers at once."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

TRANSPOSED = False
"""Of convolutions: what PyTorch's common operation for them also could do."""


class Geometry(NamedTuple):
    """How the windows of a convolution lie, one number for each axis; padding is with zeros."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


class Weights(NamedTuple):
    """The three maps of a layer; without `weight_g` and `bias_g`, its neurons are compact."""

    weight_r: Float[Tensor, "out in *kernel"]
    weight_g: Float[Tensor, "out in *kernel"] | None
    weight_b: Float[Tensor, "out in *kernel"]
    bias_r: Float[Tensor, "out"] | None = None
    bias_g: Float[Tensor, "out"] | None = None
    bias_b: Float[Tensor, "out"] | None = None


def quadratic_linear(
    x: Float[Tensor, "*batch in"],
    weight_r: Float[Tensor, "out in"],
    weight_g: Float[Tensor, "out in"] | None,
    weight_b: Float[Tensor, "out in"],
    bias_r: Float[Tensor, "out"] | None = None,
    bias_g: Float[Tensor, "out"] | None = None,
    bias_b: Float[Tensor, "out"] | None = None,
) -> Float[Tensor, "*batch out"]:
    """A layer of quadratic neurons: (x W_rᵀ + b_r) ∘ (x W_gᵀ + b_g) + (x ∘ x) W_bᵀ + b_b.

    Both linear maps are one matrix product and the squares a second one, forward and backward; the squares are computed
    again in the backward pass rather than kept. It can be differentiated any number of times, and works under
    `torch.func`, `torch.compile` and autocast. In float16, numbers are scaled so that neither squares nor products
    overflow, and under autocast the result is float32; what exceeds 65,504 is then still finite.

    Args:
        x: Inputs.
        weight_r: W_r.
        weight_g: W_g; without it, neurons are compact: x W_rᵀ + b_r + (x ∘ x) W_bᵀ + b_b.
        weight_b: W_b.
        bias_r: b_r; 0 if not given.
        bias_g: b_g; 0 if not given.
        bias_b: b_b, which the paper calls c; 0 if not given.

    Raises:
        ValueError: if the inputs are no floating-point numbers, or compact neurons are given `bias_g`.
    """
    weights = Weights(weight_r, weight_g, weight_b, bias_r, bias_g, bias_b)
    rows = x.reshape(-1, x.shape[-1]) if x.ndim != 2 else x
    return quadratic_map(rows, weights, None).reshape(*x.shape[:-1], len(weight_r))


def quadratic_map(
    x: Float[Tensor, "batch in *window"], weights: Weights, geometry: Geometry | None
) -> Float[Tensor, "batch out *windows"]:
    """The same for rows, or with convolutions as the three maps.

    Raises:
        ValueError: if the inputs are no floating-point numbers, or compact neurons are given `bias_g`.
    """
    if not x.is_floating_point():
        raise ValueError(f"a quadratic layer takes floating-point numbers, not {x.dtype}; call .float() on its input")
    if weights.weight_g is None and weights.bias_g is not None:
        raise ValueError("compact neurons have no gating map, so they take no bias_g")
    kind = x.device.type
    is_autocast = torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if is_autocast else x.dtype
    if dtype == torch.float16:
        with torch.autocast(kind, enabled=False):
            found = _in_half_precision(x, weights, geometry)
        return found if is_autocast else found.to(x.dtype)
    if is_autocast:
        x, weights = x.to(dtype), _cast(weights, dtype)
        with torch.autocast(kind, enabled=False):
            return _dispatch(x, weights, geometry)
    return _dispatch(x, weights, geometry)


def _cast(weights: Weights, dtype: torch.dtype) -> Weights:
    r, g, b, *biases = weights
    return Weights(
        r.to(dtype),
        None if g is None else g.to(dtype),
        b.to(dtype),
        *(None if one is None else one.to(dtype) for one in biases),
    )


def _dispatch(x: Tensor, weights: Weights, geometry: Geometry | None) -> Tensor:
    """Fused, or as plain operations where a compiler or an exporter fuses by itself."""
    if torch.compiler.is_exporting():
        return _plain(x, weights, geometry)
    weight_a, bias_a = _fuse(weights, _groups(geometry))
    is_compact = weights.weight_g is None
    if torch.compiler.is_compiling():
        a = _map(x, weight_a, bias_a, geometry)
        return _combine(a, _map(x * x, weights.weight_b, weights.bias_b, geometry), _groups(geometry), is_compact)
    out, _ = _Quadratic.apply(x, weight_a, bias_a, weights.weight_b, weights.bias_b, geometry, is_compact)
    return out


def _plain(x: Tensor, weights: Weights, geometry: Geometry | None) -> Tensor:
    """By the definition, with three maps: what other programs read best."""
    r = _map(x, weights.weight_r, weights.bias_r, geometry)
    power = _map(x * x, weights.weight_b, weights.bias_b, geometry)
    return (r if weights.weight_g is None else r * _map(x, weights.weight_g, weights.bias_g, geometry)) + power


def _in_half_precision(x: Tensor, weights: Weights, geometry: Geometry | None) -> Tensor:
    """Products of half precision, whose squares and sums cannot overflow, and all else in single precision.

    The inputs are divided by a power of two, so that the largest is at most one.
    """
    groups, half = _groups(geometry), torch.float16
    x, is_compact = x.float(), weights.weight_g is None
    largest = x.detach().abs().amax() if x.numel() else x.new_ones(())
    scale = torch.exp2(torch.ceil(torch.log2(largest.clamp(min=1))))
    z = x / scale
    weight_a, bias_a = _fuse(weights, groups)
    a = _map(z.to(half), weight_a.to(half), None, geometry).float() * scale
    power = _map((z * z).to(half), weights.weight_b.to(half), None, geometry).float() * (scale * scale)
    return _combine(_biased(a, bias_a), _biased(power, weights.bias_b), groups, is_compact)


def _biased(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias.float().reshape(-1, *[1] * (x.ndim - 2))


class _Quadratic(torch.autograd.Function):
    """The layer, and the values of its linear maps, which the backward pass needs."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        weight_a: Tensor,
        bias_a: Tensor | None,
        weight_b: Tensor,
        bias_b: Tensor | None,
        geometry: Geometry | None,
        is_compact: bool,
    ) -> tuple[Tensor, Tensor]:
        a = _map(x, weight_a, bias_a, geometry)
        power = _map(x * x, weight_b, bias_b, geometry)
        return _combine(a, power, _groups(geometry), is_compact), a

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ANN401
        x, weight_a, bias_a, weight_b, bias_b, ctx.geometry, ctx.is_compact = inputs
        _, a = output
        ctx.mark_non_differentiable(a)
        # The rule for vmap keeps one set of tensors for both.
        kept = (x, weight_a, bias_a, weight_b, None if ctx.is_compact else a)
        ctx.save_for_backward(*kept)
        ctx.save_for_forward(*kept)
        ctx.has_biases = bias_a is not None, bias_b is not None

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight_a, bias_a, weight_b, a = ctx.saved_tensors
        geometry, groups = ctx.geometry, _groups(ctx.geometry)
        needs_x, needs_a, _, needs_b, *_ = ctx.needs_input_grad
        if ctx.is_compact:
            grad_a = grad
        else:
            # For second derivatives, the values must depend on the inputs, which what was kept does not.
            a = _map(x, weight_a, bias_a, geometry) if torch.is_grad_enabled() else a
            r, g = _split(a, groups)
            grad_a = _join(grad * g, grad * r, groups, 1)
        linear_x, linear_weight = _map_backward(grad_a, x, weight_a, geometry, needs_x, needs_a)
        power_x, power_weight = _map_backward(grad, x * x, weight_b, geometry, needs_x, needs_b)
        grad_x = None if linear_x is None or power_x is None else torch.addcmul(linear_x, x, power_x, value=2)
        has_a, has_b = ctx.has_biases
        over = [0, *range(2, grad.ndim)]
        return (
            grad_x,
            linear_weight,
            grad_a.sum(over) if has_a and ctx.needs_input_grad[2] else None,
            power_weight,
            grad.sum(over) if has_b and ctx.needs_input_grad[4] else None,
            None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor, None]:  # noqa: ANN401
        x, weight_a, _, weight_b, a = ctx.saved_tensors
        geometry, groups = ctx.geometry, _groups(ctx.geometry)
        of_x, of_weight_a, of_bias_a, of_weight_b, of_bias_b = tangents[:5]
        found = _along(x, weight_a, of_x, of_weight_a, of_bias_a, geometry)
        if not ctx.is_compact:
            (r, g), (of_r, of_g) = _split(a, groups), _split(found, groups)
            found = of_r * g + r * of_g
        of_squares = None if of_x is None else 2 * x * of_x
        return found + _along(x * x, weight_b, of_squares, of_weight_b, of_bias_b, geometry), None


def _along(
    x: Tensor,
    weight: Tensor,
    of_x: Tensor | None,
    of_weight: Tensor | None,
    of_bias: Tensor | None,
    geometry: Geometry | None,
) -> Tensor:
    """The derivative of a map along changes of its inputs and parameters."""
    found = _map(x if of_x is None else of_x, torch.zeros_like(weight) if of_x is None else weight, None, geometry)
    if of_weight is not None:
        found = found + _map(x, of_weight, None, geometry)
    return _biased(found, of_bias)


def _fuse(weights: Weights, groups: int) -> tuple[Tensor, Tensor | None]:
    """W_r and W_g, and their biases, as those of one map."""
    r, g, _, bias_r, bias_g, _ = weights
    if g is None:
        return r, bias_r
    if bias_r is None and bias_g is None:
        return _join(r, g, groups, 0), None
    absent = r.new_zeros(len(r))
    bias_r, bias_g = (absent if one is None else one for one in (bias_r, bias_g))
    return _join(r, g, groups, 0), _join(bias_r, bias_g, groups, 0)


def _join(one: Tensor, other: Tensor, groups: int, dim: int) -> Tensor:
    """Two sets of channels as one, in each group those of the first set before those of the second."""
    if groups == 1:
        return torch.cat([one, other], dim)
    return torch.cat([part.unflatten(dim, (groups, -1)) for part in (one, other)], dim + 1).flatten(dim, dim + 1)


def _split(joined: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """The two sets of channels that were joined."""
    if groups == 1:
        one, other = joined.chunk(2, 1)
        return one, other
    one, other = joined.unflatten(1, (groups, -1)).chunk(2, 2)
    return one.flatten(1, 2), other.flatten(1, 2)


def _combine(a: Tensor, power: Tensor, groups: int, is_compact: bool) -> Tensor:
    """The layer, of what its linear maps and its power term give."""
    if is_compact:
        return a + power
    r, g = _split(a, groups)
    return torch.addcmul(power, r, g)


def _groups(geometry: Geometry | None) -> int:
    return 1 if geometry is None else geometry.groups


def _map(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry | None) -> Tensor:
    """An affine map or a convolution."""
    if geometry is None:
        return torch.nn.functional.linear(x, weight, bias)
    stride, padding, dilation, groups = geometry
    return torch.convolution(x, weight, bias, stride, padding, dilation, TRANSPOSED, [0] * len(stride), groups)


def _map_backward(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry | None, needs_x: bool, needs_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of a map's inputs and weights."""
    if geometry is None:
        return grad @ weight if needs_x else None, grad.T @ x if needs_weight else None
    if not (needs_x or needs_weight):
        return None, None
    stride, padding, dilation, groups = geometry
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        stride,
        padding,
        dilation,
        TRANSPOSED,
        [0] * len(stride),
        groups,
        [needs_x, needs_weight, False],
    )
    return of_x, of_weight
