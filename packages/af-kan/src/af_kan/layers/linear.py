"""The layer that takes the place of a linear map and its activation function."""

import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from af_kan.configs import LayerConfig

from .activations import activate
from .feature_norms import make_feature_norm
from .features import basis_features
from .fused import basis_sums, naive_sums
from .grids import uniform_grid
from .norms import make_norm
from .reductions import SumReduction, make_reduction


class AFKANLinear(nn.Module):
    """An AF-KAN layer: y = a(norm(z)) Wᵀ, with z_d one number made of n learnable functions of x_d.

    The functions F_i(x_d) = c(a(x_d - s_i), a(e_i - x_d)) have a grid that all coordinates share. A layer has
    out_features x in_features weights, and little else: 2n for the grid, n + 2 for the reduction, 2 in_features for the
    normalization. It needs no activation function before or after it.

    Inputs are best within a few units of [0, 1], where the grid is; the published code scales images to [-1, 1].

    Args:
        in_features: Width d of the input.
        out_features: Width of the output.
        config: The layer's settings.
        fused: Compute without a tensor of all basis functions, where the reduction is `global_attn` or `multistep` and
            functions are not scaled. Set it to False for `torch.func`; exporters take the plain form by themselves.
        settings: Fields of `LayerConfig`, in place of those of `config`.

    Raises:
        ValueError: if a width is not positive, a setting is out of its range, or one feature would be normalized to a
            constant.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        config: LayerConfig | None = None,
        *,
        fused: bool = True,
        **settings: Any,  # noqa: ANN401 - of several types
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a layer has positive widths, not {in_features} and {out_features}")
        self.in_features, self.out_features, self.fused = in_features, out_features, fused
        self.config = config = replace(config or LayerConfig(), **settings)
        for name, ends in zip(("low", "high"), uniform_grid(config.grid_size, config.order), strict=True):
            if config.trainable_grid:
                setattr(self, name, nn.Parameter(ends))
            else:
                self.register_buffer(name, ends)
        self.feature_norm = make_feature_norm(config.feature_norm)
        self.reduction = make_reduction(config.reduction, in_features, config.n_functions)
        self.norm = make_norm(config.norm, in_features, config.norm_eps)
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(
        self,
        x: Float[Tensor, "*batch d"],
        reduction: nn.Module | None = None,
        norm: nn.Module | None = None,
        feature_norm: nn.Module | None = None,
    ) -> Float[Tensor, "*batch outputs"]:
        """The outputs.

        Args:
            x: Inputs, with any axes before the last.
            reduction: In place of the layer's own, of as many functions.
            norm: In place of the layer's own.
            feature_norm: In place of the layer's own.

        Raises:
            ValueError: if the last axis has another length, the inputs are not floating-point numbers, or there is a
                single sample to train batch normalization on.
        """
        norm = self.norm if norm is None else norm
        check_inputs(x, self.in_features, norm)
        rows = x.reshape(-1, self.in_features)
        normed = norm(self.reduce(rows, reduction, feature_norm))
        return F.linear(activate(self.config.activation, normed), self.weight).view(*x.shape[:-1], self.out_features)

    def features(self, x: Float[Tensor, "rows d"], feature_norm: nn.Module | None = None) -> Float[Tensor, "rows d n"]:
        """The basis functions of every coordinate, scaled as the layer scales them; in single precision at least."""
        feature_norm = self.feature_norm if feature_norm is None else feature_norm
        with _full_precision(x):
            x, low, high = _precise(x, self.low, self.high)
            scaled: Tensor = feature_norm(basis_features(x, low, high, *self._names))
            return scaled

    def reduce(
        self, x: Float[Tensor, "rows d"], reduction: nn.Module | None = None, feature_norm: nn.Module | None = None
    ) -> Float[Tensor, "rows d"]:
        """One number z_d for each coordinate, before the normalization; in the precision of the weights.

        Args:
            x: Inputs.
            reduction: In place of the layer's own.
            feature_norm: In place of the layer's own.
        """
        reduction = self.reduction if reduction is None else reduction
        if isinstance(reduction, SumReduction) and self.config.feature_norm == "none":
            sums = basis_sums if self.fused and not torch.compiler.is_compiling() else naive_sums
            with _full_precision(x):
                x, low, high, weight = _precise(x, self.low, self.high, reduction.weight)
                total, weighted = sums(x, low, high, weight, *self._names)
                return reduction.from_sums(total, weighted).to(self.weight.dtype)
        # Without autocast, too: a reduction sums what leaves the range of half precision.
        with _full_precision(x):
            return reduction(self.features(x, feature_norm).to(self.weight.dtype)).to(self.weight.dtype)

    @property
    def _names(self) -> tuple[Any, Any]:
        return self.config.activation, self.config.combination

    def extra_repr(self) -> str:
        """What is printed of it."""
        told = self.config
        return (
            f"{self.in_features}, {self.out_features}, g={told.grid_size}, k={told.order}, {told.activation}, "
            f"{told.combination}, {told.reduction}"
        )


def check_inputs(x: Shaped[Tensor, "..."], in_features: int, norm: nn.Module) -> None:
    """See that a layer can take inputs.

    Raises:
        ValueError: if it cannot; one sentence.
    """
    if not x.is_floating_point():
        raise ValueError(f"the layer takes floating-point numbers, not {x.dtype}; scale them first, such as x / 255")
    if x.ndim == 0 or x.shape[-1] != in_features:
        raise ValueError(f"the layer expects inputs with a last axis of {in_features}, got {tuple(x.shape)}")
    if isinstance(norm, nn.BatchNorm1d) and norm.training and x.numel() == in_features:
        raise ValueError("batch normalization cannot be trained on a single sample; use larger batches or another norm")


def _full_precision(x: Tensor) -> Any:  # noqa: ANN401 - a context
    """Without autocast: basis functions grow like a power of x, and leave the range of half precision."""
    is_on = torch.is_autocast_enabled(x.device.type)
    return torch.autocast(x.device.type, enabled=False) if is_on else nullcontext()


def _precise(*tensors: Tensor) -> tuple[Tensor, ...]:
    """In single precision, or in double precision if any is."""
    dtype = torch.float64 if any(one.dtype == torch.float64 for one in tensors) else torch.float32
    return tuple(one.to(dtype) for one in tensors)
