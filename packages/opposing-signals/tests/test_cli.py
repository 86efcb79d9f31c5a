"""The commands on files, those of strangers among them."""

import json

import numpy as np
import pytest
import torch
from opposing_signals_shell import TINY, call
from torch import nn

from opposing_signals import Recorder, load
from separata.testing import contents, interrupted_after, write_bomb


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Pictures in a file, a table, a training on each, and losses that another program might have written."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    labels = np.arange(300) % 3
    x = np.clip(rng.normal(0.3, 0.2, (300, 1, 8, 8)) + np.eye(8)[labels][:, None, None], 0, 1).astype("float32")
    np.savez(folder / "own.npz", x=x, y=labels)
    rows = [
        "a,b,label",
        *(f"{one[0, 0, 0]:.4f},{one[0, 3, 1]:.4f},{'xyz'[label]}" for one, label in zip(x, labels, strict=True)),
    ]
    (folder / "own.csv").write_text("\n".join(rows) + "\n")
    for name in ("own.npz", "own.csv"):
        done = call("trace", folder / name, "--out", folder / name.replace(".", "-"), *TINY)
        assert done.code == 0, done.err
    time = np.arange(30)[:, None]
    np.savez(
        folder / "losses.npz",
        losses=1 + np.r_[[0.2] * 5, [-0.2] * 5, [0] * 30] * (-1.0) ** time + 0.001 * rng.random((30, 40)),
    )
    return folder


