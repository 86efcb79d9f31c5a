"""The commands as they are typed."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bab_verify import Clause, Query, Specification, Verifier, VerifyConfig, cli, read_counterexample, save_vnnlib
from bab_verify.paper import PAPER
from separata import cli as core

COMMANDS = [cli.verify, cli.run, cli.bounds, cli.attack, cli.info, cli.tables]
EXACT = (-2.0, 1.0)
"""The least and the largest output of the network of the tests."""


@pytest.fixture
def call(capsys, monkeypatch, files):
    """Run a command in the folder with the files; its exit code, standard output and standard error."""
    monkeypatch.chdir(files)
    monkeypatch.setenv("BAB_VERIFY_CACHE", str(files / "cache"))

    def run(*arguments):
        code = 0
        try:
            core.main(PAPER, COMMANDS, [str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        except KeyboardInterrupt:
            code = "interrupted"
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def network():
    """y = relu(x1 - x2) - relu(2 x1 - x2)."""
    weights = {"a": np.float32([[1, 2], [-1, -1]]), "b": np.float32([[1], [-1]])}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "a"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "b"], ["y"]),
        ],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def at_most(d, n=2):
    clause = Clause(torch.tensor([[1.0]]), torch.tensor([d]))
    lower, upper = torch.tensor([-1.0, -2.0, 0])[:n], torch.tensor([2.0, 1.0, 1])[:n]
    return Specification((Query(lower, upper, (clause,)),))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a network and properties that hold, do not hold, and are about something else."""
    tmp_path = tmp_path_factory.mktemp("made")
    onnx.save(network(), tmp_path / "net.onnx")
    save_vnnlib(at_most(-2.1), tmp_path / "holds.vnnlib")
    save_vnnlib(at_most(-1.9), tmp_path / "fails.vnnlib.gz")
    save_vnnlib(at_most(0.0, n=3), tmp_path / "other.vnnlib")
    (tmp_path / "garbage").write_bytes(bytes(range(256)))
    (tmp_path / "broken.vnnlib").write_text("(assert (<= X_0")
    (tmp_path / "archive.npy").write_bytes(b"PK\x03\x04 nonsense")
    np.save(tmp_path / "x.npy", np.float32([0.5, -0.5]))
    np.save(tmp_path / "three.npy", np.zeros(3))
    np.save(tmp_path / "nan.npy", np.float32([0.5, np.nan]))
    np.save(tmp_path / "objects.npy", np.array([{}, {}], dtype=object))
    (tmp_path / "list.csv").write_text(
        "net.onnx,holds.vnnlib,20\nnet.onnx,fails.vnnlib,20\nnet.onnx,other.vnnlib,20\nnet.onnx,holds.vnnlib,20\n"
    )
    return tmp_path


@pytest.fixture
def files(made, tmp_path):
    """The same, for one test to write in."""
    return shutil.copytree(made, tmp_path / "files")


@pytest.mark.parametrize("options", [(), ("--bounds", "alpha-crown"), ("--branching", "bbps", "--dtype", "float64")])
def test_a_property_that_holds(call, options):
    code, out, err = call("verify", "net.onnx", "holds.vnnlib", "--timeout", "30", *options)
    if options[:1] == ("--bounds",):
        assert (code, out) in {(0, "unsat\n"), (20, "unknown\n")}
    else:
        assert (code, out) == (0, "unsat\n")
    assert "branches" in err


def test_a_property_that_fails_and_its_counterexample(call, files):
    code, out, _ = call("verify", "net.onnx", "fails.vnnlib.gz", "--save-cex", "cex.txt")
    assert code == 10
    first, rest = out.split("\n", 1)
    assert first == "sat"
    assert rest.strip() == (files / "cex.txt").read_text().strip()
    x, y = read_counterexample(files / "cex.txt")
    assert max(x[0] - x[1], 0) - max(2 * x[0] - x[1], 0) == pytest.approx(y.item(), abs=1e-6)
    assert y.item() <= -1.9
    code, out, _ = call("verify", "net.onnx", "fails.vnnlib.gz", "--json")
    found = json.loads(out)
    assert (code, found["status"], found["reason"]) == (10, "sat", "attack")
    assert found["counterexample"]["y"][0] <= -1.9
    assert found["counterexample"]["violation"] <= 0


