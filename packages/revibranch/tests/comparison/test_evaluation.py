import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from revibranch import (
    KnapsackConfig,
    Outcome,
    ScipConfig,
    evaluate,
    load_outcomes,
    make_instances,
    save_outcomes,
    solve,
)
from revibranch.comparison import evaluation

PROBLEMS = list(make_instances(KnapsackConfig(12, 3, scheme="weakly correlated"), 3, seed=4))
RULES = {"SCIP": "scip", "random": "random"}


def counts(report):
    return [(row.instance, row.rule, row.seed, row.nodes, row.lp_iterations, row.objective) for row in report.rows]


@pytest.fixture(scope="module")
def report():
    return evaluate(RULES, PROBLEMS, seeds=(0, 3))


def test_results_are_those_of_single_solves(report):
    assert [(row.instance, row.seed, row.rule) for row in report.rows] == [
        (problem.name, seed, rule) for problem in PROBLEMS for seed in (0, 3) for rule in RULES
    ]
    for row in report.rows:
        problem = next(one for one in PROBLEMS if one.name == row.instance)
        found = solve(problem, RULES[row.rule], ScipConfig(seed=row.seed))
        assert (row.nodes, row.lp_iterations, row.status) == (found.n_nodes, found.n_lp_iterations, found.status)
        assert row.objective == pytest.approx(found.objective)
    assert report.disagreements() == []


def test_processes_find_the_same(report):
    assert counts(evaluate(RULES, PROBLEMS, seeds=(0, 3), n_workers=2)) == counts(report)


def test_results_are_on_disk_as_they_come_and_are_taken_up_again(report, tmp_path, monkeypatch):
    csv = tmp_path / "results.csv"
    solved = []

    def stopping(*job):
        if len(solved) == 5:
            raise KeyboardInterrupt
        solved.append(job)
        return solve(*job)

    monkeypatch.setattr(evaluation, "solve", stopping)
    with pytest.raises(KeyboardInterrupt):
        evaluate(RULES, PROBLEMS, seeds=(0, 3), csv=csv)
    assert len(load_outcomes(csv)) == 5
    with pytest.raises(ValueError, match=r"results.csv is there already; resume"):
        evaluate(RULES, PROBLEMS, seeds=(0, 3), csv=csv)
    solved.clear()
    monkeypatch.setattr(evaluation, "solve", lambda *job: solved.append(job) or solve(*job))
    resumed = evaluate(RULES, PROBLEMS, seeds=(0, 3), csv=csv, resume=True)
    assert len(solved) == 12 - 5
    assert counts(resumed) == counts(report)
    assert sorted(load_outcomes(csv), key=str) == sorted(resumed.rows, key=str)


def test_a_device_takes_results_like_a_file_that_is_not_there_yet(tmp_path):
    rules, device, pipe = {"SCIP": "scip"}, Path("/dev/full"), tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    evaluate(rules, PROBLEMS[:2], csv=pipe)
    (tmp_path / "r.csv").write_text(reader.communicate(timeout=30)[0])
    assert len(load_outcomes(tmp_path / "r.csv")) == 2
    if device.exists():
        with pytest.raises(OSError, match="cannot write /dev/full: No space left"):
            evaluate(rules, PROBLEMS[:1], csv=device)


class Last:
    name = "last"

    def choose(self, focus):
        return len(focus.candidates) - 1


def test_rules_of_ones_own_are_compared(report):
    found = evaluate({"last": Last(), "SCIP": "scip"}, PROBLEMS[:1])
    assert {row.objective for row in found.rows} == {report.rows[0].objective}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": ScipConfig(time_limit=7.0)}, "has results with time_limit 3600.0, but now it is 7.0"),
        ({"config": ScipConfig(heuristics=False)}, "has results with heuristics True, but now it is False"),
        ({"seeds": (1,)}, "has a result that is not asked for, .* by SCIP with seed 0"),
        ({"rules": {"SCIP": "pscost"}}, "of another problem or policy of the same name, .* by SCIP"),
        (
            {"instances": [replace(PROBLEMS[1], name=PROBLEMS[0].name)]},
            "of another problem or policy of the same name",
        ),
    ],
)
def test_results_of_something_else_are_refused(tmp_path, changes, told):
    csv = tmp_path / "results.csv"
    settings = {"rules": {"SCIP": "scip"}, "instances": PROBLEMS[:1], "csv": csv}
    evaluate(**settings)
    before = csv.read_bytes()
    with pytest.raises(ValueError, match=told):
        evaluate(**settings | changes, resume=True)
    assert csv.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"rules": {}}, ValueError, "at least one rule"),
        ({"instances": []}, ValueError, "at least one problem"),
        ({"seeds": ()}, ValueError, "at least one seed"),
        ({"seeds": (1, 1)}, ValueError, "two seeds must not be the same, but 1 is there twice"),
        ({"instances": PROBLEMS[:1] * 2}, ValueError, "two problems must not be the same"),
        ({"rules": {"best": "best"}}, ValueError, "no policy best"),
        ({"n_workers": -1}, ValueError, "must not be negative, but it is -1"),
        ({"instances": ["nothing.lp"]}, FileNotFoundError, "no file nothing.lp"),
    ],
)
def test_what_cannot_be_compared_is_refused(changes, error, told):
    with pytest.raises(error, match=told):
        evaluate(**{"rules": {"SCIP": "scip"}, "instances": PROBLEMS[:1]} | changes)


