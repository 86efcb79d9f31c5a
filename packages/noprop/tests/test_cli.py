"""The commands on files of one's own."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from noprop_own import bars, blobs
from noprop_shell import TINY, call

from noprop import load
from separata.testing import contents, interrupted_after, write_bomb


def write_files(folder):
    """Images as arrays, and a table with words for classes."""
    images = bars(150)
    np.savez(folder / "bars.npz", x=images.x[:, 0].numpy(), y=images.y.numpy())
    points = blobs(150)
    names = ["ash", "elm", "oak"]
    rows = [",".join([*map(str, x.tolist()), names[y]]) for x, y in zip(points.x, points.y)]
    (folder / "trees.csv").write_text("\n".join(["a,b,c,d,e,f,class", *rows]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of each kind of data, and one in continuous time."""
    place = tmp_path_factory.mktemp("files")
    write_files(place)
    for out, data, variant in (("run", "bars.npz", "dt"), ("table", "trees.csv", "dt"), ("ct", "bars.npz", "ct")):
        done = call("train", place / data, "--out", place / out, "--variant", variant, "--steps", "4", *TINY, "--json")
        assert done.code == 0, done.err
        assert set(json.loads(done.out)) == {"out", "test_accuracy", "train_accuracy", "steps", "n_parameters"}
    return place


def test_a_run_is_a_folder_that_load_reads(folder):
    names = {path.name for path in (folder / "run").iterdir()}
    assert names == {"model.safetensors", "config.json", "history.csv", "checkpoint.safetensors"}
    trained = load(folder / "run", "cpu")
    assert trained.shape.shape == (1, 8, 8)
    assert trained.model(bars(5).x).shape == (5, 3)
    rows = (folder / "run" / "history.csv").read_text().splitlines()
    assert rows[0] == "step,epoch,loss,validation_accuracy"


def test_a_training_that_was_interrupted_goes_on_to_the_same_model(folder, tmp_path):
    words = ("train", folder / "bars.npz", "--out", tmp_path / "run", "--variant", "dt", "--steps", "4", *TINY)
    with interrupted_after(3):
        done = call(*words)
    assert done.code != 0
    assert "--resume" in done.err
    assert call(*words, "--resume").code == 0
    weights = "model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (folder / "run" / weights).read_bytes()


def test_blocks_of_several_processes_are_assembled_to_the_model_that_is_trained_at_once(folder, tmp_path):
    """The last block first, in a process of its own."""
    words = (str(folder / "bars.npz"), "--out", str(tmp_path / "blocks"), *TINY)
    script = "import sys; from noprop.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "train-block", *words, "--block", "3"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    call("assemble", tmp_path / "blocks", "--out", tmp_path / "run").assert_refused("blocks 1, 2 have no weights")
    for t in (2, 1):
        assert call("train-block", *words, "--block", t).code == 0
    done = call("assemble", tmp_path / "blocks", "--out", tmp_path / "run", "--json")
    assert json.loads(done.out)["n_blocks"] == 3
    order = ("--order", "sequential")
    assert call("train", folder / "bars.npz", "--out", tmp_path / "together", *TINY, *order).code == 0
    apart, together = (load(tmp_path / name, "cpu").model.state_dict() for name in ("run", "together"))
    assert all(torch.equal(apart[key], value) for key, value in together.items())
    call("train-block", *words, "--block", "3").assert_refused("already holds a training")


def test_blocks_that_share_a_frozen_embedding_are_assembled_with_it(folder, tmp_path):
    words = (folder / "trees.csv", *TINY, "--embedding", "learned", "--dim", "4", "--freeze-embedding")
    for t in (3, 1, 2):
        assert call("train-block", *words, "--block", t, "--out", tmp_path / "blocks").code == 0
    assert call("assemble", tmp_path / "blocks", "--out", tmp_path / "run").code == 0
    assert call("train", *words, "--order", "sequential", "--out", tmp_path / "together").code == 0
    apart, together = (load(tmp_path / name, "cpu").model.state_dict() for name in ("run", "together"))
    assert all(torch.equal(apart[key], value) for key, value in together.items())


