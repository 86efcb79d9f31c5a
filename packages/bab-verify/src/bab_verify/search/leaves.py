"""Leaves: branches of piecewise linear networks in which every unit is fixed, settled exactly by linear programming."""

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from bab_verify.bounds.splits import Splits
from bab_verify.intervals import Interval

from .bounder import BranchBounder

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-7}
"""By how much the constraints of a leaf, each with largest coefficient 1, must miss one another."""


def refute_leaf(bounder: BranchBounder, splits: Splits, clause: int) -> bool | Tensor | None:
    """Whether a clause is refuted over a leaf.

    Args:
        bounder: Of the branches that it is one of.
        splits: The history of one branch.
        clause: The clause.

    Returns:
        `True` if no input of the leaf satisfies the clause, else an input (1, inputs) that does, or `None` if the
        program could not be solved.
    """
    bounds, empty = bounder.narrowed(splits)
    if bool(empty.any()):
        return True
    planes = bounder.propagator.planes({0: bounder.bounds[0], **bounds})
    start = len(bounder.graph.nodes) - 1
    shape = bounder.graph.output_shape
    output = bounder.propagator.backward(start, bounder.c[clause].reshape(1, -1, *shape), planes)
    a = [output.coefficients[0]]
    b = [bounder.d[clause] - output.offset[0]]
    for node, element, sign, point in zip(
        *(x[0].tolist() for x in (splits.node, splits.element, splits.sign, splits.point)), strict=True
    ):
        if node >= 0:
            linear = bounder.propagator.unit_backward(node, torch.tensor([[element]], device=bounder.c.device), planes)
            a.append(-sign * linear.coefficients[0, :1])
            b.append(sign * (linear.offset[0, :1] - point))
    matrix, limits = torch.cat(a).double().cpu().numpy(), torch.cat(b).double().cpu().numpy()
    box = Interval(*(x[0].double().cpu() for x in bounder.box))
    # The least violation t of all constraints: above zero, none of them can hold at once.
    norm = np.abs(matrix).max(1, keepdims=True)
    norm[norm < 1e-12] = 1
    program = linprog(
        np.r_[np.zeros(matrix.shape[1]), 1.0],
        A_ub=np.c_[matrix / norm, -np.ones(len(matrix))],
        b_ub=limits / norm[:, 0],
        bounds=[*zip(box.lower.tolist(), box.upper.tolist(), strict=True), (None, None)],
    )
    if program.status == 0 and program.fun > TOLERANCE[bounder.c.dtype]:
        return True
    if program.status == 0:
        return torch.from_numpy(program.x[:-1][None]).to(bounder.c)
    return None
