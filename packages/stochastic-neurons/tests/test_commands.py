"""The commands, called as they are typed, on files that this package did not make."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from separata.testing import Commands, contents, interrupted_after
from stochastic_neurons import cli
from stochastic_neurons.paper import PAPER

call = Commands(PAPER, [cli.bench, cli.train, cli.evaluate, cli.sparsity, cli.speed])
OPTIONS = ["--experts", 20, "--gater-hidden", 6, "--epochs", 2, "--block-size", 4]


def table(path, n=60):
    """Flowers of a kind: a table with words as labels."""
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["length", "width", "species"])
        for _ in range(n):
            kind = random.integers(3)
            rows.writerow(
                [f"{kind + random.normal(0, 0.3):.3f}", f"{random.normal():.3f}", ["rose", "tulip", "iris"][kind]]
            )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    table(folder / "flowers.csv")
    assert call("train", folder / "flowers.csv", *OPTIONS, "--out", folder / "out").code == 0
    return folder


def test_a_table_is_learned_evaluated_and_looked_into(run, tmp_path):
    done = call(
        "evaluate", run / "out", run / "flowers.csv", "--predictions", tmp_path / "p.csv", "--draws", 3, "--json"
    )
    found = json.loads(done.out)
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert found["n"] == len(rows) == 12
    wrong = sum(row["label"] != row["predicted"] for row in rows) / 12
    assert found["error"] == pytest.approx(wrong)
    whole = json.loads(call("evaluate", run / "out", run / "flowers.csv", "--part", "all", "--json").out)
    assert whole["n"] == 60
    done = call("sparsity", run / "out", run / "flowers.csv", "--plot", tmp_path / "gates.svg", "--json")
    found = json.loads(done.out)
    assert found["gates"] == 5
    assert found["macs_dense"] == 20 * (2 + 3)
    assert found["macs_experts"] == pytest.approx(found["active"] * 100)
    assert "<svg" in (tmp_path / "gates.svg").read_text()


def test_classes_are_matched_by_name_where_a_file_lacks_some(run, tmp_path):
    whole = (run / "flowers.csv").read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join([line for line in whole if not line.endswith("iris")]) + "\n")
    options = ["--part", "all", "--inference", "threshold", "--predictions", tmp_path / "p.csv"]
    assert call("evaluate", run / "out", run / "flowers.csv", *options).code == 0
    expected = [row["predicted"] for row in csv.DictReader((tmp_path / "p.csv").open()) if row["label"] != "iris"]
    assert call("evaluate", run / "out", tmp_path / "few.csv", *options).code == 0
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert {row["label"] for row in rows} == {"rose", "tulip"}
    assert sorted(row["predicted"] for row in rows) == sorted(expected)
    (tmp_path / "other.csv").write_text("\n".join(whole).replace("iris", "lily") + "\n")
    call("evaluate", run / "out", tmp_path / "other.csv").assert_refused("the class lily; the network knows iris, rose")


def test_images_in_folders_are_learned(tmp_path):
    random = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (tmp_path / "pets" / kind).mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(0, 120, (9, 9)) + (100 if kind == "dog" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pets" / kind / f"{i}.png")
    done = call("train", tmp_path / "pets", *OPTIONS, "--size", 6, "--out", tmp_path / "out", "--json")
    assert json.loads(done.out)["steps"] == 2
    done = call("evaluate", tmp_path / "out", tmp_path / "pets", "--size", 6, "--inference", "threshold", "--json")
    assert 0 <= json.loads(done.out)["error"] <= 1
    call("evaluate", tmp_path / "out", tmp_path / "pets").assert_refused("samples of 36 numbers")


def test_an_interrupted_training_goes_on(run, tmp_path):
    options = [run / "flowers.csv", *OPTIONS[:-4], "--epochs", 6, "--batch-size", 8, "--out"]
    with interrupted_after(8):
        code, _, err = call("train", *options, tmp_path / "parts")
    assert code != 0
    assert "--resume" in err
    call("train", *options, tmp_path / "parts").assert_refused("--resume")
    assert call("train", *options, tmp_path / "parts", "--resume").code == 0
    assert call("train", *options, tmp_path / "whole").code == 0
    assert contents(tmp_path / "parts")["model.safetensors"] == contents(tmp_path / "whole")["model.safetensors"]


def test_estimators_are_measured_on_a_formula_and_on_the_users_function(tmp_path, monkeypatch):
    options = ["--n", 3, "--at", "0.3,-1,2", "--samples", 20000, "--json"]
    done = call("bench", "2*h1 - h2 + h3/2", *options, "--out", tmp_path / "units.csv", "--plot", tmp_path / "bias.svg")
    rows = {row["estimator"]: row for row in json.loads(done.out)["rows"]}
    assert rows["sbn-optimal"]["largest_z"] < 4
    assert rows["st"]["bias"] > 1
    assert rows["sts"]["bias"] == pytest.approx(0.5, abs=0.02), "half of the gradient of a linear loss"
    units = list(csv.DictReader((tmp_path / "units.csv").open()))
    p = 1 / (1 + np.exp(-0.3))
    assert float(units[0]["target"]) == pytest.approx(2 * p * (1 - p))
    assert len(units) == 21
    assert "<svg" in (tmp_path / "bias.svg").read_text()
    (tmp_path / "mine.py").write_text("def loss(h):\n    return (h.sum(1) - 1) ** 2\n")
    monkeypatch.chdir(tmp_path)
    done = call("bench", "mine:loss", *options, "--estimators", "sbn-mean,noisy-relu")
    assert [row["estimator"] for row in json.loads(done.out)["rows"]] == ["sbn-mean", "noisy-relu"]
    assert all(row["largest_z"] < 4 for row in json.loads(done.out)["rows"])
    # By its file, though a module of this name is loaded already.
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "json.py").write_text("def loss(h):\n    return 2 * h[:, 0]\n")
    done = call("bench", "below/json.py:loss", *options, "--estimators", "sbn-learned", "--out", tmp_path / "u.csv")
    assert done.code == 0
    target = [float(row["target"]) for row in csv.DictReader((tmp_path / "u.csv").open())]
    assert target == pytest.approx([2 * p * (1 - p), 0, 0])
    (tmp_path / "broken.py").write_text("def loss(h:\n")
    call("bench", "broken.py:loss", *options).assert_refused("broken.py:loss cannot be imported")
    (tmp_path / "raises.py").write_text("def loss(h):\n    return h @ missing\n")
    call("bench", "raises.py:loss", *options).assert_refused("name 'missing' is not defined")


def test_speeds_are_measured_with_and_without_a_training(run, tmp_path):
    options = ["--batches", "1,3", "--repeats", 2, "--json"]
    done = call("speed", "--experts", 100, "--block-size", 10, "--features", 16, *options, "--plot", tmp_path / "s.svg")
    rows = json.loads(done.out)["rows"]
    assert [row["batch"] for row in rows] == [1, 3]
    assert all(row["speedup"] == pytest.approx(row["plain_ms"] / row["skipping_ms"]) for row in rows)
    assert len(json.loads(call("speed", run / "out", *options).out)["rows"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bench", "h1*h9"], "the units of a formula are h1 to h8, not h9"),
        (["bench", "h1*("], "is not a formula"),
        (["bench", "quadratic", "--n", 17], "17 units"),
        (["bench", "quadratic", "--n", 0], "at least one unit"),
        (["bench", "quadratic", "--at", "1,2"], "2 pre-activations are given for 8 units"),
        (["bench", "quadratic", "--at", "1,x"], "numbers with commas"),
        (["bench", "nowhere:f"], "cannot be imported"),
        (["bench", "quadratic", "--estimators", "median"], "no neuron 'median'"),
        (["bench", "quadratic", "--out", "units.txt"], "written as .csv"),
        (["bench", "quadratic", "--plot", "bias.gif"], ".svg"),
        (["train", "nothing.csv", "--out", "out"], "nothing.csv"),
        (["train", "digits", "--experts", 10, "--block-size", 4, "--out", "out"], "no whole number of blocks"),
        (["train", "digits", "--target", 1.5, "--out", "out"], "target must lie between 0 and 1"),
        (["train", "digits", "--lr", 0, "--out", "out"], "lr must be positive"),
        (["evaluate", "nowhere", "digits"], "nowhere"),
        (["sparsity", "nowhere", "digits"], "nowhere"),
        (["speed", "--batches", "1,two"], "positive whole numbers"),
        (["speed", "--activity", 0], "between 0 and 1"),
        (["speed", "--features", 0], "must be positive"),
    ],
)
def test_bad_input_costs_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call(*words).assert_refused(message)
    assert not contents(tmp_path)


def test_data_of_another_shape_and_a_loss_that_is_not_finite_are_refused(run, tmp_path):
    call("evaluate", run / "out", "digits").assert_refused("samples of 2 numbers")
    call("evaluate", run / "out", run / "flowers.csv", "--inference", "mean", "--draws", 2).assert_refused("draws")
    done = call("train", run / "flowers.csv", *OPTIONS, "--lr", 1e30, "--max-norm", 0, "--out", tmp_path / "out")
    assert done.code == 2
    assert "lower the learning rate" in done.err
