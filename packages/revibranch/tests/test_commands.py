import json
import os
import signal
import subprocess
import sys

import pytest
from pyscipopt import Model

from revibranch import cli, load_outcomes, make_instance
from revibranch.instances import KnapsackConfig
from revibranch.paper import PAPER
from separata.testing import Commands, contents

call = Commands(PAPER, [cli.generate, cli.solve, cli.evaluate])
SMALL = ("--n-items", 20, "--n-knapsacks", 3, "--scheme", "weakly correlated", "--seed", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three problems, one infeasible one, and files that are none."""
    place = tmp_path_factory.mktemp("commands")
    assert call("generate", "knapsack", "--out", place / "train", "--n", 3, *SMALL).code == 0
    (place / "infeasible.lp").write_text("minimize\n obj: x\nsubject to\n c: x >= 2\nbinary\n x\nend\n")
    (place / "continuous.lp").write_text("minimize\n obj: x\nsubject to\n c: x >= 2\nend\n")
    (place / "damaged.lp").write_text("minimize this\n")
    return place


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("setcover", ("--n-rows", 20, "--n-cols", 30, "--density", 0.2, "--max-cost", 9)),
        ("auction", ("--n-items", 10, "--n-bids", 20, "--add-item-prob", 0.5)),
        ("indset", ("--n-nodes", 20, "--affinity", 2)),
        ("facilities", ("--n-customers", 4, "--n-facilities", 3, "--ratio", 3, "--unsplittable")),
        ("knapsack", SMALL),
    ],
)
def test_generate_writes_problems_that_scip_reads(tmp_path, kind, settings):
    for index, options in enumerate([(), ("--gz",), ("--format", "mps"), ("--format", "mps", "--gz")]):
        out = tmp_path / str(index)
        done = call("generate", kind, "--out", out, "--n", 2, *settings, "--seed", 3, *options, "--json")
        told = json.loads(done.out)
        assert (done.code, told["kind"], told["n"], told["seed"]) == (0, kind, 2, 3)
        ending = f".{'mps' if 'mps' in options else 'lp'}{'.gz' if '--gz' in options else ''}"
        names = [f"instance_0000{number}{ending}" for number in range(2)]
        assert sorted(contents(out)) == sorted([*names, "instances.json"])
        assert json.loads((out / "instances.json").read_text())["config"] == told["config"]
        for name in names:
            model = Model()
            model.hideOutput()
            model.readProblem(str(out / name))
            assert model.getNVars() == told["n_variables"]
    assert contents(tmp_path / "0")["instance_00000.lp"] != contents(tmp_path / "0")["instance_00001.lp"]


def test_the_first_problems_are_the_same_however_many(here, tmp_path):
    assert call("generate", "knapsack", "--out", tmp_path, "--n", 1, *SMALL).code == 0
    (name,) = [name for name in contents(tmp_path) if name.endswith(".lp")]
    assert contents(tmp_path)[name] == contents(here / "train")[name]
    problem = make_instance(KnapsackConfig(20, 3, scheme="weakly correlated"), 1)
    assert (tmp_path / name).read_text() == problem.to_lp()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sets", "--out", "new"), "kind must be one of setcover, auction, indset, facilities, knapsack, not 'sets'"),
        (("knapsack", "--out", "train"), "train has problems already, such as instance_00000.lp"),
        (("knapsack", "--out", "new", "--n", 0), "--n must be at least 1, not 0"),
        (("knapsack", "--out", "new", "--seed", -1), "--seed must not be negative"),
        (
            ("setcover", "--out", "new", "--n-items", 3),
            "--n-items does not apply to setcover, whose options are --n-rows",
        ),
        (("knapsack", "--out", "new", "--unsplittable"), "--unsplittable does not apply to knapsack"),
        (("setcover", "--out", "new", "--density", 0.001), "choose at least"),
        (("setcover", "--out", "damaged.lp", "--size", "small"), "it is a file"),
    ],
)
def test_generate_refuses(here, unchecked, words, told):
    before = contents(here)
    call("generate", *words).assert_refused(told)
    assert contents(here) == before
    assert not (here / "new").exists()


@pytest.mark.parametrize("policy", ["scip", "pscost", "strong", "random", "mostfrac"])
def test_solve_finds_the_same_optimum_whoever_branches(here, tmp_path, policy):
    file = "train/instance_00001.lp"
    done = call("solve", file, "--policy", policy, "--out", tmp_path / "x.sol", "--json")
    told = json.loads(done.out)
    assert (done.code, told["status"], told["policy"], told["gap"]) == (0, "optimal", policy, 0)
    assert told["n_nodes"] >= 1
    assert told["n_lp_iterations"] >= 1
    model = Model()
    model.hideOutput()
    model.readProblem(file)
    solution = model.readSolFile(str(tmp_path / "x.sol"))
    assert model.checkSol(solution)
    model.optimize()
    assert model.getObjVal() == pytest.approx(told["objective"])
    assert solution[model.getVars()[0]] == pytest.approx(told["solution"][model.getVars()[0].name])


def test_solve_tells_people(here):
    done = call("solve", "train/instance_00000.lp", "--policy", "mostfrac")
    lines = done.out.splitlines()
    assert lines[0].startswith("optimal: objective ")
    assert "LP iterations" in lines[1]
    assert "in the rule" in lines[1]


def test_solve_says_that_there_is_no_solution(here, tmp_path):
    done = call("solve", "infeasible.lp", "--out", tmp_path / "x.sol")
    assert (done.code, done.out.splitlines()[0]) == (0, "infeasible: no solution")
    assert "x.sol is not written: there is no solution" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("none.lp",), "no file none.lp"),
        (("damaged.lp",), "damaged.lp"),
        (("continuous.lp",), "has no integer variables: there is nothing to branch on"),
        (("train/instance_00000.lp", "--policy", "best"), "no policy best"),
        (("train/instance_00000.lp", "--out", "x.txt"), "written as .sol, not as x.txt"),
        (("train/instance_00000.lp", "--out", "damaged.lp/x.sol"), "it is a file"),
        (("train/instance_00000.lp", "--time-limit", -1), "time limit must be positive"),
    ],
)
def test_solve_refuses(here, words, told):
    before = contents(here)
    call("solve", *words).assert_refused(told)
    assert contents(here) == before


def test_solve_refuses_files_that_are_no_policy(here):
    pytest.importorskip("revibranch.policy")
    call("solve", "train/instance_00000.lp", "--policy", "damaged.lp").assert_refused("damaged.lp")


def test_evaluate_compares_and_resumes(here, tmp_path):
    words = (
        "evaluate",
        "--instances",
        "train",
        "--policies",
        "scip,random",
        "--n-seeds",
        2,
        "--csv",
        tmp_path / "r.csv",
    )
    done = call(*words, "--plot", tmp_path / "p.svg", "--json")
    told = json.loads(done.out)
    assert (done.code, [one["rule"] for one in told["rules"]], told["disagreements"]) == (0, ["scip", "random"], [])
    assert len(told["rows"]) == len(load_outcomes(tmp_path / "r.csv")) == 3 * 2 * 2
    assert "<svg" in (tmp_path / "p.svg").read_text()
    assert told["n_compared"] > 0
    written = (tmp_path / "r.csv").read_bytes()
    again = call(*words, "--resume")
    assert (again.code, again.out.split()[:2]) == (0, ["rule", "solved"])
    # All of it was there: nothing is solved anew, so that even the seconds are the same.
    assert (tmp_path / "r.csv").read_bytes() == written
    call(*words).assert_refused("r.csv is there already")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--instances", "train", "--policies", "best"), "no policy best"),
        (("--instances", "train", "--policies", "scip,scip"), "names a policy twice"),
        (("--instances", "train", "--policies", ","), "at least one rule"),
        (("--instances", "none", "--policies", "scip"), "no file or folder none"),
        (("--instances", "empty", "--policies", "scip"), "no problem in the folder empty"),
        (("--instances", "train", "--policies", "scip", "--n-seeds", 0), "--n-seeds must be at least 1"),
        (("--instances", "train", "--policies", "scip", "--n-workers", -2), "must not be negative"),
        (("--instances", "train", "--policies", "scip", "--resume"), "give it with --csv"),
        (("--instances", "train", "--policies", "scip", "--plot", "p.txt"), "not as p.txt"),
        (("--instances", "train", "--policies", "scip", "--csv", "damaged.lp", "--resume"), "damaged.lp"),
        (("--instances", "continuous.lp", "--policies", "scip"), "no integer variables"),
    ],
)
def test_evaluate_refuses(here, words, told):
    (here / "empty").mkdir(exist_ok=True)
    before = contents(here)
    call("evaluate", *words).assert_refused(told)
    assert contents(here) == before


def test_a_profile_of_nothing_is_not_drawn(here, tmp_path):
    words = ("--instances", "infeasible.lp", "--policies", "scip,pscost", "--plot", tmp_path / "p.svg")
    done = call("evaluate", *words)
    assert (done.code, done.out.split()[:2]) == (0, ["rule", "solved"])
    assert "p.svg is not written: all policies solve all problems at the root" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_shows_what_was_found(tmp_path):
    assert call("generate", "setcover", "--size", "large", "--n", 1, "--out", tmp_path).code == 0
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from revibranch.cli import main; main()"
    words = ["solve", str(tmp_path / "instance_00000.lp"), "--json", "--out", str(tmp_path / "x.sol")]
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=8)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["status"]) == (130, "userinterrupt")
    assert (tmp_path / "x.sol").is_file()
