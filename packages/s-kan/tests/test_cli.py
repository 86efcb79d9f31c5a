"""The commands, on formulas and on files of strangers."""

import csv
import json

import numpy as np
import pytest
import torch
from s_kan_shell import TINY, call

from separata import files
from separata.testing import contents, interrupted_after

FORMULA = "exp(-x**2) + 0.3*y"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A formula, a regression, a classification and images, each with a trained network."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    sizes, colors = rng.uniform(10, 90, 80), rng.choice(["red", "blue"], 80)
    price = 1000 + 12 * sizes + 300 * (colors == "red")
    rows = [{"size": f"{a:.3f}", "color": c, "price": f"{p:.2f}"} for a, c, p in zip(sizes, colors, price)]
    (place / "homes.csv").write_text(files.to_csv(rows))
    classes = [{**row, "kind": "large" if float(row["size"]) > 50 else "small"} for row in rows]
    (place / "kinds.csv").write_text(
        files.to_csv([{key: row[key] for key in ("size", "color", "kind")} for row in classes])
    )
    pixels = rng.integers(0, 255, (60, 6, 6), dtype=np.uint8)
    y = np.arange(60) % 2
    pixels[y == 1, :3] = 0
    np.savez(place / "images.npz", x=pixels, y=y)
    for source, name, words in (
        (FORMULA, "formula", ("--n-train", "80", "--n-test", "50")),
        (place / "homes.csv", "homes", ("--target", "price")),
        (place / "kinds.csv", "kinds", ()),
    ):
        done = call("fit", source, "--out", place / name, *words, *TINY)
        assert done.code == 0, done.err
    images = (
        "--pool",
        "rbf,fourier",
        "--n-basis",
        "4",
        "--channels",
        "3",
        "--epochs",
        "60",
        "--dropout",
        "0",
        "--device",
        "cpu",
    )
    done = call("image", place / "images.npz", "--out", place / "pictures", "--lr", "0.05", *images)
    assert done.code == 0, done.err
    return place


def test_a_formula_is_learned_drawn_and_explained(folder, tmp_path):
    out = tmp_path / "run"
    words = ("fit", FORMULA, "--out", out, "--n-train", "80", "--n-test", "50", *TINY)
    code, printed, err = call(*words, "--json")
    assert code == 0
    value = json.loads(printed)
    assert value["n_parameters"] == 2 * 3 * 7 + 3 * 7
    assert [len(layer) for layer in value["chosen"]] == [3, 1]
    assert value["test"]["rmse"] > 0
    assert "validation loss" in err
    assert {"functions.svg", "selection.svg", "model.safetensors", "history.csv"} <= set(contents(out))
    text = call("report", out).out
    assert all(name in text for name in value["chosen"][0])
    same = (contents(one)["model.safetensors"] for one in (out, folder / "formula"))
    assert len(set(same)) == 1, "the same seed, the same network"


def test_a_training_that_was_stopped_is_resumed(folder, tmp_path):
    words = ("fit", FORMULA, "--out", tmp_path / "part", "--n-train", "80", "--n-test", "50", *TINY)
    with interrupted_after(9):
        code, _, err = call(*words)
    assert code == 130
    assert "--resume" in err
    assert call(*words, "--resume").code == 0
    for name in ("model.safetensors", "history.csv"):
        assert contents(tmp_path / "part")[name] == contents(folder / "formula")[name]


@pytest.mark.parametrize("strategy", ["successive", "oracle"])
def test_strategies_leave_a_network_that_is_read_again(strategy, folder, tmp_path):
    words = ("fit", folder / "homes.csv", "--target", "price", "--out", tmp_path / "run", "--strategy", strategy, *TINY)
    value = json.loads(call(*words, "--json").out)
    assert set(value["alone"]) == {"rbf", "fourier"}
    assert not [name for name in contents(tmp_path / "run") if "family" in name or "trial" in name]
    found = json.loads(call("report", tmp_path / "run", "--json").out)
    assert [layer["chosen"] for layer in found["layers"]] == value["chosen"]
    assert call("evaluate", tmp_path / "run", folder / "homes.csv").code == 0


