import ast
import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from pyscipopt import Model

from revibranch import cli, load, load_outcomes, make_instance
from revibranch.instances import KnapsackConfig
from revibranch.instances.sources import ProblemSet
from revibranch.paper import PAPER
from revibranch.scip.observation import FEATURE_VERSION
from separata import files
from separata.runs import read_csv
from separata.testing import Commands, contents, interrupted_after

call = Commands(PAPER, [cli.generate, cli.train, cli.solve, cli.evaluate])
SMALL = ("--n-items", 20, "--n-knapsacks", 3, "--scheme", "weakly correlated", "--seed", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three problems, one infeasible one, and files that are none."""
    place = tmp_path_factory.mktemp("commands")
    assert call("generate", "knapsack", "--out", place / "train", "--n", 3, *SMALL).code == 0
    (place / "practice").mkdir()
    for index, (seed, number) in enumerate([(3, 2), (4, 1), (1, 3)]):  # solved in 10 to 40 nodes
        problem = make_instance(KnapsackConfig(12, 2, scheme="strongly correlated"), seed, number)
        problem.write(place / "practice" / f"{index}.lp")
    (place / "infeasible.lp").write_text("minimize\n obj: x\nsubject to\n c: x >= 2\nbinary\n x\nend\n")
    (place / "continuous.lp").write_text("minimize\n obj: x\nsubject to\n c: x >= 2\nend\n")
    (place / "damaged.lp").write_text("minimize this\n")
    (place / "unbounded.lp").write_text("maximize\n obj: x + y\nsubject to\n c: x - y <= 2.5\ngeneral\n x y\nend\n")
    quadratic = "minimize\n obj: x\nsubject to\n c: [ x ^2 + y ^2 ] >= 2\ninteger\n x\nend\n"
    (place / "quadratic.lp").write_text(quadratic)
    (place / "sos.lp").write_text(
        "minimize\n obj: x + y + z\nsubject to\n c: x + y + z >= 2\nbounds\n x <= 3\n y <= 3\n"
        "binary\n z\nsos\n s: S1:: x:1 y:2\nend\n"
    )
    (place / "notes.txt").write_text("minimize\n")
    (place / "cut.mps.gz").write_bytes((place / "damaged.lp").read_bytes())
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
        (("knapsack", "--out", "new", "--n", 0), "--n must be at least 1 and at most 1,000,000, not 0"),
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


NETWORK = ("--embedding-size", 8, "--n-heads", 2, "--n-layers", 1, "--feedforward-size", 16)
SHORT = (*NETWORK, "--n-episodes", 4, "--batch-size", 4, "--n-before", 1, "--updates-per-decision", 0.2)
PRACTICE = ("train", "--instances", "practice", "--validation", 0.3, "--evaluate-every", 2, *SHORT)
COVERS = ("setcover", "--n-rows", 20, "--n-cols", 40, "--density", 0.15, "--max-cost", 9)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """The folder of a training on two problems, a third of them held out, and what the command said of it."""
    place = tmp_path_factory.mktemp("trained") / "run"
    with contextlib.chdir(folder):
        done = call(*PRACTICE, "--out", place, "--json")
    assert done.code == 0, done.err
    return place, json.loads(done.out)


def test_a_policy_is_trained_on_files_and_branches_on_others(here, trained):
    run, said = trained
    assert {"config.json", "curve.svg", "history.csv", "model.safetensors"} < set(contents(run))
    assert "<svg" in (run / "curve.svg").read_text()
    rows = read_csv(run / "history.csv")
    assert [row["episode"] for row in rows] == [0, 1, 2, 3]
    assert [row["validation_nodes"] > 0 for row in rows] == [False, True, False, True]
    assert said["nodes"] == min(row["validation_nodes"] for row in rows[1::2])
    assert (said["n_instances"], said["n_validation"], said["n_episodes"]) == (2, 1, 4)
    settings = json.loads((run / "config.json").read_text())
    assert settings["policy"]["embedding_size"] == load(said["model"]).config.embedding_size == 8
    assert [name.split()[0] for name in settings["instances"]] == ["0.lp", "1.lp", "2.lp"]
    # The policy branches wherever a name does.
    words = ("solve", "practice/0.lp", "--json")
    told = [json.loads(call(*words, *more).out) for more in ((), ("--policy", said["model"]))]
    assert told[1]["objective"] == pytest.approx(told[0]["objective"])
    assert told[1]["n_branchings"] > 0
    words = ("evaluate", "--instances", "practice/1.lp", "--policies", f"{said['model']},random", "--json")
    told = json.loads(call(*words).out)
    assert (told["disagreements"], len(told["rows"])) == ([], 2)


def test_training_goes_on_after_ctrl_c_as_if_nothing_had_happened(here, trained, tmp_path):
    run, said = trained
    with interrupted_after(said["n_updates"] - 1):
        stopped = call(*PRACTICE, "--out", tmp_path)
    assert stopped.code == 130
    assert f"Stopped; {tmp_path} has everything up to the last checkpoint" in stopped.err
    assert not (tmp_path / "model.safetensors").exists()
    call(*PRACTICE, "--out", tmp_path).assert_refused("already holds a training; continue it with --resume")
    changed = call(*PRACTICE, "--out", tmp_path, "--lr", 0.5, "--resume")
    changed.assert_refused("was begun with another lr")
    done = json.loads(call(*PRACTICE, "--out", tmp_path, "--resume", "--json").out)
    assert {**done, "model": said["model"]} == said
    weights, expected = (files.load_tensors(place / "model.safetensors")[0] for place in (tmp_path, run))
    assert all(torch.equal(value, expected[name]) for name, value in weights.items())
    assert [row["nodes"] for row in read_csv(tmp_path / "history.csv")] == [
        row["nodes"] for row in read_csv(run / "history.csv")
    ]


@pytest.fixture(scope="module")
def cut_short(folder, tmp_path_factory):
    """The folder of a training on a problem in every format, its searches cut short, and what the command said."""
    place = tmp_path_factory.mktemp("formats")
    model = Model()
    model.hideOutput()
    model.readProblem(str(folder / "practice" / "1.lp"))
    for ending in ("lp", "mps", "cip"):
        plain = place / f"problem.{ending}"
        model.writeProblem(str(plain), verbose=False)
        (place / f"problem.{ending}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    words = ("--instances", place, "--validation", place / "problem.cip.gz", "--n-instances", 5, "--node-limit", 2)
    return place / "run", call("train", *words, *SHORT, "--n-episodes", 1, "--out", place / "run", "--json")


def test_training_reads_every_format(cut_short):
    run, done = cut_short
    told = json.loads(done.out)
    assert (told["n_instances"], told["n_validation"], told["n_episodes"]) == (5, 1, 1)
    assert told["nodes"] > 1
    names = json.loads((run / "config.json").read_text())["instances"]
    assert [name.split()[0] for name in names] == [f"problem.{e}" for e in ("cip", "cip.gz", "lp", "lp.gz", "mps")]


def test_training_draws_problems_of_a_family(tmp_path):
    words = ("train", "--instances", *COVERS, "--n-instances", 20, *SHORT, "--n-episodes", 1, "--no-revival")
    done = call(*words, "--out", tmp_path / "run", "--json")
    told = json.loads(done.out)
    assert (done.code, told["n_instances"], told["n_validation"]) == (0, 18, 2)
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert settings["instances"][:2] == ["setcover", "n_rows=20"]
    assert settings["validation"] == ["2 of the instances"]
    assert {"seed=0", "first=1000000", "n_instances=20"} < {*settings["instances"]}
    assert load(told["model"]).config.revival is False


def test_what_is_held_out_is_not_trained_on(folder):
    problems = ProblemSet.from_family(KnapsackConfig(15, 3), 40, seed=0)
    for share, n_out in ((None, 4), (0.25, 10), (0, 0), (0.001, 1)):
        kept, out = problems.hold_out(share, seed=3)
        assert len(out.instances) == n_out
        assert {*kept.instances, *out.instances} == {*problems.instances}
        assert len(kept.instances) + n_out == 40
    assert len(ProblemSet.from_family(KnapsackConfig(15, 3), 400, seed=0).hold_out(None, 0)[1].instances) == 10


def test_what_is_generated_is_not_what_is_trained_on(tmp_path):
    assert call("generate", "knapsack", "--n", 10, *SMALL, "--out", tmp_path, "--format", "mps").code == 0
    config = KnapsackConfig(20, 3, scheme="weakly correlated")
    drawn = ProblemSet.from_family(config, 10, seed=1).instances
    trained_on = {text.split("\n", 1)[1] for text in (make_instance(config, 1, one.index).to_mps() for one in drawn)}
    generated = {path.read_text().split("\n", 1)[1] for path in tmp_path.glob("*.mps")}
    assert (len(trained_on), len(generated), trained_on & generated) == (10, 10, set())
    # With the numbers of the problems, it is the same text.
    assert make_instance(config, 1, 3).to_mps().split("\n", 1)[1] in generated


def test_training_says_that_nothing_was_learned(cut_short):
    _, done = cut_short
    assert (done.code, json.loads(done.out)["n_updates"]) == (0, 0)
    assert "warning: the network has learned nothing" in done.err


def test_problems_without_a_branching_are_not_trained_on(here):
    done = call("train", "--instances", "infeasible.lp", *SHORT, "--out", "new")
    done.assert_refused("all instances are solved without branching", after_progress=True)
    assert not (here / "new").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--instances", "none"), "no file or folder none"),
        (("--instances", "set-cover"), "nor a family of that name: there are setcover, auction"),
        (("--instances", "setcover", "train"), "takes files and folders, or one family"),
        (("--instances", "train", "--n-rows", 3), "--n-rows is an option of random problems"),
        (("--instances", "setcover", "--n-items", 3), "--n-items does not apply to setcover"),
        (("--instances", "train", "--n-instances", 0), "--n-instances must be at least 1"),
        (("--instances", "train", "--validation", 1.5), "at least 0 and less than 1, not 1.5"),
        (("--instances", "practice/0.lp", "--validation", 0.5), "a single problem cannot be shared"),
        (("--instances", "train", "--validation", "none"), "no file or folder none"),
        (("--instances", "train", "--validation", "continuous.lp"), "no integer variables"),
        (("--instances", "quadratic.lp"), "constraints of type nonlinear"),
        (("--instances", "train", "--embedding-size", 9), "must be even"),
        (("--instances", "train", "--batch-size", 0), "batch_size must be at least 1, not 0"),
        (("--instances", "train", "--lr", -1), "lr must be positive, not -1"),
        (("--instances", "train", "--epsilon", 2), "between 0 and 1"),
        (("--instances", "train", "--time-limit", 0), "time limit must be positive"),
        (("--instances", "train", "--device", "tpu"), "tpu"),
    ],
)
def test_train_refuses(here, words, told):
    before = contents(here)
    call("train", "--out", "new", *words).assert_refused(told)
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
    assert "x.sol is not written: there is no best solution" in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("none.lp",), "no file none.lp"),
        (("damaged.lp",), "damaged.lp"),
        (("train",), "no file train"),
        (("notes.txt",), "must end in .lp, .mps, .cip"),
        (("cut.mps.gz",), "cut.mps.gz"),
        (("continuous.lp",), "has no integer variables: there is nothing to branch on"),
        (("quadratic.lp",), "constraints of type nonlinear; only linear ones are supported"),
        (("sos.lp",), "constraints of type SOS1; only linear ones are supported"),
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


def test_an_unbounded_problem_has_no_best_solution(here, tmp_path):
    done = call("solve", "unbounded.lp", "--policy", "random", "--out", tmp_path / "x.sol", "--json")
    told = json.loads(done.out)
    assert (done.code, told["status"] in {"unbounded", "inforunbd"}, told["solved"]) == (0, True, False)
    assert {told[name] for name in ("objective", "dual_bound", "gap", "solution")} == {None}
    assert "x.sol is not written: there is no best solution" in done.err
    assert not list(tmp_path.iterdir())
    words = ("evaluate", "--instances", "unbounded.lp", "infeasible.lp", "--policies", "scip,random")
    done = call(*words, "--csv", tmp_path / "r.csv", "--json")
    told = json.loads(done.out)
    assert (told["n_compared"], told["n_solved_at_root"], told["disagreements"]) == (0, 1, [])
    assert [one["n_solved"] for one in told["rules"]] == [1, 1]
    assert [row["dual_bound"] for row in told["rows"][:2]] == [None, None]
    assert json.loads(call(*words, "--csv", tmp_path / "r.csv", "--resume", "--json").out) == told


def test_files_that_are_no_policy_are_refused(here, trained, tmp_path):
    tensors, described = files.load_tensors(trained[0] / "model.safetensors")
    strangers = {
        "other.safetensors": ({}, "holds no branching policy"),
        "old.safetensors": (
            {**described, "features": str(FEATURE_VERSION - 1)},
            "was trained on version 0 of the feat",
        ),
        "larger.safetensors": (
            {**described, "policy": described["policy"].replace('"embedding_size": 8', '"embedding_size": 16')},
            "other weights than its settings describe",
        ),
    }
    for name, (metadata, told) in strangers.items():
        files.save_tensors(tmp_path / name, tensors, metadata)
        call("solve", "train/instance_00000.lp", "--policy", tmp_path / name).assert_refused(told)
        words = ("--instances", "train", "--policies", tmp_path / name)
        call("evaluate", *words).assert_refused(told)
    call("solve", "train/instance_00000.lp", "--policy", "damaged.lp").assert_refused("damaged.lp")


def test_evaluate_compares_and_resumes(here, tmp_path):
    words = (
        "evaluate",
        "--instances",
        "train/instance_00000.lp",
        "train/instance_00001.lp",
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
    assert len(told["rows"]) == len(load_outcomes(tmp_path / "r.csv")) == 2 * 2 * 2
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


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_help_loads_nothing_slow(words):
    # Before a command begins, Ctrl-C would end in a traceback, too.
    code = "import sys; from revibranch.cli import main\ntry: main()\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert "revibranch.cli" in loaded
    assert not loaded & {"numpy", "scipy", "torch", "pyscipopt", "joblib", "revibranch.commands"}


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
