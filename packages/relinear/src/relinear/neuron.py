"""The quadratic neuron: (x·w_r + b_r)(x·w_g + b_g) + (x∘x)·w_b + b_b, for whole layers at once."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

TRANSPOSED = False
"""Of convolutions: what PyTorch's common operation for them also could do."""
SMALL = 65_536
"""Numbers below which inputs are squared once and kept: computing them again would take longer than it is worth."""
HALF, TINY = torch.finfo(torch.half).max, torch.finfo(torch.float).tiny


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

    Where inputs are many, the backward pass computes the squares again, rather than keep them. It can be differentiated
    any number of times, and works under `torch.func`, `torch.compile` and autocast. In float16, numbers are scaled so
    that neither squares nor products overflow, and under autocast the result is float32; what exceeds 65,504 is then
    still finite.

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
    if x.ndim == 2:
        return quadratic_map(x, weights, None)
    rows = x.reshape(-1, x.shape[-1])
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
    # Double precision is left alone, as by PyTorch's own layers.
    is_castable = x.dtype != torch.float64 and torch.amp.is_autocast_available(kind)
    if is_castable and torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        with torch.autocast(kind, enabled=False):
            if dtype == torch.float16:
                return _in_half_precision(x, weights, geometry)
            return _dispatch(x.to(dtype), _cast(weights, dtype), geometry)
    if x.dtype == torch.float16:
        return _in_half_precision(x, weights, geometry).to(x.dtype)
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
    """As plain operations where a compiler fuses, an exporter writes them down, or there is little to be saved."""
    if _is_written_down() or x.numel() < SMALL:
        return _plain(x, weights, geometry)[0]
    out: Tensor = _Quadratic.apply(x, *weights, geometry)[0]
    return out


