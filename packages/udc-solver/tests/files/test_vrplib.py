"""CVRPLIB's files against vrplib, which wrote or reads them."""

import numpy as np
import pytest

from udc_solver.evaluation import routes_length
from udc_solver.files.vrplib import load_routes, load_vrp, save_routes, save_vrp

# The first lines of a published problem are like these; demands and depot behind the coordinates.
VRP = """NAME : small
COMMENT : (made, Optimal value: 24)
TYPE : CVRP
DIMENSION : 4
EDGE_WEIGHT_TYPE : EUC_2D
CAPACITY : 5
NODE_COORD_SECTION
 1 0 0
 2 3 0
 3 3 4
 4 0 4
DEMAND_SECTION
1 0
2 2
3 3
4 4
DEPOT_SECTION
 1
 -1
EOF
"""


def write(tmp_path, text, name="small.vrp"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_reads_as_vrplib_does(tmp_path):
    problem = load_vrp(write(tmp_path, VRP))
    assert problem.capacity == 5
    np.testing.assert_array_equal(problem.demands, [0, 2, 3, 4])
    assert routes_length(problem.distance(), problem.demands, problem.capacity, [[1, 2], [3]]) == 3 + 4 + 5 + 8
    vrplib = pytest.importorskip("vrplib", reason="vrplib is not installed")
    peer = vrplib.read_instance(tmp_path / "small.vrp")
    np.testing.assert_array_equal(problem.points, peer["node_coord"])
    np.testing.assert_array_equal(problem.demands, peer["demand"])


def test_vrplib_reads_what_is_written(tmp_path):
    rng = np.random.default_rng(0)
    points, demands = rng.random((6, 2)), np.array([0, 1, 2, 3, 1, 2.0])
    save_vrp(tmp_path / "out.vrp", points, demands, 5.0, "out", "EUC_2D")
    routes = [[1, 3], [2, 4, 5]]
    save_routes(tmp_path / "out.sol", routes, 12.5)
    assert load_routes(tmp_path / "out.sol") == (routes, 12.5)
    held = load_vrp(tmp_path / "out.vrp")
    np.testing.assert_array_equal(held.points, points)
    np.testing.assert_array_equal(held.demands, demands)
    vrplib = pytest.importorskip("vrplib", reason="vrplib is not installed")
    peer = vrplib.read_instance(tmp_path / "out.vrp")
    assert peer["capacity"] == 5
    np.testing.assert_array_equal(peer["node_coord"], points)
    assert vrplib.read_solution(tmp_path / "out.sol") == {"routes": routes, "cost": 12.5}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("4 4\nDEPOT", "4 6\nDEPOT", "place 4 has demand 6, but a vehicle holds 5"),
        ("2 2\n", "2 -2\n", "demand -2"),
        ("CAPACITY : 5\n", "", "without CAPACITY"),
        ("CAPACITY : 5\n", "CAPACITY : 0\n", "must be positive"),
        (" 1\n -1", " 2\n -1", r"depots \[2\]"),
        ("TYPE : CVRP", "TYPE : TSP", "not a CVRP"),
    ],
)
def test_bad_problems(tmp_path, old, new, words):
    assert old in VRP
    with pytest.raises(ValueError, match=words):
        load_vrp(write(tmp_path, VRP.replace(old, new)))


def test_bad_solution(tmp_path):
    with pytest.raises(ValueError, match="no line 'Route #1"):
        load_routes(write(tmp_path, "Cost 5\n", "bad.sol"))
    with pytest.raises(ValueError, match="line 1: 'x' is not a number"):
        load_routes(write(tmp_path, "Route #1: 1 x\n", "bad.sol"))