def test_what_is_no_folder_of_blocks(folder, tmp_path):
    words = ("train-block", folder / "trees.csv", *TINY, "--validation", "0.2", "--out", tmp_path / "blocks")
    for t in (1, 2, 3):
        assert call(*words, "--block", t).code == 0
    assert call("assemble", tmp_path / "blocks", "--out", tmp_path / "run").code == 0
    kept = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("run", "blocks/block-01")]
    assert kept[0]["data"] == kept[1]["data"]
    place = tmp_path / "blocks" / "block-02" / "config.json"
    config = json.loads(place.read_text())
    for block in (None, "2", 7):
        place.write_text(json.dumps(config | {"block": block}))
        call("assemble", tmp_path / "blocks", "--out", tmp_path / "new").assert_refused("block-02", "of its name")
    place = tmp_path / "run" / "config.json"
    place.write_text(json.dumps(kept[0] | {"shape": {"shape": [-6], "classes": ["ash", "elm", "oak"]}}))
    call("predict", tmp_path / "run", folder / "trees.csv").assert_refused("config.json", "(-6,)")
    assert not (tmp_path / "new").exists()


def test_blocks_of_other_settings_do_not_belong_together(folder, tmp_path):
    for t, lr in ((1, "0.001"), (2, "0.002"), (3, "0.001")):
        words = ("train-block", folder / "bars.npz", "--block", t, "--out", tmp_path / "blocks", "--lr", lr, *TINY)
        assert call(*words).code == 0
    call("assemble", tmp_path / "blocks", "--out", tmp_path / "run").assert_refused("block 2", "another", "lr")
    assert not (tmp_path / "run").exists()


def test_predictions(folder, tmp_path):
    x = bars(25, seed=3).x.numpy()
    np.savez(tmp_path / "new.npz", x=x)
    done = call("predict", folder / "run", tmp_path / "new.npz", "--out", tmp_path / "out.npz", "--json")
    assert done.code == 0, done.err
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_allclose(found["probabilities"].sum(1), 1, atol=1e-5)
        labels = found["probabilities"].argmax(1)
        np.testing.assert_array_equal(found["label"], labels)
    assert json.loads(done.out)["classes"] == [str(label) for label in labels]
    shown = call("predict", folder / "run", tmp_path / "new.npz", "--deterministic")
    assert "... and 5 more" in shown.out
    (tmp_path / "new.csv").write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n")
    done = call("predict", folder / "table", tmp_path / "new.csv", "--out", tmp_path / "out.csv")
    assert done.code == 0, done.err
    head, row = (tmp_path / "out.csv").read_text().splitlines()
    assert head == "sample,class,ash,elm,oak"
    assert row.split(",")[1] in ("ash", "elm", "oak")


def test_classes_that_are_called_as_the_columns_are(tmp_path):
    points = blobs(60)
    rows = [",".join([*map(str, x.tolist()), ["sample", "class", "oak"][y]]) for x, y in zip(points.x, points.y)]
    (tmp_path / "own.csv").write_text("\n".join(["a,b,c,d,e,f,kind", *rows]) + "\n")
    assert call("train", tmp_path / "own.csv", "--out", tmp_path / "run", *TINY).code == 0
    done = call("predict", tmp_path / "run", tmp_path / "own.csv", "--out", tmp_path / "out.csv")
    assert done.code == 0, done.err
    head, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert head == "sample,class,p(class),oak,p(sample)"
    assert [row.split(",")[0] for row in rows] == [str(i) for i in range(60)]


def test_curves_of_images_that_are_not_square(folder, tmp_path):
    images = bars(90)
    np.savez(tmp_path / "wide.npz", x=images.x[:, 0, :6].numpy(), y=images.y.numpy())
    assert call("train", tmp_path / "wide.npz", "--out", tmp_path / "run", *TINY).code == 0
    quiet = [
        call("curve", tmp_path / "run", tmp_path / "wide.npz", "--deterministic", "--seed", seed, "--json")
        for seed in (0, 1)
    ]
    assert quiet[0].code == 0, quiet[0].err
    assert quiet[0].out == quiet[1].out
    noisy = call("curve", tmp_path / "run", tmp_path / "wide.npz", "--json")
    assert noisy.out != quiet[0].out
    words = ("curve", folder / "ct", folder / "bars.npz", "--step-counts", "2", "--deterministic", "--json")
    assert call(*words, "--seed", "0").out == call(*words, "--seed", "1").out


def test_curves(folder, tmp_path):
    done = call("curve", folder / "run", folder / "bars.npz", "--plot", tmp_path / "chain.svg", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert (tmp_path / "chain.svg").read_text().count("<svg") == 1
    words = ("curve", folder / "ct", folder / "bars.npz", "--step-counts", "1,3", "--n-runs", "1")
    done = call(*words, "--out", tmp_path / "curve.csv", "--sampler", "ode-heun")
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in (tmp_path / "curve.csv").read_text().splitlines()] == ["step", "1", "3"]


