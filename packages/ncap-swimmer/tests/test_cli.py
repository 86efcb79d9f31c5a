"""The commands as they are typed."""

import json
import signal
import sys
import time

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from house import python, started
from ncap_swimmer import cli, load, wrong_sign_property
from ncap_swimmer.paper import PAPER
from separata.testing import Commands, contents, interrupted_after

COMMANDS = Commands(PAPER, [cli.train, cli.evaluate, cli.trace, cli.export, cli.render])
SHORT = ("--n-links", "3", "--steps", "200", "--population", "2", "--test-every", "100", "--test-episodes", "1")
EPISODE_STEPS = "ncap_swimmer.environments.EPISODE_STEPS"


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return COMMANDS


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(EPISODE_STEPS, 50)
    monkeypatch.setattr("ncap_swimmer.runs._draw", lambda *_: None)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EPISODE_STEPS, 50)
        assert COMMANDS("train", "--out", out, *SHORT).code == 0
    return out


def test_the_untrained_circuit_swims(call):
    code, out, _ = call("evaluate", "--init", "--n-links", "6", "--episodes", "3", "--json")
    found = json.loads(out)
    assert code == 0
    assert 770 <= found["mean"] <= 820
    assert found["n_parameters"] == 4
    assert found["mean"] == pytest.approx(np.mean(found["returns"]))
    assert found["ci95"][0] < found["mean"] < found["ci95"][1]
    assert list(found) == [*("policy", "task", "n_links", "n_parameters", "episodes", "mean", "std", "ci95", "returns")]


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


def computed(path, observation):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (torques,) = session.run(None, {"observation": observation.numpy()})
    return torques


def test_a_circuit_is_exported_at_a_phase_with_a_property(run, call, tmp_path):
    files = ("--out", tmp_path / "x.onnx", "--property", tmp_path / "x.vnnlib")
    code, out, err = call("export", run, "--phase", "ventral", *files)
    assert (code, err) == (0, "")
    assert out.startswith("circuit with 4 parameters")
    joints = torch.rand(9, 2) * 2 - 1
    expected = load(run).policy.circuit(joints, 30).detach()
    np.testing.assert_allclose(computed(tmp_path / "x.onnx", joints), expected, atol=1e-5)
    assert {node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node} <= {"Gemm", "Relu", "MatMul", "Add"}
    assert (tmp_path / "x.vnnlib").read_text() == wrong_sign_property(2)


@pytest.mark.slow
def test_a_whole_policy_is_exported(run, call, tmp_path):
    assert call("export", run, "--out", tmp_path / "policy.onnx")[0] == 0
    observation = torch.randn(1000, 12)
    observation[:, -1] = torch.linspace(-1, 1, 1000)  # every phase of the oscillator
    expected = load(run).policy(observation).detach()
    np.testing.assert_allclose(computed(tmp_path / "policy.onnx", observation), expected, atol=1e-5)


def test_training_goes_on(call, brief):
    options = [option if option != "200" else "400" for option in SHORT]
    code, _, err = call("train", "--out", "run", *SHORT)
    assert code == 0
    assert err.count("return") == 3  # before, after 100 and after 200 steps
    code, out, err = call("train", "--out", "run", *options, "--resume")
    assert code == 0
    assert err.count("return") == 2
    assert "after 400 steps" in out


def test_a_training_that_made_it_worse_is_warned_of(call, brief, monkeypatch):
    monkeypatch.setattr("ncap_swimmer.runs.warning", lambda history: f"of {len(history)} tests")
    code, _, err = call("train", "--out", "run", *SHORT)
    assert code == 0
    assert err.splitlines()[-1] == "warning: of 3 tests"


