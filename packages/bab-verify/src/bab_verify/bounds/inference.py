"""Inference in floating point: how far what a network gives in a type of numbers may be from what it is.

Each operation of the network then adds an error of its own to the exact one of its inputs as they were computed. Bounds
hold of the computed values where every interval, every plane and every coefficient on the way leaves room for it.
"""

import torch
from torch import Tensor

from bab_verify.graph import Graph, Operator
from bab_verify.intervals import FEW, gamma
from bab_verify.operators.affine import Affine
from bab_verify.operators.convex import Absolute
from bab_verify.operators.rearrangements import Rearrangement
from bab_verify.operators.relu import Relu
from bab_verify.operators.s_shaped import Sigmoid, Tanh
from bab_verify.operators.step import Sign

EXACT = (Relu, Absolute, Sign, Rearrangement)
"""Operations that round nothing."""
WITHIN_ONE = (Sigmoid, Tanh)
"""Functions of at most 1, which libraries compute to within `UNITS` units in the last place of 1."""
UNITS = 8


def inference_error(operator: Operator, magnitudes: tuple[Tensor, ...], dtype: torch.dtype) -> Tensor | float:
    """How far an operation in a type of numbers may be from the exact one of the same inputs.

    Args:
        operator: One of those that `uncovered` does not name.
        magnitudes: The greatest absolute value of each input, (batch, *shape).
        dtype: The type.

    Returns:
        For each element; infinite where a sum may overflow.
    """
    if isinstance(operator, EXACT):
        return 0.0
    kind = torch.finfo(dtype)
    if not isinstance(operator, Affine):
        return UNITS * kind.eps
    size = operator.spread(*magnitudes)
    constant, perturbation = operator.constant(), operator.perturbation(*magnitudes)
    if constant is not None:
        size = size + constant.abs()
    n = operator.n_inference_roundings + FEW
    error = gamma(n, dtype) * size + n * kind.tiny
    if perturbation is not None:
        # Doubts are shares of the sizes of what was fused, in double precision, and of no fewer roundings.
        error = error + perturbation * (2 * kind.eps / torch.finfo(torch.float64).eps)
    return torch.where(size < kind.max, error, torch.inf)


def uncovered(graph: Graph) -> tuple[str, ...]:
    """The operations of a network whose rounding is not accounted for, by name."""
    covered = (Affine, *EXACT, *WITHIN_ONE)
    return tuple(sorted({type(x).__name__ for x in graph.operators if not isinstance(x, covered)}))
