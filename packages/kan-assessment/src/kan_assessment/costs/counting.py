"""What a model costs: parameters, FLOPs by formula and as measured."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kan_assessment.models.family import ModelFamily, check_outputs
from kan_assessment.models.formulas import Sharing
from separata.models import count_parameters

POINTWISE = {
    "add": 1, "sub": 1, "rsub": 1, "mul": 1, "div": 1, "neg": 1, "abs": 1, "sign": 1, "reciprocal": 1, "sqrt": 1,
    "rsqrt": 1, "floor": 1, "clamp": 1, "clamp_min": 1, "clamp_max": 1, "maximum": 1, "minimum": 1, "relu": 1,
    "square": 1, "pow": 1, "exp": 1, "log": 1, "sin": 1, "cos": 1, "ge": 1, "gt": 1, "le": 1, "lt": 1, "eq": 1,
    "where": 1, "bitwise_and": 1, "logical_and": 1, "erf": 4, "sigmoid": 4, "softplus": 4, "silu": 5,
    "tanh": 6, "gelu": 14, "addcmul": 2, "lerp": 3, "remainder": 1, "round": 1, "acos": 4,
}  # fmt: skip
"""FLOPs for each number that an operation gives: one for whatever a processor does at once, and for the usual functions
the published counts."""
REDUCING = {"sum": 1, "mean": 1, "amax": 1, "amin": 1, "prod": 1, "cumsum": 1, "var_mean": 4, "native_layer_norm": 8}
"""FLOPs for each number that an operation takes."""


@dataclass(frozen=True)
class Cost:
    """What a model costs for one sample.

    Attributes:
        params: Trainable numbers.
        fixed: Numbers among its parameters that are not trained, such as the mask of a B-spline KAN, which the
            published formula counts too.
        flops_naive: FLOPs of a forward pass by the published formula; as measured where the family has none.
        flops_shared: The same with each basis evaluated once per input.
        flops_measured: What PyTorch was seen to do: matrix products, and elementwise operations by a table.
        flops_matmul: The matrix products' share of it.
    """

    params: int
    fixed: int
    flops_naive: float
    flops_shared: float
    flops_measured: float
    flops_matmul: float

    @property
    def published_params(self) -> int:
        """All numbers among its parameters, trained or not."""
        return self.params + self.fixed

    def to_json(self) -> dict[str, float]:
        """Its numbers by name."""
        return asdict(self)


class _Elementwise(TorchDispatchMode):
    """Adds up the FLOPs of elementwise operations and reductions."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0.0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operation of PyTorch
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - its result
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name in POINTWISE and isinstance(out, Tensor):
            self.flops += POINTWISE[name] * out.numel()
        elif name in REDUCING and args and isinstance(args[0], Tensor):
            self.flops += REDUCING[name] * args[0].numel()
        return out


@torch.no_grad()
def measured_flops(model: nn.Module, in_features: int, batch_size: int = 64) -> tuple[float, float]:
    """FLOPs of a forward pass for one sample as PyTorch does it: of matrix products, and of elementwise operations.

    What is done once for a batch counts with its share.

    Args:
        model: Maps (batch, in_features) to outputs.
        in_features: Number of inputs.
        batch_size: Samples of the pass that is watched.
    """
    was_training = model.training
    model.eval()
    x = torch.zeros(batch_size, in_features, device=next(iter(model.parameters())).device)
    products, rest = FlopCounterMode(display=False), _Elementwise()
    with products:
        model(x)
    with rest:
        model(x)
    model.train(was_training)
    return products.get_total_flops() / batch_size, rest.flops / batch_size


def count(model: nn.Module, in_features: int, flops: tuple[float, float] | None = None) -> Cost:
    """What any model costs.

    Args:
        model: Maps (batch, in_features) to outputs.
        in_features: Number of inputs.
        flops: FLOPs by formula, naive and shared, where they are known; as measured otherwise.
    """
    params = count_parameters(model)
    fixed = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    products, rest = measured_flops(model, in_features)
    naive, shared = flops or (products + rest, products + rest)
    return Cost(params, fixed, naive, shared, products + rest, products)


def count_family(
    family: ModelFamily, in_features: int, hidden: Sequence[int], out_features: int, **settings: object
) -> Cost:
    """What a network of a family costs; of a model that is pruned while it is trained, what is left counts.

    Raises:
        ValueError: if it cannot be built, or its outputs are of another shape.
    """
    model = family.build(in_features, hidden, out_features, **settings)
    check_outputs(model, family.name, in_features, out_features)
    widths = [in_features, *hidden, out_features]
    sharings: tuple[Sharing, Sharing] = ("naive", "shared")
    flops = None
    if family.flops is not None:
        naive, shared = (float(family.flops(widths, sharing, **settings)) for sharing in sharings)
        flops = naive, shared
    return count(model if family.final is None else family.final(model), in_features, flops)
