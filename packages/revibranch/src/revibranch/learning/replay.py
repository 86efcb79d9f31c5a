"""The replay: trees of recorded episodes, from which whole paths are drawn."""

import math
from collections import deque
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from revibranch.network.graphs import GraphBatch

from .forest import Tree, concatenate

if TYPE_CHECKING:
    from revibranch.configs import Trajectory
    from revibranch.search.trees import Episode


class Stretch(NamedTuple):
    """Successive decisions on a path through a tree, and the one that follows them, if any."""

    tree: int
    decisions: list[int]
    following: int | None


@dataclass(frozen=True)
class PathBatch:
    """Paths through recorded trees. Each graph is here once, whatever number of paths or memories it is in.

    Attributes:
        graphs: Decisions that are learned from or remembered.
        others: The other graphs: children, which are only valued; None where there are none.
        actions: What was branched on in each of `graphs`, as a position among all their variables.
        taken: The same as a position among all their candidates.
        depths: Depth of each of `graphs` on its path.
        memory: For each graph and other, the graphs on its path before it.
        mask: True where there is one.
        steps: The graphs that are learned from, path after path.
        children: Graphs and others that follow them.
        parents: Step that each child follows.
        paths: Steps of each path, in order.
        path_mask: True where a path has a step.
        gains: Normalized gain of the lower bound at each step of a path.
        returns: Return along each path; with its tail, minus the logarithm of the number of decisions from its first.
        tails: Return after each path: minus the logarithm of the number of decisions from the next; 0 without one.
    """

    graphs: GraphBatch
    others: GraphBatch | None
    actions: Int64[Tensor, "g"]
    taken: Int64[Tensor, "g"]
    depths: Int64[Tensor, "g"]
    memory: Int64[Tensor, "a l"]
    mask: Bool[Tensor, "a l"]
    steps: Int64[Tensor, "s"]
    children: Int64[Tensor, "c"]
    parents: Int64[Tensor, "c"]
    paths: Int64[Tensor, "p w"]
    path_mask: Bool[Tensor, "p w"]
    gains: Float[Tensor, "p w"]
    returns: Float[Tensor, "p"]
    tails: Float[Tensor, "p"]

    @property
    def all_graphs(self) -> GraphBatch:
        """The graphs and the others as one batch."""
        return self.graphs if self.others is None else concatenate([self.graphs, self.others])

    def to(self, device: torch.device | str) -> "PathBatch":
        """The same on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: value.to(device) for name, value in values.items() if value is not None})


class ReplayForest:
    """Keeps the trees of the last episodes.

    Features that change from node to node are stored in half precision, all else once for each linear program; a
    path is stored as links between decisions, and its graphs are revived when it is drawn.

    Args:
        capacity: The most decisions kept; the oldest episodes go first, and the last one always stays.
        memory_length: Decisions remembered before each; 0 for none.
        trajectory: Whether paths are those of the search tree, the same out of order and without depths, or in order of
            time.

    Raises:
        ValueError: if the capacity is not positive.
    """

    def __init__(self, capacity: int, memory_length: int = 16, trajectory: "Trajectory" = "tree") -> None:
        if capacity < 1:
            raise ValueError(f"the replay must hold at least one decision, not {capacity}")
        self.capacity, self.memory_length, self.trajectory = capacity, memory_length, trajectory
        self.trees: deque[Tree] = deque()

    def __len__(self) -> int:
        """Number of decisions."""
        return sum(map(len, self.trees))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(tree.nbytes for tree in self.trees)

    def add(self, episode: "Episode") -> None:
        """Keep an episode; one that was solved without branching has nothing to keep."""
        if episode.decisions:
            self.add_tree(Tree.store(episode, self.trajectory))

    def add_tree(self, tree: Tree) -> None:
        """Keep an episode that is stored already."""
        self.trees.append(tree)
        while len(self.trees) > 1 and len(self) > self.capacity:
            self.trees.popleft()

    def sample_paths(self, batch_size: int, generator: torch.Generator) -> PathBatch:
        """Draw paths, until they have as many decisions as asked for.

        A decision is drawn uniformly, then a path through it, from the first decision to a last one. A path longer
        than half a batch, or than what is left of it, gives a stretch of that length, drawn uniformly.

        Args:
            batch_size: Number of decisions.
            generator: Of what is drawn.

        Raises:
            ValueError: if the replay is empty, or the batch is.
        """
        if not self.trees:
            raise ValueError("the replay is empty: no episode with a branching has been added")
        if batch_size < 1:
            raise ValueError(f"a batch needs at least one decision, not {batch_size}")
        ends = torch.tensor([len(tree) for tree in self.trees]).cumsum(0)
        stretches: list[Stretch] = []
        missing = batch_size
        while missing:
            drawn = int(torch.randint(int(ends[-1]), (), generator=generator))
            number = int(torch.searchsorted(ends, drawn, right=True))
            tree = self.trees[number]
            path = tree.path(drawn - int(ends[number]) + len(tree), generator)
            length = min(len(path), missing, max(1, batch_size // 2))
            start = int(torch.randint(len(path) - length + 1, (), generator=generator))
            following = path[start + length] if start + length < len(path) else None
            stretches.append(Stretch(number, path[start : start + length], following))
            missing -= length
        return self._batch(stretches, generator)

    def _batch(self, stretches: list[Stretch], generator: torch.Generator) -> PathBatch:
        steps = [(stretch.tree, decision) for stretch in stretches for decision in stretch.decisions]
        memories: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for step in steps:
            for key in (step, *self._children(step)):
                memories.setdefault(key, self._before(key))
        remembered = {*steps, *(key for step in steps for key in memories[step])}
        graphs, order = self._graphs(remembered)
        others = None
        if rest := set(memories) - remembered:
            others, ordered = self._graphs(rest)
            order += ordered
        index = {key: i for i, key in enumerate(order)}
        n = graphs.n_graphs
        trees = [self.trees[number] for number, _ in order[:n]]
        decisions = [decision for _, decision in order[:n]]
        counts = torch.bincount(graphs.candidate_batch, minlength=n)
        taken = counts.cumsum(0) - counts + torch.stack([t.action[i] for t, i in zip(trees, decisions, strict=True)])
        depths = torch.stack([t.depth[i] for t, i in zip(trees, decisions, strict=True)])
        memory, mask = _padded([[index[key] for key in memories.get(key_of, [])] for key_of in order])
        if self.trajectory == "shuffled":
            memory, depths = _shuffled(memory, mask, generator), torch.zeros_like(depths)
        follows = [(i, index[child]) for i, step in enumerate(steps) for child in self._children(step)]
        pairs = torch.tensor(follows, dtype=torch.int64).reshape(-1, 2)
        bounds = torch.tensor([0, *(len(stretch.decisions) for stretch in stretches)]).cumsum(0).tolist()
        paths, path_mask = _padded([list(range(a, b)) for a, b in pairwise(bounds)])
        gains = torch.stack([self.trees[number].gain[i] for number, i in steps])
        returns, tails = self._returns(stretches)
        return PathBatch(
            graphs,
            others,
            graphs.candidates[taken],
            taken,
            depths,
            memory,
            mask,
            torch.tensor([index[step] for step in steps]),
            pairs[:, 1],
            pairs[:, 0],
            paths,
            path_mask,
            gains[paths] * path_mask,
            returns,
            tails,
        )

    def _children(self, key: tuple[int, int]) -> list[tuple[int, int]]:
        number, decision = key
        return [(number, child) for child in self.trees[number].children[decision].tolist() if child >= 0]

    def _before(self, key: tuple[int, int]) -> list[tuple[int, int]]:
        number, decision = key
        return [(number, one) for one in self.trees[number].before(decision, self.memory_length)]

    def _graphs(self, keys: set[tuple[int, int]]) -> tuple[GraphBatch, list[tuple[int, int]]]:
        """The graphs of decisions, tree by tree, and the decisions in their order."""
        of_trees: dict[int, list[int]] = {}
        for number, decision in sorted(keys):
            of_trees.setdefault(number, []).append(decision)
        batches, order = [], []
        for number, decisions in of_trees.items():
            batch, ordered = self.trees[number].batch(decisions)
            batches.append(batch)
            order += [(number, decision) for decision in ordered]
        return concatenate(batches), order

    def _returns(self, stretches: list[Stretch]) -> tuple[Tensor, Tensor]:
        """Returns along stretches of paths, and after their ends."""

        def value(tree: int, decision: int | None) -> float:
            return 0.0 if decision is None else -math.log(self.trees[tree].size[decision])

        tails = torch.tensor([value(one.tree, one.following) for one in stretches])
        return torch.tensor([value(one.tree, one.decisions[0]) for one in stretches]) - tails, tails


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows of different lengths as a matrix, and where they are."""
    width = max(map(len, rows), default=0)
    values = torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.int64).reshape(len(rows), width)
    return values, torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]


def _shuffled(memory: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """Memories in a random order each."""
    keys = torch.rand(memory.shape, generator=generator).masked_fill(~mask, 2.0)
    return memory.gather(1, keys.argsort(dim=1))