BAD = {
    "odd population": (("train", "--out", "new", "--population", "3"), "population must be even"),
    "odd period": (("train", "--out", "new", "--period", "7"), "period must be even"),
    "a period of none": (("train", "--out", "new", "--period", "0"), "period must be even and at least 2"),
    "two links": (("train", "--out", "new", "--n-links", "2"), "at least 3 links"),
    "two links untrained": (("evaluate", "--init", "--n-links", "2"), "at least 3 links"),
    "an unknown algorithm": (("train", "--out", "new", "--algo", "sac"), "one of es, ppo, ddpg"),
    "an unknown policy": (("evaluate", "--init", "--policy", "gru"), "one of ncap, mlp, random"),
    "a negative seed": (("train", "--out", "new", "--seed", "-1"), "between 0 and 4294967295, not -1"),
    "a negative seed of episodes": (("trace", "--init", "--seed", "-1"), "between 0 and 4294967295, not -1"),
    "a body that cannot be": (("evaluate", "--init", "--n-links", "700"), "at most 490 links"),
    "a device that evolution has no use for": (("train", "--out", "new", "--device", "cuda"), "runs on the CPU"),
    "a segment that does not divide": (("train", "--out", "new", "--algo", "ppo", "--segment", "100"), "shared evenly"),
    "a policy for no reason": (("evaluate", "new", "--policy", "mlp"), "also give --init"),
    "no steps": (("train", "--out", "new", "--steps", "0"), "at least 1"),
    "no workers": (("train", "--out", "new", "--workers", "0"), "at least 1 worker"),
    "no episodes": (("evaluate", "--init", "--episodes", "0"), "at least 1 episode"),
    "no width": (("train", "--out", "new", "--policy", "mlp", "--hidden", "0"), "at least one unit"),
    "a setting of another algorithm": (("train", "--out", "new", "--algo", "ppo", "--sigma", "1"), "setting of es"),
    "a return that is not a number": (("train", "--out", "new", "--until", "nan"), "until must be a finite return"),
    "too many episodes": (("evaluate", "--init", "--episodes", "1000000000000"), "at most 1,000,000 episodes"),
    "too large a population": (("train", "--out", "new", "--population", "100000000000"), "at most 100,000"),
    "steering without a target": (("train", "--out", "new", "--steering", "learned"), "setting of the task navigate"),
    "a speed nobody pays for": (
        ("train", "--out", "new", "--task", "navigate", "--desired-speed", "0.5"),
        "setting of the task swim",
    ),
    "a circuit's setting for a perceptron": (
        ("train", "--out", "new", "--policy", "mlp", "--period", "20"),
        "period is a setting of the policy ncap, not of mlp",
    ),
    "no patience": (("train", "--out", "new", "--patience", "0"), "patience must be at least 1"),
    "no policy": (("evaluate",), "--init"),
    "no training there": (("evaluate", "new"), "holds no training"),
    "a trace of another kind": (("trace", "--init", "--out", "new.csv"), ".npz"),
    "an export of another kind": (("export", "--init", "--out", "new.pt"), ".onnx"),
    "no such phase": (("export", "--init", "--out", "new.onnx", "--phase", "up"), "one of dorsal, ventral"),
    "a film of another kind": (("render", "--init", "--out", "new.avi"), ".gif, .mp4, .png"),
    "a film too long": (("render", "--init", "--out", "new.gif", "--seconds", "90"), "at most 27 seconds"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(name, call, tmp_path):
    arguments, words = BAD[name]
    call(*arguments).assert_refused("ncap-swimmer: error: ", words)
    assert not contents(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (("export", "--init", "--out", "new.onnx"), "onnxscript", "onnx"),
        (("export", "--init", "--out", "x.onnx", "--phase", "dorsal", "--property", "x.vnnlib"), "onnx", "onnx"),
        (("render", "--init", "--out", "new.mp4"), "imageio_ffmpeg", "video"),
    ],
)
def test_what_an_extra_brings_is_asked_for_before_anything_is_written(
    arguments, module, extra, call, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    call(*arguments).assert_refused(f"pip install 'ncap-swimmer[{extra}]'")
    assert not contents(tmp_path)


def test_an_unshared_circuit_stays_on_its_body(call, brief):
    assert call("train", "--out", "own", "--no-share", *SHORT)[0] == 0
    done = call("evaluate", "own", "--n-links", "8")
    done.assert_refused("without shared weights fits its own 2 joints only")


def test_a_training_that_is_stopped_says_how_to_go_on(call, brief, run, tmp_path):
    with interrupted_after(2):
        code, out, err = call("train", "--out", "run", *SHORT)
    assert (code, out) == (130, "")
    assert "Continue with:" in err
    assert "--resume" in err
    assert call("evaluate", "run", "--episodes", "1").code == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.json", "model.safetensors", "history.csv", "checkpoint.safetensors")
    }
    assert call("train", "--out", "run", *SHORT, "--resume")[0] == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_process_that_is_interrupted_says_how_to_go_on(tmp_path):
    options = [option if option != "200" else "4000000" for option in SHORT]
    with started("ncap-swimmer", "train", "--out", "run", *options, cwd=tmp_path) as going:
        end = time.monotonic() + 120
        while (
            not (tmp_path / "run" / "checkpoint.safetensors").exists()
            and going.poll() is None
            and time.monotonic() < end
        ):
            time.sleep(0.1)
        going.send_signal(signal.SIGINT)
        _, err = going.communicate(timeout=60)
    assert going.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("config.json", "model.safetensors", "history.csv", "checkpoint.safetensors")
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "--init", "--out", "folder.npz"),
        ("trace", "--init", "--plot", "--out", "x.npz"),
        ("export", "--init", "--out", "folder.onnx"),
        ("export", "--init", "--phase", "dorsal", "--out", "x.onnx", "--property", "folder.vnnlib"),
        ("render", "--init", "--out", "folder.gif"),
    ],
)
def test_a_folder_is_refused_before_the_work_whose_result_it_was_to_hold(call, arguments, tmp_path, monkeypatch):
    for name in ("folder.npz", "x.svg", "folder.onnx", "folder.vnnlib", "folder.gif"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("ncap_swimmer.traces.record", None)
    monkeypatch.setattr("ncap_swimmer.rendering.choose_renderer", lambda: None)
    call(*arguments).assert_refused("is a folder; name a file to write")
    assert not contents(tmp_path)


@pytest.mark.slow
def test_a_renderer_that_does_not_exist_is_named():
    program = "from ncap_swimmer.cli import main; main()"
    done = python("-c", program, "evaluate", "--init", env={"MUJOCO_GL": "foo"})
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "unset MUJOCO_GL" in done.err
