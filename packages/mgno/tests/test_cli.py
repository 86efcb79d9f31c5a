"""The commands on files, those of strangers among them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from mgno_shell import TINY, call

from separata.testing import contents, interrupted_after


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data of a problem, and a network that was trained on it."""
    place = tmp_path_factory.mktemp("files")
    for name, n, seed in (("train", 12, 0), ("test", 4, 1)):
        done = call("generate", "darcy", "--out", place / f"{name}.npz", "--n", n, "--resolution", "9", "--seed", seed)
        assert done.code == 0, done.err
    done = call("train", place / "train.npz", "--out", place / "run", *TINY)
    assert done.code == 0, done.err
    return place


def test_data_is_generated_as_asked(tmp_path):
    out = tmp_path / "flow.npz"
    done = call("generate", "navier-stokes", "--out", out, "--n", 2, "--resolution", 8, "--n-frames", 3, "--json")
    expected = {"problem": "navier-stokes", "out": str(out), "n_samples": 2, "height": 8, "width": 8, "n_frames": 3}
    assert json.loads(done.out) == expected
    with np.load(out) as arrays:
        assert arrays["frames"].shape == (2, 3, 8, 8)


def test_a_training_answers_with_its_error_and_can_be_resumed(folder, tmp_path):
    done = call(
        "train", folder / "train.npz", "--out", tmp_path / "run", "--validation", folder / "test.npz", "--json", *TINY
    )
    value = json.loads(done.out)
    assert (value["epochs"], done.code) == (2, 0)
    assert value["validation_l2"] > 0
    assert "epoch 2" in done.err
    with interrupted_after(4):
        stopped = call("train", folder / "train.npz", "--out", tmp_path / "part", *TINY)
    assert stopped.code == 130
    assert "--resume" in stopped.err
    again = call("train", folder / "train.npz", "--out", tmp_path / "part", "--resume", *TINY)
    assert again.code == 0, again.err
    assert contents(tmp_path / "part")["model.safetensors"] == contents(folder / "run")["model.safetensors"]


def test_errors_of_a_network_are_told_and_drawn(folder, tmp_path):
    done = call("evaluate", folder / "run", folder / "test.npz", "--plot", tmp_path / "picture.png", "--json")
    value = json.loads(done.out)
    assert (value["n_samples"], value["height"]) == (4, 9)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    text = call("evaluate", folder / "run/model.safetensors", folder / "test.npz").out
    assert f"{value['relative_l2']:.3e}" in text


def test_functions_are_predicted_on_any_grid_and_in_steps(folder, tmp_path):
    np.save(tmp_path / "a.npy", np.where(np.random.default_rng(0).normal(size=(3, 12, 10)) > 0, 12.0, 3.0))
    done = call("predict", folder / "run", tmp_path / "a.npy", "--out", tmp_path / "u.npy", "--json")
    assert json.loads(done.out)["shape"] == [3, 1, 12, 10]
    call("predict", folder / "run", tmp_path / "a.npy", "--out", tmp_path / "s.npy", "--steps", 2)
    steps, once = np.load(tmp_path / "s.npy"), np.load(tmp_path / "u.npy")
    np.testing.assert_allclose(steps[:, 0], once, rtol=1e-5, atol=1e-7)
    np.save(tmp_path / "next.npy", steps[:, 0])
    call("predict", folder / "run", tmp_path / "next.npy", "--out", tmp_path / "v.npy", "--plot", tmp_path / "p.svg")
    np.testing.assert_allclose(steps[:, 1], np.load(tmp_path / "v.npy"), rtol=1e-5, atol=1e-7)
    assert (tmp_path / "p.svg").is_file()


def test_fno_s_files_and_flows_are_trained_on_with_every_kind(folder, tmp_path):
    rng = np.random.default_rng(0)
    scipy.io.savemat(tmp_path / "piece.mat", {"coeff": rng.random((6, 17, 17)), "sol": rng.random((6, 17, 17))})
    for kind in ("fno", "unet", "dilated-resnet"):
        out = tmp_path / kind
        done = call("train", tmp_path / "piece.mat", "--stride", 2, "--n", 5, "--kind", kind, "--out", out, *TINY)
        assert done.code == 0, done.err
    np.savez(tmp_path / "flow.npz", frames=rng.random((3, 3, 8, 8)))
    words = ("--padding-mode", "circular", "--residual", "--bias", "function", "--loss", "l2")
    assert call("train", tmp_path / "flow.npz", "--out", tmp_path / "flow", *words, *TINY).code == 0
    found = json.loads(call("evaluate", tmp_path / "flow", tmp_path / "flow.npz", "--json").out)
    assert (found["n_steps"], found["n_samples"]) == (2, 6)
    assert found["rollout_l2"] > 0


