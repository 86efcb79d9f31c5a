"""The commands, on the files of strangers."""

import json

import numpy as np
import pytest
import torch
from relinear_shell import call
from safetensors.torch import load_file, save_file
from torch import nn

from relinear import make_mlp, quadratize
from separata.testing import contents, interrupted_after, write_bomb

TINY = ("--model", "mlp:12x2", "--epochs", "8", "--lr", "0.1", "--batch-size", "16", "--device", "cpu")


class Net(nn.Module):
    """A network of a user, of which there is only the state dict at the shell."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 4)
        self.conv = nn.Conv1d(4, 5, 3, padding=1)
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 2)

    def forward(self, tokens):
        x = self.norm(self.conv(self.embed(tokens).transpose(1, 2)))
        return self.head(torch.relu(x).mean(2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Samples, states and a trained network."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.normal(size=(120, 2)) * 0.3 + np.array([[0, 0], [2, 2], [0, 4]])[y]
    np.savez(place / "blobs.npz", x=x, y=y)
    names = np.array(["red", "green", "blue"])[y]
    (place / "blobs.csv").write_text("a,b,label\n" + "".join(f"{p},{q},{n}\n" for (p, q), n in zip(x, names)))
    torch.manual_seed(0)
    net = Net()
    net(torch.randint(6, (9, 7)))
    torch.save(net.state_dict(), place / "net.pt")
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, place / "nested.pth")
    save_file(net.state_dict(), place / "net.safetensors")
    save_file(make_mlp((2, 3, 1)).state_dict(), place / "quadratic.safetensors")
    save_file({"norm.weight": torch.ones(3)}, place / "norms.safetensors")
    torch.save(net, place / "whole.pt")
    torch.save([torch.ones(2)], place / "list.pt")
    (place / "cut.pt").write_bytes((place / "net.pt").read_bytes()[:200])
    done = call("train", "--data", place / "blobs.npz", "--out", place / "run", *TINY)
    assert done.code == 0, done.err
    return place


def test_a_stranger_s_samples_are_learned(folder, tmp_path):
    words = ("train", "--data", folder / "blobs.csv", "--out", tmp_path / "run", *TINY)
    code, out, err = call(*words, "--json")
    assert code == 0, err
    value = json.loads(out)
    assert value["test"]["accuracy"] > 0.9
    n = 2 * 12 + 12 + 12 * 12 + 12 + 12 * 3 + 3
    assert value["test"]["n_parameters"] == 3 * n
    assert all(0 < one < 1 for one in value["test"]["energy"].values())
    assert "loss" in err
    assert {"config.json", "history.csv", "model.safetensors", "checkpoint.safetensors"} == set(
        contents(tmp_path / "run")
    )


@pytest.mark.parametrize(
    ("words", "n_maps"),
    [
        (("--strategy", "conventional"), 1),
        (("--compact",), 2),
        (("--strategy", "relinear-sw", "--alpha", "0.9", "--norm", "l2", "--lr", "0.03"), 3),
        (("--strategy", "random", "--optimizer", "adam", "--lr", "0.001", "--clip", "1"), 3),
    ],
)
def test_strategies(folder, tmp_path, words, n_maps):
    done = call("train", "--data", folder / "blobs.npz", "--out", tmp_path / "run", *TINY, *words, "--json")
    assert done.code == 0, done.err
    n = 2 * 12 + 12 + 12 * 12 + 12 + 12 * 3 + 3
    assert json.loads(done.out)["test"]["n_parameters"] == n_maps * n
    again = json.loads(call("evaluate", tmp_path / "run", folder / "blobs.npz", "--json").out)
    assert again == json.loads(done.out)["test"]


def test_a_training_that_was_stopped_is_resumed(folder, tmp_path):
    words = ("train", "--data", folder / "blobs.npz", "--out", tmp_path / "part", *TINY)
    with interrupted_after(20):
        code, _, err = call(*words)
    assert code == 130
    assert "--resume" in err
    assert call(*words, "--resume").code == 0
    for name in ("model.safetensors", "history.csv"):
        assert contents(tmp_path / "part")[name] == contents(folder / "run")[name]


def test_a_network_is_evaluated_and_exported(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    done = call("evaluate", folder / "run/model.safetensors", folder / "blobs.npz", "--onnx", tmp_path / "net.onnx")
    assert done.code == 0, done.err
    assert "accuracy" in done.out
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    centers = np.array([[0, 0], [2, 2], [0, 4]], dtype=np.float32)
    assert session.run(None, {"x": centers})[0].argmax(1).tolist() == [0, 1, 2]


def test_gammas_are_swept_and_drawn(folder, tmp_path):
    words = ("sweep", "--data", folder / "blobs.npz", *TINY, "--gamma", "0,1e-2,1", "--seeds", "2")
    done = call(*words, "--plot", tmp_path / "sweep.svg", "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert [row["gamma"] for row in value["rows"]] == ["conventional", "0", "0.01", "1"]
    assert value["rows"][0]["accuracy"] == pytest.approx(value["rows"][1]["accuracy"], abs=0.05)
    assert value["best"] in {0, 0.01, 1}
    assert (tmp_path / "sweep.svg").read_text().count("<svg") == 1
    assert "best gamma" in call(*words).out


@pytest.mark.parametrize("source", ["net.pt", "nested.pth", "net.safetensors"])
@pytest.mark.parametrize("form", ["full", "compact"])
def test_a_state_dict_becomes_that_of_the_quadratic_network(folder, tmp_path, source, form):
    out = tmp_path / "quad.safetensors"
    done = call("convert", folder / source, "--out", out, "--skip", "embed", "--form", form, "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert value["converted"] == ["conv", "head"]
    assert set(value["left"]) == {"embed", "norm"}
    conventional = Net()
    conventional.load_state_dict(torch.load(folder / "net.pt", weights_only=True))
    model = quadratize(Net(), form).model
    model.load_state_dict(load_file(out))
    tokens = torch.randint(6, (8, 7))
    torch.testing.assert_close(model.eval()(tokens), conventional.eval()(tokens))


def test_dimensions_are_told():
    value = json.loads(call("expressivity", "--d", "2", "--hidden", "2", "--layers", "2", "--json").out)
    assert [row["dimension"] for row in value["rows"]] == [12, 10, 7, 3]
    value = json.loads(call("expressivity", "--d", "3", "--layers", "1", "--json").out)
    assert [row["dimension"] for row in value["rows"]] == [10, 7, 4, 4]
    assert "quadratic activation" in call("expressivity").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--data", "nothing", "--out", "new"), ["nothing"]),
        (("train", "--data", "absent.npz", "--out", "new"), ["absent.npz"]),
        (("train", "--data", "blobs.npz", "--out", "new", "--model", "cnn"), ["mlp:64x4"]),
        (("train", "--data", "blobs.npz", "--out", "new", "--model", "qresnet20"), ["takes images"]),
        (("train", "--data", "blobs.npz", "--out", "new", "--gamma", "2"), ["gamma"]),
        (("train", "--data", "blobs.npz", "--out", "new", "--lr", "-1"), ["lr must be positive"]),
        (("train", "--data", "blobs.npz", "--out", "new", "--augment"), ["only images"]),
        (("train", "--data", "blobs.npz", "--out", "run"), ["--resume"]),
        (("train", "--data", "blobs.npz", "--out", "run", "--resume", "--gamma", "0.5"), ["another"]),
        (("train", "--data", "blobs.npz", "--out", "net.pt"), ["net.pt is a file"]),
        (("evaluate", "absent", "blobs.npz"), ["absent"]),
        (("evaluate", "run", "digits"), ["(1, 8, 8)", "(2,)"]),
        (("evaluate", "run", "blobs.csv"), ["named otherwise"]),
        (("evaluate", "run", "blobs.npz", "--onnx", "net.pt"), [".onnx"]),
        (("sweep", "--data", "blobs.npz", "--gamma", "much"), ["--gamma takes"]),
        (("sweep", "--data", "blobs.npz", "--plot", "s.gif"), [".svg"]),
        (("sweep", "--data", "blobs.npz", "--optimizer", "adam"), ["sgd"]),
        (("sweep", "--data", "blobs.npz", "--seeds", "0"), ["a seed or more"]),
        (("convert", "absent.pt", "--out", "q.safetensors"), ["no file absent.pt"]),
        (("convert", "blobs.csv", "--out", "q.safetensors"), [".safetensors, .pt"]),
        (("convert", "net.pt", "--out", "q.pt"), ["written as .safetensors"]),
        (("convert", "whole.pt", "--out", "q.safetensors"), ["tensors alone"]),
        (("convert", "cut.pt", "--out", "q.safetensors"), ["tensors alone"]),
        (("convert", "list.pt", "--out", "q.safetensors"), ["state dict"]),
        (("convert", "norms.safetensors", "--out", "q.safetensors"), ["nothing to convert", "shape (3,)"]),
        (("convert", "quadratic.safetensors", "--out", "q.safetensors"), ["already"]),
        (("convert", "net.pt", "--out", "q.safetensors", "--skip", "tail"), ["'tail' matches no layer"]),
        (("expressivity", "--d", "0"), ["from 1 to 64"]),
        (("expressivity", "--layers", "100"), ["layers must be"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, said, monkeypatch, unchecked):
    monkeypatch.chdir(folder)
    before = contents(folder)
    call(*words).assert_refused(*said)
    assert contents(folder) == before


def test_a_training_that_diverges_costs_one_line_and_names_the_layer(folder, tmp_path):
    words = ("--strategy", "random", "--lr", "100")
    done = call("train", "--data", folder / "blobs.npz", "--out", tmp_path / "run", *TINY, *words)
    done.assert_refused("diverged", "layer", "lower lr or gamma", after_progress=True)


def test_weights_of_strangers_are_only_data(folder, tmp_path):
    for name, options in (("bomb.pt", {"by_torch": True}), ("bomb.pth", {})):
        write_bomb(tmp_path / name, tmp_path / "mark", **options)
        call("convert", tmp_path / name, "--out", tmp_path / "q.safetensors").assert_refused("tensors alone")
    (tmp_path / "config.json").write_text((folder / "run/config.json").read_text())
    write_bomb(tmp_path / "model.safetensors", tmp_path / "mark")
    call("evaluate", tmp_path, folder / "blobs.npz").assert_refused("safetensors")
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "q.safetensors").exists()
