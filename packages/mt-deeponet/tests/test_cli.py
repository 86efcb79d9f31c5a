"""The commands on files, those of strangers among them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mt_shell import TINY, call
from PIL import Image

from mt_deeponet import load, load_data, nodes, rasterize, save_data
from separata.testing import contents, interrupted_after

PROBLEM = ("--resolution", "16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data of several shapes, a network that was trained on it, and one for source terms."""
    place = tmp_path_factory.mktemp("files")
    for words in (
        ("generate", "darcy", "--out", place / "d.npz", "--n", "4", *PROBLEM),
        ("generate", "darcy", "--out", place / "l.npz", "--n", "4", "--geometry", "l-shape", *PROBLEM),
        ("generate", "fisher", "--out", place / "f.npz", "--n", "3", "--resolution", "8", "--n-times", "4"),
        ("train", place / "d.npz", "--out", place / "run", *TINY),
        ("train", place / "f.npz", "--out", place / "laws", *TINY),
    ):
        done = call(*words)
        assert done.code == 0, done.err
    return place


def test_data_is_generated_as_asked(tmp_path):
    np.save(tmp_path / "own.npy", rasterize("plus", 16, 16).numpy())
    geometry = f"disc,{tmp_path / 'own.npy'}"
    done = call(
        "generate", "darcy", "--geometry", geometry, "--out", tmp_path / "d.npz", "--n", "2", *PROBLEM, "--json"
    )
    assert json.loads(done.out)["tasks"] == {"disc": 2, "own": 2}
    found = load_data(tmp_path / "d.npz").select("own")
    assert torch.equal(found.mask[0].reshape(16, 16), rasterize("plus", 16, 16))
    done = call("generate", "plate", "--out", tmp_path / "p.npz", "--n", "3", "--resolution", "8", "--depth", "3")
    assert done.code == 0, done.err
    assert load_data(tmp_path / "p.npz").points.shape == (192, 3)