def test_a_training_answers_and_leaves_its_files(place, tmp_path):
    code, out, _ = call(
        "trace", place / "own.npz", "--out", tmp_path / "run", "--plot", tmp_path / "a.svg", "--json", *TINY
    )
    assert code == 0
    value = json.loads(out)
    assert (value["n_steps"], value["n_examples"], value["edge_of_stability"]) == (40, 200, 4.0)
    names = {"config.json", "history.csv", "checkpoint.safetensors", "model.safetensors", "losses.npz"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert "sharpness" in (tmp_path / "a.svg").read_text()
    with np.load(tmp_path / "run/losses.npz") as arrays:
        assert arrays["losses"].shape == (40, 200)
        assert arrays["losses"][-1].mean() == pytest.approx(value["loss"], rel=1e-3)
    traced = load(tmp_path / "run", "cpu")
    data = traced.data
    first = 0.5 * (nn.functional.one_hot(data.y, 3) - traced.network(data.x)).square().sum(1).mean()
    assert float(first) < value["loss"] * 1.5, "the network after the last step"


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(place, tmp_path):
    with interrupted_after(17):
        code, _, err = call("trace", place / "own.npz", "--out", tmp_path / "run", *TINY)
    assert code == 130
    assert "--resume" in err
    assert call("trace", place / "own.npz", "--out", tmp_path / "run", *TINY).code == 2
    assert call("trace", place / "own.npz", "--out", tmp_path / "run", "--resume", *TINY).code == 0
    ours, theirs = contents(tmp_path / "run"), contents(place / "own-npz")
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    assert ours["history.csv"] == theirs["history.csv"]
    one, other = (Recorder.load(folder / "losses.npz") for folder in (tmp_path / "run", place / "own-npz"))
    assert torch.equal(one.losses, other.losses)
    assert one.values == other.values


@pytest.mark.parametrize(
    "words",
    [
        ("--batch-size", "50"),
        ("--chunk-size", "64"),
        ("--optimizer", "adam", "--lr", "0.01"),
        ("--optimizer", "split-sgd", "--momentum", "0.9"),
        ("--rho", "0.05"),
        ("--norm", "batch"),
        ("--loss", "cross-entropy", "--activation", "relu"),
    ],
    ids=" ".join,
)
def test_other_trainings(place, tmp_path, words):
    tiny = [*TINY[:3], "20", *TINY[4:]]
    done = call("trace", place / "own.npz", "--out", tmp_path / "run", "--json", *tiny, *words)
    assert done.code == 0, done.err
    assert json.loads(done.out)["loss"] < 1.1
    found = json.loads(call("groups", tmp_path / "run", "--m", "5", "--json").out)
    assert len(found["up"]) == 5


def test_groups_of_a_training_and_their_page(place, tmp_path):
    code, out, _ = call("groups", place / "own-npz", "--m", "6", "--out", tmp_path / "page.html", "--json")
    assert code == 0
    value = json.loads(out)
    record = Recorder.load(place / "own-npz/losses.npz")
    change = record.delta(value["step"])
    assert set(value["up"]) == set(change.topk(6).indices.tolist())
    assert sum(value["up_classes"].values()) == 6
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 12
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert call("groups", place / "own-npz", "--m", "6", "--method", "svd", "--out", tmp_path / "page.png").code == 0
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    assert "opposing" in call("groups", place / "own-csv", "--step", "11", "--out", tmp_path / "csv.svg").out
    assert (tmp_path / "csv.svg").is_file()


def test_groups_of_losses_that_another_program_wrote(place, tmp_path):
    value = json.loads(call("groups", place / "losses.npz", "--m", "5", "--step", "11", "--json").out)
    assert sorted(value["up"]) == list(range(5))
    assert sorted(value["down"]) == list(range(5, 10))
    assert value["is_opposing"]
    assert call("groups", place / "losses.npz", "--m", "5", "--out", tmp_path / "page.html").code == 0
    assert "take turns" in (tmp_path / "page.html").read_text()
    shown = np.zeros((40, 8, 8), "uint8")
    shown[:5, :, :2], shown[5:10, :2] = 255, 255
    np.savez(tmp_path / "shown.npz", x=shown, y=np.r_[[0] * 5, [2] * 5, np.arange(30) % 2])
    words = ("--m", "5", "--step", "11", "--data", tmp_path / "shown.npz", "--out", tmp_path / "page.html", "--json")
    value = json.loads(call("groups", place / "losses.npz", *words).out)
    assert (value["up_classes"], value["down_classes"]) == ({"0": 5}, {"2": 5}), "samples are in the order of losses"
    assert (tmp_path / "page.html").read_text().count("data:image/png;base64,") == 10


def test_sharpness_of_a_trained_network(place):
    value = json.loads(call("sharpness", place / "own-npz", "--k", "2", "--m", "5", "--json").out)
    first, second = value["eigenvalues"]
    assert first["eigenvalue"] >= second["eigenvalue"]
    assert first["residual"] < 0.01
    assert first["relative_to_2_over_lr"] == pytest.approx(first["eigenvalue"] / 4)
    assert sum(one["share"] for one in value["groups"]) == pytest.approx(1, abs=1e-4)
    assert "share" in call("sharpness", place / "own-npz").out


def test_the_linear_network(tmp_path):
    value = json.loads(call("toy", "--lr", "0.12", "--plot", tmp_path / "toy.svg", "--json").out)
    assert value["final_curvature"] == pytest.approx(16.03, abs=0.01)
    assert abs(value["loss_increases"] - 31) <= 1
    assert "step size" in (tmp_path / "toy.svg").read_text()
    assert "final curvature" in call("toy", "--alpha", "5", "--lr", "0.1", "--n", "2000", "--steps", "300").out


def test_optimizers_are_compared(place, tmp_path):
    words = ("--n", "200", "--n-steps", "20", "--hidden", "8", "--record-every", "5")
    rates = ("--rates", "0.1,0.5", "--small-rates", "0.001,0.01")
    code, out, _ = call("optimizers", place / "own.npz", *words, *rates, "--plot", tmp_path / "a.svg", "--json")
    assert code == 0
    rows = {row["optimizer"]: row for row in json.loads(out)["rows"]}
    assert set(rows) == {"sgd", "split-sgd", "adam"}
    assert rows["split-sgd"]["lr"] == rows["sgd"]["lr"]
    assert rows["sgd"]["steps_to_sgd"] <= 20
    assert "training loss" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trace", "absent.npz", "--out", "new"], ["absent.npz"]),
        (["trace", "own.npz", "--out", "own-npz", "--n", "100"], ["--resume"]),
        (["trace", "own.npz", "--out", "new", "--hidden", "wide"], ["64,64"]),
        (["trace", "own.npz", "--out", "new", "--quantile", "1"], ["quantile"]),
        (["trace", "own.npz", "--out", "new", "--lr", "0"], ["lr"]),
        (["trace", "own.npz", "--out", "new", "--optimizer", "lion"], ["lion", "adam"]),
        (["trace", "own.npz", "--out", "new", "--lr", "1e6", "--n", "100"], ["step", "learning rate"]),
        (
            ["trace", "own.npz", "--out", "new", "--norm", "batch", "--batch-size", "1", "--n", "100"],
            ["batch normalization"],
        ),
        (["trace", "own.npz", "--out", "new", "--pool", "9", "--n", "100"], ["averaged"]),
        (["trace", "own.csv", "--out", "new", "--kind", "vgg", "--n", "100"], ["images"]),
        (["trace", "own.npz", "--out", "new", "--n", "100000"], ["100000"]),
        (["trace", "nan.npz", "--out", "new"], ["finite"]),
        (["trace", "bomb.npz", "--out", "new"], ["bomb.npz"]),
        (["trace", "own.npz", "--out", "new", "--plot", "a.gif"], [".svg"]),
        (["groups", "absent"], ["absent"]),
        (["groups", "own.npz"], ["losses"]),
        (["groups", "bomb.npz"], ["bomb.npz"]),
        (["groups", "losses.npz", "--m", "21"], ["half"]),
        (["groups", "losses.npz", "--step", "29", "--m", "5"], ["last"]),
        (["groups", "losses.npz", "--step", "soon"], ["auto"]),
        (["groups", "losses.npz", "--data", "own.npz", "--m", "5"], ["40 examples"]),
        (["groups", "losses.npz", "--data", "own.csv", "--m", "5"], ["same order"]),
        (["groups", "losses.npz", "--data", "losses.npz", "--m", "5"], ["losses.npz"]),
        (["groups", "own-npz", "--out", "page.pdfx"], [".svg"]),
        (["sharpness", "absent"], ["absent"]),
        (["sharpness", "own-npz", "--k", "0"], ["k must"]),
        (["sharpness", "own-npz", "--data", "own.csv"], ["own-npz"]),
        (["toy", "--alpha", "0"], ["alpha"]),
        (["toy", "--p", "1.5"], ["p must"]),
        (["toy", "--lr", "9"], ["smaller step size"]),
        (["optimizers", "own.npz", "--n", "100", "--kinds", "sgd,lion"], ["lion"]),
        (["optimizers", "own.npz", "--n", "100", "--rates", "fast"], ["fast"]),
        (["optimizers", "own.npz", "--n", "100", "--kinds", ""], ["at least one"]),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_costs_one_line_and_leaves_nothing(place, words, expected, monkeypatch):
    monkeypatch.chdir(place)
    np.savez("nan.npz", x=np.full((1500, 2), np.nan, "float32"), y=np.arange(1500) % 2)
    write_bomb(place / "bomb.npz", place / "mark")
    before = contents(place)
    call(*words).assert_refused(*expected, after_progress=True)
    assert contents(place) == before
    assert not (place / "mark").exists()


def test_a_damaged_training_is_refused(place, tmp_path):
    assert call("trace", place / "own.npz", "--out", tmp_path / "run", *TINY).code == 0
    (tmp_path / "run/losses.npz").write_bytes(b"PK not whole")
    call("groups", tmp_path / "run").assert_refused("losses.npz")
    config = tmp_path / "run/config.json"
    whole = config.read_text()
    for text in ("", "[]", "{}", whole.replace('"tanh"', '"sine"')):
        config.write_text(text)
        call("groups", tmp_path / "run").assert_refused()
