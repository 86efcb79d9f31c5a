"""The commands on files, those of strangers among them."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from counter_current import cli, load, make_mlp, save
from counter_current.paper import PAPER
from separata.testing import Commands, contents, interrupted_after, write_bomb

call = Commands(PAPER, [cli.train, cli.evaluate, cli.alignment, cli.flops, cli.export])
TINY = ("--widths", "12,10", "--epochs", "3", "--batch-size", "32", "--lr", "0.3", "--device", "cpu")
AE = ("--preset", "stl10-ae", "--widths", "3,4", "--epochs", "2", "--batch-size", "8", "--device", "cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Clouds of points as files, and a network that was trained on them."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    labels = np.arange(300) % 3
    x = (3 * rng.normal(size=(3, 8))[labels] + rng.normal(size=(300, 8))).astype("float32")
    np.savez(folder / "own.npz", x=x, y=labels)
    with (folder / "own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"f{i}" for i in range(8)), "label"])
        rows.writerows([*row, "abc"[label]] for row, label in zip(x.tolist(), labels, strict=True))
    done = call("train", folder / "own.npz", "--out", folder / "run", *TINY)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Gray pictures without labels, and an autoencoder of them."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    (folder / "images").mkdir()
    for i in range(30):
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / f"images/{i:02}.png")
    done = call("train", folder / "images", "--out", folder / "run", *AE)
    assert done.code == 0, done.err
    return folder


def test_a_training_answers_and_leaves_its_files(place, tmp_path):
    code, out, _ = call("train", place / "own.csv", "--out", tmp_path / "run", "--json", *TINY)
    assert code == 0
    value = json.loads(out)
    assert value["test_accuracy"] > 0.9
    assert value["steps"] == 3 * 7
    assert value["n_parameters"] == 2 * (8 * 12 + 12 * 10 + 10 * 3)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json",
        "history.csv",
        "alignment.csv",
        "checkpoint.safetensors",
        "model.safetensors",
    }
    assert len((tmp_path / "run/history.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "run/alignment.csv").read_text().splitlines()) == 5, "before the first epoch, too"


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(place, tmp_path):
    with interrupted_after(23):
        code, _, err = call("train", place / "own.npz", "--out", tmp_path / "run", *TINY)
    assert code == 130
    assert "--resume" in err
    assert call("train", place / "own.npz", "--out", tmp_path / "run", *TINY).code == 2
    assert call("train", place / "own.npz", "--out", tmp_path / "run", "--resume", *TINY).code == 0
    ours, theirs = contents(tmp_path / "run"), contents(place / "run")
    for name in ("model.safetensors", "alignment.csv", "history.csv"):
        assert ours[name] == theirs[name], name


def test_a_network_is_evaluated_drawn_and_its_predictions_written(place, tmp_path):
    code, out, _ = call(
        "evaluate",
        place / "run",
        place / "own.npz",
        "--predictions",
        tmp_path / "p.csv",
        "--plot",
        tmp_path / "p.png",
        "--json",
    )
    assert code == 0
    value = json.loads(out)
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert value["n_samples"] == len(rows) == 60
    assert value["accuracy"] == pytest.approx(np.mean([row["class"] == row["predicted"] for row in rows]))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    text = call("evaluate", place / "run/model.safetensors", place / "own.npz", "--part", "train").out
    assert "accuracy" in text
    assert "216" in text


def test_classes_of_other_data_are_matched_by_their_names(place, tmp_path):
    run, some, out = tmp_path / "run", tmp_path / "some.csv", tmp_path / "p.csv"
    assert call("train", place / "own.csv", "--out", run, *TINY).code == 0
    header, *rows = (place / "own.csv").read_text().splitlines()
    some.write_text("\n".join([header, *(row for row in rows if not row.endswith("a"))]))
    done = call("evaluate", run, some, "--part", "all", "--predictions", out, "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert value["n_samples"] == 200
    assert value["accuracy"] > 0.9, "b and c are not taken for a and b"
    assert {row["class"] for row in csv.DictReader(out.open())} == {"b", "c"}


def test_a_network_without_names_of_classes_counts_them(place, tmp_path):
    save(make_mlp([8, 4, 3]), tmp_path / "saved")
    done = call("evaluate", tmp_path / "saved", place / "own.csv", "--predictions", tmp_path / "p.csv")
    assert done.code == 0, done.err
    assert {row["class"] for row in csv.DictReader((tmp_path / "p.csv").open())} == set("abc")


def test_the_alignment_over_a_training_is_told_and_drawn(place, tmp_path):
    code, out, _ = call("alignment", place / "run", "--out", tmp_path / "a.csv", "--plot", tmp_path / "a.svg", "--json")
    assert code == 0
    value = json.loads(out)
    assert [row["of"] for row in value["rows"]] == ["step 0", "step 7", "step 14", "step 21"]
    assert len(value["weight_alignment"]) == 3
    cells = np.array(value["maps"]["step 21"])
    assert cells.shape == (4, 4)
    assert value["rows"][-1]["top_alignment"] == pytest.approx(cells[1:-1, 1:-1].mean())
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 4 * 16
    assert "<svg" in (tmp_path / "a.svg").read_text()
    text = call("alignment", place / "run", "--data", place / "own.npz").out
    assert "own.npz" in text
    assert "weights, layer by layer" in text


def test_operations_are_counted_for_every_rule():
    code, out, _ = call("flops", "--json")
    rows = {row["rule"]: row for row in json.loads(out)["rows"]}
    assert code == 0
    assert rows["bp"]["mflop_per_sample"] == pytest.approx(2.39104)
    assert rows["ccl"]["mflop_per_sample"] == pytest.approx(2.551552)
    assert rows["ccl"]["relative_to_bp"] == pytest.approx(1.0671, abs=1e-4)
    assert len(rows) == 8
    code, out, _ = call("flops", "--preset", "cifar10-cnn", "--shape", "3,32,32", "--rule", "ccl")
    assert code == 0
    assert out.split()[:2] == ["rule", "mflop"]
    assert call("flops", "--preset", "stl10-ae", "--shape", "3,32,32", "--widths", "4,8").out.count("\n") == 5


def test_a_network_is_exported(place, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    code, out, _ = call("export", place / "run", tmp_path / "net.onnx", "--json")
    assert code == 0
    assert json.loads(out)["inputs"] == {"x": ["batch", 8]}
    x = np.random.default_rng(1).normal(size=(7, 8)).astype("float32")
    (found,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"x": x})
    expected = load(place / "run", "cpu")(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_pictures_without_labels_train_an_autoencoder(pictures, tmp_path):
    code, out, _ = call("evaluate", pictures / "run", pictures / "images", "--plot", tmp_path / "r.svg", "--json")
    assert code == 0
    value = json.loads(out)
    assert (value["n_samples"], value["accuracy"]) == (6, None)
    assert "reconstruction" in (tmp_path / "r.svg").read_text()
    assert load(pictures / "run", "cpu").sample_shape == (1, 8, 8)
    np.save(tmp_path / "gray.npy", np.random.default_rng(0).random((20, 8, 8), dtype=np.float32))
    assert call("evaluate", pictures / "run", tmp_path / "gray.npy").code == 0
    np.savez(tmp_path / "large.npz", x=np.random.default_rng(0).random((20, 12, 12), dtype=np.float32))
    done = call("train", tmp_path / "large.npz", "--size", "8", "--out", tmp_path / "resized", *AE)
    assert done.code == 0, done.err
    assert load(tmp_path / "resized", "cpu").sample_shape == (1, 8, 8)
    assert call("evaluate", tmp_path / "resized", tmp_path / "large.npz").code == 0
    call("evaluate", pictures / "run", pictures / "images", "--predictions", tmp_path / "p.csv").assert_refused(
        "predicts no classes"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "no-such-data"), "no-such-data"),
        (("train", "{own}", "--rule", "nope"), "rule"),
        (("train", "{own}", "--lr-feedback", "-1"), "lr feedback must not be negative"),
        (("train", "{own}", "--widths", "3,a"), "widths are positive whole numbers"),
        (("train", "{own}", "--preset", "cifar10-cnn"), "takes images"),
        (("train", "{own}", "--rule", "dfa", "--preset", "stl10-ae"), "needs classes"),
        (("train", "{own}", "--decorrelation", "0.5"), "similarity cosine"),
        (("train", "{bad}", "--epochs", "1"), "NaN"),
        (
            (
                "train",
                "{labels}",
            ),
            "label",
        ),
        (("train", "{own}", "--device", "tpu"), "device"),
        (("train", "{own}", "--lr", "1e30", "--clip", "0"), "diverged"),
    ],
)
def test_bad_trainings_cost_one_line_and_leave_nothing(place, tmp_path, words, told):
    np.savez(tmp_path / "bad.npz", x=np.full((30, 4), np.nan), y=np.arange(30) % 2)
    np.savez(tmp_path / "labels.npz", x=np.ones((30, 4)), y=np.arange(30) / 7)
    given = {"own": place / "own.npz", "bad": tmp_path / "bad.npz", "labels": tmp_path / "labels.npz"}
    done = call(*(word.format(**given) for word in words), "--out", tmp_path / "run")
    done.assert_refused(told, after_progress="diverged" in told)
    assert not (tmp_path / "run").exists()


def test_what_is_no_network_or_does_not_fit_is_refused(place, pictures, tmp_path):
    call("evaluate", tmp_path, place / "own.npz").assert_refused("holds no training")
    call("evaluate", place / "run", pictures / "images").assert_refused()
    np.savez(tmp_path / "other.npz", x=np.ones((30, 5)), y=np.arange(30) % 3)
    call("evaluate", place / "run", tmp_path / "other.npz").assert_refused("samples of 5", "takes 8")
    np.savez(tmp_path / "more.npz", x=np.random.default_rng(0).random((60, 8)), y=np.arange(60) % 6)
    call("evaluate", place / "run", tmp_path / "more.npz").assert_refused("6 classes")
    rows = [",".join([*["1"] * 8, "ab"[i % 2]]) for i in range(40)]
    (tmp_path / "other.csv").write_text("\n".join([",".join([*(f"f{i}" for i in range(8)), "label"]), *rows]))
    call("evaluate", place / "run", tmp_path / "other.csv").assert_refused("class a", "tells 0, 1, 2 apart")
    (tmp_path / "other.csv").unlink()
    call("evaluate", place / "run", place / "own.npz", "--plot", tmp_path / "a.txt").assert_refused(".svg")
    call("alignment", place / "run", "--out", tmp_path / "a.txt").assert_refused(".csv")
    call("export", place / "run", tmp_path / "a.txt").assert_refused(".onnx")
    call("flops", "--shape", "a").assert_refused("shape")
    call("flops", "--step-samples", "0").assert_refused("at least 1")
    call("flops", "--n-classes", "1").assert_refused("at least 2 classes")
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def test_a_stranger_s_files_are_only_data(place, tmp_path):
    folder, mark = tmp_path / "run", tmp_path / "mark"
    folder.mkdir()
    (folder / "config.json").write_bytes((place / "run/config.json").read_bytes())
    write_bomb(folder / "model.safetensors", mark)
    call("evaluate", folder, place / "own.npz").assert_refused("safetensors")
    (folder / "model.safetensors").write_bytes((place / "run/model.safetensors").read_bytes()[:200])
    call("evaluate", folder, place / "own.npz").assert_refused()
    (folder / "alignment.csv").write_text("step,top,a0_b0\n0,x,y\n")
    call("alignment", folder).assert_refused("not the history")
    (folder / "alignment.csv").write_text("step,top,a0_b0\n0,1,1\n")
    call("alignment", folder).assert_refused("does not hold the alignment")
    assert not mark.exists()


def test_networks_are_saved_and_loaded(tmp_path):
    network, x = make_mlp([5, 4, 3], "tanh", bias=True), torch.randn(6, 5)
    save(network, tmp_path / "own")
    torch.testing.assert_close(load(tmp_path / "own", "cpu")(x), network(x))
    with pytest.raises(ValueError, match="already holds"):
        save(network, tmp_path / "own")
    network.description = None
    with pytest.raises(ValueError, match="layers of your own"):
        save(network, tmp_path / "other")