def test_several_files_are_pooled_and_a_training_is_resumed(folder, tmp_path):
    words = ("train", folder / "d.npz", folder / "l.npz", "--test", folder / "l.npz", *TINY)
    done = call(*words, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert list(json.loads(done.out)["tasks"]) == ["square", "disc", "triangle", "l-shape"]
    assert "test" in done.err
    with interrupted_after(7):
        code, _, err = call(*words, "--out", tmp_path / "part")
    assert code == 130
    assert "--resume" in err
    assert call(*words, "--out", tmp_path / "part", "--resume").code == 0
    assert contents(tmp_path / "part")["model.safetensors"] == contents(tmp_path / "run")["model.safetensors"]


def test_a_network_is_fine_tuned_evaluated_and_drawn(folder, tmp_path):
    done = call(
        "transfer",
        folder / "run",
        folder / "l.npz",
        "--samples",
        "3",
        "--out",
        tmp_path / "l",
        "--steps",
        "8",
        "--json",
    )
    assert json.loads(done.out)["tasks"] == {"l-shape": 3}
    done = call("evaluate", tmp_path / "l", folder / "l.npz", "--plot", tmp_path / "l.png", "--json")
    assert json.loads(done.out)["n_samples"] == 4
    assert (tmp_path / "l.png").read_bytes().startswith(b"\x89PNG")
    text = call("evaluate", folder / "run/model.safetensors", folder / "d.npz").out
    assert "triangle" in text


def test_one_s_own_picture_is_a_domain_in_one_command(folder, tmp_path):
    pixels = np.zeros((40, 40), np.uint8)
    pixels[5:30, 8:35] = 255
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    done = call(
        "predict",
        folder / "run",
        "--mask",
        tmp_path / "mine.png",
        "--plot",
        tmp_path / "u.png",
        "--out",
        tmp_path / "u.npy",
        "--json",
    )
    value = json.loads(done.out)
    u = np.load(tmp_path / "u.npy")
    assert u.shape == (1, 16, 16) == tuple(value["shape"])
    assert value["inside"] == np.count_nonzero(u)
    assert not u[0, :4].any()
    assert (tmp_path / "u.png").is_file()


def test_a_mesh_and_a_field_of_one_s_own_are_taken(folder, tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    trimesh.creation.cylinder(radius=1, height=3).export(tmp_path / "c.stl")
    np.save(tmp_path / "k.npy", np.random.default_rng(0).normal(size=(2, 16, 16)))
    done = call("predict", folder / "run", "--mask", tmp_path / "c.stl", "--inputs", tmp_path / "k.npy", "--json")
    assert json.loads(done.out)["shape"] == [2, 16, 16]
    assert json.loads(done.out)["inside"] == pytest.approx(np.pi / 4 * 225, rel=0.1)


def test_the_coefficient_counts_inside_the_domain_alone(folder, tmp_path):
    mask = rasterize("l-shape", 16, 16).numpy()
    k = np.random.default_rng(0).normal(size=(16, 16))
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "whole.npy", k)
    np.save(tmp_path / "inside.npy", np.where(mask, k, 0))
    words = ("predict", folder / "run", "--mask", tmp_path / "mask.npy", "--json", "--inputs")
    whole = call(*words, tmp_path / "whole.npy").out
    assert whole == call(*words, tmp_path / "inside.npy").out
    samples = load_data(folder / "d.npz")[:1]
    samples = replace(
        samples,
        functions=torch.from_numpy(np.where(mask, k, 0)[None]).float(),
        mask=torch.from_numpy(mask).flatten()[None],
    )
    assert json.loads(whole)["max"] == pytest.approx(
        float(load(folder / "run", "cpu").predict(samples)[samples.mask].max())
    )


def test_the_first_samples_of_a_file_may_be_of_fewer_tasks(folder, tmp_path):
    done = call(
        "transfer",
        folder / "run",
        folder / "d.npz",
        "--samples",
        "4",
        "--out",
        tmp_path / "t",
        "--steps",
        "2",
        "--json",
    )
    assert json.loads(done.out)["tasks"] == {"square": 4}


def test_a_law_is_named_with_its_parameters(folder, tmp_path):
    inputs = ",".join(["0.5"] * 8)
    words = ("predict", folder / "laws", "--inputs", inputs, "--json")
    by_name = call(*words, "--source", "F4,a=0.5,b=0").out
    assert json.loads(by_name)["shape"] == [1, 4, 8]
    assert by_name == call(*words, "--source", "0.5,-0.5,0,0").out


def test_a_network_is_exported(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", folder / "run", tmp_path / "net.onnx", "--json")
    assert json.loads(done.out)["inputs"]["mask"] == ["n", 256]
    samples = load_data(folder / "d.npz")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    feeds = {"functions": samples.functions, "mask": samples.mask.float(), "points": samples.points}
    (found,) = session.run(None, {name: value.numpy() for name, value in feeds.items()})
    np.testing.assert_allclose(found, load(folder / "run", "cpu").predict(samples), atol=1e-5)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["generate", "darcy", "--out", "a.npz", "--n", "0"], ["n must be at least 1"]),
        (["generate", "darcy", "--out", "a.csv"], [".npz"]),
        (["generate", "darcy", "--out", "a.npz", "--geometry", "circle"], ["one of square", "circle"]),
        (["generate", "darcy", "--out", "a.npz", "--geometry", "none.png"], ["no file none.png"]),
        (["generate", "darcy", "--out", "a.npz", "--geometry", "disc,disc"], ["stand once each"]),
        (["generate", "darcy", "--out", "a.npz", "--geometry", "ones.npy,b/ones.npy"], ["two geometries are called"]),
        (["generate", "fisher", "--out", "a.npz", "--families", "F3"], ["not F3"]),
        (["generate", "plate", "--out", "a.npz", "--n", "65"], ["1 to 64"]),
        (["generate", "heat", "--out", "a.npz"], ["heat"]),
        (["train", "absent.npz", "--out", "new"], ["no file absent.npz"]),
        (["train", "d.npz", "f.npz", "--out", "new"], ["same grid of points"]),
        (["train", "d.npz", "--out", "new", "--filters", "2,2,2,2,2"], ["at least 32"]),
        (["train", "d.npz", "--out", "new", "--architecture", "mlp"], ["rows of numbers"]),
        (["train", "d.npz", "--out", "run"], ["--resume"]),
        (["train", "half.npz", "--out", "new"], ["mask has a value that is neither 0 nor 1 in sample 1"]),
        (["train", "empty.npz", "--out", "new"], ["the mask of sample 1 (from 0) is all zeros"]),
        (["train", "one.npz", "--out", "new"], ["too few samples"]),
        (
            ["transfer", "run", "l.npz", "--out", "new", "--parts", "branch.head"],
            ["no part 'branch.head'", "branch.conv.0"],
        ),
        (["transfer", "run", "l.npz", "--out", "new", "--samples", "5"], ["4 samples", "not 5"]),
        (["transfer", "run", "f.npz", "--out", "new"], ["was trained on"]),
        (["evaluate", "absent", "d.npz"], ["absent"]),
        (["evaluate", "run", "f.npz"], ["but the network takes"]),
        (["evaluate", "run", "d.npz", "--plot", "a.gif"], [".svg"]),
        (["predict", "run", "--mask", "grey.npy"], ["zeros and ones only"]),
        (["predict", "run", "--mask", "solid.npy"], ["3 dimensions, and the grid 2"]),
        (["predict", "run", "--mask", "archive.npy"], ["an archive of arrays"]),
        (["predict", "run", "--inputs", "archive.npy"], ["not an .npy file of numbers"]),
        (["predict", "run", "--inputs", "1,2"], ["(16, 16)"]),
        (["predict", "run", "--inputs", "k.csv"], ["no file k.csv"]),
        (["predict", "run", "--source", "F1,a=1"], ["takes no --source"]),
        (["predict", "run", "--out", "u.txt"], [".npy"]),
        (["predict", "laws", "--source", "F1,a=1"], ["--inputs"]),
        (["predict", "laws", "--inputs", "1,1,1,1,1,1,1,1"], ["--source"]),
        (["predict", "laws", "--inputs", "1,1,1,1,1,1,1,1", "--source", "F4,a=x,b=1"], ["a source is a law"]),
        (["predict", "laws", "--inputs", "1,1,1,1,1,1,1,1", "--source", "F4,a=1"], ["parameters a, b"]),
        (["export", "run", "net.pt"], [".onnx"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    if not (folder / "half.npz").is_file():
        parts = {"functions": np.zeros((2, 16, 16)), "points": nodes(16, 16).numpy(), "values": np.ones((2, 256))}
        ones = np.ones((2, 256))
        np.savez("half.npz", **parts, mask=ones - 0.5 * np.array([[0], [1]]))
        np.savez("empty.npz", **parts, mask=ones * np.array([[1], [0]]))
        save_data(load_data("d.npz")[:1], "one.npz")
        np.save("grey.npy", np.full((16, 16), 0.5))
        np.save("solid.npy", np.ones((4, 4, 4)))
        np.save("ones.npy", np.ones((16, 16)))
        np.savez("archive.npz", a=np.ones((16, 16)))
        Path("archive.npz").rename("archive.npy")
    before = contents(folder)
    call(*words).assert_refused(*expected)
    assert contents(folder) == before
