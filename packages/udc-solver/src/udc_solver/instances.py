"""Instances of the problems: batches of tensors that are checked, sliced, and kept in .npz files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from separata import arrays, files

BatchT = TypeVar("BatchT", bound="Batch")
InstanceT = TypeVar("InstanceT", bound="Instance")


@dataclass(frozen=True)
class Batch:
    """Several things of one kind: every tensor among the fields has them along its first dimension."""

    def __len__(self) -> int:
        return next(len(value) for value in vars(self).values() if isinstance(value, Tensor))

    def __getitem__(self: BatchT, index: slice | Tensor) -> BatchT:
        return self._map(lambda value: value[index])

    def to(self: BatchT, device: torch.device | str) -> BatchT:
        """The same on a device."""
        return self._map(lambda value: value.to(device))

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return next(value.device for value in vars(self).values() if isinstance(value, Tensor))

    @classmethod
    def cat(cls: type[BatchT], batches: Sequence[BatchT]) -> BatchT:
        """One batch of several; fields that are no tensors are those of the first."""
        first = batches[0]
        names = [name for name, value in vars(first).items() if isinstance(value, Tensor)]
        return replace(first, **{name: torch.cat([getattr(one, name) for one in batches]) for name in names})

    def _map(self: BatchT, function: Callable[[Tensor], Tensor]) -> BatchT:
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: function(value) for name, value in tensors.items()})


@dataclass(frozen=True)
class Instance(Batch):
    """Instances of one problem and one size.

    A subclass lists in `DIMENSIONS` how many dimensions each of its fields has, the batch among them, and says in
    `check` what is wrong with an instance, if anything.
    """

    DIMENSIONS: ClassVar[dict[str, int]] = {}
    """Dimensions of each field; a file may leave out the batch where it holds one instance."""

    @property
    def n_nodes(self) -> int:
        """Nodes of each instance, a depot among them."""
        raise NotImplementedError

    def check(self) -> None:
        """Refuse an instance that no solution can be asked of.

        Raises:
            ValueError: what is wrong, in one sentence.
        """
        for name, n_dimensions in self.DIMENSIONS.items():
            value = getattr(self, name)
            if value.ndim != n_dimensions:
                raise ValueError(f"the {name} must have {n_dimensions} dimensions, batch included, not {value.ndim}")
            if value.is_floating_point() and not value.isfinite().all():
                raise ValueError(f"the {name} hold numbers that are not finite")

    def save(self, path: Path | str) -> None:
        """Write the fields as arrays of an .npz file, whole or not at all.

        Raises:
            PermissionError: if it cannot be written.
        """
        held = {name: getattr(self, name).cpu().numpy() for name in self.DIMENSIONS}
        with files.replacing(Path(path)) as part, part.open("wb") as file:
            np.savez_compressed(file, **held)

    @classmethod
    def load(cls: type[InstanceT], path: Path | str) -> InstanceT:
        """Instances from an .npz file with an array for each field; the batch may be left out where it is one instance.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if arrays are missing, damaged or of another shape, or an instance makes no sense.
        """
        held = arrays.load_npz(Path(path), cls.DIMENSIONS)
        if missing := [name for name in cls.DIMENSIONS if name not in held]:
            expected = ", ".join(cls.DIMENSIONS)
            raise ValueError(f"{path} has no array {' and '.join(missing)}; the arrays needed are {expected}")
        return cls.from_arrays(held, str(path))

    @classmethod
    def from_arrays(cls: type[InstanceT], held: dict[str, np.ndarray], where: str) -> InstanceT:
        """Instances from NumPy arrays.

        Args:
            held: An array for each field, with or without the batch.
            where: What they are called in an error.

        Raises:
            ValueError: if they are no numbers, of another shape, or make no sense.
        """
        tensors = {}
        for name, n_dimensions in cls.DIMENSIONS.items():
            array = np.asarray(held[name])
            if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
                raise ValueError(f"{where}: {name} must be real numbers, not {array.dtype}")
            if array.ndim not in {n_dimensions - 1, n_dimensions}:
                expected = f"{n_dimensions - 1} dimensions, or {n_dimensions} with a batch"
                raise ValueError(f"{where}: {name} must have {expected}, not {array.ndim}")
            is_whole = name in cls._integers()
            if is_whole and (array != np.round(array)).any():
                raise ValueError(f"{where}: {name} must be whole numbers")
            tensor = torch.as_tensor(np.ascontiguousarray(array, dtype=np.int64 if is_whole else np.float32))
            tensors[name] = tensor[None] if tensor.ndim == n_dimensions - 1 else tensor
        lengths = {len(value) for value in tensors.values()}
        if len(lengths) > 1:
            raise ValueError(f"{where}: its arrays hold different numbers of instances")
        instance = cls(**tensors)
        try:
            instance.check()
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        return instance

    @classmethod
    def _integers(cls) -> set[str]:
        """Names of the fields that hold whole numbers."""
        return {one.name for one in fields(cls) if "Int[" in str(one.type)}


@dataclass(frozen=True)
class Coordinates(Instance):
    """Points in the plane to be visited: the traveling salesman problem.

    Args:
        points: Of any scale.
    """

    points: Float[Tensor, "batch nodes _"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"points": 3}

    @property
    def n_nodes(self) -> int:
        """Points of each instance."""
        return self.points.shape[1]

    def check(self) -> None:
        """Refuse fewer than three points, or points that are not finite."""
        super().check()
        check_points(self.points, at_least=3)


@dataclass(frozen=True)
class Matrix(Instance):
    """Costs of going from one node to another: the asymmetric traveling salesman problem.

    Args:
        costs: From a node (row) to a node (column); the diagonal does not count.
    """

    costs: Float[Tensor, "batch rows columns"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"costs": 3}

    @property
    def n_nodes(self) -> int:
        """Nodes of each instance."""
        return self.costs.shape[1]

    def check(self) -> None:
        """Refuse a matrix that is not square, has fewer than three nodes, or negative costs."""
        super().check()
        _, n_rows, n_columns = self.costs.shape
        if n_rows != n_columns:
            raise ValueError(f"the cost matrix must be square, not {n_rows} by {n_columns}")
        if n_rows < 3:
            raise ValueError(f"an instance needs at least 3 nodes, not {n_rows}")
        if (self.costs < 0).any():
            raise ValueError("costs must not be negative; add a constant to all of them, which changes no tour's rank")


@dataclass(frozen=True)
class Routing(Instance):
    """Customers with demands, and vehicles that start at a depot: capacitated vehicle routing, closed or open.

    Args:
        points: The depot first, then the customers.
        demands: 0 at the depot.
        capacity: Of each vehicle.
    """

    points: Float[Tensor, "batch nodes _"]
    demands: Float[Tensor, "batch _"]
    capacity: Float[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"points": 3, "demands": 2, "capacity": 1}

    @property
    def n_nodes(self) -> int:
        """The depot and the customers."""
        return self.points.shape[1]

    def check(self) -> None:
        """Refuse negative demands, and demands above the capacity of a vehicle."""
        super().check()
        check_points(self.points, at_least=2)
        check_per_node("demands", self.demands, self.points)
        if (self.demands < 0).any():
            raise ValueError("demands must not be negative")
        if (self.demands[:, 0] != 0).any():
            raise ValueError("the first node is the depot, whose demand must be 0")
        if (self.capacity <= 0).any():
            raise ValueError("the capacity of a vehicle must be positive")
        if (over := self.demands > self.capacity[:, None]).any():
            row, customer = over.nonzero()[0].tolist()
            raise ValueError(
                f"the demand {self.demands[row, customer]:g} of customer {customer} is above the capacity "
                f"{self.capacity[row]:g} of a vehicle"
            )


@dataclass(frozen=True)
class Salesmen(Instance):
    """Points that several salesmen visit from a depot, the longest of their tours as short as can be: min-max mTSP.

    Args:
        points: The depot first, then the customers.
        n_salesmen: Each leaves the depot at most once.
    """

    points: Float[Tensor, "batch nodes _"]
    n_salesmen: Int[Tensor, " batch"]

    DIMENSIONS: ClassVar[dict[str, int]] = {"points": 3, "n_salesmen": 1}

    @property
    def n_nodes(self) -> int:
        """The depot and the customers."""
        return self.points.shape[1]

    def check(self) -> None:
        """Refuse instances without salesmen, and numbers of salesmen that differ within a batch."""
        super().check()
        check_points(self.points, at_least=2)
        if (self.n_salesmen < 1).any():
            raise ValueError("there must be at least one salesman")
        if (self.n_salesmen != self.n_salesmen[0]).any():
            raise ValueError("all instances of a batch must have as many salesmen")


def check_points(points: Tensor, *, at_least: int) -> None:
    """Refuse points that are not in the plane, or too few.

    Raises:
        ValueError: in one sentence.
    """
    if points.shape[-1] != 2:
        raise ValueError(f"points must have 2 coordinates each, not {points.shape[-1]}")
    if points.shape[1] < at_least:
        raise ValueError(f"an instance needs at least {at_least} points, not {points.shape[1]}")


def check_per_node(name: str, values: Tensor, points: Tensor) -> None:
    """Refuse values that are not one for each point.

    Raises:
        ValueError: in one sentence.
    """
    if values.shape[:2] != points.shape[:2]:
        raise ValueError(f"there must be as many {name} as points, {points.shape[1]}, not {values.shape[1]}")