def _is_written_down() -> bool:
    """Whether a compiler or an exporter looks on; that of TorchScript to ONNX does not follow custom functions."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _plain(x: Tensor, weights: Weights, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor]:
    """The layer by its definition, and what its two linear maps give; nothing of those of compact neurons."""
    r = _map(x, weights.weight_r, weights.bias_r, geometry)
    power = _map(x * x, weights.weight_b, weights.bias_b, geometry)
    if weights.weight_g is None:
        nothing = x.new_empty(0)
        return r + power, nothing, nothing
    g = _map(x, weights.weight_g, weights.bias_g, geometry)
    return torch.addcmul(power, r, g), r, g


def _in_half_precision(x: Tensor, weights: Weights, geometry: Geometry | None) -> Tensor:
    """Products of half precision, whose squares and sums cannot overflow, and all else in single precision."""
    x = x.float()
    scale = _power_of_two(x)

    def mapped(weight: Tensor, bias: Tensor | None, *, is_squared: bool = False) -> Tensor:
        arguments = x, weight.float(), scale, is_squared, geometry
        found: Tensor = _half_map(*arguments) if _is_written_down() else _HalfMap.apply(*arguments)
        return found if bias is None else found + bias.float().reshape(-1, *[1] * (found.ndim - 2))

    r = mapped(weights.weight_r, weights.bias_r)
    power = mapped(weights.weight_b, weights.bias_b, is_squared=True)
    return power + (r if weights.weight_g is None else r * mapped(weights.weight_g, weights.bias_g))


def _power_of_two(x: Tensor, least: float = 1.0) -> Tensor:
    """One that is no smaller than any number here, nor than the least."""
    largest = x.detach().abs().amax() if x.numel() else x.new_ones(())
    return torch.exp2(torch.ceil(torch.log2(largest.clamp(min=least))))


def _half_map(x: Tensor, weight: Tensor, scale: Tensor, is_squared: bool, geometry: Geometry | None) -> Tensor:
    """The map of x or of its squares, as a product in half precision of numbers that are divided by the scale."""
    z, factor = (x / scale) ** 2 if is_squared else x / scale, scale**2 if is_squared else scale
    return _map(z.half(), weight.half(), None, geometry).float() * factor


class _HalfMap(torch.autograd.Function):
    """The same, with gradients that are scaled as well: in half precision, those of squares would overflow first."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, scale: Tensor, is_squared: bool, geometry: Geometry | None) -> Tensor:
        return _half_map(x, weight, scale, is_squared, geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _: Tensor) -> None:  # noqa: ANN401
        x, weight, scale, ctx.is_squared, ctx.geometry = inputs
        ctx.save_for_backward(x, weight, scale)
        ctx.save_for_forward(x, weight, scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, scale = ctx.saved_tensors
        z, factor = ((x / scale) ** 2, scale**2) if ctx.is_squared else (x / scale, scale)
        # Gradients of weights are sums over samples and windows, each of which may be as large as the largest.
        n_summed = max(1, grad.numel() // len(weight))
        size = _power_of_two(grad, TINY) * max(1.0, n_summed / HALF)
        scaled = (grad / size).half()
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        of_z, of_weight, _ = _map_backward(scaled, z.half(), weight.half(), ctx.geometry, needs_x, needs_weight)
        of_x = None if of_z is None else of_z.float() * size
        if of_x is not None and ctx.is_squared:
            of_x = of_x * (2 * x)
        return of_x, None if of_weight is None else of_weight.float() * size * factor, None, None, None

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, *_: Tensor | None) -> Tensor:  # noqa: ANN401
        x, weight, _ = ctx.saved_tensors
        if ctx.is_squared:
            x, of_x = x * x, None if of_x is None else 2 * x * of_x
        return _along(x, weight, of_x, of_weight, None, ctx.geometry)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """As plain operations, which have rules of their own."""
        *_, is_squared, geometry = inputs

        def plain(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
            return _half_map(x, weight, scale, is_squared, geometry)

        return torch.vmap(plain, in_dims[:3], randomness=info.randomness)(*inputs[:3]), 0


class _Quadratic(torch.autograd.Function):
    """The layer, and the values of its linear maps, which the backward pass needs.

    The three maps are products of their own, both ways. Stacking W_r and W_g for one product saves no arithmetic, and
    costs a copy of both in each call, since an optimizer with rates for each needs them apart.
    """

    @staticmethod
    def forward(
        x: Tensor,
        weight_r: Tensor,
        weight_g: Tensor | None,
        weight_b: Tensor,
        bias_r: Tensor | None,
        bias_g: Tensor | None,
        bias_b: Tensor | None,
        geometry: Geometry | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        return _plain(x, Weights(weight_r, weight_g, weight_b, bias_r, bias_g, bias_b), geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:  # noqa: ANN401
        x, weight_r, weight_g, weight_b, bias_r, bias_g, bias_b, ctx.geometry = inputs
        ctx.has_bias = bias_r is not None, bias_g is not None, bias_b is not None
        _, r, g = output
        ctx.mark_non_differentiable(r, g)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight_r, weight_g, weight_b, bias_r, bias_g, r, g)
        ctx.save_for_forward(x, weight_r, weight_g, weight_b, bias_r, bias_g, r, g)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight_r, weight_g, weight_b, bias_r, bias_g, r, g = ctx.saved_tensors
        geometry, needed = ctx.geometry, ctx.needs_input_grad
        if grad is None:
            return (None,) * len(needed)
        grad_r, grad_g = grad, None
        if weight_g is not None:
            if torch.is_grad_enabled():
                # For second derivatives, they must depend on the inputs, which what was kept does not.
                r, g = _map(x, weight_r, bias_r, geometry), _map(x, weight_g, bias_g, geometry)
            grad_r, grad_g = grad * g, grad * r
        has_r, has_g, has_b = (need and has for need, has in zip(needed[4:7], ctx.has_bias, strict=True))
        of_x, of_r, of_bias_r = _map_backward(grad_r, x, weight_r, geometry, needed[0], needed[1], has_r)
        of_power, of_b, of_bias_b = _map_backward(grad, x * x, weight_b, geometry, needed[0], needed[3], has_b)
        of_g = of_bias_g = None
        if grad_g is not None:
            of_gate, of_g, of_bias_g = _map_backward(grad_g, x, weight_g, geometry, needed[0], needed[2], has_g)
            of_x = None if of_x is None or of_gate is None else of_x + of_gate
        if of_x is not None and of_power is not None:
            of_x = torch.addcmul(of_x, x, of_power, value=2)
        return of_x, of_r, of_g, of_b, of_bias_r, of_bias_g, of_bias_b, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor, None, None]:  # noqa: ANN401
        x, weight_r, weight_g, weight_b, _, _, r, g = ctx.saved_tensors
        geometry, of_x, of_weights = ctx.geometry, tangents[0], Weights(*tangents[1:7])
        found = _along(x, weight_r, of_x, of_weights.weight_r, of_weights.bias_r, geometry)
        if weight_g is not None:
            of_g = _along(x, weight_g, of_x, of_weights.weight_g, of_weights.bias_g, geometry)
            found = found * g + r * of_g
        of_squares = None if of_x is None else 2 * x * of_x
        power = _along(x * x, weight_b, of_squares, of_weights.weight_b, of_weights.bias_b, geometry)
        return found + power, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """As plain operations, which have rules of their own."""
        geometry = inputs[-1]

        def plain(x: Tensor, *weights: Any) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
            return _plain(x, Weights(*weights), geometry)

        return torch.vmap(plain, in_dims[:-1], randomness=info.randomness)(*inputs[:-1]), (0, 0, 0)


def _along(
    x: Tensor,
    weight: Tensor,
    of_x: Tensor | None,
    of_weight: Tensor | None,
    of_bias: Tensor | None,
    geometry: Geometry | None,
) -> Tensor:
    """The derivative of a map along changes of its inputs and parameters."""
    found = _map(x if of_x is None else of_x, torch.zeros_like(weight) if of_x is None else weight, of_bias, geometry)
    return found if of_weight is None else found + _map(x, of_weight, None, geometry)


def _map(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry | None) -> Tensor:
    """An affine map or a convolution."""
    if geometry is None:
        return torch.nn.functional.linear(x, weight, bias)
    stride, padding, dilation, groups = geometry
    return torch.convolution(x, weight, bias, stride, padding, dilation, TRANSPOSED, [0] * len(stride), groups)


def _map_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    geometry: Geometry | None,
    needs_x: bool,
    needs_weight: bool,
    needs_bias: bool = False,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of a map's inputs, weights and biases, to the last bit those of PyTorch's own layers."""
    if geometry is None:
        of_x, of_weight = grad @ weight if needs_x else None, grad.T @ x if needs_weight else None
        return of_x, of_weight, grad.sum(0) if needs_bias else None
    if not (needs_x or needs_weight or needs_bias):
        return None, None, None
    stride, padding, dilation, groups = geometry
    mask, output_padding = [needs_x, needs_weight, needs_bias], [0] * len(stride)
    found: tuple[Tensor | None, Tensor | None, Tensor | None] = torch.ops.aten.convolution_backward(
        grad, x, weight, [len(weight)], stride, padding, dilation, TRANSPOSED, output_padding, groups, mask
    )
    return found