def test_errors_are_told(folder):
    formula = json.loads(call("evaluate", folder / "formula", "--json").out)
    assert formula["n"] == 50
    homes = json.loads(call("evaluate", folder / "homes", folder / "homes.csv", "--json").out)
    assert homes["rmse"] > 0
    assert homes["r2"] < 1
    kinds = json.loads(call("evaluate", folder / "kinds/model.safetensors", folder / "kinds.csv", "--json").out)
    assert 0.5 <= kinds["accuracy"] <= 1
    pictures = json.loads(call("evaluate", folder / "pictures", folder / "images.npz", "--json").out)
    assert pictures["accuracy"] > 0.8


def test_rows_and_pictures_are_predicted(folder, tmp_path):
    (tmp_path / "new.csv").write_text("color,size\nred,30\nblue,80\n")
    done = call("predict", folder / "kinds", tmp_path / "new.csv")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert len(rows) == 2
    assert {row["prediction"] for row in rows} <= {"large", "small"}
    assert call("predict", folder / "homes", tmp_path / "new.csv", "--out", tmp_path / "prices.csv").code == 0
    with (tmp_path / "prices.csv").open() as file:
        assert [float(row["prediction"]) > 500 for row in csv.DictReader(file)] == [True, True]
    (tmp_path / "points.csv").write_text("y,x\n0,0\n1,1\n")
    value = json.loads(call("predict", folder / "formula", tmp_path / "points.csv", "--json").out)
    assert len(value["predictions"]) == 2
    np.save(tmp_path / "x.npy", np.zeros((3, 6, 6), dtype=np.uint8))
    value = json.loads(call("predict", folder / "pictures", tmp_path / "x.npy", "--json").out)
    assert {row["prediction"] for row in value["predictions"]} <= {"0", "1"}


def test_predictions_of_a_column_s_order_are_the_same(folder, tmp_path):
    (tmp_path / "a.csv").write_text("size,color\n30,red\n")
    (tmp_path / "b.csv").write_text("other,color,size\n7,red,30\n")
    one, other = (call("predict", folder / "homes", tmp_path / name).out for name in ("a.csv", "b.csv"))
    assert one == other


