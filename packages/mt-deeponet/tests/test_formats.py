"""Files of data, those of the paper's program among them."""

import importlib.util
import io
import math
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import loadmat, savemat
from tiny import data

from mt_deeponet import load_data, nodes, rasterize, save_data
from separata.extras import MissingExtraError
from separata.testing import write_bomb


@pytest.mark.parametrize("kind", ["fisher", "darcy", "plate"])
def test_what_is_written_is_read(kind, tmp_path):
    samples = data(kind)
    save_data(samples, tmp_path / "d.npz")
    again = load_data(tmp_path / "d.npz")
    assert again.names == samples.names
    for name in ("functions", "points", "values", "mask", "codes", "task"):
        one, other = getattr(samples, name), getattr(again, name)
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other), name


def write_darcy(path, *, flat=True, mask_order="F", part="train", **changes):
    """A file as MATLAB writes it: the shape is not symmetric, so that a wrong order is seen."""
    n, rows, columns = 3, 6, 8
    mask = np.zeros((rows, columns))
    mask[1:5, 2:4] = 1
    mask[1, 4:7] = 1
    k = np.random.default_rng(0).uniform(0.5, 2, (n, rows, columns)) * mask
    u = np.random.default_rng(1).uniform(0.1, 1, (n, rows, columns)) * mask
    masks = np.broadcast_to(mask, k.shape)

    def pack(images, order="F"):
        return np.stack([image.ravel(order=order) for image in images])

    shape = masks if mask_order is None else pack(masks, mask_order)
    k_u = (pack(k), pack(u)) if flat else (k, u)

    xx, yy = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    arrays = {f"k_{part}": k_u[0], f"u_{part}": k_u[1], f"shape_{part}": shape, "xx": xx, "yy": yy}
    savemat(path, arrays | changes)
    return k, u, mask


@pytest.mark.parametrize(
    ("mask_order", "flat", "part"),
    [("F", True, "train"), ("C", True, "test"), (None, True, "train"), ("F", False, "train"), ("C", False, "train")],
)
def test_masks_are_read_in_the_order_that_agrees_with_the_solutions(mask_order, flat, part, tmp_path):
    k, u, mask = write_darcy(tmp_path / "plate.mat", mask_order=mask_order, flat=flat, part=part)
    found = load_data(tmp_path / "plate.mat")
    assert found.names == ("plate",)
    inside = mask.astype(bool)
    np.testing.assert_allclose(found.values.reshape(u.shape), u, rtol=1e-6)
    assert (found.mask.reshape(u.shape).numpy() == inside).all()
    np.testing.assert_allclose(found.functions[:, inside], np.log(k[:, inside]), rtol=1e-5, atol=1e-6)
    assert not found.functions[:, ~inside].any()
    torch.testing.assert_close(found.points, nodes(6, 8).float())


def test_masks_that_disagree_with_solutions_in_either_order_are_refused(tmp_path):
    write_darcy(tmp_path / "wrong.mat", u_train=np.ones((3, 48)))
    with pytest.raises(ValueError, match="do not agree in either order"):
        load_data(tmp_path / "wrong.mat")


def test_files_of_version_7_3_are_read(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    write_darcy(tmp_path / "old.mat")
    path = tmp_path / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in loadmat(tmp_path / "old.mat").items():
            if not name.startswith("_"):
                # As MATLAB does: (n, points) is stored as (points, n).
                file[name] = array.T
        file["note"] = "not read"
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    found, expected = (load_data(tmp_path / name) for name in ("new.mat", "old.mat"))
    for name in ("functions", "points", "values", "mask"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"new.mat: it is not a whole .mat file of version 7.3"):
        load_data(path)


@pytest.mark.skipif(importlib.util.find_spec("h5py") is not None, reason="h5py is installed")
def test_without_h5py_the_extra_is_named(tmp_path):
    (tmp_path / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(MissingExtraError, match=r"mt-deeponet\[mat\]"):
        load_data(tmp_path / "v73.mat")


def test_coordinates_may_be_axes_or_vectors(tmp_path):
    write_darcy(tmp_path / "grid.mat")
    x, y = np.linspace(0, 1, 8), np.linspace(0, 1, 6)
    write_darcy(tmp_path / "axes.mat", xx=x, yy=y[:, None])
    expected = load_data(tmp_path / "grid.mat")
    assert torch.equal(load_data(tmp_path / "axes.mat").points, expected.points)
    write_darcy(
        tmp_path / "vectors.mat",
        flat=False,
        **dict(zip(("xx", "yy"), (part.ravel(order="F") for part in np.meshgrid(x, y)))),
    )
    assert torch.equal(load_data(tmp_path / "vectors.mat").points, expected.points)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k_train": np.ones((2, 48))}, "2 coefficients, 3 solutions and 3 masks"),
        ({"shape_train": np.ones((2, 48))}, "3 coefficients, 3 solutions and 2 masks"),
        ({"k_train": np.ones((3, 5, 5))}, r"grid of \(5, 5\) nodes, and another of \(6, 8\)"),
        ({"k_train": -np.ones((3, 48))}, "not positive"),
        ({"u_train": np.zeros((3, 48))}, "zero everywhere"),
        ({"u_train": np.ones((6, 8, 3))}, "24 values, and xx and yy are of 48 nodes"),
        ({"u_train": np.full((3, 48), np.nan)}, "not finite in sample 0|do not agree"),
        ({"yy": np.ones((4, 12))}, "two grids of one shape"),
    ],
)
def test_damaged_mat_files_are_refused(changes, words, tmp_path):
    write_darcy(tmp_path / "m.mat", **changes)
    with pytest.raises(ValueError, match=rf"m.mat: .*({words})"):
        load_data(tmp_path / "m.mat")


