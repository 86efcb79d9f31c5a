"""Sums of matrix products of several values: what affine operations become once they are fused."""

from math import prod

import torch.nn.functional as F
from torch import Tensor

from bab_verify.graph import Shape

from .affine import Affine


class Combination(Affine):
    """W_1 x_1 + W_2 x_2 + ... + c of flattened inputs.

    Args:
        weights: W_i, (output size, input size).
        bias: c, (output size,).
        input_shapes: Shape of each input.
        output_shape: Shape of the output.
        perturbations: How far each element of each W_i may be from the network's, if they were computed.
        bias_perturbation: And each element of c.
        n_inference_roundings: Roundings that each term meets where the network itself computes what this stands for.
    """

    bias: Tensor
    bias_perturbation: Tensor | None

    def __init__(
        self,
        weights: tuple[Tensor, ...],
        bias: Tensor,
        input_shapes: tuple[Shape, ...],
        output_shape: Shape,
        perturbations: tuple[Tensor | None, ...] | None = None,
        bias_perturbation: Tensor | None = None,
        n_inference_roundings: int | None = None,
    ) -> None:
        super().__init__(*input_shapes)
        self.output_shape, self._n_inference_roundings = output_shape, n_inference_roundings
        for i, weight in enumerate(weights):
            self.register_buffer(f"weight_{i}", weight)
            self.register_buffer(
                f"perturbation_{i}", None if perturbations is None else perturbations[i], persistent=False
            )
        self.register_buffer("bias", bias)
        self.register_buffer("bias_perturbation", bias_perturbation, persistent=False)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """W_1, W_2, ..."""
        return tuple(getattr(self, f"weight_{i}") for i in range(len(self.input_shapes)))

    @property
    def perturbations(self) -> tuple[Tensor | None, ...]:
        """How far the elements of each may be from the network's."""
        return tuple(getattr(self, f"perturbation_{i}") for i in range(len(self.input_shapes)))

    @property
    def n_terms(self) -> int:
        """Inputs in all, or outputs if they are more."""
        return max(sum(map(prod, self.input_shapes)), prod(self.output_shape))

    @property
    def n_inference_roundings(self) -> int:
        """As given, or the terms."""
        return self._n_inference_roundings or self.n_terms

    def perturbation(self, *magnitudes: Tensor) -> Tensor | None:
        """Of the matrices and of the constant."""
        parts = [
            F.linear(x.flatten(1), perturbation)
            for x, perturbation in zip(magnitudes, self.perturbations, strict=True)
            if perturbation is not None
        ]
        if self.bias_perturbation is not None:
            parts.append(self.bias_perturbation[None])
        return sum(parts[1:], parts[0]).reshape(-1, *self.output_shape) if parts else None

    def linear(self, *inputs: Tensor) -> Tensor:
        """Without the constant."""
        parts = [F.linear(x.flatten(1), weight) for x, weight in zip(inputs, self.weights, strict=True)]
        return sum(parts[1:], parts[0]).reshape(-1, *self.output_shape)

    def least(self, lower: tuple[Tensor, ...], upper: tuple[Tensor, ...]) -> Tensor:
        """The products with positive and with negative weights."""
        parts = [
            F.linear(low.flatten(1), weight.clamp(min=0)) + F.linear(high.flatten(1), weight.clamp(max=0))
            for low, high, weight in zip(lower, upper, self.weights, strict=True)
        ]
        return sum(parts[1:], parts[0]).reshape(-1, *self.output_shape)

    def constant(self) -> Tensor:
        """The constant, c."""
        return self.bias.reshape(self.output_shape)

    def adjoint(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """The products a W_i."""
        flat = coefficients.flatten(1)
        return tuple(
            (flat @ weight).reshape(-1, *shape) for weight, shape in zip(self.weights, self.input_shapes, strict=True)
        )

    def rows(self, index: Tensor) -> tuple[Tensor, ...]:
        """Rows of each W_i, (batch, rows, *input shape), by their index (batch, rows)."""
        return tuple(
            weight[index].reshape(*index.shape, *shape)
            for weight, shape in zip(self.weights, self.input_shapes, strict=True)
        )
