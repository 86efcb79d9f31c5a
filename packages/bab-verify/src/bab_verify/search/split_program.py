"""The linear program of a branch: the relaxation of a ReLU network with states of its units and with hull cuts."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from .hull_cuts import hull_cuts
from .linear_program import Certificate, Vector
from .relu_program import Columns, Layer, ReluProgram
from .simplex import NO_LIMIT, Simplex

States = NDArray[np.int8]
"""Of each unstable unit, (units,): 1 where it is active, -1 where it is inactive, 0 where it is open."""
VIOLATED = 1e-4
"""By how much a point violates a cut that is worth a row, as a share of 1 + |y|: less would not move the bound."""
IDLE = 10
"""Nodes of the search that a cut stays in the program for without a multiplier: each row costs time in every step."""
NO_UNIT = -1
"""The unit of a row that speaks of none."""
FAINT = 1e-9
"""A multiplier that is added to all, so that units without one are told apart by their gap."""


class SplitProgram:
    """One program for all branches of a clause; a branch is a change of bounds.

    Args:
        relaxation: The triangle relaxation, with the bounds at the root: hull cuts hold over these, in every branch.
        deadline: On `time.monotonic`, when solving ends.
    """

    def __init__(self, relaxation: ReluProgram, deadline: float = float("inf")) -> None:
        program, allowances = relaxation.program()
        self.layers, self.inputs = relaxation.layers, relaxation.columns[0]
        self.lower, self.upper = program.lower, program.upper
        self.simplex = Simplex(program, allowances, deadline)
        none = np.zeros(0, np.int64)
        self.z, self.y, self._floor = (
            np.concatenate([none, *(getattr(layer, name) for layer in self.layers)]) for name in ("z", "y", "floor")
        )
        self._first = np.cumsum([0, *(len(layer.z) for layer in self.layers)])[:-1].tolist()
        self.states: States = np.zeros(len(self.z), np.int8)
        # The row of the chord follows that of the floor; rows of cuts come after all these.
        self._unit = np.full(len(program.row_lower), NO_UNIT)
        self._unit[self._floor + 1] = np.arange(len(self.z))
        self._n_rows = len(self._unit)
        self._idle = np.zeros(0, np.int64)

    def fix(self, states: States) -> None:
        """Go to the branch in which units have these states."""
        units = np.flatnonzero(states != self.states)
        self.states = states.copy()
        if not len(units):
            return
        state, z, y, floor = states[units], self.z[units], self.y[units], self._floor[units]
        active, inactive = state > 0, state < 0
        self.simplex.bound_columns(
            np.r_[z, y],
            np.r_[np.where(active, 0.0, self.lower[z]), self.lower[y]],
            np.r_[np.where(inactive, 0.0, self.upper[z]), np.where(inactive, 0.0, self.upper[y])],
        )
        self.simplex.bound_rows(floor, np.zeros(len(units)), np.where(active, 0.0, np.inf))

    def solve(self, iterations: int = NO_LIMIT) -> Certificate:
        """What is certain of the least value in this branch; the simplex method takes so many iterations at most."""
        return self.simplex.solve(iterations)

    @property
    def point(self) -> Vector:
        """The input of the last solution, within the box, (inputs,)."""
        return np.clip(self.simplex.x[self.inputs], self.lower[self.inputs], self.upper[self.inputs])

    def gaps(self) -> Vector:
        """How far the last solution has each open unit above its ReLU, (units,); 0 for others."""
        x = self.simplex.x
        return np.where(self.states == 0, x[self.y] - np.maximum(x[self.z], 0), 0.0)

    def scores(self) -> Vector:
        """How much the bound hangs on each unit's gap: the gap times the multipliers of the rows above the unit."""
        above = self._unit != NO_UNIT
        weight = np.bincount(self._unit[above], np.maximum(-self.simplex.y[above], 0), minlength=len(self.z))
        return (weight + FAINT) * self.gaps()

    def separate(self) -> int:
        """Add the hull cuts that the last solution violates: how many."""
        found = [self._violated(first, layer) for first, layer in zip(self._first, self.layers, strict=True)]
        matrices, limits, units = (list(parts) for parts in zip(*found, strict=True)) if found else ([], [], [])
        n = sum(map(len, units))
        if n:
            self.simplex.add(csr_array(vstack(matrices, format="csr")), np.concatenate(limits))
            self._unit = np.concatenate([self._unit, *units])
            self._idle = np.r_[self._idle, np.zeros(n, np.int64)]
        return n

    def _violated(self, first: int, layer: Layer) -> tuple[csr_array, Vector, Columns]:
        """The cuts of one layer, as rows of the program, their limits, and the units that they are of."""
        x = self.simplex.x
        a, limit, violation = hull_cuts(layer, self.lower, self.upper, x)
        is_open = self.states[first : first + len(layer.z)] == 0
        units = np.flatnonzero(is_open & np.isfinite(limit) & (violation > VIOLATED * (1 + np.abs(x[layer.y]))))
        values = np.c_[np.ones(len(units)), -a[units]]
        columns = np.c_[layer.y[units], np.broadcast_to(layer.v, (len(units), len(layer.v)))]
        used = values != 0
        starts = np.r_[0, np.cumsum(used.sum(1))]
        shape = (len(units), len(self.lower))
        return csr_array((values[used], columns[used], starts), shape=shape), limit[units], first + units

    def purge(self) -> None:
        """Drop cuts that no solution has needed for long."""
        self._idle = np.where(self.simplex.y[self._n_rows :] != 0, 0, self._idle + 1)
        stays = self._idle <= IDLE
        if not stays.all():
            rows = np.r_[np.ones(self._n_rows, bool), stays]
            self.simplex.keep(rows)
            self._unit, self._idle = self._unit[rows], self._idle[stays]
