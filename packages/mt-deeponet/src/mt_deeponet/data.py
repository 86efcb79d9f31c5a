"""Data of several tasks: functions, codes that tell the task, points that all share, solutions, and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from .configs import DataShape


@dataclass(frozen=True, eq=False)
class MultiTaskData:
    """Samples of one task or several, on one grid of points.

    Args:
        functions: Input functions: values at m sensors, on a grid (rows, columns) of which the points are the nodes, or
            parameters of a design.
        points: Points of the solutions, the same for all samples.
        values: Solutions; zero outside the domains.
        mask: The domains; all points if not given.
        codes: Numbers that tell the task, such as `PolynomialSource.encode(...).coefficients`; they reach the branch as
            they are.
        task: Number of each sample's task in `names`.
        names: Names of the tasks.

    Raises:
        ValueError: if shapes do not fit, a number is not finite, or a mask is all zeros: the sentence names the sample.
    """

    functions: Float[Tensor, "n *function"]
    points: Float[Tensor, "points coordinates"]
    values: Float[Tensor, "n_values n_points"]
    mask: Bool[Tensor, "n_masks n_nodes"] | None = None
    codes: Float[Tensor, "n_codes codes"] | None = None
    task: Int[Tensor, "n_tasks"] | None = None
    names: tuple[str, ...] = ("task",)

    def __post_init__(self) -> None:
        n = len(self.functions)
        shapes = ", ".join(f"{name} {tuple(part.shape)}" for name, part in self._parts().items())
        rows = all(len(part) == n for name, part in self._parts().items() if name != "points")
        if not n or not rows or self.values.shape[1] != len(self.points) or self.functions.ndim not in {2, 3}:
            raise ValueError(f"the parts do not belong together, or are empty: {shapes}")
        if self.functions.ndim == 3 and self.functions[0].numel() != len(self.points):
            raise ValueError(f"functions on a grid have a value at each point: {shapes}")
        for name, part in self._parts().items():
            if part.is_floating_point() and not bool(part.isfinite().all()):
                sample = int((~part.isfinite()).flatten(1).any(1).nonzero()[0])
                raise ValueError(f"{name} has a number that is not finite in sample {sample} (from 0)")
        if self.mask is not None:
            if self.mask.shape != self.values.shape:
                raise ValueError(f"a mask has a value at each point: {shapes}")
            if not bool(self.mask.any(1).all()):
                raise ValueError(f"the mask of sample {int((~self.mask.any(1)).nonzero()[0])} (from 0) is all zeros")
            object.__setattr__(self, "values", torch.where(self.mask, self.values, 0.0))
        if self.task is None:
            object.__setattr__(self, "task", torch.zeros(n, dtype=torch.long, device=self.functions.device))
        if not bool(((self.task >= 0) & (self.task < len(self.names))).all()):  # type: ignore[operator,union-attr]
            raise ValueError(f"numbers of tasks are 0 to {len(self.names) - 1}")

    def _parts(self) -> dict[str, Tensor]:
        names = ("functions", "points", "values", "mask", "codes", "task")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __len__(self) -> int:
        return len(self.functions)

    @property
    def shape(self) -> DataShape:
        """What a network must know of it."""
        return DataShape(
            tuple(self.functions.shape[1:]),
            0 if self.codes is None else self.codes.shape[1],
            self.points.shape[1],
            len(self.points),
        )

    @property
    def domain(self) -> Bool[Tensor, "n points"]:
        """The mask, or everything."""
        return torch.ones_like(self.values, dtype=torch.bool) if self.mask is None else self.mask

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "MultiTaskData":
        """Some of the samples."""
        chosen: dict[str, Any] = {name: part[index] for name, part in self._parts().items() if name != "points"}
        return replace(self, **chosen)

    def select(self, name: str) -> "MultiTaskData":
        """The samples of one task.

        Raises:
            ValueError: if there is no such task.
        """
        if name not in self.names:
            raise ValueError(f"the tasks are {', '.join(self.names)}, not {name}")
        number = self.names.index(name)
        return replace(self[self.task == number], task=None, names=(name,))  # type: ignore[index] # a tensor

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "MultiTaskData":
        """The same on a device, its numbers of a type."""
        moved: dict[str, Any] = {
            name: part.to(device=device, dtype=dtype if part.is_floating_point() else None)
            for name, part in self._parts().items()
        }
        return replace(self, **moved)

    def split(self, n: int, generator: torch.Generator) -> tuple["MultiTaskData", "MultiTaskData"]:
        """All but n samples, and these n, drawn at random from the pooled tasks.

        Raises:
            ValueError: if it would leave one part empty.
        """
        if not 0 < n < len(self):
            raise ValueError(f"of {len(self)} samples, 1 to {len(self) - 1} can be held out, not {n}")
        order = torch.randperm(len(self), generator=generator).to(self.functions.device)
        return self[order[n:]], self[order[:n]]

    def with_task_numbers(self) -> "MultiTaskData":
        """A baseline: codes that only number the tasks, one for each (one-hot)."""
        task: Tensor = self.task  # type: ignore[assignment] # set at first
        return replace(self, codes=torch.nn.functional.one_hot(task, len(self.names)).to(self.values))

    def shuffled(self, generator: torch.Generator) -> "MultiTaskData":
        """A control from which nothing can be learned: every sample with the solution of another."""
        order = torch.randperm(len(self), generator=generator).to(self.functions.device)
        return replace(self, values=self.values[order], mask=None if self.mask is None else self.mask[order])

    @classmethod
    def concat(cls, tasks: Sequence["MultiTaskData"]) -> "MultiTaskData":
        """Pool tasks; those of the same name become one.

        Raises:
            ValueError: if there are none, or their grids, functions or codes differ: the sentence names the task.
        """
        if not tasks:
            raise ValueError("there are no tasks to pool")
        first = tasks[0]
        names = tuple(dict.fromkeys(name for one in tasks for name in one.names))
        for one in tasks[1:]:
            told = ", ".join(one.names)
            if one.points.shape != first.points.shape or not torch.allclose(one.points, first.points.to(one.points)):
                raise ValueError(f"all tasks need the same grid of points, and that of {told} is another")
            if one.shape != first.shape:
                raise ValueError(f"functions and codes of {told} have other shapes than those before: {one.shape}")
        has_mask = any(one.mask is not None for one in tasks)
        numbers = [torch.tensor([names.index(name) for name in one.names])[one.task.cpu()] for one in tasks]  # type: ignore[union-attr] # set at first
        return cls(
            torch.cat([one.functions for one in tasks]),
            first.points,
            torch.cat([one.values for one in tasks]),
            torch.cat([one.domain for one in tasks]) if has_mask else None,
            None if first.codes is None else torch.cat([one.codes for one in tasks]),  # type: ignore[misc] # as the first
            torch.cat(numbers).to(first.functions.device),
            names,
        )


def make_task(
    name: str,
    functions: Float[Tensor, "n *function"],
    points: Float[Tensor, "points coordinates"],
    values: Float[Tensor, "n n_points"],
    mask: Shaped[Tensor, "*n points"] | None = None,
    codes: Float[Tensor, "*n codes"] | None = None,
) -> MultiTaskData:
    """The data of one task; mask and codes may be one for all its samples.

    Args:
        name: Of the task.
        functions: As in `MultiTaskData`.
        points: As there.
        values: As there.
        mask: The domain of each sample, or of all; truth values, or zeros and ones.
        codes: Of each sample, or of all.

    Raises:
        ValueError: as `MultiTaskData`, and if a mask is not binary.
    """
    n = len(functions)
    if mask is not None and mask.dtype != torch.bool:
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("a mask has truth values, or zeros and ones only; of a signed distance d take d <= 0")
        mask = mask.bool()
    if mask is not None and mask.ndim == 1:
        mask = mask.expand(n, -1)
    if codes is not None and codes.ndim == 1:
        codes = codes.expand(n, -1)
    return MultiTaskData(functions, points, values, mask, codes, names=(name,))
