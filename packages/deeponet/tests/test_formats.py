"""Files: this package's, DeepXDE's, one's own, and those of strangers."""

import numpy as np
import pytest
import torch
from known_functions import generator

from deeponet import ProblemConfig, TripleDataset, load_numbers, load_triples, make_problem, save_triples
from separata.testing import write_bomb


def test_triples_are_what_was_written(tmp_path):
    data = make_problem("advection-1", ProblemConfig(n_grid=8, n_sensors=5)).sample(3, generator(), n_points=4)
    save_triples(data, tmp_path / "data.npz")
    again = load_triples(tmp_path / "data.npz")
    for name in ("u", "y", "s", "sensors"):
        torch.testing.assert_close(getattr(again, name), getattr(data, name).float())
    with pytest.raises(ValueError, match="written as .npz, not as data.csv"):
        save_triples(data, tmp_path / "data.csv")


def write(path, **arrays):
    np.savez(path, **arrays)
    return path


RNG = np.random.default_rng(0)
U, Y, S = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 2)), RNG.normal(size=(6, 1))


@pytest.mark.parametrize("s", [S, S[:, 0]])
def test_pairs_of_one_s_own_have_a_point_each(tmp_path, s):
    data = load_triples(write(tmp_path / "own.npz", u=U, y=Y, s=s))
    assert (len(data), data.n_points, data.is_grid) == (6, 1, False)
    np.testing.assert_allclose(data.s[:, 0, 0], S[:, 0], rtol=1e-6)
    np.testing.assert_allclose(data.y[:, 0], Y, rtol=1e-6)


def test_points_may_be_those_of_all_functions_or_each_its_own(tmp_path):
    grid = load_triples(write(tmp_path / "grid.npz", u=U, y=RNG.normal(size=(3, 2)), s=RNG.normal(size=(6, 3))))
    assert (grid.is_grid, grid.n_points) == (True, 3)
    line = load_triples(write(tmp_path / "line.npz", u=U, y=np.arange(3), s=RNG.normal(size=(6, 3, 2))))
    assert (line.is_grid, line.shape.n_coordinates, line.shape.n_outputs) == (True, 1, 2)
    own = load_triples(write(tmp_path / "each.npz", u=U, y=RNG.normal(size=(6, 3, 2)), s=RNG.normal(size=(6, 3))))
    assert (own.is_grid, own.n_points) == (False, 3)
    square = load_triples(write(tmp_path / "square.npz", u=U, y=Y, s=RNG.normal(size=(6, 6))))
    assert square.is_grid, "as many points as functions: a value of each function at each point"


def test_files_of_deepxde_are_read_and_their_tiled_functions_stored_once(tmp_path):
    path = write(
        tmp_path / "deepxde.npz",
        X_train0=np.repeat(U, 3, 0),
        X_train1=RNG.normal(size=(18, 2)),
        y_train=np.arange(18.0)[:, None],
        X_test0=U[:2],
        X_test1=Y[:2],
        y_test=S[:2],
    )
    train, test = load_triples(path), load_triples(path, "test")
    assert (len(train), train.n_points, len(test)) == (6, 3, 2)
    np.testing.assert_allclose(train.s[1, :, 0], [3, 4, 5])
    np.testing.assert_allclose(test.u, U[:2], rtol=1e-6)


def test_a_table_has_its_columns_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("s0,u0,u1,Y\n1,10,11,0.5\n2,10,11,0.6\n3,20,21,0.7\n4,20,21,0.8\n")
    data = load_triples(path)
    assert (len(data), data.n_points) == (2, 2)
    assert data.u.tolist() == [[10, 11], [20, 21]]
    assert data.s.flatten().tolist() == [1, 2, 3, 4]


def test_numbers_are_read_with_or_without_names(tmp_path):
    (tmp_path / "named.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n")
    np.save(tmp_path / "array.npy", np.array([[1, 2], [3, 4]]))
    for name in ("named.csv", "bare.csv", "array.npy"):
        assert load_numbers(tmp_path / name).tolist() == [[1, 2], [3, 4]]
    (tmp_path / "one.csv").write_text("0.5\n")
    assert load_numbers(tmp_path / "one.csv").tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "u0,y0,s0\n", "no rows"),
        ("a.csv", "", "empty"),
        ("a.csv", "u0,y0,s0\n1,2\n", "line 2 has 2 columns, and the first 3"),
        ("a.csv", "u0,y0,s0\n1,2,x\n", "line 2 has a cell that is no number"),
        ("a.csv", "u0,y0,z\n1,2,3\n", "column z is none"),
        ("a.csv", "u0,s0\n1,2\n", "no column of y"),
        ("a.csv", "1,2,3\n4,5,6\n", "must name the columns"),
        ("a.csv", "u0,y0,s0\n1,2,nan\n", "not finite in row 0"),
        ("a.npz", "nothing", "not a whole .npz"),
        ("a.txt", "nothing", "read from .npz and .csv"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        load_triples(tmp_path / name)


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    X = np.empty(2, dtype=object)
    X[:] = [U, Y]
    with pytest.raises(ValueError, match="Python objects, which are not read"):
        load_triples(write(tmp_path / "aligned.npz", X=X, y=S))
    write_bomb(tmp_path / "bomb.npy", tmp_path / "mark")
    write_bomb(tmp_path / "bomb.npz", tmp_path / "mark")
    for read, name in ((load_numbers, "bomb.npy"), (load_triples, "bomb.npz")):
        with pytest.raises(ValueError, match=name):
            read(tmp_path / name)
    assert not (tmp_path / "mark").exists()


def test_files_without_the_arrays_are_refused(tmp_path):
    with pytest.raises(ValueError, match="needs the arrays u, y and s, .* not a, b"):
        load_triples(write(tmp_path / "a.npz", a=U, b=Y))
    with pytest.raises(ValueError, match="u is no array of numbers"):
        load_triples(write(tmp_path / "b.npz", u=np.array(["x"]), y=Y, s=S))
    with pytest.raises(FileNotFoundError, match="no file"):
        load_triples(tmp_path / "absent.npz")


def test_a_truncated_file_is_refused(tmp_path):
    save_triples(TripleDataset(torch.rand(9, 4), torch.rand(3, 1), torch.rand(9, 3)), tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.npz"):
            load_triples(tmp_path / "a.npz")