def test_archives_that_are_damaged_anywhere_are_refused(tmp_path):
    parts = {
        "functions": np.zeros((2, 4, 4)),
        "points": nodes(4, 4).numpy(),
        "values": np.random.default_rng(0).random((2, 16)),
    }
    np.savez_compressed(tmp_path / "whole.npz", **parts)
    whole = (tmp_path / "whole.npz").read_bytes()
    n_refused = 0
    for place in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        (tmp_path / "d.npz").write_bytes(damaged)
        try:
            load_data(tmp_path / "d.npz")
        except ValueError as error:
            n_refused += str(error).startswith(str(tmp_path / "d.npz"))
    assert n_refused > len(whole) / 11 / 3


def test_fisher_files_are_read(tmp_path):
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(7, 4 + 10)), rng.normal(size=(7, 5, 10))
    np.savez(tmp_path / "fisher.npz", inputs=inputs, outputs=outputs, n_samples=np.array([2, 2, 3]))
    found = load_data(tmp_path / "fisher.npz")
    assert found.names == ("F1", "F2", "F4")
    assert found.task.tolist() == [0, 0, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(found.codes, inputs[:, :4], rtol=1e-6)
    np.testing.assert_allclose(found.values, outputs.reshape(7, 50), rtol=1e-6)
    assert found.points[11].tolist() == pytest.approx([0.25, 1 / 9])
    np.savez(tmp_path / "one.npz", inputs=inputs, outputs=outputs.reshape(7, 50), n_samples=7)
    assert load_data(tmp_path / "one.npz").names == ("law 1",)
    np.savez(tmp_path / "odd.npz", inputs=inputs, outputs=outputs, n_samples=np.array([-1, 8]))
    assert load_data(tmp_path / "odd.npz").names == ("law 1",)


def test_one_s_own_arrays_need_only_three(tmp_path):
    mask = rasterize("disc", 6, 6).numpy()
    values = np.random.default_rng(0).random((2, 6, 6))
    np.savez(tmp_path / "own.npz", functions=np.zeros((2, 6, 6)), points=nodes(6, 6), values=values, mask=mask)
    found = load_data(tmp_path / "own.npz")
    assert found.names == ("own",)
    assert found.values.shape == (2, 36)
    assert math.isclose(float(found.mask.float().mean()), mask.mean(), rel_tol=1e-6)


def test_files_of_strangers_are_only_data(tmp_path):
    write_bomb(tmp_path / "b.npz", tmp_path / "mark")
    with pytest.raises(ValueError, match=r"not a whole .npz"):
        load_data(tmp_path / "b.npz")
    np.savez(tmp_path / "o.npz", functions=np.array([None]), points=np.zeros(3), values=np.zeros(3))
    with pytest.raises(ValueError, match="Python objects"):
        load_data(tmp_path / "o.npz")
    assert not (tmp_path / "mark").exists()


OWN = {"functions": np.zeros((2, 3)), "points": np.zeros((4, 2)), "values": np.ones((2, 4))}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"functions": np.zeros((2, 3))}, "no array points"),
        (
            {
                "functions": np.zeros((2, 3)),
                "points": np.zeros((4, 2)),
                "values": np.ones((2, 4)),
                "mask": np.full((2, 4), 0.5),
            },
            "mask has a value that is neither 0 nor 1 in sample 0",
        ),
        ({"inputs": np.zeros((2, 14)), "outputs": np.zeros((2, 51))}, "none at 10 places"),
        ({"functions": np.zeros((2, 3)), "points": np.zeros((4, 2)), "values": np.array(["a"])}, "values is no array"),
        (OWN | {"codes": np.ones(2)}, "codes are"),
        (OWN | {"task": np.array(["a", "b"])}, "task is no array of numbers"),
        (OWN | {"task": np.array([0, 0.5])}, "task has a value that is no whole number"),
        ({"inputs": np.zeros((2, 14)), "outputs": np.zeros((2, 10, 5))}, "times, 10 places"),
    ],
)
def test_damaged_files_are_refused(arrays, words, tmp_path):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match=rf"d.npz: .*{words}"):
        load_data(tmp_path / "d.npz")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.mat").write_text("nonsense")
    with pytest.raises(ValueError, match="not a whole .mat file"):
        load_data(tmp_path / "x.mat")
    (tmp_path / "x.csv").write_text("1")
    with pytest.raises(ValueError, match=r"from .npz and .mat"):
        load_data(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"as .npz, not as d.mat"):
        save_data(data("plate"), tmp_path / "d.mat")
    savemat(tmp_path / "k.mat", {"k_train": np.ones((1, 4))})
    with pytest.raises(ValueError, match="no array u_train"):
        load_data(tmp_path / "k.mat")


def test_a_damaged_array_is_not_called_python_objects(tmp_path):
    with zipfile.ZipFile(tmp_path / "cut.npz", "w") as archive:
        buffer = io.BytesIO()
        np.save(buffer, np.ones((4, 4)))
        archive.writestr("values.npy", buffer.getvalue()[:-40])
    with pytest.raises(ValueError, match="its array values is damaged"):
        load_data(tmp_path / "cut.npz")
