"""Files are whole or absent; arrays and tensors from strangers are only data."""

import errno
import os
import pickle
import stat
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from separata import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as part:  # noqa: PT012 - the failure is in the block
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_numbers_that_json_has_no_word_for_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_tensors_and_metadata_come_back(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3)}
    files.save_tensors(tmp_path / "t.safetensors", tensors, {"note": "x"})
    loaded, metadata = files.load_tensors(tmp_path / "t.safetensors")
    assert metadata == {"note": "x"}
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


@pytest.mark.parametrize(
    "write", [pickle.dumps, lambda bomb: b"not tensors", lambda bomb: b""], ids=("pickle", "text", "empty")
)
def test_a_file_of_another_kind_is_refused_and_never_run(tmp_path, write):
    path, marker = tmp_path / "model.safetensors", tmp_path / "exploded"
    path.write_bytes(write(Bomb(marker)))
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        files.load_tensors(path)
    assert not marker.exists()


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    files.save_tensors(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        files.load_tensors(path)


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def arrays(request, tmp_path):
    """A file with two arrays."""
    request.param(tmp_path / "a.npz", x=np.arange(600.0).reshape(2, -1), n=np.array(3))
    return tmp_path / "a.npz"


def test_arrays_come_back_all_or_those_that_are_asked_for(arrays, tmp_path):
    found = files.load_arrays(arrays)
    assert found["x"].tolist() == np.arange(600.0).reshape(2, -1).tolist()
    assert (found["n"].shape, int(found["n"])) == ((), 3)
    assert list(files.load_arrays(arrays, ["n", "other"])) == ["n"]
    np.save(tmp_path / "x.npy", found["x"])
    assert np.array_equal(files.load_array(tmp_path / "x.npy"), found["x"])


def test_files_of_arrays_cut_anywhere_are_refused(arrays, tmp_path):
    whole = arrays.read_bytes()
    for end in range(0, len(whole), 1 + len(whole) // 40):
        arrays.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="a.npz is not a whole .npz file"):
            files.load_arrays(arrays)
    np.save(tmp_path / "x.npy", np.arange(60.0))
    whole = (tmp_path / "x.npy").read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "x.npy").write_bytes(whole[:end])
        with pytest.raises(ValueError, match="x.npy is not a whole .npy file"):
            files.load_array(tmp_path / "x.npy")


@pytest.mark.parametrize("filler", [0x00, 0xFF, 0x5A])
def test_damage_anywhere_in_a_file_of_arrays_is_one_sentence_or_does_no_harm(arrays, filler):
    """A wrong checksum, a compression that is broken or unknown, a shape that cannot be."""
    whole, wanted = arrays.read_bytes(), files.load_arrays(arrays)
    n_refused = 0
    for start in range(0, len(whole), 1 + len(whole) // 80):
        damaged = bytearray(whole)
        damaged[start : start + 5] = bytes([filler]) * 5
        arrays.write_bytes(damaged)
        try:
            found = files.load_arrays(arrays)
        except ValueError as error:
            n_refused += 1
            assert str(error).startswith(f"{arrays} is not a whole .npz file")
            assert "\n" not in str(error)
        else:
            assert all(np.array_equal(found[name], wanted[name]) for name in found.keys() & wanted.keys())
    assert n_refused > 40


def test_arrays_of_objects_and_what_is_no_array_are_refused_and_never_run(tmp_path):
    path, marker = tmp_path / "a.npz", tmp_path / "exploded"
    np.savez(path, good=np.ones(2), bad=np.array([Bomb(marker)], dtype=object))
    with pytest.raises(ValueError, match=r"its array bad cannot be read; it holds Python objects, which can run code"):
        files.load_arrays(path)
    assert files.load_arrays(path, ["good"])["good"].tolist() == [1, 1]
    np.save(tmp_path / "x.npy", np.array([Bomb(marker)], dtype=object))
    with pytest.raises(ValueError, match="it holds Python objects, which can run code"):
        files.load_array(tmp_path / "x.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note", b"no array")
    with pytest.raises(ValueError, match="its array note cannot be read"):
        files.load_arrays(path)
    path.write_bytes(pickle.dumps(Bomb(marker)))
    for load in (files.load_array, files.load_arrays):
        with pytest.raises(ValueError, match="is not a whole"):
            load(path)
        with pytest.raises(FileNotFoundError, match="there is no file"):
            load(tmp_path / "absent")
    assert not marker.exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="cannot write to the folder .*file/below"):
        files.make_writable(tmp_path / "file" / "below")