ROW = "instance,rule,seed,status,nodes,lp_iterations,seconds,seconds_in_rule,objective,dual_bound,gap,time_limit"
HEAD = f"{ROW},node_limit,depth_first,separating_rounds,heuristics,digest"
GOOD = "p,r,0,optimal,9,1,0.5,0,7,1,0,60.0,-1,False,0,True,d"


def test_results_are_read_as_they_were_written(tmp_path):
    settings = {"time_limit": 1 / 3, "node_limit": -1, "depth_first": False, "separating_rounds": 0, "heuristics": True}
    infinity = float("inf")
    rows = [
        Outcome('a, "b".lp', "x", 1, "timelimit", 10, 99, 1 / 3, 0.0, None, -infinity, infinity, settings, "abc"),
        Outcome("ü.mps", "y", 2, "optimal", 1, 0, 0.1, 0.05, -0.25, -0.25, 0.0, settings, "def"),
    ]
    save_outcomes(tmp_path / "r.csv", rows)
    assert load_outcomes(tmp_path / "r.csv") == rows
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == HEAD
    # As some programs save a table.
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "r.csv").read_bytes().replace(b"\n", b"\r\n"))
    assert load_outcomes(tmp_path / "r.csv") == rows


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "its first line does not name depth_first, digest"),
        ("", "its first line does not name"),
        (f"{HEAD}\np,r,0,optimal,1\n", "line 2 has fewer values"),
        (f"{HEAD}\np,r,0,optimal,many,1,1,0,1,1,0,60.0,-1,False,0,True,d\n", "line 2: nodes cannot be 'many'"),
        (f"{HEAD}\np,r,0,optimal,1,1,1,0,1,1,0,60.0,-1,no,0,True,d\n", "line 2: depth_first cannot be 'no'"),
        (f"{HEAD}\np,r,0,optimal,1,1,1,0,1,1,0,60.0,-1,False,0,True,d,more\n", "line 2 has more values"),
        (f"{HEAD}\n{GOOD}\n{GOOD}\n", "line 3: p by r with seed 0 is there twice"),
        (f"{HEAD}\n\n{GOOD.replace('optimal', 'splendid')}\n", "line 3: status cannot be 'splendid'"),
        (f"{HEAD}\n{GOOD.replace('0.5', 'nan')}\n", "line 2: seconds cannot be 'nan'"),
        (f"{HEAD}\n{GOOD.replace('0.5', 'inf')}\n", "line 2: seconds cannot be 'inf'"),
        (f"{HEAD}\n{GOOD.replace('0.5', '-0.5')}\n", "line 2: seconds cannot be '-0.5'"),
        (f"{HEAD}\n{GOOD.replace('7', 'nan')}\n", "line 2: objective cannot be 'nan'"),
        (f"{HEAD}\n{GOOD.replace('9', '-9')}\n", "line 2: nodes cannot be '-9'"),
    ],
)
def test_files_that_are_no_results_are_refused(tmp_path, text, told):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ValueError, match=told):
        load_outcomes(tmp_path / "r.csv")
    (tmp_path / "r.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="does not hold comma-separated values"):
        load_outcomes(tmp_path / "r.csv")
    with pytest.raises(FileNotFoundError, match="no file"):
        load_outcomes(tmp_path / "none.csv")


INTERRUPTED = """
import signal, sys
from pathlib import Path
from revibranch import SetCoverConfig, evaluate, make_instances

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    problems = list(make_instances(SetCoverConfig(500, 1000), 4))
    print("ready", file=sys.stderr, flush=True)
    evaluate({"SCIP": "scip"}, problems, n_workers=int(sys.argv[1]), csv=Path("r.csv"))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("n_workers", [0, 2])
def test_ctrl_c_leaves_no_process(tmp_path, n_workers):
    (tmp_path / "main.py").write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, "main.py", str(n_workers)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert any(line == "ready\n" for line in process.stderr)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=10)
    # As a terminal does: to all of them.
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    # What watches over the processes' resources ends a moment later.
    deadline = time.monotonic() + 30
    while _is_there(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_there(process.pid)


def _is_there(group):
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
