import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyscipopt import Model
from scipy import sparse
from small_problems import solved_by_highs

from revibranch import MILP

INF = np.inf


def make(
    objective=(1.0, 1.0), matrix=((1.0, 1.0),), lhs=(1.0,), rhs=(INF,), lower=None, upper=None, types="BB", **more
):
    n = len(objective)
    return MILP(
        np.array(objective),
        sparse.csr_array(np.array(matrix)),
        np.array(lhs),
        np.array(rhs),
        np.zeros(n) if lower is None else np.array(lower),
        np.ones(n) if upper is None else np.array(upper),
        np.array(list(types)),
        **more,
    )


EVERYTHING = make(
    (1.5, -2.0, 0.0, 3.25, 1 / 3, -1.0),
    ((1.0, 1, 1, 0, 0, 0), (0.1, 0, 0, -1, 2, 0), (0, 1, 0, 1, 0, 1), (2, 0, 1, 0, 1, 1e-7)),
    (-INF, -3.5, 1.0, 0.25),
    (4.0, 2.5, 1.0, INF),
    (0.0, 0, -2, -INF, -1.5, 0),
    (1.0, INF, 7, 3.5, INF, 0),
    "BIICCB",
    name="everything",
)
"""All types, bounds and sides that there are: ranges, equations, one-sided rows; free, fixed and negative variables."""


def read(path):
    model = Model()
    model.hideOutput()
    model.readProblem(str(path))
    return model


def described(model):
    """What SCIP holds: its variables with types, bounds and costs, and its rows with their sides."""
    infinity = model.infinity()
    finite = lambda value: value if abs(value) < infinity else INF * np.sign(value)  # noqa: E731
    integer = {"BINARY": "int", "INTEGER": "int", "CONTINUOUS": "C", "IMPLINT": "C"}
    columns = {
        one.name: (integer[one.vtype()], finite(one.getLbOriginal()), finite(one.getUbOriginal()), one.getObj())
        for one in model.getVars()
    }
    rows = {
        one.name: (
            finite(model.getLhs(one)),
            finite(model.getRhs(one)),
            {name: value for name, value in model.getValsLinear(one).items() if value},
        )
        for one in model.getConss()
    }
    return columns, rows, model.getObjectiveSense()


def expected(problem):
    dense = problem.matrix.toarray()
    columns = {
        f"x{i + 1}": (
            "C" if problem.types[i] == "C" else "int",
            problem.lower[i],
            problem.upper[i],
            problem.objective[i],
        )
        for i in range(problem.n_variables)
    }
    rows = {
        f"C{j + 1}": (problem.lhs[j], problem.rhs[j], {f"x{i + 1}": v for i, v in enumerate(dense[j]) if v})
        for j in range(problem.n_rows)
    }
    return columns, rows, problem.sense


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
@pytest.mark.parametrize("name", ["p.lp", "p.mps", "p.lp.gz", "p.mps.gz", None])
def test_scip_reads_what_was_written(tmp_path, name, sense):
    problem = make(
        *(EVERYTHING.objective, EVERYTHING.matrix.toarray(), EVERYTHING.lhs, EVERYTHING.rhs),
        *(EVERYTHING.lower, EVERYTHING.upper, "".join(EVERYTHING.types)),
        sense=sense,
    )
    if name is None:
        model = problem.to_scip()
    else:
        problem.write(tmp_path / name)
        model = read(tmp_path / name)
    columns, rows, which = expected(problem)
    if name and ".lp" in name:
        # This format has no ranges: C2 becomes two rows.
        low, up, terms = rows.pop("C2")
        rows |= {"C2_lhs": (low, INF, terms), "C2_rhs": (-INF, up, terms)}
    assert described(model) == (columns, rows, which)


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_scip_and_highs_find_the_same_optimum(seed):
    generator = np.random.default_rng(seed)
    n, m = 6, 4
    rhs = generator.integers(3, 12, m).astype(float)
    problem = MILP(
        generator.integers(-9, 10, n).astype(float),
        sparse.csr_array(generator.integers(-3, 6, (m, n)).astype(float)),
        np.where(generator.random(m) < 0.5, -INF, rhs - generator.integers(0, 4, m)),
        rhs,
        np.where(generator.random(n) < 0.5, 0.0, -2.0),
        np.full(n, 5.0),
        generator.choice(["I", "C"], n),
        "maximize" if seed % 2 else "minimize",
    )
    model = problem.to_scip()
    model.optimize()
    expected = solved_by_highs(problem)
    if expected is None:
        assert model.getStatus() == "infeasible"
    else:
        assert model.getObjVal() == pytest.approx(expected, abs=1e-6)


def test_the_text_is_the_same_each_time(tmp_path):
    for name in ("a.lp.gz", "b.lp.gz", "a.mps.gz", "b.mps.gz"):
        EVERYTHING.write(tmp_path / name)
    for suffix in ("lp", "mps"):
        assert (tmp_path / f"a.{suffix}.gz").read_bytes() == (tmp_path / f"b.{suffix}.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.lp.gz").read_bytes()).decode() == EVERYTHING.to_lp()
    assert max(map(len, EVERYTHING.to_lp().splitlines())) <= 560


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lhs": (1.0, 2.0)}, "lhs must have 1 entries for a matrix of shape \\(1, 2\\), not the shape \\(2,\\)"),
        ({"objective": (1.0, INF)}, "must be finite"),
        ({"matrix": ((1.0, np.nan),)}, "must be finite"),
        ({"types": "BX"}, "must be B, I or C, not 'X'"),
        ({"lower": (0.0, 2.0)}, "at most the upper bound"),
        ({"lower": (0.0, np.nan)}, "at most the upper bound"),
        ({"upper": (1.0, 2.0)}, "within 0 and 1"),
        ({"rhs": (0.0,)}, "at most the right-hand side"),
        ({"lhs": (-INF,)}, "must have a finite left-hand or right-hand side"),
    ],
)
def test_arrays_that_are_no_problem_are_refused(unchecked, changes, told):
    with pytest.raises(ValueError, match=told):
        make(**changes)


@pytest.mark.parametrize("name", ["p.txt", "p", "p.gz", "p.lp.bz2"])
def test_other_formats_are_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match=f"written as .lp or .mps.*not as {name}"):
        EVERYTHING.write(tmp_path / name)
    assert not list(tmp_path.iterdir())
