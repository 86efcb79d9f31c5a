"""TSPLIB files against vrplib's reader and against lengths that are published or worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from udc_solver.evaluation import tour_length
from udc_solver.files.tsplib import load_tsplib, save_tsp

# The 16 cities of TSPLIB's ulysses16, in degrees and minutes.
ULYSSES16 = """NAME: ulysses16.tsp
TYPE: TSP
COMMENT: Odyssey of Ulysses (Groetschel/Padberg)
DIMENSION: 16
EDGE_WEIGHT_TYPE: GEO
DISPLAY_DATA_TYPE: COORD_DISPLAY
NODE_COORD_SECTION
 1 38.24 20.42
 2 39.57 26.15
 3 40.56 25.32
 4 36.26 23.12
 5 33.48 10.54
 6 37.56 12.19
 7 38.42 13.11
 8 37.52 20.44
 9 41.23 9.10
 10 41.17 13.05
 11 36.08 -5.21
 12 38.47 15.13
 13 38.15 15.35
 14 37.51 15.17
 15 35.49 14.32
 16 39.36 19.56
 EOF
"""
OPTIMUM = [1, 14, 13, 12, 7, 6, 15, 5, 11, 9, 10, 16, 3, 2, 4, 8]
"""The optimal tour that TSPLIB publishes, of length 6859."""

HEADER = "NAME : made\nTYPE : TSP\nDIMENSION : 4\nEDGE_WEIGHT_TYPE : {}\n"
POINTS = np.array([[0, 0], [3.5, 0.2], [7, 9.4], [-2, 4.5]])


def write(tmp_path, text, name="made.tsp"):
    path = tmp_path / name
    path.write_text(text)
    return path


def coordinates(weights):
    lines = "\n".join(f"{i} {x} {y}" for i, (x, y) in enumerate(POINTS.tolist(), 1))
    return HEADER.format(weights) + "NODE_COORD_SECTION\n" + lines + "\nEOF\n"


def test_geographical_distances(tmp_path):
    problem = load_tsplib(write(tmp_path, ULYSSES16))
    assert problem.n == 16
    assert problem.name == "ulysses16.tsp"
    assert tour_length(problem.distance(), 16, [city - 1 for city in OPTIMUM]) == 6859


@pytest.mark.parametrize(
    ("weights", "length"),
    [
        ("EUC_2D", lambda x, y: math.floor(math.hypot(x, y) + 0.5)),
        ("CEIL_2D", lambda x, y: math.ceil(math.hypot(x, y))),
        ("MAN_2D", lambda x, y: math.floor(abs(x) + abs(y) + 0.5)),
        ("MAX_2D", lambda x, y: max(math.floor(abs(x) + 0.5), math.floor(abs(y) + 0.5))),
        ("ATT", lambda x, y: math.ceil(math.sqrt((x * x + y * y) / 10) - 1e-12)),
    ],
)
def test_rounded_distances(tmp_path, weights, length):
    distance = load_tsplib(write(tmp_path, coordinates(weights))).distance()
    for a, b in itertools.permutations(range(4), 2):
        assert distance(a, b) == length(*(POINTS[a] - POINTS[b])), (a, b)


MATRIX = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]])


@pytest.mark.parametrize(
    ("layout", "numbers"),
    [
        ("FULL_MATRIX", "0 1 2 3 1 0 4 5 2 4 0 6 3 5 6 0"),
        ("UPPER_ROW", "1 2 3\n4 5\n6"),
        ("LOWER_ROW", "1\n2 4\n3 5 6"),
        ("UPPER_DIAG_ROW", "0 1 2 3 0 4 5 0 6 0"),
        ("LOWER_DIAG_ROW", "0 1 0 2 4 0 3 5 6 0"),
        ("UPPER_COL", "1 2 4 3 5 6"),
        ("LOWER_COL", "1 2 3 4 5 6"),
    ],
)
def test_explicit_matrices(tmp_path, layout, numbers):
    text = HEADER.format("EXPLICIT") + f"EDGE_WEIGHT_FORMAT: {layout}\nEDGE_WEIGHT_SECTION\n{numbers}\nEOF\n"
    problem = load_tsplib(write(tmp_path, text))
    np.testing.assert_array_equal(problem.matrix, MATRIX)


def test_asymmetric_matrix_has_its_direction(tmp_path):
    text = (
        "NAME: three\nTYPE: ATSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: FULL_MATRIX\n"
        "EDGE_WEIGHT_SECTION\n0 1 9\n9 0 2\n3 9 0\nEOF\n"
    )
    problem = load_tsplib(write(tmp_path, text, "three.atsp"))
    assert problem.kind == "ATSP"
    assert problem.distance()(0, 1) == 1
    assert problem.distance()(1, 0) == 9


def test_places_may_stand_in_any_order(tmp_path):
    text = HEADER.format("EUC_2D") + "NODE_COORD_SECTION\n3 7 9.4\n1 0 0\n4 -2 4.5\n2 3.5 0.2\nEOF"
    np.testing.assert_array_equal(load_tsplib(write(tmp_path, text)).points, POINTS)


def test_vrplib_reads_what_is_written(tmp_path):
    vrplib = pytest.importorskip("vrplib", reason="vrplib is not installed")
    points = np.random.default_rng(0).random((5, 2))
    save_tsp(tmp_path / "out.tsp", points, "out", "EUC_2D")
    np.testing.assert_array_equal(
        vrplib.read_instance(tmp_path / "out.tsp", compute_edge_weights=False)["node_coord"], points
    )
    np.testing.assert_array_equal(load_tsplib(tmp_path / "out.tsp").points, points)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("DIMENSION : 4", ""), "no DIMENSION"),
        (lambda text: text.replace("DIMENSION : 4", "DIMENSION : four"), "'four' is not a number"),
        (lambda text: text.replace("DIMENSION : 4", "DIMENSION : 5"), "5 places need 15"),
        (lambda text: text.replace("EUC_2D", "EUC_3D"), "EUC_3D"),
        (lambda text: text.replace("TYPE : TSP", "TYPE : HCP"), "type HCP"),
        (lambda text: text.replace("2 3.5", "2 nan"), "not a finite number"),
        (lambda text: text.replace("2 3.5", "1 3.5"), "each of the places 1 to 4 once"),
        (lambda text: text.replace("NODE_COORD_SECTION\n", ""), "before any section"),
        (lambda text: "\0" + text, "not a text file"),
        (lambda text: "hello\n", "'hello' is neither"),
    ],
)
def test_bad_files(tmp_path, change, words):
    path = write(tmp_path, change(coordinates("EUC_2D")))
    with pytest.raises(ValueError, match=words) as caught:
        load_tsplib(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_tsplib(tmp_path / "none.tsp")
