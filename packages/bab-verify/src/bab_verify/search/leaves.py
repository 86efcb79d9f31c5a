"""Leaves: branches of piecewise linear networks in which every unit is fixed, settled exactly by linear programming."""

import numpy as np
import scipy
import torch
from scipy.sparse import csr_array
from torch import Tensor

from bab_verify.bounds.linear_bound import LinearBound
from bab_verify.bounds.propagation import Propagator
from bab_verify.bounds.splits import Splits
from bab_verify.intervals import FEW, Interval, gamma

from .bounder import BranchBounder
from .linear_program import LinearProgram, certified_minimum


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
    propagator, box, c, d = bounder.propagator, bounder.box, bounder.c, bounder.d
    if bounder.exact is not None:
        problem, _ = bounder.exact
        propagator, box, c, d = Propagator(problem.graph), problem.box, problem.c, problem.d
    bounds = {0: bounder.bounds[0], **bounds}
    planes = propagator.planes({i: Interval(*(end.to(c.dtype) for end in x)) for i, x in bounds.items()})
    start, shape = len(bounder.graph.nodes) - 1, bounder.graph.output_shape
    rows = [(propagator.backward(start, c[clause].reshape(1, -1, *shape), planes), slice(None), d[clause])]
    for node, element, sign, point in zip(
        *(x[0].tolist() for x in (splits.node, splits.element, splits.sign, splits.point)), strict=True
    ):
        if node >= 0:
            which = torch.tensor([[element]], device=c.device)
            # The line below h for h <= p, and that below -h for -h <= -p.
            row = slice(0, 1) if sign < 0 else slice(1, 2)
            rows.append((propagator.unit_backward(node, which, planes), row, d.new_tensor([-sign * point])))
    found = _feasible(box, rows)
    return found.to(bounder.c) if isinstance(found, Tensor) else found


def _feasible(box: Interval, rows: list[tuple[LinearBound, slice, Tensor]]) -> bool | Tensor | None:
    """Whether no input satisfies all of some rows, A x + b <= d each; else an input that does, nearly."""
    matrix = torch.cat([linear.coefficients[0, row] for linear, row, _ in rows]).double().cpu().numpy()
    offset = torch.cat([linear.offset[0, row] for linear, row, _ in rows]).double().cpu().numpy()
    error = torch.cat([linear.error[0, row] for linear, row, _ in rows]).double().cpu().numpy()
    d = torch.cat([limit for _, _, limit in rows]).double().cpu().numpy()
    lower, upper = (x[0].double().cpu().numpy() for x in box)
    limits = d - offset
    # The least violation t of all rows, each with largest coefficient 1: above zero, none of them can hold at once.
    norm = np.abs(matrix).max(1)
    norm[norm == 0] = 1
    # SciPy loads this part when it is first used.
    program = scipy.optimize.linprog(
        np.r_[np.zeros(matrix.shape[1]), 1.0],
        A_ub=np.c_[matrix / norm[:, None], -np.ones(len(matrix))],
        b_ub=limits / norm,
        bounds=[*zip(lower.tolist(), upper.tolist(), strict=True), (None, None)],
    )
    if program.status != 0:
        return None
    below = np.full(len(d), -np.inf)
    rowwise = LinearProgram(np.zeros(len(lower)), 0.0, csr_array(matrix), below, limits, lower, upper)
    allowances = error + gamma(FEW, box.lower.dtype) * (np.abs(d) + np.abs(offset))
    if certified_minimum(rowwise, program.ineqlin.marginals / norm, allowances) > 0:
        return True
    return torch.from_numpy(program.x[:-1][None])
