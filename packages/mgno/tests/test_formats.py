"""Files: what this package writes, and what others do."""

import importlib.util
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import torch

from mgno import GridDataset, TrajectoryDataset, load_data, load_functions, save_data
from separata.extras import MissingExtraError
from separata.testing import write_bomb

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 4, 6)), RNG.normal(size=(5, 4, 6))


def same(tensor, array):
    np.testing.assert_allclose(tensor.numpy(), array.astype(np.float32))


def test_what_is_written_is_read(tmp_path):
    save_data(GridDataset(torch.tensor(X), torch.tensor(Y)), tmp_path / "pairs.npz")
    found = load_data(tmp_path / "pairs.npz", stride=2, n=3)
    same(found.x[:, 0], X[:3, ::2, ::2])
    save_data(TrajectoryDataset(torch.tensor(X[None])), tmp_path / "moving.npz")
    same(load_data(tmp_path / "moving.npz", stride=2).frames, X[None, ..., ::2, ::2])


@pytest.mark.parametrize("names", [("coeff", "sol"), ("x", "y"), ("a", "u")])
def test_mat_files_of_version_5(tmp_path, names):
    scipy.io.savemat(tmp_path / "piece.mat", {**dict(zip(names, (X, Y), strict=True)), "Kcoeff": X + 1})
    found = load_data(tmp_path / "piece.mat")
    same(found.x[:, 0], X)
    same(found.y[:, 0], Y)


def test_flows_have_times_last_and_begin_with_a(tmp_path):
    u = RNG.normal(size=(2, 4, 4, 3))
    scipy.io.savemat(tmp_path / "flow.mat", {"a": u[..., 0] - 1, "u": u, "t": np.arange(3)})
    frames = load_data(tmp_path / "flow.mat").frames
    assert frames.shape == (2, 4, 4, 4)
    same(frames[:, 0], u[..., 0] - 1)
    same(frames[:, 2], u[..., 1])


