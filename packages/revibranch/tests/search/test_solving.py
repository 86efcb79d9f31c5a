import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pyscipopt import Model
from scipy import sparse
from small_problems import solved_by_highs

from revibranch import (
    MILP,
    KnapsackConfig,
    ScipConfig,
    SetCoverConfig,
    SolveResult,
    make_instance,
    solve,
)
from revibranch.scip import models
from revibranch.search import policies

COVER = make_instance(SetCoverConfig(80, 120, 0.1, max_cost=3), 0)
KNAPSACK = make_instance(KnapsackConfig(18, 3, scheme="weakly correlated"), 2)


def one_variable(kind="I", upper=np.inf, **more):
    return MILP(
        np.ones(1), sparse.csr_array(np.ones((1, 1))), np.array([0.5]), np.array([np.inf]), np.zeros(1),
        np.array([upper]), np.array([kind]), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "policy"),
    [*((KNAPSACK, name) for name in policies.NAMES), pytest.param(COVER, "mostfrac", marks=pytest.mark.slow)],
    ids=lambda one: getattr(one, "name", one),
)
def test_the_optimum_is_that_of_highs_whoever_branches(problem, policy):
    found = solve(problem, policy)
    assert (found.status, found.solved, found.gap) == ("optimal", True, 0)
    assert found.objective == pytest.approx(solved_by_highs(problem))
    assert found.dual_bound == pytest.approx(found.objective)
    x = np.array([found.solution[f"x{i + 1}"] for i in range(problem.n_variables)])
    assert problem.objective @ x == pytest.approx(found.objective)
    activity = problem.matrix @ x
    assert (activity <= problem.rhs + 1e-6).all()
    assert (activity >= problem.lhs - 1e-6).all()
    assert found.seconds > 0
    if policy in policies.SCIP_RULES:
        assert (found.n_branchings, found.seconds_in_rule) == (None, 0)
    else:
        # Each branching makes two nodes.
        assert 0 < found.n_branchings <= found.n_nodes
        assert 0 < found.seconds_in_rule < 2 * found.seconds


def test_scips_own_rules_are_those_of_its_parameters(tmp_path):
    trees = {name: solve(KNAPSACK, name).n_nodes for name in policies.SCIP_RULES}
    assert trees["scip"] == trees["relpscost"]
    assert len(set(trees.values())) == 3
    for name in ("pscost", "vanillafullstrong"):
        model = KNAPSACK.to_scip()
        models.apply(model, ScipConfig())
        model.setParam(f"branching/{name}/priority", 536870911)
        model.optimize()
        model.writeStatistics(str(tmp_path / "statistics.txt"))
        rows = [one.split(":") for one in (tmp_path / "statistics.txt").read_text().splitlines() if ":" in one]
        (row,) = [one[1].split() for one in rows if one[0].strip() == name]
        # Of the table of branching rules: seconds of branching and of setup, then how often on the solution of an LP.
        assert int(row[2]) > 0
        assert model.getNTotalNodes() == trees[name]


def test_the_seed_changes_random_branching_and_nothing_else_does():
    one, again, other = (solve(KNAPSACK, "random", ScipConfig(seed=seed)) for seed in (1, 1, 2))
    assert (one.n_nodes, one.n_lp_iterations) == (again.n_nodes, again.n_lp_iterations)
    assert (one.n_nodes, one.n_lp_iterations) != (other.n_nodes, other.n_lp_iterations)
    assert one.objective == pytest.approx(other.objective)


class First:
    """A rule of somebody else."""

    name = "first"

    def __init__(self):
        self.models = []

    def begin(self, model):
        self.models.append(model)

    def choose(self, focus):
        return 0


def test_a_rule_of_ones_own_branches():
    rule = First()
    found = solve(KNAPSACK, rule)
    assert found.objective == pytest.approx(solved_by_highs(KNAPSACK))
    assert found.n_branchings > 0
    assert len(rule.models) == 1


def test_what_a_rule_raises_arrives():
    class Broken(First):
        def choose(self, focus):
            raise LookupError("no idea")

    with pytest.raises(LookupError, match="no idea"):
        solve(KNAPSACK, Broken())


