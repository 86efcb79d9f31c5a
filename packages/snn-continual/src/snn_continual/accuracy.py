"""The accuracy matrix of continual learning, and its two summaries."""

import csv
import io
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class AccuracyReport:
    """Accuracies on the tasks of a sequence, from 0 to 1."""

    accuracies: tuple[float, ...]

    @property
    def acc(self) -> float:
        """Average accuracy."""
        return sum(self.accuracies) / len(self.accuracies)


@dataclass(frozen=True)
class AccuracyMatrix:
    """`matrix[i, j]` is the accuracy on task j after learning task i, from 0 to 1; NaN where it was not measured."""

    matrix: Float[np.ndarray, "tasks tasks"]

    @property
    def acc(self) -> float:
        """Average accuracy on all tasks after the last one."""
        return float(self.matrix[-1].mean())

    @property
    def bwt(self) -> float:
        """Backward transfer: mean change of a task's accuracy since it was learned; negative for forgetting.

        NaN where there is nothing to compare: a single task, or tasks that were learned jointly.
        """
        if len(self.matrix) < 2:
            return math.nan
        return float((self.matrix[-1, :-1] - self.matrix.diagonal()[:-1]).mean())

    def to_csv(self) -> str:
        """A table with a row for each task learned."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["after", *(f"task {j}" for j in range(len(self.matrix)))])
        writer.writerows([i, *("" if math.isnan(a) else f"{a:.6g}" for a in row)] for i, row in enumerate(self.matrix))
        return text.getvalue()

    def to_json(self) -> list[list[float | None]]:
        """Rows, with None for NaN."""
        return [[None if math.isnan(a) else float(a) for a in row] for row in self.matrix]

    @classmethod
    def from_json(cls, rows: list[list[float | None]]) -> "AccuracyMatrix":
        """What `to_json` gave."""
        return cls(np.array([[math.nan if a is None else a for a in row] for row in rows], dtype=float))
