"""Graphs: DIMACS `.col`, `.clq` and `.mis` files, and lists of edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from separata import files

from .text import read_text, whole

MOST_NODES = 200_000
"""Nodes beyond which a file is refused."""
MOST_IN_COMPLEMENT = 8_000
"""Nodes of which a complement is made at most; it has an entry for each pair."""


@dataclass(frozen=True)
class GraphFile:
    """A simple undirected graph.

    Args:
        name: Name of the file.
        n: Number of nodes.
        edges: The edges, [m, 2], each once, the smaller node first; nodes are counted from 0.
        labels: What the file calls the nodes.
    """

    name: str
    n: int
    edges: Int[np.ndarray, "m 2"]
    labels: tuple[str, ...]

    def complement(self) -> "GraphFile":
        """The graph of all other edges, whose independent sets are the cliques of this one.

        Raises:
            ValueError: if it has too many nodes.
        """
        if self.n > MOST_IN_COMPLEMENT:
            raise ValueError(
                f"{self.name} has {self.n:,} nodes; complements are made of at most {MOST_IN_COMPLEMENT:,}"
            )
        absent = np.triu(np.ones((self.n, self.n), dtype=bool), 1)
        absent[self.edges[:, 0], self.edges[:, 1]] = False
        return GraphFile(self.name, self.n, np.argwhere(absent), self.labels)


def load_graph(path: Path) -> GraphFile:
    """Read a DIMACS graph, or a list of edges with two names of nodes on a line.

    A file is DIMACS if a line begins with `p`. In a list of edges, `#` and `%` begin comments, words are separated by
    spaces or commas, what follows the two nodes is passed over, and isolated nodes cannot be told. Edges that are
    given twice or in both directions count once.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither, or a node is its own neighbor; one sentence.
    """
    lines = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    if any(line.startswith("p ") for _, line in lines):
        return _dimacs(path, lines)
    return _edge_list(path, lines)


def save_graph(path: Path, n: int, edges: Int[np.ndarray, "m 2"]) -> None:
    """Write a graph as DIMACS does."""
    lines = [f"p edge {n} {len(edges)}", *(f"e {a + 1} {b + 1}" for a, b in edges.tolist())]
    files.write_text(path, "\n".join([*lines, ""]))


def _dimacs(path: Path, lines: Sequence[tuple[int, str]]) -> GraphFile:
    n = None
    pairs = []
    for number, line in lines:
        words, where = line.split(), f"{path}, line {number}"
        if words[0] == "p":
            if n is not None or len(words) < 4:
                raise ValueError(f"{where}: a DIMACS graph has one line 'p edge NODES EDGES'")
            n = whole(words[2], where)
            if not 1 <= n <= MOST_NODES:
                raise ValueError(f"{where}: the graph has {n:,} nodes; there must be 1 to {MOST_NODES:,}")
        elif words[0] in {"e", "a"}:
            if n is None or len(words) < 3:
                raise ValueError(f"{where}: an edge is a line 'e NODE NODE' behind the line 'p edge'")
            a, b = (whole(word, where) for word in words[1:3])
            if not (1 <= a <= n and 1 <= b <= n):
                raise ValueError(f"{where}: the edge {a} {b} leads to a node that is not 1 to {n}")
            pairs.append((a - 1, b - 1))
            _check_no_loop(where, a, b)
        elif words[0] not in {"c", "n", "d", "v", "x"}:
            raise ValueError(f"{where}: {line[:60]!r} is no line of a DIMACS graph")
    assert n is not None  # noqa: S101 - there is a line `p`
    return GraphFile(path.stem, n, _unique(pairs), tuple(str(node) for node in range(1, n + 1)))


def _edge_list(path: Path, lines: Sequence[tuple[int, str]]) -> GraphFile:
    pairs: list[tuple[str, str]] = []
    for number, line in lines:
        if line[0] in "#%":
            continue
        words = line.replace(",", " ").split()
        if len(words) < 2:
            raise ValueError(f"{path}, line {number}: an edge is two nodes, but this is {line[:60]!r}")
        _check_no_loop(f"{path}, line {number}", words[0], words[1])
        pairs.append((words[0], words[1]))
    if not pairs:
        raise ValueError(f"{path} holds no graph: no line is an edge")
    names = {name for pair in pairs for name in pair}
    is_numeric = all(name.isdecimal() for name in names)
    labels = sorted(names, key=lambda name: (int(name), name)) if is_numeric else sorted(names)
    if len(labels) > MOST_NODES:
        raise ValueError(f"{path} has {len(labels):,} nodes; there must be at most {MOST_NODES:,}")
    index = {name: node for node, name in enumerate(labels)}
    return GraphFile(path.stem, len(labels), _unique([(index[a], index[b]) for a, b in pairs]), tuple(labels))


def _check_no_loop(where: str, a: object, b: object) -> None:
    if a == b:
        raise ValueError(f"{where}: node {a} is its own neighbor; remove the loop, since no set could hold the node")


def _unique(pairs: Sequence[tuple[int, int]]) -> Int[np.ndarray, "m 2"]:
    if not pairs:
        return np.zeros((0, 2), dtype=np.int64)
    return np.unique(np.sort(np.array(pairs, dtype=np.int64), axis=1), axis=0)