@pytest.mark.parametrize("name", ["p.lp", "p.mps.gz"])
def test_files_are_solved_and_solutions_written_as_scip_reads_them(tmp_path, name):
    KNAPSACK.write(tmp_path / name)
    found = solve(tmp_path / name)
    assert found.objective == pytest.approx(solved_by_highs(KNAPSACK))
    found.write_solution(tmp_path / "p.sol")
    model = Model()
    model.hideOutput()
    model.readProblem(str(tmp_path / name))
    solution = model.readSolFile(str(tmp_path / "p.sol"))
    assert model.checkSol(solution)
    assert model.getSolObjVal(solution) == pytest.approx(found.objective)


def test_what_has_no_solution_says_so(tmp_path):
    infeasible = solve(one_variable(upper=0.25))
    assert (infeasible.status, infeasible.solved, infeasible.objective, infeasible.solution) == (
        *("infeasible", True, None, None),
    )
    assert "infeasible: no solution" in infeasible.summary()
    json.dumps(infeasible.to_json(), allow_nan=False)
    with pytest.raises(ValueError, match=r"no solution to write to .*p.sol: infeasible"):
        infeasible.write_solution(tmp_path / "p.sol")
    assert not list(tmp_path.iterdir())
    unbounded = solve(one_variable(sense="maximize"))
    assert unbounded.status in {"unbounded", "inforunbd"}
    assert not unbounded.solved
    assert (unbounded.objective, unbounded.dual_bound, unbounded.gap, unbounded.solution) == (None,) * 4
    assert unbounded.summary().splitlines()[0] in {
        *("unbounded: no best solution", "infeasible or unbounded: no best solution"),
    }
    with pytest.raises(ValueError, match="no solution to write"):
        unbounded.write_solution(tmp_path / "p.sol")
    json.dumps(unbounded.to_json(), allow_nan=False)


def test_limits_leave_a_gap():
    config = ScipConfig(node_limit=3)
    stopped = solve(KNAPSACK, "mostfrac", config)
    assert (stopped.status, stopped.solved) == ("nodelimit", False)
    assert stopped.n_nodes <= 8
    assert stopped.dual_bound > solved_by_highs(KNAPSACK)  # which is maximized
    assert "node limit reached" in stopped.summary()
    in_no_time = solve(COVER, config=replace(config, time_limit=1e-3))
    assert (in_no_time.status, in_no_time.solved) == ("timelimit", False)
    json.dumps(in_no_time.to_json(), allow_nan=False)


def test_people_read_what_matters():
    found = SolveResult("timelimit", 1234.5, 1200.0, 0.02875, 12345, 678901, 6000, 60.0, 1.5, {"x1": 1.0})
    told = "time limit reached: objective 1234.5 (gap 2.88%)\n12,345 nodes, 678,901 LP iterations; 6,000 branchings"
    assert found.summary().startswith(told)


@pytest.mark.parametrize(
    ("policy", "error", "told"),
    [("best", ValueError, "no policy best: it is neither a file nor one of scip, pscost")],
)
def test_policies_that_are_not_there_are_refused(policy, error, told):
    with pytest.raises(error, match=told):
        solve(COVER, policy)


INTERRUPTED = """
import signal, sys
from pyscipopt import SCIP_EVENTTYPE, Eventhdlr
from revibranch import SolveInterrupted, SetCoverConfig, make_instance, solve


class Told(Eventhdlr):
    def eventinit(self):
        self.model.catchEvent(SCIP_EVENTTYPE.BESTSOLFOUND, self)

    def eventexit(self):
        self.model.dropEvent(SCIP_EVENTTYPE.BESTSOLFOUND, self)

    def eventexec(self, event):
        print("found", file=sys.stderr, flush=True)


class Problem:
    def to_scip(self):
        model = make_instance(SetCoverConfig(500, 1000), 0).to_scip()
        model.includeEventhdlr(Told(), "told", "")
        return model


# In the background, a shell may have told it to ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    solve(Problem(), sys.argv[1])
except SolveInterrupted as error:
    print(error.result.status, error.result.objective is not None, flush=True)
    raise
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("policy", ["scip", pytest.param("mostfrac", marks=pytest.mark.slow)])
def test_ctrl_c_gives_what_was_found(policy):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, policy], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert any(line == "found\n" for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert out == "userinterrupt True\n"
    assert process.returncode != 0
    assert "SolveInterrupted" in err
