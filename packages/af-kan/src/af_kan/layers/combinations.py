"""The combinations c(x1, x2) of two activations to a basis function, and their partial derivatives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from af_kan.configs import Combination, check_name

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Function:
    value: Callable[[Tensor, Tensor], Tensor]
    partials: Callable[[Tensor, Tensor], Pair]


def _quad1_partials(x1: Tensor, x2: Tensor) -> Pair:
    twice = 2 * x1 * x2
    return twice * x2, twice * x1


def _cubic1_partials(x1: Tensor, x2: Tensor) -> Pair:
    total, squares = x1 + x2, x1 * x1 + x2 * x2
    return torch.addcmul(squares, total, x1, value=2), torch.addcmul(squares, total, x2, value=2)


def _cubic2_partials(x1: Tensor, x2: Tensor) -> Pair:
    thrice = 3 * (x1 * x2).square()
    return thrice * x2, thrice * x1


FUNCTIONS: Mapping[Combination, _Function] = {
    "quad1": _Function(lambda x1, x2: (x1 * x2).square(), _quad1_partials),
    "quad2": _Function(lambda x1, x2: x1 * x2 + x1 * x1 + x2 * x2, lambda x1, x2: (x2 + 2 * x1, x1 + 2 * x2)),
    "sum": _Function(lambda x1, x2: x1 + x2, lambda x1, x2: (torch.ones_like(x1), torch.ones_like(x2))),
    "prod": _Function(lambda x1, x2: x1 * x2, lambda x1, x2: (x2, x1)),
    "sum_prod": _Function(lambda x1, x2: x1 + x2 + x1 * x2, lambda x1, x2: (1 + x2, 1 + x1)),
    "cubic1": _Function(lambda x1, x2: (x1 + x2) * (x1 * x1 + x2 * x2), _cubic1_partials),
    "cubic2": _Function(lambda x1, x2: (x1 * x2) ** 3, _cubic2_partials),
}


def combine(name: Combination, x1: Float[Tensor, "*shape"], x2: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """c(x1, x2), element by element.

    | name | c |
    | --- | --- |
    | `quad1` | (x1 x2)² |
    | `quad2` | x1 x2 + x1² + x2² |
    | `sum` | x1 + x2 |
    | `prod` | x1 x2 |
    | `sum_prod` | x1 + x2 + x1 x2 |
    | `cubic1` | (x1 + x2) (x1² + x2²) |
    | `cubic2` | (x1 x2)³ |

    Raises:
        ValueError: if there is no such combination.
    """
    check_name("combination", name, tuple(FUNCTIONS))
    return FUNCTIONS[name].value(x1, x2)


def partials(
    name: Combination, x1: Float[Tensor, "*shape"], x2: Float[Tensor, "*shape"]
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """∂c/∂x1 and ∂c/∂x2, element by element.

    Raises:
        ValueError: if there is no such combination.
    """
    check_name("combination", name, tuple(FUNCTIONS))
    return FUNCTIONS[name].partials(x1, x2)