def test_mat_files_of_version_7_3(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "v73.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        # As MATLAB does: (n, h, w) is stored as (w, h, n).
        file["coeff"], file["sol"] = X.T, Y.T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    found = load_data(path)
    same(found.x[:, 0], X)
    same(found.y[:, 0], Y)


@pytest.mark.skipif(importlib.util.find_spec("h5py") is not None, reason="h5py is installed")
def test_without_h5py_the_extra_is_named(tmp_path):
    (tmp_path / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(MissingExtraError, match=r"mgno\[mat\]"):
        load_data(tmp_path / "v73.mat")


def test_pt_files_of_neuraloperator(tmp_path):
    torch.save({"x": torch.tensor(X) > 0, "y": torch.tensor(Y)}, tmp_path / "darcy.pt")
    found = load_data(tmp_path / "darcy.pt")
    same(found.x[:, 0], X > 0)


def test_pt_files_of_tensors_that_numpy_does_not_know(tmp_path):
    x, y = torch.tensor(X), torch.tensor(Y)
    for name, odd in {"grad": x.clone().requires_grad_(), "sparse": x.to_sparse(), "bf16": x.bfloat16()}.items():
        torch.save({"x": odd, "y": y}, tmp_path / f"{name}.pt")
        same(load_data(tmp_path / f"{name}.pt").x[:, 0], (x.bfloat16().double() if name == "bf16" else x).numpy())


def test_the_darcy_set_of_neuraloperator():
    folder = Path(os.environ.get("SEPARATA_DATA", "nowhere")) / "pde"
    if not (folder / "darcy_train_16.pt").is_file():
        pytest.skip("the Darcy set of neuraloperator is not in $SEPARATA_DATA/pde")
    train, test, finer = (load_data(folder / f"darcy_{name}.pt") for name in ("train_16", "test_16", "test_32"))
    assert (len(train), train.shape.size, finer.shape.size) == (1000, (16, 16), (32, 32))
    assert len(test) == len(finer)
    assert 0 < float(train.y.mean()) < 1


def test_functions_alone(tmp_path):
    np.save(tmp_path / "one.npy", X[0])
    np.save(tmp_path / "many.npy", X)
    np.save(tmp_path / "channels.npy", X[:, None].repeat(2, 1))
    shapes = [tuple(load_functions(tmp_path / f"{name}.npy").shape) for name in ("one", "many", "channels")]
    assert shapes == [(1, 1, 4, 6), (5, 1, 4, 6), (5, 2, 4, 6)]
    np.savez(tmp_path / "pairs.npz", x=X, y=Y)
    same(load_functions(tmp_path / "pairs.npz")[:, 0], X)


def broken(folder, name):
    """A file of a stranger."""
    path = folder / name
    match name:
        case "names.mat":
            scipy.io.savemat(path, {"coefficient": X})
        case "text.mat" | "text.pt" | "text.npz" | "text.csv":
            path.write_text("no data")
        case "nan.npz":
            np.savez(path, x=X, y=np.where(np.arange(5)[:, None, None] == 3, np.nan, Y))
        case "object.npz":
            np.savez(path, x=np.array([None, 1]), y=Y)
        case "list.pt":
            torch.save([torch.tensor(X)], path)
        case "words.npz":
            np.savez(path, x=np.array(["a"]), y=Y)
        case "sizes.npz":
            np.savez(path, x=X, y=Y[:3])
        case "flow.npz":
            np.savez(path, u=np.zeros((2, 4, 4, 3)), a=np.zeros((3, 4, 4)))
        case _:
            write_damaged(path)
    return path


def write_damaged(path):
    """Another file of a stranger: damaged, or with something else than arrays of numbers under the right names."""
    match path.name:
        case "damaged.npz":
            np.savez_compressed(path, x=X, y=Y)
            content = path.read_bytes()
            path.write_bytes(content[:100] + bytes(50 * [255]) + content[150:])
        case "text_inside.npz":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x", "no array")
        case "sparse.mat":
            scipy.io.savemat(path, {"x": scipy.sparse.csc_matrix(X[0]), "y": Y})
        case "text73.mat":
            with pytest.importorskip("h5py", reason="h5py is not installed").File(path, "w") as file:
                file["x"], file["y"] = "no array", Y.T


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.npz", "no file"),
        ("names.mat", "needs the arrays x and y, coeff and sol"),
        ("text.mat", "not a whole .mat"),
        ("text.pt", "not a whole .pt"),
        ("text.npz", "not a whole .npz"),
        ("text.csv", "read from .npz, .mat, .pt"),
        ("nan.npz", r"y has .* not finite in sample 3 \(from 0\)"),
        ("object.npz", "can run code"),
        ("list.pt", "must hold a dict"),
        ("words.npz", "x is no array of numbers"),
        ("sizes.npz", "as many samples"),
        ("flow.npz", "a must be"),
        ("damaged.npz", "not a whole .npz"),
        ("text_inside.npz", "x is no array of numbers"),
        ("sparse.mat", "x is no array of numbers"),
        ("text73.mat", "x is no array of numbers"),
    ],
)
def test_files_of_strangers_are_refused_in_a_sentence(tmp_path, name, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        load_data(broken(tmp_path, name))
    assert "\n" not in str(caught.value)


def test_nothing_in_a_file_is_executed(tmp_path):
    write_bomb(tmp_path / "bomb.pt", tmp_path / "mark", by_torch=True)
    with pytest.raises(ValueError, match="can run code"):
        load_data(tmp_path / "bomb.pt")
    assert not (tmp_path / "mark").exists()


def test_wrong_requests_are_refused(tmp_path):
    save_data(GridDataset(torch.tensor(X), torch.tensor(Y)), tmp_path / "d.npz")
    with pytest.raises(ValueError, match="has 5 samples, not 6"):
        load_data(tmp_path / "d.npz", n=6)
    with pytest.raises(ValueError, match="at least 1"):
        load_data(tmp_path / "d.npz", stride=0)
    with pytest.raises(ValueError, match="written as .npz"):
        save_data(GridDataset(torch.tensor(X), torch.tensor(Y)), tmp_path / "d.mat")
    np.save(tmp_path / "line.npy", X[0, 0])
    with pytest.raises(ValueError, match="functions are"):
        load_functions(tmp_path / "line.npy")
    (tmp_path / "archive.npy").write_bytes((tmp_path / "d.npz").read_bytes())
    with pytest.raises(ValueError, match="not an .npy file of numbers"):
        load_functions(tmp_path / "archive.npy")