def test_exported_inference_is_run_by_onnx_runtime(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", folder / "run", tmp_path / "net.onnx", "--noise", "--json")
    assert done.code == 0, done.err
    model, x = load(folder / "run", "cpu").model, bars(4, seed=2).x
    z, noise = torch.randn(4, 3), torch.randn(4, 3, 3)
    left = iter(noise.unbind(1))
    with torch.no_grad():
        expected = model.head(model.end(x, z, lambda _: next(left)), model.embedding)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy(), "z": z.numpy(), "noise": noise.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_a_model_in_continuous_time_is_exported(folder, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    done = call("export", folder / "ct", tmp_path / "net.onnx", "--steps", "2")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "absent.npz", "--out", "new"], ["absent.npz"]),
        (["train", "bars.npz", "--out", "run"], ["--resume"]),
        (["train", "bars.npz", "--out", "new", "--channels", "wide"], ["32,64,128"]),
        (["train", "bars.npz", "--out", "new", "--n-steps", "0"], ["n_steps must be at least 1"]),
        (["train", "bars.npz", "--out", "new", "--variant", "gan"], ["gan"]),
        (["train", "bars.npz", "--out", "new", "--lr", "0"], ["learning rate"]),
        (["train", "bars.npz", "--out", "new", "--epochs", "0"], ["epochs must be at least 1"]),
        (["train", "trees.csv", "--out", "new", "--architecture", "conv"], ["images", "mlp"]),
        (["train", "trees.csv", "--out", "new", "--embedding", "prototype"], ["prototypes are images"]),
        (["train", "same.npz", "--out", "new", "--embedding", "prototype"], ["same embedding"]),
        (["train", "one.npz", "--out", "new"], ["at least 2 classes"]),
        (["train-block", "bars.npz", "--block", "11", "--out", "new"], ["numbered 1 to 10", "no step 11"]),
        (["train-block", "bars.npz", "--block", "1", "--out", "new", "--variant", "ct"], ["variant dt"]),
        (["train-block", "bars.npz", "--block", "1", "--out", "new", "--embedding", "learned"], ["freeze"]),
        (["assemble", "run", "--out", "new"], ["no blocks", "train-block"]),
        (["predict", "absent", "bars.npz"], ["absent"]),
        (["predict", "run", "trees.csv"], ["model was made for 1 x 8 x 8"]),
        (["predict", "run", "bars.npz", "--out", "out.txt"], [".csv or .npz"]),
        (["predict", "run", "bomb.npy"], ["bomb.npy"]),
        (["predict", "run", "bars.npz", "--n-runs", "0"], ["n_runs must be at least 1"]),
        (["curve", "run", "trees.csv"], ["the model was made for"]),
        (["curve", "run", "bars.npz", "--plot", "a.gif"], [".svg"]),
        (["curve", "run", "bars.npz", "--out", "a.txt"], [".csv"]),
        (["curve", "ct", "bars.npz", "--step-counts", "0"], ["positive whole numbers"]),
        (["curve", "run", "words.csv"], ["(7,)", "(1, 8, 8)"]),
        (["curve", "table", "words.csv"], ["(7,)", "(6,)"]),
        (["curve", "table", "fir.csv"], ["class fir", "class elm"]),
        (["train", "bars.npz", "--out", "new", "--size", "0"], ["size must be at least 1"]),
        (["train", "bars.npz", "--out", "new", "--variant", "ct", "--gamma", "20"], ["gamma must be at most 10"]),
        (["export", "run", "net.pt"], [".onnx"]),
        (["export", "ct", "net.onnx", "--steps", "0"], ["steps must be at least 1"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    np.savez("same.npz", x=np.ones((30, 8, 8)), y=np.arange(30) % 3)
    trees = (folder / "trees.csv").read_text()
    (folder / "fir.csv").write_text(trees.replace("elm", "fir"))
    (folder / "words.csv").write_text("\n".join(f"1,{line}" for line in trees.splitlines()).replace("1,a", "g,a", 1))
    np.savez("one.npz", x=np.ones((30, 8, 8)), y=np.zeros(30, int))
    write_bomb(folder / "bomb.npy", folder / "mark")
    before = contents(folder)
    call(*words).assert_refused(*expected)
    assert contents(folder) == before
    assert not (folder / "mark").exists()
