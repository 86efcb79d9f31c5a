"""Settings: how SCIP solves, what the network is, how it is trained. Imports nothing slow."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

Importance = Literal["gain", "learned", "uniform", "sparse"]
"""What share of an episode's return each decision of a path gets: see `redistribution`."""
Trajectory = Literal["tree", "shuffled", "temporal"]
"""What is remembered: the decisions of a search-tree path, the same in no order, or those before it in time."""
LARGEST_SEED = 2**31 - 1
"""SCIP's seeds are integers of 32 bits."""
LONGEST_TIME = 1e20
"""Seconds that SCIP takes for no limit."""


def _at_least(config: Any, least: int, *names: str) -> None:  # noqa: ANN401 - any of the settings below
    """Refuse counts that are too small."""
    for name in names:
        if not getattr(config, name) >= least:
            raise ValueError(f"{name} must be at least {least}, not {getattr(config, name)}")


def _positive(config: Any, *names: str) -> None:  # noqa: ANN401 - any of the settings below
    """Refuse numbers that are not positive and finite."""
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} must be positive, not {getattr(config, name)}")
        if getattr(config, name) == math.inf:
            raise ValueError(f"{name} must be finite, not {getattr(config, name)}")


def _one_of(config: Any, name: str, choices: tuple[str, ...]) -> None:  # noqa: ANN401 - any of the settings below
    """Refuse names that stand for nothing."""
    if getattr(config, name) not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(config, name)!r}")


def _check_seed(seed: int) -> None:
    """Refuse seeds that SCIP does not take."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed must be from 0 to {LARGEST_SEED}, not {seed}")


@dataclass(frozen=True)
class ScipConfig:
    """How SCIP solves, whoever branches.

    Args:
        time_limit: Seconds for each instance.
        node_limit: Nodes for each instance; -1 for no limit.
        seed: Shift of SCIP's random seeds.
        depth_first: Select nodes depth first, as in training, so that a subtree is solved before the next begins.
        separating_rounds: Rounds of cuts at each node below the root; -1 for SCIP's default.
        heuristics: Let SCIP's primal heuristics run.

    Raises:
        ValueError: if a limit or the seed is out of range.
    """

    time_limit: float = 3600.0
    node_limit: int = -1
    seed: int = 0
    depth_first: bool = False
    separating_rounds: int = 0
    heuristics: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.time_limit <= LONGEST_TIME:
            raise ValueError(
                f"the time limit must be positive, and at most {LONGEST_TIME:g} seconds, not {self.time_limit}"
            )
        _at_least(self, -1, "node_limit", "separating_rounds")
        _check_seed(self.seed)


@dataclass(frozen=True)
class PolicyConfig:
    """The network.

    Args:
        embedding_size: Width of all embeddings.
        n_heads: Attention heads of the memory and the decoder; must divide the width, which must be even.
        n_layers: Layers of the Transformer over the memory.
        feedforward_size: Hidden width of its feed-forward blocks.
        dropout: Dropout in the Transformer and the decoder.
        memory_length: The most decisions of a path that are remembered, the last ones.
        revival: Remember the path at all; without, this is a dueling DQN on the bipartite graph.
        trajectory: What a path is, in training and wherever the policy branches.

    Raises:
        ValueError: if a size is not positive, the heads do not divide the width or it is odd, or there is no such
            trajectory.
    """

    embedding_size: int = 64
    n_heads: int = 4
    n_layers: int = 2
    feedforward_size: int = 256
    dropout: float = 0.1
    memory_length: int = 16
    revival: bool = True
    trajectory: Trajectory = "tree"

    def __post_init__(self) -> None:
        _at_least(self, 1, "embedding_size", "n_heads", "n_layers", "feedforward_size", "memory_length")
        if self.embedding_size % 2 or self.embedding_size % self.n_heads:
            raise ValueError(
                f"embedding_size must be even and a multiple of the {self.n_heads} heads, not {self.embedding_size}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to less than 1, not {self.dropout}")
        _one_of(self, "trajectory", get_args(Trajectory))


@dataclass(frozen=True)
class TrainConfig:
    """How the network is trained.

    Args:
        n_episodes: Instances solved, one episode each.
        batch_size: Decisions in a batch, each with its path.
        lr: Learning rate of Adam.
        max_norm: Gradients are clipped to this norm.
        updates_per_decision: Batches for each branching decision met.
        target_update: Batches between copies of the network to the target network.
        capacity: Decisions kept in the replay.
        n_before: Decisions met before learning begins.
        epsilon: Share of random decisions at the beginning.
        final_epsilon: Share of random decisions from the middle of training on.
        eta: Weight of the redistributed return beside the tree-Bellman target.
        importance: How the return is shared among the decisions of a path.
        temperature: Of the softmax over importances.
        n_demonstrations: Instances solved by strong branching that the network imitates first; 0 for none.
        evaluate_every: Episodes between evaluations on the held-out instances; 0 for none.
        n_workers: Processes that solve instances; 0 to solve in this one.
        seed: Of the network, exploration, and the order of instances.

    Raises:
        ValueError: if a number is out of range, or there is no such importance.
    """

    n_episodes: int = 1000
    batch_size: int = 32
    lr: float = 1e-4
    max_norm: float = 10.0
    updates_per_decision: float = 1.0
    target_update: int = 1000
    capacity: int = 100_000
    n_before: int = 1000
    epsilon: float = 1.0
    final_epsilon: float = 0.01
    eta: float = 0.1
    importance: Importance = "gain"
    temperature: float = 1.0
    n_demonstrations: int = 0
    evaluate_every: int = 50
    n_workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(self, 0, "n_episodes", "n_before", "n_demonstrations", "evaluate_every", "n_workers")
        _at_least(self, 1, "batch_size", "target_update", "capacity")
        _positive(self, "lr", "max_norm", "updates_per_decision", "temperature")
        for name in ("epsilon", "final_epsilon"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        if not 0 <= self.eta < math.inf:
            raise ValueError(f"eta must be finite and not negative, not {self.eta}")
        _one_of(self, "importance", get_args(Importance))
        _check_seed(self.seed)