def test_the_darcy_set_of_neuraloperator_is_learned_at_16_and_evaluated_at_32(tmp_path):
    data = Path(os.environ.get("SEPARATA_DATA", "nowhere")) / "pde"
    if not (data / "darcy_train_16.pt").is_file():
        pytest.skip("the Darcy set of neuraloperator is not in $SEPARATA_DATA/pde")
    words = ("--width", 8, "--num-layers", 2, "--epochs", 4, "--lr", 5e-3, "--n", 80, "--device", "cpu")
    done = call("train", data / "darcy_train_16.pt", "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    errors = []
    for size in (16, 32):
        answer = call("evaluate", tmp_path / "run", data / f"darcy_test_{size}.pt", "--n", 20, "--json")
        found = json.loads(answer.out)
        assert found["height"] == size
        errors.append(found["relative_l2"])
    assert errors[0] < 0.5
    assert errors[1] < 0.8


@pytest.mark.slow
def test_a_network_is_exported(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", folder / "run", tmp_path / "net.onnx", "--json")
    assert json.loads(done.out)["x"] == ["samples", 1, 9, 9]
    with np.load(folder / "test.npz") as arrays:
        x = arrays["x"]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    call("predict", folder / "run", folder / "test.npz", "--out", tmp_path / "u.npy")
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.load(tmp_path / "u.npy"), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["generate", "darcy", "--out", "a.npz", "--n", "0"], ["at least 1, not 0"]),
        (["generate", "darcy", "--out", "a.csv"], [".npz"]),
        (["generate", "darcy", "--out", "a.npz", "--viscosity", "1"], ["viscosity does not apply"]),
        (["generate", "darcy", "--out", "a.npz", "--resolution", "2"], ["resolution must be at least 4"]),
        (["generate", "burgers", "--out", "a.npz"], ["burgers"]),
        (["train", "absent.npz", "--out", "new"], ["no file absent.npz"]),
        (["train", "names.npz", "--out", "new"], ["coeff and sol"]),
        (["train", "zero.npz", "--out", "new"], ["zero everywhere in sample"]),
        (["train", "train.npz", "--out", "new", "--cycles", "1,0"], ["two digits a level"]),
        (["train", "train.npz", "--out", "new", "--cycles", "10,10,10,10,20"], ["need at least 16 points"]),
        (["train", "train.npz", "--out", "new", "--cycles", "10,11"], ["no way up"]),
        (["train", "train.npz", "--out", "new", "--epochs", "0"], ["epochs must be at least 1"]),
        (["train", "train.npz", "--out", "new", "--n", "99"], ["12 samples, not 99"]),
        (["train", "train.npz", "--out", "run"], ["--resume"]),
        (["evaluate", "absent", "test.npz"], ["absent"]),
        (["evaluate", "run", "two.npz"], ["functions of 2 channels", "takes 1"]),
        (["evaluate", "run", "test.npz", "--plot", "a.gif"], [".svg"]),
        (["predict", "run", "tiny.npy", "--out", "a.npy"], ["need at least 4 points"]),
        (["predict", "run", "test.npz", "--out", "a.txt"], [".npy"]),
        (["predict", "run", "test.npz", "--out", "a.npy", "--steps", "0"], ["at least 1 step"]),
        (["export", "run", "net.pt"], [".onnx"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    np.savez("names.npz", coefficient=np.ones((3, 8, 8)))
    np.savez("zero.npz", x=np.ones((3, 8, 8)), y=np.zeros((3, 8, 8)))
    np.savez("two.npz", x=np.ones((3, 2, 8, 8)), y=np.ones((3, 8, 8)))
    np.save("tiny.npy", np.ones((2, 3, 3)))
    before = contents(folder)
    call(*words).assert_refused(*expected)
    assert contents(folder) == before