def test_what_is_not_decided(call):
    options = ("--bounds", "ibp", "--attack-restarts", "0", "--json")
    code, out, _ = call("verify", "net.onnx", "holds.vnnlib", *options)
    found = json.loads(out)
    assert (code, found["status"], found["counterexample"]) == (20, "unknown", None)
    # IBP by hand gives at least -6.
    assert found["lower_bounds"][0][0] == pytest.approx(-6 + 2.1, abs=1e-4)


def test_an_attack(call):
    code, out, _ = call("attack", "net.onnx", "fails.vnnlib.gz")
    assert (code, out.split("\n")[0]) == (10, "sat")
    code, out, _ = call("attack", "net.onnx", "holds.vnnlib", "--restarts", "3", "--json")
    assert (code, json.loads(out)["status"]) == (20, "unknown")


@pytest.mark.parametrize("method", ["ibp", "crown", "alpha-crown"])
def test_bounds_of_the_outputs(call, files, method):
    code, out, err = call(
        "bounds", "net.onnx", "--center", "x.npy", "--eps", "1.5", "--method", method, "--out", "b.npz"
    )
    assert (code, err) == (0, "")
    low, high = map(float, out.splitlines()[1].split()[1:])
    # Over the box that the toy network's bounds were found for by hand.
    expected = {"ibp": (-6, 4), "crown": (-3, 3)}.get(method)
    if expected:
        assert (low, high) == pytest.approx(expected, abs=1e-5)
    assert low <= EXACT[0]
    assert high >= EXACT[1]
    with np.load(files / "b.npz", allow_pickle=False) as found:
        assert found["lower"] == pytest.approx(low, abs=1e-5)
        assert found["x_upper"].tolist() == [2, 1]
    code, out, _ = call("bounds", "net.onnx", "--lower", "x.npy", "--upper", "x.npy", "--json")
    assert json.loads(out)["lower"] == pytest.approx([-0.5], abs=1e-5)


