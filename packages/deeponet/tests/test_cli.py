"""The commands on files, those of strangers among them."""

import json

import numpy as np
import pytest
from deeponet_shell import TINY, call

from separata.testing import contents, interrupted_after


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data of a problem, and a network that was trained on it."""
    place = tmp_path_factory.mktemp("files")
    for name, seed in (("train", 0), ("test", 1)):
        done = call(
            "generate",
            "antiderivative",
            "--out",
            place / f"{name}.npz",
            "--n",
            "40",
            "--n-sensors",
            "10",
            "--n-points",
            "6",
            "--seed",
            seed,
        )
        assert done.code == 0, done.err
    done = call("train", place / "train.npz", "--out", place / "run", *TINY)
    assert done.code == 0, done.err
    return place


def test_data_is_generated_as_asked(tmp_path):
    out = tmp_path / "data.npz"
    code, printed, _ = call(
        "generate",
        "advection-2",
        "--out",
        out,
        "--n",
        "3",
        "--n-grid",
        "8",
        "--space",
        "chebyshev",
        "--n-modes",
        "5",
        "--n-points",
        "0",
        "--json",
    )
    assert code == 0
    assert json.loads(printed) == {
        "problem": "advection-2",
        "out": str(out),
        "n_functions": 3,
        "n_sensors": 100,
        "n_points": 64,
        "n_coordinates": 2,
        "n_outputs": 1,
    }
    with np.load(out) as arrays:
        s = arrays["s"].reshape(3, 8, 8)
        x, v = np.linspace(0, 1, 8), arrays["u"]
    assert not s[:, 1:, 0].any()
    np.testing.assert_allclose(s[:, 0, -1], v[:, -1], rtol=1e-4)
    np.testing.assert_allclose(s[:, 2, 2:], s[:, 0, :-2], atol=1e-5)
    assert len(x) == 8


def test_a_training_answers_with_its_error_and_can_be_resumed(folder, tmp_path):
    code, out, err = call(
        "train", folder / "train.npz", "--out", tmp_path / "run", "--test", folder / "test.npz", "--json", *TINY
    )
    assert code == 0
    value = json.loads(out)
    assert value["steps"] == 30
    assert value["train_mse"] > 0
    assert "test" in err
    with interrupted_after(15):
        code, _, err = call("train", folder / "train.npz", "--out", tmp_path / "part", *TINY)
    assert code == 130
    assert "--resume" in err
    again = call("train", folder / "train.npz", "--out", tmp_path / "part", "--resume", *TINY)
    assert again.code == 0
    assert contents(tmp_path / "part")["model.safetensors"] == contents(folder / "run")["model.safetensors"]


def test_errors_of_a_network_are_told_and_drawn(folder, tmp_path):
    code, out, _ = call("evaluate", folder / "run", folder / "test.npz", "--plot", tmp_path / "picture.png", "--json")
    assert code == 0
    value = json.loads(out)
    assert value["generalization_gap"] == pytest.approx(value["mse"] - value["train_mse"])
    assert value["n_rows"] == 240
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    text = call("evaluate", folder / "run/model.safetensors", folder / "test.npz").out
    assert f"{value['mse']:.3e}" in text


def test_functions_are_predicted_at_points(folder, tmp_path):
    u = np.random.default_rng(0).normal(size=(3, 10))
    np.savetxt(tmp_path / "sensors.csv", u, delimiter=",")
    (tmp_path / "points.csv").write_text("t\n0.1\n0.9\n")
    code, out, _ = call(
        "predict",
        folder / "run",
        tmp_path / "sensors.csv",
        tmp_path / "points.csv",
        "--out",
        tmp_path / "out.csv",
        "--plot",
        tmp_path / "picture.svg",
        "--json",
    )
    assert code == 0
    values = np.array(json.loads(out)["s"])
    assert values.shape == (3, 2, 1)
    table = np.genfromtxt(tmp_path / "out.csv", delimiter=",", names=True)
    assert table.dtype.names == ("function", "y0", "s0")
    np.testing.assert_allclose(table["s0"].reshape(3, 2), values[..., 0], rtol=1e-6)
    np.testing.assert_allclose(table["y0"], [0.1, 0.9] * 3, rtol=1e-6)
    printed = call("predict", folder / "run", tmp_path / "sensors.csv", tmp_path / "points.csv").out
    assert printed.splitlines() == (tmp_path / "out.csv").read_text().splitlines()


def test_a_network_is_exported(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", folder / "run", tmp_path / "net.onnx", "--grid", "--json")
    assert json.loads(done.out)["inputs"] == {"u": ["functions", 10], "y": ["points", 1]}
    with np.load(folder / "test.npz") as arrays:
        u, y = arrays["u"], arrays["y"][0]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"u": u, "y": y})
    np.save(tmp_path / "u.npy", u)
    np.save(tmp_path / "y.npy", y)
    predicted = call("predict", folder / "run", tmp_path / "u.npy", tmp_path / "y.npy", "--json").out
    np.testing.assert_allclose(found, np.array(json.loads(predicted)["s"])[..., 0], atol=1e-6, rtol=1e-5)


def test_a_table_of_one_s_own_is_trained_on_in_one_command(tmp_path):
    rng = np.random.default_rng(0)
    u, y = rng.normal(size=(50, 3)), rng.random(50)
    rows = np.column_stack([u, y, u.sum(1) * y])
    head = "u0,u1,u2,y0,s0"
    np.savetxt(tmp_path / "pairs.csv", rows, delimiter=",", header=head, comments="")
    for kind in ("deeponet", "fnn", "resnet"):
        done = call("train", tmp_path / "pairs.csv", "--out", tmp_path / kind, "--kind", kind, *TINY)
        assert done.code == 0, done.err
        assert call("evaluate", tmp_path / kind, tmp_path / "pairs.csv").code == 0


def test_data_of_deepxde_is_trained_on_and_evaluated_by_its_parts(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 30), ("test", 20)):
        arrays |= {
            f"X_{part}0": rng.normal(size=(n, 4)),
            f"X_{part}1": rng.random((n, 1)),
            f"y_{part}": rng.random((n, 1)),
        }
    np.savez(tmp_path / "xde.npz", **arrays)
    assert call("train", tmp_path / "xde.npz", "--out", tmp_path / "run", *TINY).code == 0
    found = json.loads(call("evaluate", tmp_path / "run", tmp_path / "xde.npz", "--json").out)
    assert found["n_functions"] == 20


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["generate", "antiderivative", "--out", "a.npz", "--n", "0"], ["at least 1, not 0"]),
        (["generate", "antiderivative", "--out", "a.csv"], [".npz"]),
        (["generate", "antiderivative", "--out", "a.npz", "--length-scale", "0"], ["length scale must be positive"]),
        (["generate", "sode", "--out", "a.npz", "--n-sensors", "5"], ["n_sensors does not apply"]),
        (["generate", "burgers", "--out", "a.npz"], ["burgers"]),
        (["generate", "antiderivative", "--out", "a.npz", "--seed", "-1"], ["seed"]),
        (["train", "absent.npz", "--out", "new"], ["no file absent.npz"]),
        (["train", "train.npz", "--out", "new", "--branch", "8,9", "--trunk", "8,8"], ["9 of the branch and 8"]),
        (["train", "train.npz", "--out", "new", "--branch", "wide"], ["40,40"]),
        (["train", "train.npz", "--out", "new", "--steps", "0"], ["steps must be at least 1"]),
        (["train", "train.npz", "--out", "new", "--kind", "fnn", "--stacked"], ["stacked does not apply", "fnn"]),
        (["train", "train.npz", "--out", "run"], ["--resume"]),
        (["train", "few.npz", "--out", "new", "--test", "train.npz"], ["different shapes"]),
        (["evaluate", "absent", "test.npz"], ["absent"]),
        (["evaluate", "run", "few.npz"], ["m=4 sensors", "m=10 sensors"]),
        (["evaluate", "run", "test.npz", "--plot", "a.gif"], [".svg"]),
        (["predict", "run", "few.csv", "points.csv"], ["m=10 sensor values, got 4"]),
        (["predict", "run", "ten.csv", "few.csv"], ["d=1 coordinates, got 4"]),
        (["predict", "run", "ten.csv", "points.csv", "--out", "a.txt"], [".csv"]),
        (["predict", "run", "ten.csv", "bad.csv"], ["not finite"]),
        (["export", "run", "net.pt"], [".onnx"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    np.savez("few.npz", u=np.zeros((3, 4)), y=np.zeros((3, 1)), s=np.zeros(3))
    (folder / "few.csv").write_text("1,2,3,4\n")
    (folder / "ten.csv").write_text(",".join("0123456789") + "\n")
    (folder / "points.csv").write_text("0.5\n")
    (folder / "bad.csv").write_text("0.5\nnan\n")
    before = contents(folder)
    call(*words).assert_refused(*expected)
    assert contents(folder) == before
