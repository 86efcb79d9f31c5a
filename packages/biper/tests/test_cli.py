"""The commands on files, those of strangers among them."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from biper import (
    DataShape,
    ModelConfig,
    cli,
    laplace_error,
    load,
    load_packed,
    make_float_network,
    make_network,
    save,
    to_stage2,
)
from biper.paper import PAPER
from separata import files
from separata.testing import Commands, contents, interrupted_after, write_bomb

call = Commands(PAPER, [cli.train, cli.stage2, cli.evaluate, cli.qe, cli.convert, cli.export])
MODEL = ("--model", "resnet8", "--width", "0.25", "--device", "cpu")
TINY = (*MODEL, "--epochs", "2", "--stage2-epochs", "1", "--batch-size", "32", "--lr", "0.05", "--stage2-lr", "0.01")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bright and dark halves of small images as a file, and a network that was trained on them."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.normal(size=(120, 1, 8, 8)) * 0.3
    for i, label in enumerate(y):
        x[i, 0, 2 * label : 2 * label + 3] += 1
    np.savez(folder / "own.npz", x=x.astype("float32"), y=y)
    done = call("train", "--data", folder / "own.npz", "--out", folder / "run", *TINY)
    assert done.code == 0, done.err
    return folder


def test_a_training_answers_and_leaves_its_files(place, tmp_path):
    done = call("train", "--data", place / "own.npz", "--out", tmp_path / "run", "--json", *TINY)
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert value["n_binary_weights"] == 9 * (4 * 4 * 2 + 4 * 8 + 8 * 8 + 8 * 16 + 16 * 16)
    assert value["test"]["n_samples"] == 24
    names = {"config.json", "history.csv", "checkpoint.safetensors", "model.safetensors"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    rows = list(csv.DictReader((tmp_path / "run/history.csv").open()))
    assert [float(row["stage"]) for row in rows] == [1, 1, 2]
    assert all(layer.stage == 2 for layer in load(tmp_path / "run", "cpu").modules() if hasattr(layer, "stage"))


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(place, tmp_path):
    words = ("train", "--data", place / "own.npz", "--out", tmp_path / "run", *TINY)
    with interrupted_after(7):
        done = call(*words)
    assert done.code == 130
    assert "--resume" in done.err
    call(*words).assert_refused("already holds a training")
    assert call(*words, "--resume").code == 0
    ours, theirs = contents(tmp_path / "run"), contents(place / "run")
    for name in ("model.safetensors", "history.csv"):
        assert ours[name] == theirs[name], name


def test_the_second_stage_may_come_later(place, tmp_path):
    first = tmp_path / "first"
    assert call("train", "--data", place / "own.npz", "--out", first, "--stages", "1", *TINY).code == 0
    before = contents(first)
    for command in (("export", first, tmp_path / "p.safetensors"),):
        call(*command).assert_refused("first stage")
    done = call(
        "stage2", first, "--out", tmp_path / "second", "--epochs", "1", "--lr", "0.01", "--json", "--device", "cpu"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["model"]["omega"] == 20.0
    assert contents(first) == before
    call("stage2", tmp_path / "second", "--out", tmp_path / "third").assert_refused("second stage already")
    done = call("train", "--start", tmp_path / "second", "--data", place / "own.npz", "--out", tmp_path / "x", *TINY)
    done.assert_refused("has been through its second stage")
    assert not (tmp_path / "x").exists()
    call("stage2", first, "--out", tmp_path / "x", "--epochs", "0").assert_refused("at least 1 epoch")
    call("stage2", first, "--out", tmp_path / "x", "--data", "nowhere.npz").assert_refused("nowhere.npz")


def test_a_packed_network_does_as_well(place, tmp_path):
    done = call("export", place / "run", tmp_path / "p.safetensors", "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert value["bytes"] == (tmp_path / "p.safetensors").stat().st_size < value["float_bytes"]
    reports = [
        json.loads(call("evaluate", run, place / "own.npz", "--json", "--device", "cpu").out)
        for run in (place / "run", tmp_path / "p.safetensors")
    ]
    assert reports[0] == reports[1]
    call("qe", tmp_path / "p.safetensors").assert_refused("no latent weights")
    assert reports[0]["accuracy"] == json.loads(call("evaluate", place / "run", "--json").out)["accuracy"]
    assert load_packed(tmp_path / "p.safetensors")[2] == ("0", "1", "2")
    call("evaluate", tmp_path / "p.safetensors").assert_refused("name the data")


def test_a_network_is_exported_to_onnx(place, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    done = call("export", place / "run", tmp_path / "n.onnx", "--format", "onnx")
    assert done.code == 0, done.err
    assert f"{(tmp_path / 'n.onnx').stat().st_size:,} bytes" in done.out
    x = np.load(place / "own.npz")["x"]
    (found,) = runtime.InferenceSession(tmp_path / "n.onnx").run(None, {"x": x})
    with torch.no_grad():
        np.testing.assert_allclose(found, load(place / "run", "cpu")(torch.from_numpy(x)), rtol=1e-3, atol=1e-3)


def test_errors_over_the_frequency(place, tmp_path):
    out, plot = tmp_path / "e.csv", tmp_path / "e.svg"
    done = call("qe", place / "run", "--sweep", "1,40", "--out", out, "--plot", plot, "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert {row["omega"] for row in value["rows"]} == {1, 20, 40}
    assert len(list(csv.DictReader(out.open()))) == len(value["rows"]) == 18
    row = value["rows"][0]
    assert row["laplace"] == pytest.approx(laplace_error(row["omega"], row["b"]))
    assert "<svg" in plot.read_text()
    weights = {"a": torch.full((2, 3), 0.25), "norm": torch.ones(5)}
    files.save_tensors(tmp_path / "w.safetensors", weights)
    value = json.loads(call("qe", tmp_path / "w.safetensors", "--sweep", "2", "--metric", "l1", "--json").out)
    assert value["rows"][0]["measured"] == pytest.approx(1 - np.sin(0.5))
    assert value["sign"]["a"] == pytest.approx(0.75)
    assert "sign(w)" in call("qe", tmp_path / "w.safetensors").out


def test_float_weights_become_latent_weights(place, tmp_path):
    twin = make_float_network(ModelConfig("resnet8", "float", width=0.25), DataShape(1, 8, 3))
    torch.save(twin.state_dict(), tmp_path / "float.pth")
    done = call(
        "convert", tmp_path / "float.pth", "--model", "resnet8", "--size", "8", "--out", tmp_path / "latent", "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["model"]["width"] == 0.25
    network = load(tmp_path / "latent", "cpu")
    assert torch.equal(network.blocks[0].conv1.weight, twin.blocks[0].conv1.weight)
    assert not network.blocks[0].conv1.has_binary_weights
    words = ("--epochs", "1", "--stage2-epochs", "1", "--batch-size", "32", "--device", "cpu")
    done = call("train", "--data", place / "own.npz", "--start", tmp_path / "latent", "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    call("train", "--data", "digits", "--start", tmp_path / "latent", "--out", tmp_path / "r2", *words).assert_refused(
        "another network"
    )


def test_torchvisions_names_are_known(tmp_path):
    shape = DataShape(3, 32, 7)
    twin = make_float_network(ModelConfig("imagenet-resnet18", "float", width=1 / 16), shape)
    state = {}
    for name, value in twin.state_dict().items():
        if name.startswith("norm."):
            continue
        renamed = name.replace("stem.0.", "conv1.").replace("stem.1.", "bn1.").replace("classifier.", "fc.")
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            renamed = f"layer{int(number) // 2 + 1}.{int(number) % 2}.{rest.replace('shortcut', 'downsample')}"
        state[renamed] = value
    assert "layer2.0.downsample.0.weight" in state
    files.save_tensors(tmp_path / "tv.safetensors", state)
    done = call("convert", tmp_path / "tv.safetensors", "--out", tmp_path / "latent", "--json")
    assert done.code == 0, done.err
    found = load(tmp_path / "latent", "cpu").state_dict()
    assert all(torch.equal(found[name], value) for name, value in twin.state_dict().items() if "norm." not in name)
    del state["layer4.1.conv2.weight"]
    files.save_tensors(tmp_path / "tv.safetensors", state)
    call("convert", tmp_path / "tv.safetensors", "--out", tmp_path / "x").assert_refused("blocks.7.conv2.weight")


def test_pictures_in_folders(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(rng.integers(0, 255, (10, 12, 3), dtype=np.uint8)).save(tmp_path / f"images/{name}/{i}.png")
    words = ("train", "--data", tmp_path / "images", "--out", tmp_path / "run", *TINY)
    call(*words).assert_refused("10 x 12", "--size")
    assert call(*words, "--size", "8").code == 0
    network = load(tmp_path / "run", "cpu")
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 2)


def test_a_network_is_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    config, shape = ModelConfig("vgg-small", width=0.05, omega=9.0), DataShape(1, 8, 3)
    network = to_stage2(make_network(config, shape)).eval()
    save(network, tmp_path / "n", config, shape)
    x = torch.randn(3, 1, 8, 8)
    assert torch.equal(load(tmp_path / "n", "cpu")(x), network(x))
    values = files.read_json(tmp_path / "n/config.json")
    values["model"]["omega"] = 8.0
    files.write_json(tmp_path / "n/config.json", values)
    with pytest.raises(ValueError, match="omega 9, but has omega 8"):
        load(tmp_path / "n", "cpu")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "--data", "no-such-data"), "no-such-data"),
        (("train", "--data", "{own}", "--omega", "0"), "omega must be positive"),
        (("train", "--data", "{own}", "--model", "lenet"), "model"),
        (("train", "--data", "{own}", "--method", "sign"), "method"),
        (("train", "--data", "{own}", "--lr", "1e40"), "single precision"),
        (("train", "--data", "{own}", "--stages", "3"), "--stages must be 1 or 2"),
        (("train", "--data", "{own}", "--stages", "1", "--method", "ste"), "first stage"),
        (("train", "--data", "{own}", "--device", "tpu"), "device"),
        (("train", "--data", "{flat}"), "does not hold images"),
        (("train", "--data", "{small}", "--model", "vgg-small"), "at least 8 pixels"),
        (("train", "--data", "{own}", "--lr", "1e38", "--warmup", "0", "--width", "0.25"), "diverged"),
        (("evaluate", "nowhere"), "no training"),
        (("evaluate", "{run}", "digits"), "has the class 3"),
        (("evaluate", "{run}", "{small}"), "the network takes (1, 8, 8)"),
        (("evaluate", "{bomb}", "digits"), "safetensors"),
        (("qe", "{run}", "--sweep", "1,x"), "frequencies are positive numbers"),
        (("qe", "{run}", "--plot", "q.txt"), "figure"),
        (("qe", "{run}", "--out", "q.txt"), ".csv"),
        (("qe", "{bomb}"), "tensors alone"),
        (("convert", "{bomb}", "--out", "x"), "tensors alone"),
        (("convert", "{run}/model.safetensors", "--model", "vgg-small", "--out", "x"), "features.0.weight"),
        (("export", "{run}", "x.onnx"), ".safetensors"),
        (("export", "{run}", "x.bin", "--format", "onnx"), ".onnx"),
        (("export", "nowhere", "x.safetensors"), "no training"),
    ],
)
def test_bad_input(place, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "flat.npz", x=rng.random((30, 8)), y=np.arange(30) % 2)
    np.savez(tmp_path / "small.npz", x=rng.random((30, 6, 6)), y=np.arange(30) % 2)
    write_bomb(tmp_path / "bomb.pth", tmp_path / "exploded", by_torch=True)
    named = {
        "own": place / "own.npz", "run": place / "run", "flat": tmp_path / "flat.npz", "small": tmp_path / "small.npz",
        "bomb": tmp_path / "bomb.pth",
    }  # fmt: skip
    before = contents(tmp_path)
    extra = ("--out", tmp_path / "out") if words[0] == "train" else ()
    call(*(str(word).format(**named) for word in words), *extra).assert_refused(told, after_progress=True)
    assert contents(tmp_path) == before
