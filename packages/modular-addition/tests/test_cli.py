"""The commands on files, those of strangers among them."""

import json

import numpy as np
import pytest
import torch
from modular_addition_shell import TINY, call
from safetensors.torch import load_file, save_file

from modular_addition import (
    FourierReport,
    ModularAdditionNet,
    ideal_weights,
    load,
    make_config,
    make_net,
    save,
    save_onnx,
)
from separata.testing import contents, interrupted_after, write_bomb

DIVERGING = ("--p", "7", "--run", "quad_random", "--optimizer", "sgd", "--init-scale", "2", "--lr", "1e5")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A training, weights of a stranger, and a history."""
    folder = tmp_path_factory.mktemp("files")
    done = call("train", "--out", folder / "run", *TINY, "--train-fraction", "0.8")
    assert done.code == 0, done.err
    w_in, w_out = (one.numpy() for one in ideal_weights(11, 6))
    np.savez(folder / "own.npz", encoder=w_in, decoder=w_out)
    rows = [
        "epoch,train_accuracy,test_accuracy",
        *(f"{s},{a},{b}" for s, a, b in [(0, 0.1, 0.1), (5, 1, 0.7), (9, 1, 0.99)]),
    ]
    (folder / "log.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_training_answers_and_leaves_its_files(place, tmp_path):
    code, out, _ = call("train", "--out", tmp_path / "run", "--json", "--plot", tmp_path / "a.svg", *TINY)
    assert code == 0
    value = json.loads(out)
    assert value["fourier"]["p"] == 7
    assert value["step"] == 40
    assert value["test_accuracy"] is None
    assert "frequency" in (tmp_path / "a.svg").read_text()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json",
        "history.csv",
        "checkpoint.safetensors",
        "model.safetensors",
    }
    net = load(tmp_path / "run", "cpu")
    assert value["fourier"] == FourierReport.from_weights(net.w_in, net.w_out).to_json()
    assert "phase alignment" in call("diagnose", place / "run").out


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(place, tmp_path):
    with interrupted_after(23):
        code, _, err = call("train", "--out", tmp_path / "run", *TINY, "--train-fraction", "0.8")
    assert code == 130
    assert "--resume" in err
    assert call("train", "--out", tmp_path / "run", "--resume", *TINY, "--train-fraction", "0.8").code == 0
    ours, theirs = contents(tmp_path / "run"), contents(place / "run")
    for name in ("model.safetensors", "history.csv"):
        assert ours[name] == theirs[name], name


def test_weights_of_a_stranger_are_diagnosed_and_drawn(place, tmp_path):
    code, out, _ = call("diagnose", place / "own.npz", "--neurons", "--plot", tmp_path / "a.png", "--json")
    assert code == 0
    value = json.loads(out)
    assert value["ipr"] == pytest.approx(1)
    assert value["frequencies"] == [6] * 5
    assert len(value["neurons"]) == 30
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    told = call("diagnose", place / "own.npz", "--w-in", "encoder", "--w-out", "decoder", "--neurons").out
    assert "and 20 more" in told
    written = json.loads(call("plot", place / "own.npz", "--out", tmp_path / "plots", "--json").out)["files"]
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == {
        "spectra",
        "phases",
        "circles",
        "counts",
        "logits",
    }
    assert len(written) == 5
    assert call("plot", place / "run", "--out", tmp_path / "more", "--format", "png").code == 0
    assert (tmp_path / "more" / "stages.png").is_file()


def test_a_history_of_a_stranger_has_stages(place, tmp_path):
    value = json.loads(call("diagnose", place / "log.csv", "--plot", tmp_path / "a.svg", "--json").out)
    assert (value["stage1_end"], value["stage2_end"]) == (5, 9)
    assert "memorization" in (tmp_path / "a.svg").read_text()
    (tmp_path / "sheet.csv").write_bytes(b"\xef\xbb\xbf" + (place / "log.csv").read_bytes().replace(b"\n", b"\r\n"))
    assert json.loads(call("diagnose", tmp_path / "sheet.csv", "--json").out) == value


def test_logits_have_their_ghosts_marked(place, tmp_path):
    code, out, _ = call("logits", "ideal-11", "3", "9", "--activation", "quad", "--json", "--plot", tmp_path / "a.svg")
    assert code == 0
    value = json.loads(out)
    marks = {row["mark"]: row["class"] for row in value["rows"] if row["mark"]}
    assert marks == {"sum": 1, "ghost 2x": 6, "ghost 2y": 7}
    assert value["ghosts"]["ratio"] == pytest.approx(0.5, abs=1e-6)
    assert max(value["rows"], key=lambda row: row["logit"])["class"] == 1
    assert "ghosts 0.500 of the peak" in call("logits", place / "own.npz", "3", "9", "--activation", "quad").out


def test_logits_of_a_training_are_those_of_its_own_activation(tmp_path):
    run = tmp_path / "run"
    assert call("train", "--run", "quad_random", "--out", run, *TINY).code == 0
    net = load(run, "cpu")
    assert net.activation == "quad"
    expected = net(torch.tensor([[2, 5]]))[0].tolist()
    for path in (run, run / "model.safetensors"):
        rows = json.loads(call("logits", path, "2", "5", "--json").out)["rows"]
        assert [row["logit"] for row in rows] == pytest.approx(expected, abs=1e-6)
    rows = json.loads(call("logits", run, "2", "5", "--activation", "relu", "--json").out)["rows"]
    assert [row["logit"] for row in rows] != pytest.approx(expected, abs=1e-6)
    (run / "config.json").write_text('{"kind": "another"}')
    call("logits", run, "2", "5").assert_refused("config.json", "--activation")


def test_weights_of_nothing_are_shown(tmp_path):
    np.savez(tmp_path / "zero.npz", w_in=np.zeros((30, 11)), w_out=np.zeros((11, 30)))
    code, out, _ = call("logits", tmp_path / "zero.npz", "3", "9", "--json")
    assert code == 0
    assert json.loads(out)["ghosts"]["ratio"] is None


def test_pictures_take_no_history_of_something_else(tmp_path):
    w_in, w_out = (one.numpy() for one in ideal_weights(7, 5))
    np.savez(tmp_path / "own.npz", a=w_in, b=w_out)
    (tmp_path / "history.csv").write_text("step,test_accuracy\n1,0.5\n")
    done = call("plot", tmp_path / "own.npz", "--out", tmp_path / "plots")
    assert done.code == 0, done.err
    assert not (tmp_path / "plots" / "stages.svg").exists()


def test_a_lottery_is_played_and_drawn(tmp_path):
    code, out, _ = call(
        "lottery", "--p", "7", "--width", "32", "--seeds", "2", "--device", "cpu", "--json", "--plot",
        tmp_path / "a.svg",
    )  # fmt: skip
    assert code == 0
    value = json.loads(out)
    assert len(value["steps"]) == 2
    rows = {row["predictor"]: row["accuracy"] for row in value["rows"]}
    assert rows["flow"] > rows["phase"]
    assert "wins" in (tmp_path / "a.svg").read_text()


def test_winners_are_predicted_from_files(tmp_path):
    net = ModularAdditionNet(7, 32, "quad", generator=torch.Generator().manual_seed(0))
    save_file({"a": net.w_in.detach(), "b": net.w_out.detach()}, tmp_path / "start.safetensors")
    save_file({"a": 2 * net.w_in.detach(), "b": net.w_out.detach()}, tmp_path / "end.safetensors")
    value = json.loads(call("lottery", "--initial", tmp_path / "start.safetensors", "--json").out)
    assert len(value["rows"]) == 32
    told = call("lottery", "--initial", tmp_path / "start.safetensors", "--trained", tmp_path / "end.safetensors")
    assert "largest α" in told.out
    assert "1.000" in next(line for line in told.out.splitlines() if line.startswith("largest α  "))


def test_grokking_tells_its_stages(tmp_path):
    words = ["--p", "19", "--width", "32", "--steps", "60", "--lr", "0.02", "--log-every", "20", "--device", "cpu"]
    code, out, _ = call("grok", "--out", tmp_path / "run", *words, "--plot", tmp_path / "a.svg", "--json")
    assert code == 0
    value = json.loads(out)
    assert value["stages"]["last_step"] == 60
    assert "stage" in call("diagnose", tmp_path / "run" / "history.csv").out
    assert "ratio" in (tmp_path / "a.svg").read_text()


def test_a_network_is_saved_and_exported(tmp_path):
    config = make_config("quad_random", p=7, width=12)
    net = make_net(config)
    save(net, tmp_path / "run", config)
    assert torch.equal(load(tmp_path / "run", "cpu").w_in, net.w_in)
    assert set(load_file(tmp_path / "run" / "model.safetensors")) == {"w_in", "w_out"}
    with pytest.raises(ValueError, match="not made of"):
        save(net, tmp_path / "other", make_config("standard", p=11))
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    save_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    pairs = torch.tensor([[1, 2], [6, 6]])
    found = session.run(None, {"pairs": pairs.numpy()})[0]
    np.testing.assert_allclose(found, net(pairs).detach(), atol=1e-5)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "--out", "new", "--p", "12"], ["odd", "no phase"]),
        (["train", "--out", "new", "--p", "1"], ["at least 3"]),
        (["train", "--out", "new", "--train-fraction", "0"], ["(0, 1]"]),
        (["train", "--out", "new", "--train-fraction", "1.5"], ["(0, 1]"]),
        (["train", "--out", "new", "--p", "7", "--train-fraction", "0.001"], ["none of the 49 pairs"]),
        (["train", "--out", "new", "--activation", "swish"], ["swish", "gelu"]),
        (["train", "--out", "new", "--run", "other"], ["other", "standard"]),
        (["train", "--out", "new", "--steps", "0"], ["steps"]),
        (["train", "--out", "new", "--lr", "-1"], ["lr"]),
        (["train", "--out", "new", "--plot", "a.gif", *TINY], [".svg"]),
        (["train", "--out", "run", *TINY], ["--resume"]),
        (
            ["train", "--out", "new", *DIVERGING],
            ["diverged", "step", "lower the learning rate"],
        ),
        (["grok", "--out", "new", "--p", "17"], ["at least 19"]),
        (["grok", "--out", "new", "--train-fraction", "1"], ["below 1"]),
        (["diagnose", "absent.npz"], ["absent.npz"]),
        (["diagnose", "bad.npz"], ["not finite"]),
        (["diagnose", "shapes.npz"], ["(9, 5)", "(M, p)"]),
        (["diagnose", "own.npz", "--w-in", "encoder", "--w-out", "encoder"], ["(30, 11)"]),
        (["diagnose", "own.npz", "--w-in", "first"], ["first", "encoder (30, 11)"]),
        (["diagnose", "bomb.npz"], ["bomb.npz"]),
        (["diagnose", "words.csv"], ["words.csv"]),
        (["diagnose", "losses.csv"], ["train_accuracy"]),
        (["logits", "own.npz", "3", "11"], ["0 .. 10"]),
        (["logits", "ideal-12", "3", "4"], ["odd"]),
        (["logits", "bad.npz", "3", "4"], ["not finite"]),
        (["lottery", "--lr", "50", "--device", "cpu"], ["lower the learning rate"]),
        (["lottery", "--steps", "3", "--device", "cpu"], ["train longer"]),
        (["lottery", "--seeds", "0"], ["seeds"]),
        (["lottery", "--trained", "own.npz"], ["--initial"]),
        (["lottery", "--initial", "even.npz"], ["odd"]),
        (["plot", "bad.npz", "--out", "new"], ["not finite"]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unchecked")
def test_bad_input_costs_one_line_and_leaves_nothing(place, words, expected, monkeypatch):
    monkeypatch.chdir(place)
    np.savez("bad.npz", w_in=np.full((30, 11), np.nan), w_out=np.zeros((11, 30)))
    np.savez("shapes.npz", w_in=np.zeros((9, 5)), w_out=np.zeros((9, 5)))
    np.savez("even.npz", w_in=np.random.default_rng(0).normal(size=(30, 12)), w_out=np.ones((12, 30)))
    (place / "words.csv").write_text("step,train_accuracy\n1,high\n")
    (place / "losses.csv").write_text("step,loss\n1,2.5\n")
    write_bomb(place / "bomb.npz", place / "mark")
    before = contents(place)
    call(*words).assert_refused(*expected, after_progress=True)
    assert contents(place) == before
    assert not (place / "mark").exists()
