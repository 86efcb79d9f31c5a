"""Settings: how SCIP solves, what the network is, how it is trained."""

from dataclasses import dataclass
from typing import Literal

Importance = Literal["gain", "learned", "uniform", "sparse"]
"""What share of an episode's return each decision of a path gets: see `redistribution`."""
Trajectory = Literal["tree", "shuffled", "temporal"]
"""Which decisions are remembered: those of a search-tree path, the same out of order, or those before it in time."""


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
    """

    time_limit: float = 3600.0
    node_limit: int = -1
    seed: int = 0
    depth_first: bool = False
    separating_rounds: int = 0
    heuristics: bool = True


@dataclass(frozen=True)
class PolicyConfig:
    """The network.

    Args:
        embedding_size: Width of all embeddings.
        n_heads: Attention heads of the memory and the decoder; must divide the width.
        n_layers: Layers of the Transformer over the memory.
        feedforward_size: Hidden width of its feed-forward blocks.
        dropout: Dropout in the Transformer and the decoder.
        memory_length: The most decisions of a path that are remembered, the last ones.
        revival: Remember the path at all; without, this is a dueling DQN on the bipartite graph.
    """

    embedding_size: int = 64
    n_heads: int = 4
    n_layers: int = 2
    feedforward_size: int = 256
    dropout: float = 0.1
    memory_length: int = 16
    revival: bool = True


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
        trajectory: What a path is.
        n_demonstrations: Instances solved by strong branching that the network imitates first; 0 for none.
        evaluate_every: Episodes between evaluations on the held-out instances; 0 for none.
        n_workers: Processes that solve instances; 0 to solve in this one.
        seed: Of the network, exploration, and the order of instances.
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
    trajectory: Trajectory = "tree"
    n_demonstrations: int = 0
    evaluate_every: int = 50
    n_workers: int = 0
    seed: int = 0
