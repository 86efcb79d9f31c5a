"""The commands on files of one's own."""

import json

import numpy as np
import pytest
import torch
from descent_shell import call, wave

from separata.runs import RunFolder
from separata.testing import contents, interrupted_after, write_bomb

TINY = ("--width", "8", "--steps", "40", "--n-points", "10", "--n-seeds", "2", "--batch-size", "16", "--device", "cpu")
SETUP = ("--n", "60", "--d", "40", "--p", "28", "--kappa", "30")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    t = np.unique(np.geomspace(1, 1e4, 60).round())
    rows = [f"{step},{error}" for step, error in zip(t, wave(t))]
    (place / "log.csv").write_text("\n".join(["epoch,test_error", *rows]))
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(90) % 3
    x = torch.randn(90, 8, 8, generator=generator)
    np.savez(place / "own.npz", x=x.numpy(), y=y.numpy())
    write_bomb(place / "bomb.npz", place / "mark")
    return place


def test_prediction(tmp_path):
    done = call("predict", *SETUP, "--out", tmp_path / "p.csv", "--plot", tmp_path / "p.svg", "--json")
    assert done.code == 0, done.err
    row = json.loads(done.out)["curves"]["replica"]
    assert row["peak"] > row["first_min"]
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "t,R,Q,error"
    assert len(lines) == 301
    assert (tmp_path / "p.svg").read_text().count("<svg") == 1
    assert "double descent" in call("predict", *SETUP).out
    assert "no double descent" in call("predict", *SETUP[:-1], "1").out
    assert call("predict", *SETUP, "--theory", "deterministic-equivalent", "--noise", "0.1", "--l2", "0.01").code == 0
    done = call("predict", "--n", "50", "--json")
    assert done.code == 0
    assert "no solution" in done.err


@pytest.mark.parametrize("method", ["exact", "gd", "ridge"])
def test_simulation(tmp_path, method):
    words = ("simulate", *SETUP, "--draws", "3", "--last", "300", "--points", "20", "--method", method, "--json")
    done = call(*words, "--out", tmp_path / "s.npz", "--plot", tmp_path / "s.png")
    assert done.code == 0, done.err
    assert set(json.loads(done.out)["curves"]) == {method, "replica", "deterministic-equivalent"}
    with np.load(tmp_path / "s.npz") as found:
        assert set(found) == {"t", "R", "Q", "error", "std"}
    assert (tmp_path / "s.png").stat().st_size > 1000


def test_map_and_phase(tmp_path):
    grid = ("--points", "60", "--plot")
    done = call("heatmap", *SETUP, "--noise", "0.2", "--penalties", "9", *grid, tmp_path / "m.svg", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["best"]["error"] < 0.3
    done = call("phase", *SETUP, "--kappas", "1,100", *grid, tmp_path / "r.svg", "--out", tmp_path / "r.npz", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert rows[0]["rise"] < 0.01 < rows[1]["rise"]
    with np.load(tmp_path / "r.npz") as found:
        assert found["R"].shape == (2, len(found["t"]))


def test_detection(folder, tmp_path):
    done = call("detect", folder / "log.csv", "--plot", tmp_path / "d.svg", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["is_double_descent"]
    assert found["peak"]["step_low"] <= 330
    assert found["peak"]["step_high"] >= 300
    assert "second descent begins" in call("detect", folder / "log.csv").out
    drawn = (tmp_path / "d.svg").read_text()
    assert all(name in drawn for name in ("first minimum", "peak", "second minimum"))


def test_a_network_on_data_of_one_s_own(folder, tmp_path):
    words = ("train", folder / "own.npz", *TINY, "--label-noise", "0.2")
    done = call(*words, "--out", tmp_path / "run", "--plot", tmp_path / "t.svg", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["steps"] == 40
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"model.safetensors", "config.json", "history.csv", "checkpoint.safetensors"}
    # The history is a curve that `detect` reads.
    found = json.loads(call("detect", tmp_path / "run", "--y", "test_error_*", "--json").out)
    assert found["seeds"] == 2
    with interrupted_after(25):
        stopped = call(*words, "--out", tmp_path / "again")
    assert stopped.code != 0
    assert "--resume" in stopped.err
    assert call(*words, "--out", tmp_path / "again", "--resume").code == 0
    first, second = (RunFolder.open(tmp_path / name).path for name in ("run", "again"))
    for name in ("model.safetensors", "history.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["predict", "--p", "0"], ["between 0 and d"]),
        (["predict", "--kappa", "0.5"], ["swap the groups"]),
        (["predict", "--noise", "-1"], ["noise must not be negative"]),
        (["predict", "--l2", "-1"], ["l2 must not be negative"]),
        (["predict", "--last", "0"], ["times go from"]),
        (["predict", "--points", "1"], ["times go from"]),
        (["predict", "--out", "a.txt"], [".csv or .npz"]),
        (["predict", "--plot", "a.gif"], [".svg"]),
        (["predict", "--only", "fast", "--theory", "deterministic-equivalent"], ["--only"]),
        (["simulate", "--draws", "0"], ["one draw"]),
        (["simulate", "--eta", "9"], ["below 2 / lambda_max"]),
        (["heatmap", "--l2-from", "0"], ["weight decays go from"]),
        (["heatmap", "--out", "a.csv"], [".npz"]),
        (["phase", "--kappas", "x"], ["1,10,100"]),
        (["phase", "--kappas", "0.1"], ["swap the groups"]),
        (["detect", "absent.csv"], ["absent.csv"]),
        (["detect", "own.npz"], ["own.npz", "times"]),
        (["detect", "bomb.npz"], ["bomb.npz"]),
        (["detect", "log.csv", "--y", "nothing"], ["no column nothing", "test_error"]),
        (["detect", "log.csv", "--window", "0"], ["window must be positive"]),
        (["train", "absent.npz", "--out", "new"], ["absent.npz"]),
        (["train", "own.npz", "--out", "new", "--label-noise", "2"], ["between 0 and 1"]),
        (["train", "own.npz", "--out", "new", "--width", "0"], ["width must be positive"]),
    ],
)
def test_bad_input_costs_one_line_and_leaves_nothing(folder, words, expected, monkeypatch):
    monkeypatch.chdir(folder)
    before = contents(folder)
    call(*words).assert_refused(*expected)
    assert contents(folder) == before
    assert not (folder / "mark").exists()
