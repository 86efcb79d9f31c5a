"""Graphs in files against networkx."""

import numpy as np
import pytest

from udc_solver.files.dimacs import load_graph, save_graph

DIMACS = """c a path of three nodes and one more
p col 4 3
e 1 2
e 3 2
e 2 1
"""


def write(tmp_path, text, name="graph.col"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_dimacs(tmp_path):
    graph = load_graph(write(tmp_path, DIMACS))
    assert graph.n == 4
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.labels == ("1", "2", "3", "4")


def test_edge_lists_of_networkx(tmp_path):
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    karate = networkx.karate_club_graph()
    networkx.write_edgelist(karate, tmp_path / "karate.edges", data=["weight"])
    graph = load_graph(tmp_path / "karate.edges")
    assert graph.labels == tuple(str(node) for node in range(34))
    assert {tuple(edge) for edge in graph.edges.tolist()} == {tuple(sorted(edge)) for edge in karate.edges}
    complement = graph.complement()
    expected = {tuple(sorted(edge)) for edge in networkx.complement(karate).edges}
    assert {tuple(edge) for edge in complement.edges.tolist()} == expected


def test_names_of_nodes(tmp_path):
    graph = load_graph(write(tmp_path, "# people\nbob,alice\nalice carol 0.5\n", "graph.csv"))
    assert graph.labels == ("alice", "bob", "carol")
    assert graph.edges.tolist() == [[0, 1], [0, 2]]


def test_what_is_written_is_read(tmp_path):
    edges = np.array([[0, 3], [1, 2]])
    save_graph(tmp_path / "out.col", 5, edges)
    graph = load_graph(tmp_path / "out.col")
    assert graph.n == 5
    np.testing.assert_array_equal(graph.edges, edges)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p edge 3 1\ne 1 4\n", "line 2: the edge 1 4 leads to a node that is not 1 to 3"),
        ("p edge 3 1\ne 2 2\n", "line 2: node 2 is its own neighbor"),
        ("e 1 2\np edge 3 1\n", "behind the line 'p edge'"),
        ("p edge 0 0\n", "there must be 1 to"),
        ("p edge 3 1\np edge 3 1\n", "one line"),
        ("p edge 3 1\nhello\n", "'hello' is no line"),
        ("1 2\n2 2\n", "line 2: node 2 is its own neighbor"),
        ("1\n", "line 1: an edge is two nodes"),
        ("# nothing\n", "holds no graph"),
    ],
)
def test_bad_files(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        load_graph(write(tmp_path, text))
