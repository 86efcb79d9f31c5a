"""The commands on files, and what they say of what is wrong."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mip_hypernet import ConvNet, cli, load
from mip_hypernet.paper import PAPER
from separata.testing import Commands, contents, interrupted_after, write_bomb

call = Commands(PAPER, [cli.diagnose, cli.train, cli.compare, cli.instantiate, cli.evaluate])

TINY = ("--width", "2", "--hidden", "4,8", "--steps", "12", "--batch-size", "8", "--device", "cpu")

OWN = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 8, bias=False), nn.ReLU(), nn.Linear(8, 40, bias=False))
    def forward(self, gamma):
        return self.body(gamma)

def make():
    torch.manual_seed(0)
    return Own()

def function():
    return lambda gamma: [torch.arange(9.0) * gamma.norm() ** 3]

def broken():
    raise RuntimeError("out of luck")

module, number = Own(), 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A stranger's images, table and hypernetwork, and a trained network."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.random((60, 9, 7)).astype(np.float32)
    x[:, :3] += y[:, None, None]
    np.savez(place / "images.npz", x=x, y=y)
    names = np.array(["red", "green", "blue"])[y]
    table = rng.normal(size=(60, 2)) + y[:, None]
    (place / "table.csv").write_text("a,b,label\n" + "".join(f"{p},{q},{n}\n" for (p, q), n in zip(table, names)))
    (place / "own_models.py").write_text(OWN)
    (place / "plain.txt").write_text("text")
    done = call("train", "--data", place / "images.npz", "--out", place / "run", *TINY)
    assert done.code == 0, done.err
    return place


def test_a_stranger_s_images_are_learned(folder, tmp_path):
    words = ("train", "--data", folder / "images.npz", "--out", tmp_path / "run", "--dim", "2", *TINY)
    code, out, err = call(*words, "--json")
    assert code == 0, err
    value = json.loads(out)
    assert [row["gamma"] for row in value["rows"]] == [0, 0.25, 0.5, 0.75, 1]
    assert value["mean_loss"] == pytest.approx(np.mean([row["loss"] for row in value["rows"]]))
    files = {"config.json", "history.csv", "model.safetensors", "checkpoint.safetensors"}
    assert set(contents(tmp_path / "run")) == files


@pytest.mark.parametrize(
    ("task", "words", "metric"),
    [
        ("regularization", ("--data", "table.csv", "--width", "0"), "norm"),
        ("registration", ("--data", "images.npz", "--parametrization", "residual"), "roughness"),
        ("scale-space", ("--size", "12", "--n-train", "20", "--parametrization", "default"), "dice"),
        ("bayes", ("--data", "images.npz", "--optimizer", "sgd", "--heads", "low-rank", "--rank", "2"), "accuracy"),
    ],
)
def test_tasks(folder, tmp_path, task, words, metric, monkeypatch):
    monkeypatch.chdir(folder)
    done = call("train", "--task", task, "--out", tmp_path / "run", *TINY, *words)
    assert done.code == 0, done.err
    value = json.loads(call("evaluate", tmp_path / "run", "--gammas", "0.1,0.9", "--json").out)
    assert [row["gamma"] for row in value["rows"]] == [0.1, 0.9]
    assert metric in value["rows"][0]


def test_a_training_that_was_stopped_is_resumed(folder, tmp_path):
    words = ("train", "--data", folder / "images.npz", "--out", tmp_path / "part", *TINY)
    with interrupted_after(7):
        code, _, err = call(*words)
    assert code == 130
    assert "--resume" in err
    assert call(*words, "--resume").code == 0
    for name in ("model.safetensors", "history.csv"):
        assert contents(tmp_path / "part")[name] == contents(folder / "run")[name]


def test_the_network_for_one_gamma_is_written(folder, tmp_path):
    done = call("instantiate", folder / "run", "--gamma", "0.3", "--out", tmp_path / "net.safetensors", "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    network = ConvNet(1, 3, (9, 7), 2)
    network.load_state_dict(load_file(tmp_path / "net.safetensors"))
    assert value["n_parameters"] == sum(one.numel() for one in network.parameters())
    x = torch.rand(4, 1, 9, 7)
    model = load(folder / "run", device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(network(x), model(x, gamma=0.3))
        assert not torch.allclose(network(x), model(x, gamma=0.9))


def test_onnx(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    done = call("instantiate", folder / "run", "--gamma", "0.3", "--out", tmp_path / "net.onnx")
    assert done.code == 0, done.err
    assert "1 x 9 x 7" in done.out
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = torch.rand(7, 1, 9, 7)
    with torch.no_grad():
        expected = load(folder / "run", device="cpu")(x, gamma=0.3)
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], expected.numpy(), atol=1e-5)


def test_evaluation_is_drawn(folder, tmp_path):
    done = call("evaluate", folder / "run/model.safetensors", "--gammas", "0:1:3", "--plot", tmp_path / "e.svg")
    assert done.code == 0, done.err
    assert "mean accuracy" in done.out
    assert "accuracy" in (tmp_path / "e.svg").read_text()


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("--parametrization", "default"), "proportional"),
        (("--parametrization", "default", "--dim", "3", "--hidden", "5,6,7"), "proportional"),
        (("--hidden", "64,64"), "invariant"),
        (("--checkpoint", "run"), None),
        (("--factory", "own_models:make", "--dim", "2"), "proportional"),
        (("--factory", "own_models:module", "--dim", "2"), "proportional"),
        (("--factory", "own_models:function"), "proportional"),
    ],
)
def test_hypernetworks_are_diagnosed(folder, tmp_path, words, verdict, monkeypatch):
    monkeypatch.chdir(folder)
    done = call("diagnose", *words, "--plot", tmp_path / "d.svg", "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert verdict in (None, value["verdict"])
    pooled = value["rows"][-1]
    assert pooled["tensor"] == "all"
    if words[-1].endswith("function"):
        assert pooled["slope"] == pytest.approx(3, abs=1e-4)
    elif verdict == "proportional":
        assert pooled["slope"] == pytest.approx(1, abs=0.02)
    assert (tmp_path / "d.svg").read_text().count("<svg") == 1
    assert value["verdict"] in call("diagnose", *words).out


def test_parametrizations_are_compared(folder, tmp_path):
    words = ("compare", "--data", folder / "images.npz", *TINY, "--seeds", "1", "--plot", tmp_path / "c.svg")
    done = call(*words, "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert [row["parametrization"] for row in value["rows"]] == ["mip", "encoding", "residual", "default"]
    assert value["best"] in value["curves"]
    assert "training loss" in (tmp_path / "c.svg").read_text()


NEW = ("--out", "new")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--data", "nothing", *NEW), ["nothing"]),
        (("train", "--data", "absent.npz", *NEW), ["absent.npz"]),
        (("train", "--data", "table.csv", *NEW), ["takes images"]),
        (("train", "--data", "images.npz", *NEW, "--hidden", "16,x"), ["16,64,128"]),
        (("train", "--data", "images.npz", *NEW, "--lr", "-1"), ["lr must be positive"]),
        (("train", "--data", "images.npz", *NEW, "--task", "chess"), ["chess"]),
        (("train", "--data", "images.npz", *NEW, "--task", "registration", "--dim", "2"), ["dim must be 1"]),
        (("train", "--data", "images.npz", *NEW, "--size", "2"), ["at least 4 pixels"]),
        (("train", "--data", "images.npz", "--out", "run"), ["--resume"]),
        (("train", "--data", "images.npz", "--out", "run", "--resume", "--lr", "0.5"), ["another"]),
        (("train", "--data", "images.npz", "--out", "plain.txt"), ["plain.txt is a file"]),
        (("evaluate", "absent"), ["absent"]),
        (("evaluate", "run", "--gammas", "0:2:3"), ["0:1:11"]),
        (("evaluate", "run", "--plot", "e.gif"), [".svg"]),
        (("instantiate", "run", "--gamma", "1.5", "--out", "n.safetensors"), ["from 0 to 1"]),
        (("instantiate", "run", "--gamma", "0.1,0.2", "--out", "n.safetensors"), ["takes 1 numbers"]),
        (("instantiate", "run", "--gamma", "0.1", "--out", "n.pt"), [".safetensors or .onnx"]),
        (("instantiate", "absent", "--gamma", "0.1", "--out", "n.onnx"), ["absent"]),
        (("diagnose", "--dim", "0"), ["dim"]),
        (("diagnose", "--plot", "d.gif"), [".svg"]),
        (("diagnose", "--factory", "own_models"), ["module:attribute"]),
        (("diagnose", "--factory", "own_models:absent"), ["cannot be imported"]),
        (("diagnose", "--factory", "absent_models:make"), ["cannot be imported"]),
        (("diagnose", "--factory", "own_models:broken"), ["out of luck"]),
        (("diagnose", "--factory", "own_models:number"), ["but int"]),
        (("diagnose", "--factory", "own_models:make"), ["see --dim"]),
        (("diagnose", "--factory", "own_models:make", "--checkpoint", "run"), ["not both"]),
        (("compare", "--data", "images.npz", "--seeds", "0"), ["a seed or more"]),
        (("compare", "--data", "images.npz", "--plot", "c.gif"), [".svg"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, said, monkeypatch, unchecked):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    before = contents(folder)
    call(*words).assert_refused(*said)
    assert contents(folder) == before


def test_a_training_that_diverges_costs_one_line(folder, tmp_path):
    words = ("--optimizer", "sgd", "--lr", "1e30")
    done = call("train", "--data", folder / "images.npz", "--out", tmp_path / "run", *TINY, *words)
    done.assert_refused("diverged", "learning rate", after_progress=True)
    assert not (tmp_path / "run").exists()


def test_weights_of_strangers_are_only_data(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "run/config.json").read_text())
    write_bomb(tmp_path / "model.safetensors", tmp_path / "mark")
    call("evaluate", tmp_path).assert_refused("safetensors")
    call("instantiate", tmp_path, "--gamma", "0.5", "--out", tmp_path / "n.safetensors").assert_refused("safetensors")
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "n.safetensors").exists()


def test_settings_of_strangers_are_checked(folder, tmp_path):
    value = json.loads((folder / "run/config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "run/model.safetensors").read_bytes())
    for change, word in (
        ({"run": {**value["run"], "hyper": {**value["run"]["hyper"], "hidden": "9"}}}, "another model"),
        ({"run": {**value["run"], "task": "chess"}}, "task"),
        ({"sha256": "0"}, "is not the data"),
        ({"run": 3}, "settings"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(value | change))
        call("evaluate", tmp_path).assert_refused(word)
