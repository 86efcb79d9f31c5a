"""Recorded trees, kept small: one episode of branch and bound as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Float16, Int, Int64
from torch import Tensor

from revibranch.network.graphs import GraphBatch
from revibranch.scip.observation import N_STATIC_ROW_FEATURES, N_STATIC_VARIABLE_FEATURES, Observation

if TYPE_CHECKING:
    from revibranch.configs import Trajectory
    from revibranch.search.trees import Episode

HALF = 6e4
"""Half precision holds numbers up to 65,504."""


@dataclass(frozen=True)
class LinearProgram:
    """Nodes with the same linear program: what they share once, and what differs in half precision.

    Attributes:
        static_variables: First features of each variable.
        static_rows: First features of each row.
        edge_index: Variable and row of each edge, in as few bytes as their number allows.
        edge_attr: Coefficients.
        variables: Other features of each variable, at each node.
        rows: Other features of each row, at each node.
    """

    static_variables: Float[Tensor, "n s"]
    static_rows: Float[Tensor, "m r"]
    edge_index: Int[Tensor, "2 e"]
    edge_attr: Float[Tensor, "e 1"]
    variables: Float16[Tensor, "nodes n v"]
    rows: Float16[Tensor, "nodes m w"]

    @classmethod
    def store(cls, observations: Sequence[Observation]) -> "LinearProgram":
        """The nodes of one linear program."""
        first = observations[0]
        small = max(first.variables.shape[0], first.rows.shape[0]) < 2**15
        variables = torch.stack([one.variables[:, N_STATIC_VARIABLE_FEATURES:] for one in observations])
        rows = torch.stack([one.rows[:, N_STATIC_ROW_FEATURES:] for one in observations])
        return cls(
            first.variables[:, :N_STATIC_VARIABLE_FEATURES].clone(),
            first.rows[:, :N_STATIC_ROW_FEATURES].clone(),
            first.edge_index.to(torch.int16 if small else torch.int32),
            first.edge_attr.clone(),
            variables.clamp(-HALF, HALF).half(),
            rows.clamp(-HALF, HALF).half(),
        )

    def batch(self, nodes: Int64[Tensor, "g"], candidates: Sequence[Tensor]) -> GraphBatch:
        """Some of the nodes as one block-diagonal graph."""
        g, n, m = len(nodes), len(self.static_variables), len(self.static_rows)
        numbers = torch.arange(g)
        offsets = torch.stack((numbers * n, numbers * m))[:, :, None]
        counts = torch.tensor([len(one) for one in candidates])
        candidate_batch = numbers.repeat_interleave(counts)
        return GraphBatch(
            _features(self.static_variables, self.variables[nodes]),
            _features(self.static_rows, self.rows[nodes]),
            (self.edge_index.long()[:, None] + offsets).flatten(1),
            self.edge_attr.repeat(g, 1),
            numbers.repeat_interleave(n),
            numbers.repeat_interleave(m),
            torch.cat(list(candidates)).long() + candidate_batch * n,
            candidate_batch,
            g,
        )


def _features(static: Tensor, dynamic: Tensor) -> Tensor:
    return torch.cat((static.expand(len(dynamic), -1, -1), dynamic.float()), 2).flatten(0, 1)


def concatenate(batches: Sequence[GraphBatch]) -> GraphBatch:
    """Several batches of graphs as one, in their order."""
    n, m, g = (
        list(accumulate(sizes, initial=0))
        for sizes in zip(*((len(b.variables), len(b.rows), b.n_graphs) for b in batches), strict=True)
    )
    return GraphBatch(
        torch.cat([b.variables for b in batches]),
        torch.cat([b.rows for b in batches]),
        torch.cat(
            [b.edge_index + b.edge_index.new_tensor([[v], [r]]) for b, v, r in zip(batches, n, m, strict=False)], 1
        ),
        torch.cat([b.edge_attr for b in batches]),
        torch.cat([b.variable_batch + k for b, k in zip(batches, g, strict=False)]),
        torch.cat([b.row_batch + k for b, k in zip(batches, g, strict=False)]),
        torch.cat([b.candidates + v for b, v in zip(batches, n, strict=False)]),
        torch.cat([b.candidate_batch + k for b, k in zip(batches, g, strict=False)]),
        g[-1],
    )


@dataclass(frozen=True)
class Tree:
    """The decisions of an episode and how they follow one another.

    Attributes:
        programs: The linear programs.
        program: That of each decision.
        place: Place of each decision among those of its linear program.
        candidates: Columns that each could have branched on.
        action: The candidate that it did branch on.
        parent: The decision before each on its path; -1 for the first.
        children: The decisions after each; -1 for none.
        depth: Depth of each in the search tree, or its number in order of time.
        gain: Normalized gain of the lower bound.
        size: Decisions from each on, itself included: those of its subtree.
    """

    programs: tuple[LinearProgram, ...]
    program: Int64[Tensor, "decisions"]
    place: Int64[Tensor, "decisions"]
    candidates: tuple[Int[Tensor, "_"], ...]
    action: Int64[Tensor, "decisions"]
    parent: Int64[Tensor, "decisions"]
    children: Int64[Tensor, "decisions most"]
    depth: Int64[Tensor, "decisions"]
    gain: Float[Tensor, "decisions"]
    size: Int64[Tensor, "decisions"]

    def __len__(self) -> int:
        return len(self.action)

    @classmethod
    def store(cls, episode: "Episode", trajectory: "Trajectory" = "tree") -> "Tree":
        """An episode; with a temporal trajectory, each decision follows the one made before it."""
        decisions = episode.decisions
        groups: dict[int, list[int]] = {}
        for index, decision in enumerate(decisions):
            groups.setdefault(id(decision.observation.edge_index), []).append(index)
        n = len(decisions)
        program, place = torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.int64)
        for number, members in enumerate(groups.values()):
            program[members], place[members] = number, torch.arange(len(members))
        parent, children, depth, size = _sequence(n) if trajectory == "temporal" else _tree(episode)
        return cls(
            tuple(LinearProgram.store([decisions[i].observation for i in members]) for members in groups.values()),
            program,
            place,
            tuple(decision.observation.candidates.to(torch.int32) for decision in decisions),
            torch.tensor([decision.action for decision in decisions]),
            parent,
            children,
            depth,
            torch.as_tensor(episode.gains(), dtype=torch.float32),
            size,
        )

    def path(self, decision: int, generator: torch.Generator) -> list[int]:
        """The path through a decision: from the first one down to it, and on to a last one by random children."""
        path = [decision]
        while (above := int(self.parent[path[-1]])) >= 0:
            path.append(above)
        path.reverse()
        while below := [child for child in self.children[path[-1]].tolist() if child >= 0]:
            path.append(below[int(torch.randint(len(below), (), generator=generator))])
        return path

    def before(self, decision: int, length: int) -> list[int]:
        """The last decisions before one on its path, in order."""
        path: list[int] = []
        while len(path) < length and (decision := int(self.parent[decision])) >= 0:
            path.append(decision)
        return path[::-1]

    def batch(self, decisions: Sequence[int]) -> tuple[GraphBatch, list[int]]:
        """The graphs of some decisions, and these in the order of the graphs."""
        chosen = torch.tensor(decisions)
        batches, order = [], []
        for number in self.program[chosen].unique().tolist():
            members = chosen[self.program[chosen] == number]
            candidates = [self.candidates[decision] for decision in members.tolist()]
            batches.append(self.programs[number].batch(self.place[members], candidates))
            order += members.tolist()
        return concatenate(batches), order

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        tensors = [getattr(lp, field.name) for lp in self.programs for field in fields(lp)]
        tensors += [value for field in fields(self) if isinstance(value := getattr(self, field.name), Tensor)]
        return sum(tensor.nbytes for tensor in (*tensors, *self.candidates))

    def state(self) -> dict[str, Any]:
        """All of it, as `separata.states` holds it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        programs = [{field.name: getattr(lp, field.name) for field in fields(lp)} for lp in self.programs]
        counts = torch.tensor([len(one) for one in self.candidates])
        return {**values, "programs": programs, "candidates": torch.cat(self.candidates), "counts": counts}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Tree":
        """What `state` gave."""
        candidates = state["candidates"].split(state["counts"].tolist())
        programs = tuple(LinearProgram(**values) for values in state["programs"])
        values = {name: value for name, value in state.items() if name != "counts"}
        return cls(**{**values, "programs": programs, "candidates": tuple(candidates)})


def _tree(episode: "Episode") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Parents, children, depths and sizes of decisions in their search tree."""
    parent = torch.tensor([-1 if one.parent is None else one.parent for one in episode.decisions])
    # More than two where SCIP branched in between.
    width = max(2, *map(len, episode.children))
    children = torch.tensor([[*below, *[-1] * (width - len(below))] for below in episode.children])
    depth = torch.tensor([one.depth for one in episode.decisions])
    return parent, children, depth, torch.as_tensor(episode.subtree_sizes())


def _sequence(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Parents, children, depths and sizes of decisions in a row."""
    index = torch.arange(n)
    following = torch.where(index + 1 < n, index + 1, -1)
    return index - 1, torch.stack((following, torch.full_like(index, -1)), 1), index, n - index
