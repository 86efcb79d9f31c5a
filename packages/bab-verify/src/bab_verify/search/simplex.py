"""A linear program under changes of bounds and new rows, solved by HiGHS's dual simplex from the last basis."""

import time
from dataclasses import replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from .linear_program import EMPTY, Certificate, LinearProgram, Vector, certify

ENOUGH = 0.0
"""The least value above which nothing more is to be known of a program: the simplex method ends there."""
NO_LIMIT = 2**31 - 1
"""Iterations of the simplex method that are as good as any number of them, for HiGHS."""


class Simplex:
    """Solves one program again and again; whatever it finds is certified, so nothing hangs on HiGHS being right.

    Args:
        program: The program.
        allowances: What each of its rows may miss its limits by, (rows,).
        deadline: On `time.monotonic`, when solving ends.
    """

    def __init__(self, program: LinearProgram, allowances: Vector, deadline: float = float("inf")) -> None:
        self.program = replace(
            program,
            row_lower=program.row_lower.copy(),
            row_upper=program.row_upper.copy(),
            lower=program.lower.copy(),
            upper=program.upper.copy(),
        )
        self.allowances, self.deadline = allowances, deadline
        self.x, self.y = np.zeros(len(program.cost)), np.zeros(len(allowances))
        """Where the last solution is, (columns,), and its multipliers, (rows,): zeros where there is none."""
        self.iterations = 0
        self._highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off"), ("solver", "simplex")):
            self._highs.setOptionValue(option, value)
        columns = highspy.HighsLp()
        columns.num_col_, columns.num_row_ = len(program.cost), 0
        columns.col_cost_, columns.offset_ = program.cost, program.offset
        columns.col_lower_, columns.col_upper_ = program.lower, program.upper
        self._highs.passModel(columns)
        self._pass_rows(program.matrix, program.row_lower, program.row_upper)

    def add(self, matrix: csr_array, row_upper: Vector) -> None:
        """Rows matrix x <= row_upper, which miss nothing.

        Args:
            matrix: (new rows, columns).
            row_upper: (new rows,).
        """
        below, program = np.full(len(row_upper), -np.inf), self.program
        self._pass_rows(matrix, below, row_upper)
        self.program = replace(
            program,
            matrix=csr_array(vstack([program.matrix, matrix], format="csr")),
            row_lower=np.r_[program.row_lower, below],
            row_upper=np.r_[program.row_upper, row_upper],
        )
        self.allowances = np.r_[self.allowances, np.zeros(len(row_upper))]
        self.y = np.r_[self.y, np.zeros(len(row_upper))]

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop the other rows.

        Args:
            rows: Which stay, (rows,).
        """
        program, gone = self.program, np.flatnonzero(~rows).astype(np.int32)
        self._highs.deleteRows(len(gone), gone)
        self.program = replace(
            program,
            matrix=program.matrix[np.flatnonzero(rows)],
            row_lower=program.row_lower[rows],
            row_upper=program.row_upper[rows],
        )
        self.allowances, self.y = self.allowances[rows], self.y[rows]

    def bound_columns(self, columns: NDArray[np.int64], lower: Vector, upper: Vector) -> None:
        """Put some columns, (n,), between other bounds, (n,) each."""
        self.program.lower[columns], self.program.upper[columns] = lower, upper
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def bound_rows(self, rows: NDArray[np.int64], lower: Vector, upper: Vector) -> None:
        """Put some rows, (n,), between other limits, (n,) each."""
        self.program.row_lower[rows], self.program.row_upper[rows] = lower, upper
        self._highs.changeRowsBounds(len(rows), rows.astype(np.int32), lower, upper)  # type: ignore[attr-defined]

    @property
    def basis(self) -> highspy.HighsBasis:
        """Where the next solution starts."""
        return self._highs.getBasis()

    @basis.setter
    def basis(self, basis: highspy.HighsBasis) -> None:
        self._highs.setBasis(basis)

    def solve(self, iterations: int = NO_LIMIT) -> Certificate:
        """Solve from the last basis: what is certain of the least value.

        Args:
            iterations: Of the simplex method, at most.
        """
        status = self._run(iterations, ENOUGH)
        found = certify(self.program, self.y, self.allowances)
        if status == highspy.HighsModelStatus.kObjectiveBound and not found.positive:
            # Just above, less than its rounding.
            status = self._run(iterations, highspy.kHighsInf)
            found = max(found, certify(self.program, self.y, self.allowances))
        if status == highspy.HighsModelStatus.kInfeasible and not found.positive and self._is_empty():
            return EMPTY
        return found

    def _run(self, iterations: int, enough: float) -> highspy.HighsModelStatus:
        highs = self._highs
        left = max(0.0, self.deadline - time.monotonic())
        highs.setOptionValue("simplex_iteration_limit", iterations)
        highs.setOptionValue("objective_bound", enough)
        highs.setOptionValue("time_limit", highs.getRunTime() + left)
        highs.run()
        self.iterations += highs.getInfo().simplex_iteration_count
        solution = highs.getSolution()
        x, y = np.array(solution.col_value), np.array(solution.row_dual)
        self.x = x if len(x) == len(self.x) else np.zeros_like(self.x)
        self.y = y if len(y) == len(self.allowances) and solution.dual_valid else np.zeros(len(self.allowances))
        return highs.getModelStatus()

    def _is_empty(self) -> bool:
        """Whether the ray along which the dual objective grows proves that no point is feasible."""
        _, found, ray = self._highs.getDualRay()  # type: ignore[attr-defined]
        free = replace(self.program, cost=np.zeros_like(self.program.cost), offset=0.0)
        return found and any(certify(free, way * ray, self.allowances).positive for way in (1, -1))

    def _pass_rows(self, matrix: csr_array, lower: Vector, upper: Vector) -> None:
        starts, columns = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
        self._highs.addRows(len(lower), lower, upper, matrix.nnz, starts, columns, matrix.data)
