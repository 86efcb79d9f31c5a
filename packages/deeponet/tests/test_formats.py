"""Files: this package's, DeepXDE's, one's own, and those of strangers."""

import io
import zipfile

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


def test_columns_of_a_table_are_in_the_order_of_their_numbers(tmp_path):
    # As programs write them that sort names as words.
    names = sorted(f"u{i}" for i in range(12))
    path = tmp_path / "sorted.csv"
    path.write_text(",".join([*names, "s0", "y1", "y0"]) + "\n" + ",".join([*(n[1:] for n in names), "9", "1", "0"]))
    data = load_triples(path)
    assert data.u.tolist() == [list(range(12))]
    assert data.y.tolist() == [[[0, 1]]]


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
        ("a.csv", "u0,y0,u0,s0\n1,2,3,4\n", "two columns u0"),
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


def test_numbers_too_large_for_single_precision_are_refused(tmp_path, recwarn):
    with pytest.raises(ValueError, match="s has a number that is too large for single precision"):
        load_triples(write(tmp_path / "huge.npz", u=U, y=Y, s=1e300 * np.ones(6)))
    np.save(tmp_path / "huge.npy", np.full((1, 4), -1e300))
    with pytest.raises(ValueError, match="too large"):
        load_numbers(tmp_path / "huge.npy")
    assert not recwarn.list


def test_files_without_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="have no rows"):
        load_triples(write(tmp_path / "none.npz", u=U[:0], y=Y[:0], s=S[:0]))


def npy(array):
    with io.BytesIO() as file:
        np.save(file, array)
        return file.getvalue()


def test_archives_of_other_things_than_arrays_are_refused(tmp_path):
    for name, content, words in (
        ("u", b"text", "part u is no array"),
        ("u.npy", b"text", "part u is no array"),
        ("u.npy", npy(U)[:-20], "array u is damaged"),
    ):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
            file.writestr(name, content)
            file.writestr("y.npy", npy(Y))
            file.writestr("s.npy", npy(S))
        with pytest.raises(ValueError, match=rf"a\.npz: its {words}"):
            load_triples(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npy", "w") as file:
        file.writestr("u.npy", npy(U))
    with pytest.raises(ValueError, match="archive of arrays"):
        load_numbers(tmp_path / "b.npy")


def test_a_compressed_file_is_read_and_a_damaged_one_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, u=U, y=Y, s=S)
    np.testing.assert_allclose(load_triples(path).u, U, rtol=1e-6)
    whole = path.read_bytes()
    start = whole.index(b"u.npy")
    # Behind the name and the size of a large file, whose damage is not seen, come the numbers.
    for place in range(start + 30, start + 150, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"a\.npz: it is not a whole \.npz file"):
            load_triples(path)


def test_a_truncated_file_is_refused(tmp_path):
    save_triples(TripleDataset(torch.rand(9, 4), torch.rand(3, 1), torch.rand(9, 3)), tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.npz"):
            load_triples(tmp_path / "a.npz")
