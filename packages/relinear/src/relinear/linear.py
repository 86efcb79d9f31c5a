"""A dense layer of quadratic neurons."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .configs import Form, Init
from .layer import QuadraticLayer
from .neuron import quadratic_linear


class QuadraticLinear(QuadraticLayer):
    """y = (x W_rᵀ + b_r) ∘ (x W_gᵀ + b_g) + (x ∘ x) W_bᵀ + b_b, in place of an `nn.Linear`.

    With `init="relinear"`, W_g = 0, b_g = 1, W_b = 0 and b_b = 0: the layer begins as the conventional one of W_r and
    b_r. Train it with `param_groups`, which keeps the quadratic parameters slow. With `init="random"`, deep networks
    without normalization mostly diverge; it is there to be compared with.

    Args:
        in_features: Numbers in a sample.
        out_features: Neurons.
        bias: Whether there are b_r and b_b; b_g is there in any case.
        form: `compact` neurons have no gating map, 2/3 of the parameters and 2/3 of the cost:
            y = x W_rᵀ + b_r + (x ∘ x) W_bᵀ + b_b.
        init: `relinear` or `random`.
        device: Where the parameters are.
        dtype: Their type.

    Raises:
        ValueError: if a size is not positive, or form or init are others than these.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        form: Form = "full",
        init: Init = "relinear",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if min(in_features, out_features) < 1:
            raise ValueError(f"a layer has at least one input and one output, not {in_features} and {out_features}")
        super().__init__((out_features, in_features), bias=bias, form=form, init=init, device=device, dtype=dtype)
        self.in_features, self.out_features = in_features, out_features

    @classmethod
    def from_linear(
        cls, linear: nn.Linear, form: Form = "full", init: Init = "relinear", bias: bool | None = None
    ) -> "QuadraticLinear":
        """The layer that computes what a conventional one does, unless `init` is `random`.

        Args:
            linear: Its weight and bias are copied.
            form: Of the neurons.
            init: `random` draws the quadratic parameters, so that the outputs change.
            bias: Whether there are b_r and b_b; as in the conventional layer if not given.
        """
        has_bias = linear.bias is not None if bias is None else bias
        weight = linear.weight
        new = cls(linear.in_features, linear.out_features, has_bias, form, device=weight.device, dtype=weight.dtype)
        new.init = init
        new._take_over(linear, init)
        return new

    def forward(self, x: Float[Tensor, "*batch in_features"]) -> Float[Tensor, "*batch out_features"]:
        """The outputs of the neurons."""
        return quadratic_linear(x, *self.weights)

    def extra_repr(self) -> str:
        """What is told of the layer when a network is printed."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias_r is not None}, form={self.form}"
