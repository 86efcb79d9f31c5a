import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from separata.arrays import load_mat, load_npy, load_npz
from separata.extras import MissingExtraError
from separata.testing import write_bomb

X, Y = np.arange(12.0).reshape(3, 4), np.arange(3)


def npy(array):
    with io.BytesIO() as file:
        np.save(file, array)
        return file.getvalue()


def npz(path, **parts):
    """An archive of bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def test_arrays_are_those_that_were_written(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert np.array_equal(load_npy(tmp_path / "x.npy"), X)
    np.savez_compressed(tmp_path / "d.npz", x=X, y=Y)
    found = load_npz(tmp_path / "d.npz")
    assert found.keys() == {"x", "y"}
    assert np.array_equal(found["x"], X)
    assert load_npz(tmp_path / "d.npz", ("y", "z")).keys() == {"y"}
    scipy.io.savemat(tmp_path / "d.mat", {"x": X, "y": "words", "z": X})
    found = load_mat(tmp_path / "d.mat", ("x", "y"), extra="noprop[mat]")
    assert found.keys() == {"x", "y"}
    assert np.array_equal(found["x"], X)
    assert found["y"].dtype.kind == "U"


def test_what_is_not_asked_for_is_not_read(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, other=np.array([None]))
    assert load_npz(tmp_path / "d.npz", ("x",)).keys() == {"x"}
    with pytest.raises(ValueError, match="d.npz: its array other is of Python objects, which are not read, .*run code"):
        load_npz(tmp_path / "d.npz")


def test_files_of_version_7_3_have_the_axes_of_matlab(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "d.mat"
    for size in (0, 512):
        with h5py.File(path, "w", userblock_size=size) as file:
            # As MATLAB does, column by column; a struct is a group.
            file["x"], file["text"] = X.T, "no array"
            file.create_group("y")
        found = load_mat(path, ("x", "y", "z", "text"), extra="noprop[mat]")
        assert np.array_equal(found["x"], X)
        assert {name: array.dtype.kind for name, array in found.items()} == {"x": "f", "text": "S"}
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="d.mat: it is not a whole .mat file of version 7.3"):
        load_mat(path, ("x",), extra="noprop[mat]")


def test_the_extra_for_files_of_version_7_3_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "d.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(MissingExtraError, match=r"needs h5py; pip install 'noprop\[mat\]'"):
        load_mat(tmp_path / "d.mat", ("x",), extra="noprop[mat]")


def test_a_part_that_is_no_array_or_damaged_is_named(tmp_path):
    for name, content, words in (
        ("x", b"text", "its part x is no array of numbers"),
        ("x__npy", b"text", "its part x is no array of numbers"),
        ("x__npy", npy(X)[:-20], "its array x is damaged"),
    ):
        with pytest.raises(ValueError, match=f"d.npz: {words}$"):
            load_npz(npz(tmp_path / "d.npz", **{name: content}, y__npy=npy(Y)))


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def archive(request, tmp_path):
    """A file with two arrays."""
    request.param(tmp_path / "a.npz", x=np.arange(600.0).reshape(2, -1), n=np.array(3))
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("width", "damaged"),
    [
        (5, lambda part: b"\x00" * len(part)),
        (5, lambda part: b"\xff" * len(part)),
        (5, lambda part: b"\x5a" * len(part)),
        (1, lambda part: bytes(byte ^ 0x55 for byte in part)),
    ],
    ids=["zeros", "ones", "letters", "bits"],
)
def test_damage_anywhere_in_an_archive_is_an_error_of_a_sentence_or_does_no_harm(archive, width, damaged):
    """A wrong checksum, a compression that is broken or unknown, a shape that cannot be."""
    whole, wanted = archive.read_bytes(), load_npz(archive)
    assert (wanted["n"].shape, int(wanted["n"])) == ((), 3)
    n_refused = 0
    for start in range(0, len(whole), 1 + len(whole) // 80):
        end = start + width
        archive.write_bytes(whole[:start] + damaged(whole[start:end]) + whole[end:])
        try:
            found = load_npz(archive)
        except ValueError as error:
            n_refused += 1
            assert str(error).startswith(f"{archive}: it")
            assert "\n" not in str(error)
        else:
            assert all(np.array_equal(found[name], wanted[name]) for name in found.keys() & wanted.keys())
    assert n_refused > 40


def test_files_cut_off_anywhere_are_refused(archive, tmp_path):
    whole = archive.read_bytes()
    for end in range(0, len(whole), 1 + len(whole) // 40):
        archive.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="a.npz: it is not a whole .npz file"):
            load_npz(archive)
    whole = npy(np.arange(60.0))
    for end in range(0, len(whole), 7):
        (tmp_path / "x.npy").write_bytes(whole[:end])
        with pytest.raises(ValueError, match="x.npy: it is not an? .*npy file"):
            load_npy(tmp_path / "x.npy")


def test_a_shape_that_is_not_true_is_damage(tmp_path):
    with io.BytesIO() as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
        huge = file.getvalue() + X.tobytes()
    (tmp_path / "x.npy").write_bytes(huge)
    with pytest.raises(ValueError, match="x.npy: it is not a whole .npy file$"):
        load_npy(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="d.npz: .*its array x is damaged$"):
        load_npz(npz(tmp_path / "d.npz", x__npy=huge))


@pytest.mark.parametrize("read", [load_npy, load_npz])
def test_a_file_that_may_not_be_read_is_not_called_damaged(read, tmp_path, monkeypatch):
    def refuse(path, *args, **settings):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "d").write_bytes(npy(X))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        read(tmp_path / "d")


@pytest.mark.parametrize("length", [0, 10, 200])
def test_files_that_are_cut_off_are_refused(length, tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    np.save(tmp_path / "d.npy", X)
    scipy.io.savemat(tmp_path / "d.mat", {"x": X})
    for name, read in (
        ("d.npz", load_npz),
        ("d.npy", load_npy),
        ("d.mat", lambda path: load_mat(path, ("x",), extra="noprop[mat]")),
    ):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ValueError, match=rf"{name}: it is not an? .*{name[1:]} file"):
            read(path)
        path.unlink()
        with pytest.raises(FileNotFoundError, match="there is no file"):
            read(path)


def test_an_archive_is_no_array(tmp_path):
    with pytest.raises(ValueError, match="d.npy: it is not an .npy file of numbers, but an archive of arrays"):
        load_npy(npz(tmp_path / "d.npy", x__npy=npy(X)))


@pytest.mark.parametrize("name", ["d.npy", "d.npz", "d.mat"])
def test_nothing_in_a_file_is_executed(name, tmp_path):
    read = {"d.npy": load_npy, "d.npz": load_npz, "d.mat": lambda path: load_mat(path, ("x",), extra="noprop[mat]")}
    write_bomb(tmp_path / name, tmp_path / "mark")
    with pytest.raises(ValueError, match=name):
        read[name](tmp_path / name)
    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match="o.npy: its array is of Python objects, which are not read, .*run code"):
        load_npy(tmp_path / "o.npy")
    assert not (tmp_path / "mark").exists()
