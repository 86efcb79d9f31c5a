"""Files as instances of the problems that they are of."""

import numpy as np
import pytest
import torch

from udc_solver.files.vrplib import save_vrp
from udc_solver.problems import get_problem
from udc_solver.sources import FileOptions, load_source

MATRIX = (
    "NAME: three\nTYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: UPPER_ROW\n"
    "EDGE_WEIGHT_SECTION\n1 2\n4\nEOF\n"
)
POINTS = (
    "NAME: three\nTYPE: TSP\nDIMENSION: 3\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n1 0 0\n2 3 4\n3 0 1.4\nEOF\n"
)


def load(name, path, **options):
    return load_source(get_problem(name), FileOptions(path, **options))


def test_matrices_are_for_matrix_problems(tmp_path):
    path = tmp_path / "three.tsp"
    path.write_text(MATRIX)
    source = load("atsp", path)
    assert source.instance.costs[0].tolist() == [[0, 1, 2], [1, 0, 4], [2, 4, 0]]
    with pytest.raises(ValueError, match="solve it as atsp"):
        load("tsp", path)


def test_points_and_their_rounded_distances(tmp_path):
    path = tmp_path / "three.tsp"
    path.write_text(POINTS)
    source = load("tsp", path)
    torch.testing.assert_close(source.instance.points, torch.tensor([[[0, 0], [3, 4], [0, 1.4]]]))
    assert source.distance(0, 2) == 1
    # A matrix of the same file has these distances.
    assert load("atsp", path).instance.costs[0].tolist() == [[0, 5, 1], [5, 0, 4], [1, 4, 0]]
    salesmen = load("mtsp", path, n_salesmen=2)
    assert salesmen.instance.n_salesmen.tolist() == [2]
    with pytest.raises(ValueError, match="give --salesmen"):
        load("mtsp", path)


def test_arrays_of_one_and_of_many(tmp_path):
    path = tmp_path / "points.npy"
    np.save(path, np.random.default_rng(0).random((5, 2)))
    assert load("tsp", path).instance.points.shape == (1, 5, 2)
    np.save(path, np.random.default_rng(0).random((4, 5, 2)))
    assert load("tsp", path).instance.points.shape == (4, 5, 2)
    assert len(load("mtsp", path, n_salesmen=3).instance) == 4
    with pytest.raises(ValueError, match=r"kp are read from \.npz$"):
        load("kp", path)


def test_vehicles(tmp_path):
    path = tmp_path / "three.vrp"
    save_vrp(path, np.array([[0, 0], [1, 1], [2, 0.0]]), np.array([0, 2, 3.0]), 4.0, "three")
    for name in ("cvrp", "ovrp"):
        instance = load(name, path).instance
        assert instance.demands.tolist() == [[0, 2, 3]]
        assert instance.capacity.tolist() == [4]


def test_complement(tmp_path):
    path = tmp_path / "path.col"
    path.write_text("p edge 3 2\ne 1 2\ne 2 3\n")
    assert load("mis", path).instance.edges.tolist() == [[[0, 1], [1, 2]]]
    assert load("mis", path, complement=True).instance.edges.tolist() == [[[0, 2]]]
