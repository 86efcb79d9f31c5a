import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_continual import OwnFiles

X, Y = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2])
GOOD = {"x_train": X, "y_train": Y, "x_test": X[:2], "y_test": Y[:2]}


def save(path, **changes):
    np.savez(path, **{key: value for key, value in (GOOD | changes).items() if value is not None})
    return path


def test_own_files_are_tasks_in_the_order_of_their_names(tmp_path):
    save(tmp_path / "b.npz", x_train=X + 1)
    save(tmp_path / "a.npz", x_train=(10 * X).astype(int), y_test=Y[:2].astype(np.uint8))
    sequence = OwnFiles(tmp_path)
    assert (len(sequence), sequence.n_classes, sequence.shares_head) == (2, 3, True)
    np.testing.assert_array_equal(sequence[0].train_images, (10 * X).astype(int))
    np.testing.assert_allclose(sequence[1].train_images, X + 1)
    for task in map(sequence.__getitem__, range(2)):
        assert task.train_images.dtype == torch.float32
        assert task.test_labels.dtype == torch.int64


def with_nan(x):
    x = x.copy()
    x[1, 2] = np.nan
    return x


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"y_train": None}, "lacks an array.*y_train"),
        ({"x_train": with_nan(X)}, "NaN or infinite"),
        ({"x_test": X[:2] * np.inf}, "NaN or infinite"),
        ({"x_train": np.where(X > 1, 1e300, X.astype(float))}, "NaN or infinite"),
        ({"y_train": Y - 1}, "negative label"),
        ({"y_train": Y[:-1]}, "label for each input"),
        ({"y_test": Y[:1]}, "label for each input"),
        ({"y_train": Y.astype(float)}, "whole-number label"),
        ({"y_train": Y[:, None]}, "whole-number label"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "label for each input"),
        ({"x_train": np.array(["a"] * 6)}, "numeric arrays"),
        ({"x_train": np.array(None)}, "numeric arrays"),
        ({"x_train": np.float32(1), "y_train": Y}, "label for each input"),
        ({"x_test": np.zeros((2, 5), np.float32)}, "inputs of one shape"),
        ({"y_train": Y.astype(np.uint16), "y_test": np.array([7, -1])}, "negative label"),
    ],
)
def test_own_files_that_do_not_fit_are_refused(changes, reason, tmp_path):
    path = save(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=reason) as caught:
        OwnFiles(tmp_path)[0]
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int16, ">i4"])
def test_labels_of_any_whole_type_are_taken(kind, tmp_path):
    labels = (Y % 2).astype(kind)
    save(tmp_path / "a.npz", y_train=labels, y_test=labels[:2])
    assert OwnFiles(tmp_path)[0].train_labels.tolist() == [0, 1, 0, 0, 1, 0]


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip_compressed(path):
    np.savez_compressed(path, **GOOD)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)


def save_as_npy(path):
    with path.open("wb") as file:
        np.save(file, X)


def empty(path):
    path.write_bytes(b"")


def write_as_text(path):
    path.write_text("x,y\n1,2\n")


@pytest.mark.parametrize("damage", [cut, flip_compressed, save_as_npy, empty, write_as_text])
def test_files_that_are_damaged_or_of_another_kind_are_refused(damage, tmp_path):
    damage(save(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match="a.npz is not a whole .npz file"):
        OwnFiles(tmp_path)[0]


@pytest.mark.parametrize("inside", [True, False])
def test_nothing_in_own_files_is_ever_run(inside, tmp_path):
    path, marker = tmp_path / "a.npz", tmp_path / "ran"
    if inside:
        np.savez(path, **GOOD | {"x_train": np.array([Bomb(marker)] * 6, dtype=object)})
    else:
        path.write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(ValueError, match="a.npz is not a whole .npz file"):
        OwnFiles(tmp_path)[0]
    assert not marker.exists()


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*npz"):
        OwnFiles(tmp_path)


def test_tasks_whose_inputs_differ_in_shape_are_refused_by_name(tmp_path):
    save(tmp_path / "a.npz")
    path = save(tmp_path / "b.npz", x_train=np.zeros((6, 5)), x_test=np.zeros((2, 5)))
    sequence = OwnFiles(tmp_path)
    with pytest.raises(ValueError, match="shape") as caught:
        sequence[1]
    assert str(path) in str(caught.value)
