"""The commands as they are typed."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import pytest

from ncap_swimmer import cli
from ncap_swimmer.paper import PAPER
from separata import cli as core

COMMANDS = [cli.train, cli.evaluate, cli.trace, cli.export, cli.render]
SHORT = ("--n-links", "3", "--steps", "4000", "--population", "2", "--test-every", "2000", "--test-episodes", "1")


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder; its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = 0
        try:
            core.main(PAPER, COMMANDS, [str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    core.main(PAPER, COMMANDS, ["train", "--out", str(out), *SHORT])
    return out


def test_the_untrained_circuit_swims(call):
    code, out, _ = call("evaluate", "--init", "--n-links", "6", "--episodes", "3", "--json")
    found = json.loads(out)
    assert code == 0
    assert 770 <= found["mean"] <= 820
    assert found["parameters"] == 4
    assert found["mean"] == pytest.approx(np.mean(found["returns"]))
    assert found["ci95"][0] < found["mean"] < found["ci95"][1]


@pytest.mark.parametrize(("policy", "low", "high"), [("mlp", 0, 60), ("random", 85, 115)])
def test_baselines_before_training(call, policy, low, high):
    _, out, _ = call("evaluate", "--init", "--policy", policy, "--episodes", "1", "--json")
    assert low <= json.loads(out)["mean"] <= high


def test_training_says_how_it_goes_and_is_used_afterwards(run, call, tmp_path):
    code, out, err = call("evaluate", run, "--n-links", "5", "--episodes", "1")
    assert (code, err) == (0, "")
    assert "5 links, circuit with 4 parameters" in out
    code, out, _ = call("trace", run, "--plot", "--out", tmp_path / "trace.npz")
    assert code == 0
    assert "follows the one before it by" in out
    with np.load(tmp_path / "trace.npz", allow_pickle=False) as trace:
        assert trace["joints"].shape == (1000, 2)
    assert "<svg" in (tmp_path / "trace.svg").read_text()
    assert call("export", run, "--out", tmp_path / "policy.onnx")[0] == 0
    session = onnxruntime.InferenceSession(tmp_path / "policy.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"observation": np.zeros((1, 12), np.float32)})[0].shape == (1, 2)


def test_training_goes_on(call):
    options = [option if option != "4000" else "8000" for option in SHORT]
    code, _, err = call("train", "--out", "run", *SHORT)
    assert code == 0
    assert err.count("return") == 3  # before, after 2000 and after 4000 steps
    code, out, err = call("train", "--out", "run", *options, "--resume")
    assert code == 0
    assert err.count("return") == 2
    assert "after 8000 steps" in out


BAD = {
    "odd population": (("train", "--out", "new", "--population", "3"), "population must be even"),
    "odd period": (("train", "--out", "new", "--period", "7"), "period must be even"),
    "a period of none": (("train", "--out", "new", "--period", "0"), "period must be even and at least 2"),
    "two links": (("train", "--out", "new", "--n-links", "2"), "at least 3 links"),
    "two links untrained": (("evaluate", "--init", "--n-links", "2"), "at least 3 links"),
    "an unknown algorithm": (("train", "--out", "new", "--algo", "sac"), "es, ppo, ddpg"),
    "an unknown policy": (("evaluate", "--init", "--policy", "gru"), "ncap, mlp, random"),
    "no steps": (("train", "--out", "new", "--steps", "0"), "at least 1"),
    "no workers": (("train", "--out", "new", "--workers", "0"), "at least 1 worker"),
    "no episodes": (("evaluate", "--init", "--episodes", "0"), "at least 1 episode"),
    "no width": (("train", "--out", "new", "--policy", "mlp", "--hidden", "0"), "at least one unit"),
    "a setting of another algorithm": (("train", "--out", "new", "--algo", "ppo", "--sigma", "1"), "setting of es"),
    "no patience": (("train", "--out", "new", "--patience", "0"), "patience must be at least 1"),
    "no policy": (("evaluate",), "--init"),
    "no training there": (("evaluate", "new"), "holds no training"),
    "a trace of another kind": (("trace", "--init", "--out", "new.csv"), ".npz"),
    "an export of another kind": (("export", "--init", "--out", "new.pt"), ".onnx"),
    "no such phase": (("export", "--init", "--out", "new.onnx", "--phase", "up"), "'dorsal' or 'ventral'"),
    "a film of another kind": (("render", "--init", "--out", "new.avi"), ".gif, .mp4, .png"),
    "a film too long": (("render", "--init", "--out", "new.gif", "--seconds", "90"), "at most 30 seconds"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(name, call, tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    arguments, words = BAD[name]
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("ncap-swimmer: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_an_unshared_circuit_stays_on_its_body(call):
    assert call("train", "--out", "own", "--no-share", *SHORT)[0] == 0
    code, _, err = call("evaluate", "own", "--n-links", "8")
    assert code == 2
    assert "without shared weights fits its own 2 joints only" in err


def test_a_training_that_is_stopped_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-c", "from ncap_swimmer.cli import main; main()", "train", "--out", "run", *SHORT]
    command[command.index("4000")] = "4000000"
    going = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoint.pt").exists() and time.monotonic() < end:
        time.sleep(0.1)
    going.send_signal(signal.SIGINT)
    _, err = going.communicate(timeout=60)
    assert going.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.json", "policy.safetensors", "history.csv", "checkpoint.pt")
    }
