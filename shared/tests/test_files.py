"""Files are whole or absent; tensors from strangers are only data."""

import pickle

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
