"""Leaves: branches of piecewise linear networks in which every unit is fixed, settled exactly by linear programming."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from .graph import Interval
from .splits import Splits

if TYPE_CHECKING:
    from .activation_splitting import ActivationSearch

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-7}
"""By how much the constraints of a leaf, each with largest coefficient 1, must miss one another."""


def refute_leaf(search: "ActivationSearch", splits: Splits, clause: int) -> bool | Tensor | None:
    """Whether a clause is refuted over a leaf.

    Args:
        search: Whose leaf.
        splits: The history of one branch.
        clause: The clause.

    Returns:
        `True` if no input of the leaf satisfies the clause, else an input (1, inputs) that does, or `None` if the
        program could not be solved.
    """
    bounds, empty = search.narrowed(splits)
    if bool(empty.any()):
        return True
    planes = {i: search.propagator.relax(i, bounds) for i in search.propagator.nonlinear}
    start = len(search.graph.nodes) - 1
    shape = search.graph.output_shape
    output = search.propagator.backward(start, search.c[clause].reshape(1, -1, *shape), planes)
    a = [output.coefficients[0]]
    b = [search.d[clause] - output.offset[0]]
    for node, element, sign, point in zip(
        *(x[0].tolist() for x in (splits.node, splits.element, splits.sign, splits.point)), strict=True
    ):
        if node >= 0:
            linear = search.propagator.unit_backward(node, torch.tensor([[element]], device=search.c.device), planes)
            a.append(-sign * linear.coefficients[0, :1])
            b.append(sign * (linear.offset[0, :1] - point))
    matrix, limits = torch.cat(a).double().cpu().numpy(), torch.cat(b).double().cpu().numpy()
    box = Interval(*(x[0].double().cpu() for x in search.box))
    # The least violation t of all constraints: above zero, none of them can hold at once.
    norm = np.abs(matrix).max(1, keepdims=True)
    norm[norm < 1e-12] = 1
    program = linprog(
        np.r_[np.zeros(matrix.shape[1]), 1.0],
        A_ub=np.c_[matrix / norm, -np.ones(len(matrix))],
        b_ub=limits / norm[:, 0],
        bounds=[*zip(box.lower.tolist(), box.upper.tolist(), strict=True), (None, None)],
    )
    if program.status == 0 and program.fun > TOLERANCE[search.c.dtype]:
        return True
    if program.status == 0:
        return torch.from_numpy(program.x[:-1][None]).to(search.c)
    return None
