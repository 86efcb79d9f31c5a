"""A linear program under changes of bounds and new rows, solved by HiGHS's dual simplex from the last basis."""

from dataclasses import replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from .linear_program import LinearProgram, Vector, certified_minimum


class Simplex:
    """Solves one program again and again.

    Args:
        program: The program.
        allowances: What each of its rows may miss its limits by.
    """

    def __init__(self, program: LinearProgram, allowances: Vector) -> None:
        self.program, self.allowances = program, allowances
        self._highs = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("presolve", "off"),
            ("solver", "simplex"),
            ("objective_bound", 0.0),
        ):
            self._highs.setOptionValue(option, value)
        empty = highspy.HighsLp()
        empty.num_col_, empty.num_row_ = len(program.cost), 0
        empty.col_cost_, empty.offset_ = program.cost, program.offset
        empty.col_lower_, empty.col_upper_ = program.lower, program.upper
        self._highs.passModel(empty)
        self._pass_rows(program)
        self.iterations = 0

    def _pass_rows(self, program: LinearProgram) -> None:
        matrix = program.matrix
        self._highs.addRows(
            len(program.row_lower),
            program.row_lower,
            program.row_upper,
            matrix.nnz,
            matrix.indptr[:-1].astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data,
        )

    def add(self, rows: LinearProgram) -> None:
        self._pass_rows(rows)
        p = self.program
        self.program = replace(
            p,
            matrix=csr_array(vstack([p.matrix, rows.matrix]).tocsr()),
            row_lower=np.r_[p.row_lower, rows.row_lower],
            row_upper=np.r_[p.row_upper, rows.row_upper],
        )
        self.allowances = np.r_[self.allowances, np.zeros(len(rows.row_lower))]

    def keep(self, rows: NDArray[np.bool_]) -> None:
        p = self.program
        gone = np.flatnonzero(~rows).astype(np.int32)
        self._highs.deleteRows(len(gone), gone)
        self.program = replace(
            p, matrix=p.matrix[np.flatnonzero(rows)], row_lower=p.row_lower[rows], row_upper=p.row_upper[rows]
        )
        self.allowances = self.allowances[rows]

    def columns(self, index, lower, upper) -> None:
        p = self.program
        p.lower[index], p.upper[index] = lower, upper
        self._highs.changeColsBounds(
            len(index),
            np.asarray(index, dtype=np.int32),
            np.asarray(lower, dtype=float),
            np.asarray(upper, dtype=float),
        )

    def row(self, row, lower, upper) -> None:
        self.program.row_lower[row], self.program.row_upper[row] = lower, upper
        self._highs.changeRowBounds(int(row), float(lower), float(upper))

    def solve(self, limit=None):
        self._highs.setOptionValue("simplex_iteration_limit", limit or 2**31 - 1)
        self._highs.run()
        info = self._highs.getInfo()
        self.iterations += info.simplex_iteration_count
        self.status = self._highs.getModelStatus()
        s = self._highs.getSolution()
        self.x, self.y = np.array(s.col_value), np.array(s.row_dual)
        if len(self.y) != len(self.allowances) or not s.dual_valid:
            self.y = np.zeros(len(self.allowances))
        self.valid = s.value_valid, s.dual_valid
        return info.objective_function_value

    def certified(self):
        return certified_minimum(self.program, self.y, self.allowances)