def test_a_file_is_seen_to_be_writable_before_it_is_written(tmp_path):
    files.check_writable(None)
    files.check_writable(tmp_path / "new" / "out.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    with pytest.raises(IsADirectoryError, match="is a folder; name a file to write"):
        files.check_writable(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="cannot write to the folder"):
        files.check_writable(tmp_path / "file" / "out.npz")


# ---- what is no regular file, links, and permissions


def reading(fifo):
    """A thread that reads a pipe to its end; its `found` is what came."""
    found = []
    thread = threading.Thread(target=lambda: found.append(fifo.read_bytes()), daemon=True)
    thread.found = found
    thread.start()
    return thread


WRITERS = {
    "text": lambda path: files.write_text(path, "hello\n"),
    "json": lambda path: files.write_json(path, {"a": 1}),
    "tensors": lambda path: files.save_tensors(path, {"a": torch.ones(3)}),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path, kind):
    """As /dev/null, /dev/full or /dev/stdout would be, which root could replace by a file."""
    fifo, plain = tmp_path / "fifo", tmp_path / "plain"
    os.mkfifo(fifo)
    files.check_writable(fifo)
    reader = reading(fifo)
    WRITERS[kind](fifo)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    reader.join(10)
    WRITERS[kind](plain)
    assert reader.found == [plain.read_bytes()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "plain"]


def test_a_failed_write_to_a_pipe_leaves_the_pipe(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(RuntimeError), files.replacing(fifo) as part:  # noqa: PT012 - the failure is in the block
        assert part == fifo
        raise RuntimeError
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_link_stays_a_link_to_what_is_written(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "deep" / "file.txt")
    for text in ("new", "newer"):
        files.write_text(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink()
        assert (tmp_path / "deep" / "file.txt").read_text() == text


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_others_may_read_a_new_file_as_the_umask_says(tmp_path, kind, umask):
    before = os.umask(umask)
    try:
        WRITERS[kind](tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, kind):
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o640)
    WRITERS[kind](tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_folder_or_a_file_as_a_folder_is_named_as_the_user_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "file").write_text("")
    for path, words in (
        ("d", "d is a folder; name a file to write"),
        ("file/a.txt", "cannot write to the folder file: it is a file; choose another one"),
        ("file/b/a.txt", "cannot write to the folder file/b: Not a directory; choose another one"),
    ):
        for write in (lambda path: files.write_text(path, ""), files.check_writable):
            with pytest.raises(OSError) as caught:  # noqa: PT011 - the whole sentence is checked
                write(Path(path))
            assert str(caught.value) == words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "file"]


def test_an_error_of_the_system_names_the_file_that_was_to_be_written(tmp_path):
    def write():
        with files.replacing(tmp_path / "a.txt") as part:
            raise OSError(errno.ENOSPC, "No space left on device", str(part))

    with pytest.raises(OSError, match=r"cannot write .*/a\.txt: No space left on device"):
        write()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def tiny_files():
    """No file can be larger than 100 bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_reported_with_the_file_that_was_to_be_written(tmp_path, tiny_files):
    writers = {
        "a.txt": lambda path: files.write_text(path, "x" * 1000),
        "a.safetensors": lambda path: files.save_tensors(path, {"a": torch.ones(1000)}),
    }
    for name, write in writers.items():
        with pytest.raises(OSError, match=rf"^cannot write .*/{name}: .*File too large"):
            write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_named():
    for write in (
        lambda path: files.write_text(path, "x"),
        lambda path: files.save_tensors(path, {"a": torch.ones(1)}),
    ):
        with pytest.raises(OSError, match=r"^cannot write /dev/full: No space left on device$"):
            write(Path("/dev/full"))


# ---- JSON of strangers


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "Expecting property name"), (DEEP, "nested too deeply"), ("1" * 5000, "a number has too many digits")],
    ids=("half", "deep", "long"),
)
def test_json_that_is_none_is_refused_in_one_sentence(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"a.json is not a JSON file: .*{words}"):
        files.read_json(tmp_path / "a.json")
    (tmp_path / "a.jsonl").write_text(f'{{"a": 1}}\n\n{text}\n')
    with pytest.raises(ValueError, match=rf"a.jsonl, line 3: not JSON \(.*{words}"):
        list(files.read_json_lines(tmp_path / "a.jsonl"))


def test_json_lines_come_with_their_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n[2]\n3\n')
    assert list(files.read_json_lines(tmp_path / "a.jsonl")) == [(1, {"a": 1}), (3, [2]), (4, 3)]
    (tmp_path / "a.jsonl").write_bytes(b'1\n"\xff"\n')
    with pytest.raises(ValueError, match="is not a file of JSON lines: it is not UTF-8 text"):
        list(files.read_json_lines(tmp_path / "a.jsonl"))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        list(files.read_json_lines(tmp_path / "none.jsonl"))
