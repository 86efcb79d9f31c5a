"""Files are whole or absent; tensors from strangers are only data."""

import errno
import os
import pickle
import stat
import threading
from pathlib import Path

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


def test_a_figure_is_seen_to_be_one_that_can_be_written(tmp_path):
    files.check_figure(None)
    for name in ("a.svg", "a.png", "new/a.pdf"):
        files.check_figure(tmp_path / name)
    with pytest.raises(ValueError, match=r"a figure is written as \.svg, \.png or \.pdf, not as a\.jpg"):
        files.check_figure(tmp_path / "other" / "a.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(IsADirectoryError):
        files.check_figure(tmp_path / "folder.svg")


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