def test_a_network_is_drawn_and_exported(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    done = call("report", folder / "homes", "--plot", tmp_path / "f.png", "--onnx", tmp_path / "net.onnx")
    assert done.code == 0, done.err
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (tmp_path / "a.csv").write_text("size,color\n30,red\n")
    value = json.loads(call("predict", folder / "homes", tmp_path / "a.csv", "--json").out)
    # The features of a table: size, color=blue, color=red.
    features = np.array([[30, 0, 1]], dtype=np.float32)
    assert session.run(None, {"x": features})[0].item() == pytest.approx(
        value["predictions"][0]["prediction"], rel=1e-4
    )
    assert json.loads(call("report", folder / "pictures", "--json").out)["layers"][0]["n_out"] == 3


def test_networks_are_compared(folder, tmp_path):
    done = call(
        "compare",
        folder / "homes.csv",
        "--target",
        "price",
        "--rates",
        "0.01",
        "--plot",
        tmp_path / "c.svg",
        "--json",
        *TINY,
    )
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert {row["network"] for row in rows} == {
        "S-KAN",
        "KAN, rbf",
        "KAN, fourier",
        "MLP, pruned size",
        "MLP, unpruned size",
    }
    assert {row["epochs"] for row in rows} == {12, 24}
    errors = [float(row["test RMSE"]) for row in rows]
    assert errors == sorted(errors)
    assert (tmp_path / "c.svg").is_file()


def test_the_suite_has_seven_functions():
    few = ("--n-train", "20", "--n-test", "10", "--hidden", "2", "--pool", "rbf", "--n-basis", "4", "--epochs", "2")
    with pytest.warns(UserWarning, match="nothing to select"):
        done = call("compare", "functions", "--rates", "0.01", *few, "--json")
    assert done.code == 0, done.err
    assert len({row["task"] for row in json.loads(done.out)["rows"]}) == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit", "sin(", "--out", "new"), ["sin("]),
        (("fit", "__import__('os')", "--out", "new"), ["function"]),
        (("fit", "log(x)", "--out", "new"), ["no finite value", "--low"]),
        (("fit", "x", "--target", "y", "--out", "new"), ["--target", "formula"]),
        (("fit", "absent.csv", "--out", "new"), ["no file absent.csv"]),
        (("fit", "homes.csv", "--target", "cost", "--out", "new"), ["no column cost"]),
        (("fit", "few.csv", "--out", "new"), ["at least 10"]),
        (("fit", "bad.csv", "--out", "new"), ["row 3"]),
        (("fit", "x", "--pool", "sinc", "--out", "new"), ["no basis 'sinc'"]),
        (("fit", "x", "--pool", "", "--out", "new"), ["pool is empty"]),
        (("fit", "x", "--pool", "rbf,rbf", "--out", "new"), ["twice"]),
        (("fit", "x", "--n-basis", "3", "--out", "new"), ["at least 4"]),
        (("fit", "x", "--hidden", "wide", "--out", "new"), ["5,5"]),
        (("fit", "x", "--full", "0.9", "--out", "new"), ["at most 1"]),
        (("fit", "x", "--top-k", "6", "--epochs", "2", "--out", "new"), ["1 to 5"]),
        (("fit", "x", "--epochs", "0", "--out", "new"), ["epochs"]),
        (("fit", "x", "--seed", "-1", "--out", "new"), ["seed"]),
        (("fit", "x", "--low", "1", "--high", "0", "--out", "new"), ["low must be less"]),
        (("fit", FORMULA, "--out", "formula"), ["--resume"]),
        (("fit", FORMULA, "--out", "formula", "--resume"), ["another"]),
        (("image", "homes.csv", "--out", "new"), ["homes.csv"]),
        (("image", "nothing", "--out", "new"), ["nothing"]),
        (("image", "images.npz", "--channels", "", "--out", "new"), ["channels"]),
        (("evaluate", "absent"), ["absent"]),
        (("evaluate", "homes"), ["another one, .csv"]),
        (("evaluate", "formula", "homes.csv"), ["formula"]),
        (("evaluate", "pictures"), ["name the images"]),
        (("evaluate", "pictures", "digits"), ["(1, 6, 6)"]),
        (("evaluate", "homes", "kinds.csv"), ["no column price"]),
        (("predict", "homes", "wrong.csv"), ["no column size"]),
        (("predict", "kinds", "green.csv"), ["green"]),
        (("predict", "formula", "wrong.csv"), ["no column x"]),
        (("predict", "homes", "homes.csv", "--out", "p.txt"), [".csv"]),
        (("report", "homes", "--plot", "f.gif"), [".svg"]),
        (("report", "homes", "--onnx", "net.pt"), [".onnx"]),
        (("report", "pictures", "--plot", "f.svg"), ["image network"]),
        (("compare", "x", "--rates", "fast"), ["learning rates"]),
        (("compare", "x", "--plot", "c.gif"), [".svg"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, said, monkeypatch, unchecked):
    monkeypatch.chdir(folder)
    (folder / "few.csv").write_text("a,y\n1,2\n2,3.5\n")
    (folder / "bad.csv").write_text("a,y\n1,2\n2,\n" + "3,4.5\n" * 10)
    (folder / "wrong.csv").write_text("a\n1\n")
    (folder / "green.csv").write_text("size,color\n1,green\n")
    before = contents(folder)
    call(*words).assert_refused(*said)
    assert contents(folder) == before


def test_weights_of_strangers_are_only_data(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "homes/config.json").read_text())
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    call("report", tmp_path).assert_refused("safetensors")
