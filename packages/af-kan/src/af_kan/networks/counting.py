"""What a network costs: parameters that take part, and floating-point operations of a forward pass."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from af_kan.layers.linear import AFKANLinear
from separata.models import count_parameters as count_all

SIMPLE = (
    *("add", "sub", "rsub", "mul", "div", "neg", "square", "sqrt", "rsqrt", "reciprocal", "pow", "abs", "floor"),
    *("relu", "leaky_relu", "clamp", "clamp_min", "minimum", "maximum", "where", "ge", "gt", "le", "lt", "bitwise_and"),
    *("exp", "log", "sin", "cos", "tanh", "erf", "acos"),
)
ELEMENTWISE: Mapping[str, int] = {
    **dict.fromkeys(SIMPLE, 1),
    "addcmul": 2,
    "sigmoid": 3,
    "softplus": 3,
    "silu": 4,
    "elu": 3,
    "gelu": 5,
    "_softmax": 4,
    "native_layer_norm": 8,
    "native_batch_norm": 4,
    "_native_batch_norm_legit": 4,
    "_native_batch_norm_legit_no_training": 4,
}
"""Operations for each element of the output. An arithmetic operation counts as one, and so does an elementary function;
sigmoid is 1 / (1 + exp(-x)), and SiLU that times x. Normalizations count what they do to an element on the way."""
REDUCTIONS = ("sum", "mean", "amax", "amin", "max", "min", "var", "prod")
"""Count one operation for each element of the input."""
VECTOR_PRODUCTS = ("mv", "dot")
"""Products that `FlopCounterMode` does not count: two operations for each element of the first factor."""


def count_parameters(module: nn.Module, sample: Tensor | None = None, *, used_only: bool = True) -> int:
    """Trainable numbers of a module; those only that take part in its output, unless all are wanted.

    A parameter takes part if the output depends on it by autograd's record.

    Args:
        module: Any module.
        sample: An input, of which a zero one is made for modules that tell their `in_features`.
        used_only: Leave out what takes no part; where there is no sample, everything is counted.
    """
    if sample is None and isinstance(width := getattr(module, "in_features", None), int):
        weight = next(module.parameters())
        sample = torch.zeros(2, width, device=weight.device, dtype=weight.dtype)
    if not used_only or sample is None:
        return count_all(module)
    wanted = [p for p in module.parameters() if p.requires_grad]
    with torch.enable_grad(), _unchanged(module):
        output = module(sample)
    reached = torch.autograd.grad(output.sum(), wanted, allow_unused=True)
    return sum(p.numel() for p, grad in zip(wanted, reached, strict=True) if grad is not None)


def count_flops(module: nn.Module, sample: Shaped[Tensor, "batch ..."]) -> int:
    """Floating-point operations of a forward pass: matrix products, convolutions, and what is element by element.

    A multiplication with its addition counts as two. Element-by-element operations count as in `ELEMENTWISE`, and
    reductions one for each number that goes in. AF-KAN is counted by its definition, not as its fused form computes.

    Args:
        module: Any module.
        sample: An input; the count is that of the whole batch.
    """
    products, rest = FlopCounterMode(display=False), _Elementwise()
    with torch.no_grad(), _unchanged(module), products, rest:
        module(sample)
    return products.get_total_flops() + rest.total


class _Elementwise(TorchDispatchMode):
    """Counts the operations that `FlopCounterMode` does not."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(  # PyTorch's own interface
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        found = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.removesuffix("_")
        output = found[0] if isinstance(found, tuple) else found
        if name in ELEMENTWISE and isinstance(output, Tensor):
            self.total += ELEMENTWISE[name] * prod(output.shape)
        elif name in REDUCTIONS and isinstance(args[0], Tensor):
            self.total += prod(args[0].shape)
        elif name in VECTOR_PRODUCTS:
            self.total += 2 * prod(args[0].shape)
        return found


@contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """In evaluation mode and by the definition of AF-KAN inside the block; as before afterwards."""
    modes = {one: one.training for one in module.modules()}
    fused = {one: one.fused for one in module.modules() if isinstance(one, AFKANLinear)}
    module.eval()
    for one in fused:
        one.fused = False
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for one, is_fused in fused.items():
            one.fused = is_fused