def test_what_a_network_and_a_property_are_like(call):
    code, out, _ = call("info", "net.onnx", "holds.vnnlib", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["input_shape"] == [1, 2]
    assert found["operators"] == {"MatMul": 2, "Relu": 1}
    assert found["parameters"] == 6
    assert found["nonlinear"] == {"Relu": 2}
    assert found["property"] == {"boxes": 1, "clauses": 1, "rows": 1, "free_inputs": 2, "unstable": {"Relu": 2}}
    code, out, _ = call("info", "net.onnx")
    assert "MatMul 2, Relu 1" in out


def test_tables_are_kept(call, files):
    code, out, _ = call("tables", "build", "--ops", "sigmoid,mul", "--step", "0.5", "--json")
    found = json.loads(out)["tables"]
    assert code == 0
    assert [(row["operation"], row["input"]) for row in found] == [("sigmoid", 0), ("mul", 0), ("mul", 1)]
    assert len(list((files / "cache").iterdir())) >= 2
    assert call("tables", "--ops", "sigmoid", "--step", "0.5")[1].startswith("sigmoid: 1 x 21 x 21 points")


def read(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_list_of_instances(call, files):
    code, out, err = call("run", "list.csv", "--out", "results.csv", "--cex-dir", "found", "--json")
    rows = read(files / "results.csv")
    assert code == 0
    assert list(rows[0]) == ["onnx", "vnnlib", "status", "seconds", "visited", "cuts"]
    assert [row["status"] for row in rows] == ["unsat", "sat", "error", "unsat"]
    assert [row["vnnlib"] for row in rows][:2] == ["holds.vnnlib", "fails.vnnlib.gz"]
    assert "it has 3 inputs, but the network has 2" in (files / "results.errors.txt").read_text()
    assert "it has 3 inputs" in err
    found = json.loads(out)
    assert found["counts"] == {"unsat": 2, "sat": 1, "unknown": 0, "timeout": 0, "error": 1}
    assert read_counterexample(files / "found" / "net-fails.cex")[1].item() <= -1.9


def test_a_network_is_loaded_once_and_the_timeout_is_the_instances_own(call, files, monkeypatch):
    loaded, timeouts, verify = [], [], Verifier.verify
    monkeypatch.setattr("bab_verify.commands.run.Verifier", lambda path, c: loaded.append(path) or Verifier(path, c))
    monkeypatch.setattr(Verifier, "verify", lambda self, *a: timeouts.append(self.config.timeout) or verify(self, *a))
    call("run", "list.csv", "--out", "one.csv", "--select", "0-1")
    assert len(loaded) == 1
    call("run", "list.csv", "--out", "two.csv", "--select", "3,1", "--timeout", "7")
    assert timeouts == [20, 20, 7, 7]
    assert [row["status"] for row in read(files / "two.csv")] == ["unsat", "sat"]


def test_a_run_that_is_stopped_goes_on(call, files, monkeypatch):
    verify, calls = Verifier.verify, []

    def stopping(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return verify(self, *arguments)

    monkeypatch.setattr(Verifier, "verify", stopping)
    code, out, err = call("run", "list.csv", "--out", "results.csv")
    assert code == core.INTERRUPTED
    assert out == ""
    assert "results.csv has 1 of 4 instances. Go on with:" in err
    assert err.strip().endswith("--resume")
    assert len(read(files / "results.csv")) == 1
    code, _, err = call("run", "list.csv", "--out", "results.csv", "--resume")
    assert code == 0
    assert "1 of 4 instances have results already" in err
    assert [row["status"] for row in read(files / "results.csv")] == ["unsat", "sat", "error", "unsat"]


def test_options_that_are_not_given_are_those_of_the_library():
    assert cli.SEARCH.within(VerifyConfig.timeout) == VerifyConfig()


GOOD = ("net.onnx", "holds.vnnlib")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify", "none.onnx", "holds.vnnlib"), "none.onnx: there is no such file"),
        (("verify", ".", "holds.vnnlib"), "there is no such file"),
        (("verify", "garbage", "holds.vnnlib"), "garbage: not an ONNX model"),
        (("verify", "net.onnx", "none.vnnlib"), "none.vnnlib: there is no such file"),
        (("verify", "net.onnx", "garbage"), "garbage: "),
        (("verify", "net.onnx", "broken.vnnlib"), "broken.vnnlib: line 1"),
        (("verify", "net.onnx", "other.vnnlib"), "it has 3 inputs, but the network has 2"),
        (("verify", *GOOD, "--timeout", "0"), "the timeout must be more than 0"),
        (("verify", *GOOD, "--timeout", "nan"), "the timeout must be more than 0"),
        (("verify", *GOOD, "--timeout", "soon"), "--timeout"),
        (("verify", *GOOD, "--bounds", "best"), "bounds is one of ibp, crown"),
        (("verify", *GOOD, "--cuts", "gomory"), "cuts is one of auto"),
        (("verify", *GOOD, "--device", "abacus"), "must be auto, cpu or cuda, not 'abacus'"),
        (("verify", *GOOD, "--device", "cuda:99"), "no such GPU"),
        (("verify", *GOOD, "--max-domains", "0"), "max_domains"),
        (("verify", *GOOD, "--attack-restarts", "-1"), "attack_restarts must be at least 0, not -1"),
        (("verify", *GOOD, "--root-steps", "-1"), "root_steps must be at least 0, not -1"),
        (("verify", *GOOD, "--branch-steps", "-2"), "branch_steps must be at least 0, not -2"),
        (("verify", *GOOD, "--attack-steps", "0"), "attack_steps must be at least 1, not 0"),
        (("verify", *GOOD, "--input-dimensions", "-1"), "input_dimensions must be at least 0, not -1"),
        (("verify", *GOOD, "--seed", "-1"), "seed must be at least 0, not -1"),
        (("attack", *GOOD, "--seed", "-1"), "the seed must not be negative, but it is -1"),
        (("verify", *GOOD, "--beta-lr", "nan"), "learning rates must be more than 0"),
        (("verify", *GOOD, "--save-cex", "."), "is a folder"),
        (("verify", *GOOD, "--save-cex", "absent/cex"), "absent/cex: there is no folder absent"),
        (("verify", "none.onnx", "none.vnnlib", "--save-cex", "absent/cex"), "there is no folder absent"),
        (("attack", *GOOD, "--save-cex", "absent/cex"), "absent/cex: there is no folder absent"),
        (
            ("bounds", "net.onnx", "--center", "x.npy", "--eps", "1", "--out", "absent/b.npz"),
            "there is no folder absent",
        ),
        (("run", "list.csv", "--out", "absent/r.csv"), "there is no folder absent"),
        (("verify", *GOOD, "--save-cex", "garbage/cex"), "cannot write to the folder garbage"),
        (("attack", *GOOD, "--steps", "0"), "restarts and steps must be at least 1"),
        (("attack", *GOOD, "--timeout", "-3"), "the timeout must be more than 0"),
        (("bounds", "net.onnx"), "--center and --eps"),
        (("bounds", "net.onnx", "--center", "x.npy"), "--center and --eps"),
        (("bounds", "net.onnx", "--center", "x.npy", "--eps", "-1"), "eps must be a number that is not negative"),
        (("bounds", "net.onnx", "--center", "x.npy", "--eps", "nan"), "eps must be a number that is not negative"),
        (("bounds", "net.onnx", "--center", "three.npy", "--eps", "1"), "three.npy: its shape is [3]"),
        (("bounds", "net.onnx", "--center", "objects.npy", "--eps", "1"), "objects.npy: not an .npy file of numbers"),
        (("bounds", "net.onnx", "--center", "garbage", "--eps", "1"), "garbage: not an .npy file of numbers"),
        (("bounds", "net.onnx", "--center", "archive.npy", "--eps", "1"), "archive.npy: not an .npy file of numbers"),
        (("bounds", "net.onnx", "--center", "nan.npy", "--eps", "1"), "nan.npy: it holds NaN"),
        (("bounds", "net.onnx", "--center", "x.npy", "--eps", "1", "--method", "lp"), "the method is one of"),
        (("bounds", "net.onnx", "--center", "x.npy", "--eps", "1", "--out", "."), "is a folder"),
        (("info", "garbage"), "not an ONNX model"),
        (("tables", "--ops", "sigmoid,frobnicate"), "there is no table for 'frobnicate'"),
        (("tables", "burn"), "tables can be built, not 'burn'"),
        (("tables", "--step", "0"), "the step must be from 0.01 to 1"),
        (("run", "none.csv", "--out", "r.csv"), "none.csv: there is no such file"),
        (("run", "garbage", "--out", "r.csv"), "garbage: not a CSV file"),
        (("run", "list.csv", "--out", "r.csv", "--select", "9"), "is not within the list"),
        (("run", "list.csv", "--out", "r.csv", "--select", "x"), "is neither a place"),
        (("run", "list.csv", "--out", "r.csv", "--timeout", "0"), "the timeout must be more than 0"),
        (("run", "list.csv", "--out", "list.csv"), "it is there already"),
        (("run", "list.csv", "--out", "list.csv", "--resume"), "not a file of results"),
        (("run", "list.csv", "--out", "."), "is a folder"),
        (("run", "list.csv", "--out", "garbage/r.csv"), "cannot write to the folder garbage"),
        (("run", "list.csv"), "--out"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(call, files, arguments, message):
    before = {path: path.read_bytes() if path.is_file() else None for path in files.rglob("*")}
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("bab-verify: error: ")
    assert message in err
    assert {path: path.read_bytes() if path.is_file() else None for path in files.rglob("*")} == before


@pytest.mark.slow
def test_the_installed_command(files):
    words = [sys.executable, "-c", "from bab_verify.cli import main; main()", "verify", *GOOD, "--timeout", "20"]
    done = subprocess.run(words, cwd=files, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "unsat\n")
