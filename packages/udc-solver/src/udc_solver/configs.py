"""Settings of networks, solvers and trainings; without PyTorch, so that the command line answers at once."""

from dataclasses import dataclass, field, fields, replace
from typing import Literal

from separata.configs import check_positive, check_seed

Freeze = Literal["nothing", "divider", "conqueror"]
"""Which network a training leaves as it is."""


@dataclass(frozen=True)
class DividerConfig:
    """The network that predicts the heat map.

    Args:
        units: Width of the features of nodes and edges.
        depth: Graph convolutions.
        head_depth: Layers of features in the heads; one more than their linear maps.
        n_neighbors: Edges of each node in the sparse graph; the paper's number for the problem by default.

    Raises:
        ValueError: if one is not positive.
    """

    units: int = 64
    depth: int = 12
    head_depth: int = 3
    n_neighbors: int | None = None

    def __post_init__(self) -> None:
        check_positive(**_given(self))
        if self.head_depth < 2:
            raise ValueError(f"head_depth must be at least 2, not {self.head_depth}")


@dataclass(frozen=True)
class ConquerorConfig:
    """The network that solves sub-problems. What is not given is as in the paper for the problem.

    Args:
        dim: Width of the embeddings.
        layers: Layers of the encoder.
        hidden: Width of the feedforward layers.
        heads: Attention heads, where it has any; must divide `dim`.
        clip: Logits are bounded to plus or minus this number by a hyperbolic tangent.

    Raises:
        ValueError: if one is not positive.
    """

    dim: int | None = None
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    clip: float | None = None

    def __post_init__(self) -> None:
        check_positive(**_given(self))

    def sizes(self, default: "ConquerorSizes") -> "ConquerorSizes":
        """The numbers that are given, and the default's where none is.

        Raises:
            ValueError: if heads do not divide dim.
        """
        return replace(default, **_given(self))  # type: ignore[arg-type] # of the same fields


@dataclass(frozen=True)
class ConquerorSizes:
    """A `ConquerorConfig` in which every number is given.

    Args:
        dim: Width of the embeddings.
        layers: Layers of the encoder.
        hidden: Width of the feedforward layers.
        clip: Bound of the logits.
        heads: Attention heads.

    Raises:
        ValueError: if heads do not divide dim.
    """

    dim: int
    layers: int
    hidden: int
    clip: float
    heads: int = 1

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim, but {self.heads} does not divide {self.dim}")


@dataclass(frozen=True)
class SolverConfig:
    """A solver: a problem, and the networks that divide and conquer it.

    Args:
        problem: Its name.
        window: Nodes of a sub-problem; the paper's number for the problem by default.
        divider: The network that predicts the heat map.
        conqueror: The network that solves sub-problems.

    Raises:
        ValueError: if the window is too small.
    """

    problem: str = "tsp"
    window: int | None = None
    divider: DividerConfig = field(default_factory=DividerConfig)
    conqueror: ConquerorConfig = field(default_factory=ConquerorConfig)

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 4:
            raise ValueError(f"the window must have at least 4 nodes, not {self.window}")


@dataclass(frozen=True)
class TrainConfig:
    """A training by divide, conquer and reunion.

    Args:
        n_steps: Steps; each draws new instances.
        sizes: Smallest and largest number of nodes of instances; multiples of the window between them are drawn.
        batch_size: Instances of a step.
        n_samples: Solutions that the divider builds for each instance.
        n_starts: Answers of the conqueror to each sub-problem.
        lr: Adam's learning rate for both networks.
        rounds: 2 to conquer and reunite, as the paper does; 1 to leave the reunion out.
        freeze: Which of the networks is not trained: separate training.
        seed: Of instances and samples.

    Raises:
        ValueError: if a number is not positive, or sizes are in the wrong order.
    """

    n_steps: int = 500_000
    sizes: tuple[int, int] = (500, 1000)
    batch_size: int = 1
    n_samples: int = 40
    n_starts: int = 50
    lr: float = 1e-4
    rounds: int = 2
    freeze: Freeze = "nothing"
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            n_samples=self.n_samples,
            n_starts=self.n_starts,
            lr=self.lr,
            rounds=self.rounds,
        )
        low, high = self.sizes
        if not 0 < low <= high:
            raise ValueError(f"the sizes must be positive and in order, such as 500-1000, not {low}-{high}")
        if self.freeze != "conqueror" and self.n_starts < 2:
            raise ValueError("n_starts must be at least 2: each answer is compared with the mean of all")
        if self.freeze != "divider" and self.n_samples < 2:
            raise ValueError("n_samples must be at least 2: each solution is compared with the mean of all")
        check_seed(self.seed)


def _given(config: object) -> dict[str, float]:
    """The settings that are not left to the problem."""
    values = {one.name: getattr(config, one.name) for one in fields(config)}  # type: ignore[arg-type] # a dataclass
    return {name: value for name, value in values.items() if value is not None}
