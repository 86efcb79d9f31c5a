"""The commands on files, those of strangers among them."""

import csv
import json

import numpy as np
import pytest
import torch
from af_kan_shell import TINY, call

from af_kan import load
from separata.testing import contents, interrupted_after, write_bomb


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Clouds of points as files, a table of numbers, and networks that were trained on them."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    labels = np.arange(300) % 3
    x = (2 * rng.normal(size=(3, 6))[labels] + 0.5 * rng.normal(size=(300, 6))).astype("float32")
    np.savez(folder / "own.npz", x=x, y=labels)
    with (folder / "own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"f{i}" for i in range(6)), "label"])
        rows.writerows([*row, "abc"[label]] for row, label in zip(x.tolist(), labels, strict=True))
    with (folder / "prices.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["area", "kind", "age", "price"])
        rows.writerows(
            [round(a, 4), "ab"[i % 2], round(b, 4), 200 + 90 * a - 40 * b + 30 * (i % 2)]
            for i, (a, b) in enumerate(rng.random((200, 2)).tolist())
        )
    done = call("train", folder / "own.npz", "--out", folder / "run", *TINY)
    assert done.code == 0, done.err
    done = call("train", folder / "prices.csv", "--out", folder / "prices", "--norm", "batch", *TINY)
    assert done.code == 0, done.err
    return folder


def test_a_training_answers_and_leaves_its_files(place, tmp_path):
    code, out, _ = call("train", place / "own.csv", "--out", tmp_path / "run", "--json", *TINY)
    assert code == 0
    value = json.loads(out)
    assert value["test_accuracy"] > 0.9
    assert value["test_macro_f1"] > 0.9
    assert value["steps"] == 3 * 7
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json",
        "history.csv",
        "checkpoint.safetensors",
        "model.safetensors",
    }
    assert len((tmp_path / "run/history.csv").read_text().splitlines()) == 4


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(place, tmp_path):
    with interrupted_after(11):
        code, _, err = call("train", place / "own.npz", "--out", tmp_path / "run", *TINY)
    assert code == 130
    assert "--resume" in err
    assert call("train", place / "own.npz", "--out", tmp_path / "run", *TINY).code == 2
    assert call("train", place / "own.npz", "--out", tmp_path / "run", "--resume", *TINY).code == 0
    ours, theirs = contents(tmp_path / "run"), contents(place / "run")
    for name in ("model.safetensors", "history.csv"):
        assert ours[name] == theirs[name], name


def test_a_network_is_evaluated_and_drawn(place, tmp_path):
    code, out, _ = call("evaluate", place / "run", place / "own.npz", "--plot", tmp_path / "confusion.svg", "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] > 0.9
    assert "samples" in (tmp_path / "confusion.svg").read_text()
    whole = json.loads(call("evaluate", place / "run", place / "own.npz", "--part", "all", "--json").out)
    assert whole["n_samples"] == 300
    code, out, _ = call("evaluate", place / "prices", place / "prices.csv", "--plot", tmp_path / "prices.png")
    assert code == 0
    assert "rmse" in out
    assert (tmp_path / "prices.png").read_bytes().startswith(b"\x89PNG")


def test_samples_without_labels_are_predicted(place, tmp_path):
    (tmp_path / "new.csv").write_text("age,area,kind\n0.5,0.1,b\n0.2,0.9,a\n")
    code, out, _ = call("predict", place / "prices", tmp_path / "new.csv", "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    x = torch.tensor([[0.1, 0, 1, 0.5], [0.9, 1, 0, 0.2]])
    with torch.no_grad():
        expected = load(place / "prices", "cpu")(x)[:, 0].tolist()
    assert [row["price"] for row in rows] == pytest.approx(expected, rel=1e-5)
    with np.load(place / "own.npz") as arrays:
        np.save(tmp_path / "x.npy", arrays["x"])
        labels = arrays["y"]
    assert call("predict", place / "run", tmp_path / "x.npy", "--out", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open() as file:
        found = [int(row["class"]) for row in csv.DictReader(file)]
    assert np.mean(np.array(found) == labels) > 0.9
    assert "write all with --out" in call("predict", place / "run", tmp_path / "x.npy").out


def test_a_formula_is_fitted_beside_another_network(tmp_path):
    code, out, _ = call(
        "fit",
        "exp(-4*x**2)*sin(6*pi*x)",
        "--hidden",
        "8",
        "--epochs",
        "4",
        "--n-train",
        "100",
        "--plot",
        tmp_path / "fit.svg",
        "--json",
    )
    assert code == 0
    value = json.loads(out)
    assert value["variables"] == ["x"]
    ours, mlp = value["rows"]
    assert (ours["network"], mlp["network"]) == ("af-kan", "mlp")
    assert abs(ours["n_parameters"] - mlp["n_parameters"]) <= 10
    assert "function" in (tmp_path / "fit.svg").read_text()
    assert "rmse" in call("fit", "feynman-i-13-4", "--beside", "", "--epochs", "1", "--n-train", "50").out


def test_networks_are_compared_at_equal_parameters(place, tmp_path):
    code, out, _ = call(
        "compare",
        place / "own.npz",
        "--match",
        "params",
        "--kinds",
        "af-kan,relu-kan,chebyshev-kan",
        "--rates",
        "0.003,0.01",
        "--seeds",
        "2",
        "--plot",
        tmp_path / "sizes.svg",
        "--json",
        *TINY,
    )
    assert code == 0
    rows = {row["network"]: row for row in json.loads(out)["rows"]}
    assert set(rows) == {"af-kan", "relu-kan", "chebyshev-kan"}
    assert int(rows["relu-kan"]["hidden"]) < 10 == int(rows["af-kan"]["hidden"])
    assert all(row["lr"] in {0.003, 0.01} and row["kflop"] > 0 and row["std"] is not None for row in rows.values())
    assert "parameters" in (tmp_path / "sizes.svg").read_text()


@pytest.mark.parametrize(("axis", "n"), [("combination", 7), ("norm", 3)])
def test_one_setting_is_varied(place, tmp_path, axis, n):
    code, out, _ = call("ablate", place / "own.npz", "--axis", axis, "--plot", tmp_path / "axis.svg", *TINY)
    assert code == 0
    assert len(out.splitlines()) == n + 1
    assert "accuracy" in out.splitlines()[0]
    assert (tmp_path / "axis.svg").is_file()


def test_regression_is_compared_by_what_is_explained(place):
    out = call("compare", place / "prices.csv", "--kinds", "af-kan,mlp", "--norm", "batch", *TINY).out
    assert "r2" in out.splitlines()[0]


def test_a_network_is_exported(place, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", place / "run", tmp_path / "net.onnx", "--json")
    assert json.loads(done.out)["input"] == ["batch", 6]
    x = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = load(place / "run", "cpu")(torch.from_numpy(x))
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "absent.npz", "--out", "new"], ["absent.npz"]),
        (["train", "own.npz", "--out", "run"], ["--resume"]),
        (["train", "own.npz", "--out", "new", "--hidden", "wide"], ["64,32"]),
        (["train", "own.npz", "--out", "new", "--grid-size", "0"], ["grid size"]),
        (["train", "own.npz", "--out", "new", "--order", "-1"], ["order"]),
        (["train", "own.npz", "--out", "new", "--activation", "swish"], ["swish", "silu"]),
        (["train", "own.npz", "--out", "new", "--reduction", "mean"], ["mean", "multistep"]),
        (["train", "own.npz", "--out", "new", "--kind", "kan"], ["kan", "af-kan"]),
        (["train", "own.npz", "--out", "new", "--methods", "multistep,mean"], ["mean"]),
        (["train", "own.npz", "--out", "new", "--epochs", "0"], ["epochs"]),
        (["train", "own.npz", "--out", "new", "--gamma", "2"], ["gamma"]),
        (["train", "own.npz", "--out", "new", "--lr", "1e30", "--epochs", "2"], ["diverged"]),
        (["train", "own.npz", "--out", "new", "--target", "y"], ["table"]),
        (["train", "own.npz", "--out", "new", "--task", "regression", "--kind", "mlp", "--lr", "nan"], ["lr"]),
        (["train", "own.csv", "--out", "new", "--target", "size"], ["size"]),
        (["train", "bad.npz", "--out", "new"], ["infinite"]),
        (["train", "other.npz", "--out", "new"], ["x_train"]),
        (["train", "bomb.npz", "--out", "new"], ["bomb.npz"]),
        (["evaluate", "absent", "own.npz"], ["absent"]),
        (["evaluate", "run", "prices.csv"], ["takes 6"]),
        (["evaluate", "run", "own.npz", "--plot", "a.gif"], [".svg"]),
        (["predict", "run", "few.npy"], ["6"]),
        (["predict", "run", "nan.npy"], ["NaN"]),
        (["predict", "run", "x.npy", "--out", "a.txt"], [".csv"]),
        (["predict", "prices", "lacks.csv"], ["kind"]),
        (["fit", "exp("], ["exp("]),
        (["fit", "__import__('os')"], ["__import__"]),
        (["fit", "3"], ["no variable"]),
        (["fit", "log(x)", "--low", "-1"], ["no finite value"]),
        (["fit", "x", "--n-train", "3"], ["at least 10"]),
        (["fit", "x", "--beside", "kan"], ["kan"]),
        (["compare", "own.npz", "--kinds", "af-kan,kan"], ["kan"]),
        (["compare", "own.npz", "--kinds", ""], ["at least one"]),
        (["compare", "own.npz", "--rates", "fast"], ["fast"]),
        (["compare", "own.npz", "--seeds", "0"], ["seeds"]),
        (["compare", "own.npz", "--match", "params", "--hidden", "2", "--kinds", "bspline-kan"], ["too small"]),
        (["ablate", "own.npz", "--kind", "mlp"], ["af-kan"]),
        (["ablate", "own.npz", "--axis", "width"], ["width"]),
        (["export", "run", "net.pt"], [".onnx"]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_costs_one_line_and_leaves_nothing(place, words, expected, monkeypatch):
    monkeypatch.chdir(place)
    np.save("few.npy", np.zeros((3, 4), "float32"))
    np.save("x.npy", np.zeros((3, 6), "float32"))
    np.save("nan.npy", np.full((3, 6), np.nan, "float32"))
    np.savez("bad.npz", x=np.full((30, 2), np.inf, "float32"), y=np.arange(30) % 2)
    np.savez("other.npz", X=np.zeros((3, 2)), labels=np.zeros(3))
    (place / "lacks.csv").write_text("area,age\n0.5,0.1\n")
    write_bomb(place / "bomb.npz", place / "mark")
    before = contents(place)
    call(*words).assert_refused(*expected, after_progress=True)
    assert contents(place) == before
    assert not (place / "mark").exists()


def test_a_damaged_training_is_refused(place, tmp_path):
    assert call("train", place / "own.npz", "--out", tmp_path / "run", *TINY).code == 0
    config = tmp_path / "run/config.json"
    whole = config.read_text()
    for text in ("", "[]", "{}", whole.replace('"silu"', '"swish"'), whole.replace('"sample"', '"example"')):
        config.write_text(text)
        call("evaluate", tmp_path / "run", place / "own.npz").assert_refused()
    config.write_text(whole)
    (tmp_path / "run/model.safetensors").write_bytes(b"not whole")
    call("evaluate", tmp_path / "run", place / "own.npz").assert_refused("safetensors")
