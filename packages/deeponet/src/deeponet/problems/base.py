"""What every problem has: sensors, input functions, and triples."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from deeponet.spaces import FunctionSpace
from deeponet.triples import TripleDataset

Track = Callable[[Iterable[int], str], Iterable[int]]
"""Wraps a loop to show its progress."""
SAMPLES = 1 << 24
"""Values that a solver holds at once."""


class OperatorProblem(ABC):
    """An operator that is known: how its inputs are seen, and its values."""

    n_points: ClassVar[int] = 1
    """Points of each function as published."""

    @property
    def sensors(self) -> Float[Tensor, "m"] | None:
        """Where the input functions are seen; nothing if they are no functions on a line."""
        return None

    @property
    @abstractmethod
    def values_per_function(self) -> int:
        """Numbers that solving for one function takes, which bounds how many are solved for at once."""

    def sample(
        self, n: int, generator: torch.Generator, *, n_points: int | None = None, track: Track | None = None
    ) -> TripleDataset:
        """Draw functions and solve for them.

        Args:
            n: Number of functions.
            generator: Source of randomness, on the CPU.
            n_points: Points of each function; as published if not given, and 0 for all points of a grid, the same for
                every function.
            track: Shows progress over parts.

        Returns:
            Triples in double precision.

        Raises:
            ValueError: if n is not positive, or there is no grid.
        """
        if n < 1:
            raise ValueError(f"the number of functions must be at least 1, not {n}")
        wanted = self.n_points if n_points is None else n_points
        if wanted < 0:
            raise ValueError(f"the number of points must not be negative, but it is {wanted}")
        size = max(1, SAMPLES // self.values_per_function)
        parts: Iterable[int] = range(0, n, size)
        parts = parts if track is None else track(parts, "parts")
        made = [self._draw(min(size, n - start), generator, wanted) for start in parts]
        y = made[0].y if made[0].is_grid else torch.cat([part.y for part in made])
        u, s = (torch.cat([getattr(part, name) for part in made]) for name in ("u", "s"))
        return TripleDataset(u, y, s, self.sensors)

    @abstractmethod
    def _draw(self, n: int, generator: torch.Generator, n_points: int) -> TripleDataset:
        """Triples of n functions; with n_points of 0, on a grid."""


@dataclass(frozen=True)
class LineProblem(OperatorProblem):
    """A problem whose inputs are functions on an interval.

    Args:
        space: The input functions.
        n_sensors: Sensors, equally spaced from one end of the interval to the other.

    Raises:
        ValueError: if there are fewer than two sensors.
    """

    space: FunctionSpace
    n_sensors: int = 100

    def __post_init__(self) -> None:
        if self.n_sensors < 2:
            raise ValueError(f"a problem needs at least 2 sensors, not {self.n_sensors}")

    @property
    def sensors(self) -> Float[Tensor, "m"]:
        """Where the input functions are seen."""
        return torch.linspace(0, self.space.length, self.n_sensors, dtype=torch.float64)


@dataclass(frozen=True)
class SpaceTimeProblem(LineProblem):
    """A partial differential equation in (0, 1) x (0, 1], solved on a grid of which points are drawn.

    Points are (x_i, t_j) with x_i = i / (n - 1) and t_j = j / (n - 1), drawn with replacement, as published.

    Args:
        space: The input functions, on [0, 1].
        n_sensors: Sensors of the input functions.
        n_grid: Points in space, and in time.

    Raises:
        ValueError: if the functions are on another interval, or there are too few points or sensors.
    """

    n_grid: int = 100
    n_points: ClassVar[int] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.space.length != 1:
            raise ValueError(f"this equation is on an interval of length 1, not {self.space.length:g}")
        if self.n_grid < 4:
            raise ValueError(f"the grid needs at least 4 points each way, not {self.n_grid}")

    @property
    def values_per_function(self) -> int:
        """Those of the grid."""
        return self.n_grid**2

    @property
    def grid(self) -> Float[Tensor, "n_grid"]:
        """The points in space, and in time."""
        return torch.linspace(0, 1, self.n_grid, dtype=torch.float64)

    def seen(self, features: Float[Tensor, "n features"], x: Float[Tensor, "k"]) -> Float[Tensor, "n k"]:
        """The input functions at points, as the network sees them at the sensors."""
        return self.space.evaluate(features, x)

    @abstractmethod
    def solution(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n times places"]:
        """The solutions on the grid."""

    def _draw(self, n: int, generator: torch.Generator, n_points: int) -> TripleDataset:
        features = self.space.sample(n, generator)
        values = self.solution(features).flatten(1)
        points = torch.cartesian_prod(self.grid, self.grid).flip(1)
        u = self.seen(features, self.sensors)
        if n_points == 0:
            return TripleDataset(u, points, values)
        index = torch.randint(len(points), (n, n_points), generator=generator)
        return TripleDataset(u, points[index], values.gather(1, index))
