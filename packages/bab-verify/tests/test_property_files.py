"""VNN-LIB files."""

import gzip
import os
import time
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from bab_verify.properties.specification import Clause, Query, Specification, SpecificationError, make_robustness
from bab_verify.properties.vnnlib import load_vnnlib, save_vnnlib

DATA = Path(os.environ.get("SEPARATA_DATA", "/nonexistent")) / "vnncomp2024"
HEAD = (
    "(declare-const X_0 Real)(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real) ; outputs\n"
)
BOX = "(assert (>= X_0 0.0))(assert (<= X_0 1))\n(assert (and (<= X_1 2.5e-1) (>= X_1 -1)))\n"


def read(tmp_path, text, **sizes):
    path = tmp_path / "p.vnnlib"
    path.write_text(text)
    return load_vnnlib(path, **sizes)


def clauses(spec):
    return [[(clause.C.tolist(), clause.d.tolist()) for clause in query.clauses] for query in spec.queries]


def same(a, b):
    return clauses(a) == clauses(b) and all(
        torch.equal(p.lower, q.lower) and torch.equal(p.upper, q.upper)
        for p, q in zip(a.queries, b.queries, strict=True)
    )


def test_conjunction(tmp_path):
    spec = read(tmp_path, HEAD + BOX + "(assert (<= Y_0 Y_1))\n(assert (>= Y_1 -0.5))")
    (query,) = spec.queries
    assert query.lower.tolist() == [0, -1]
    assert query.upper.tolist() == [1, 0.25]
    assert clauses(spec) == [[([[1, -1], [0, -1]], [0, 0.5])]]


def test_disjunctions_multiply_and_shared_rows_are_in_each_clause(tmp_path):
    text = (
        HEAD + BOX + "(assert (or (<= Y_0 1) (and (<= Y_0 2)) ))(assert (or (<= Y_1 3) (<= Y_1 4)))(assert (>= Y_0 0))"
    )
    spec = read(tmp_path, text)
    rights = sorted(tuple(sorted(clause.d.tolist())) for clause in spec.queries[0].clauses)
    assert rights == sorted(tuple(sorted((a, b, 0.0))) for a in (1.0, 2.0) for b in (3.0, 4.0))


def test_boxes_in_a_disjunction(tmp_path):
    text = (
        HEAD
        + BOX
        + (
            "(assert (or (and (<= X_0 0.5) (<= Y_0 1)) (and (>= X_0 0.5) (<= Y_0 2)) "
            "(and (<= Y_1 3) (<= X_0 0.5)) (<= Y_1 4)))"
        )
    )
    spec = read(tmp_path, text)
    found = {(q.lower[0].item(), q.upper[0].item()): [c.d.item() for c in q.clauses] for q in spec.queries}
    assert found == {(0, 0.5): [1, 3], (0.5, 1): [2], (0, 1): [4]}


def test_empty_boxes_in_a_disjunction_are_dropped(tmp_path):
    spec = read(tmp_path, HEAD + BOX + "(assert (or (and (<= X_0 -1) (<= Y_0 1)) (<= Y_0 2)))")
    assert clauses(spec) == [[([[1, 0]], [2])]]


def test_shared_constraints_within_a_disjunction(tmp_path):
    spec = read(tmp_path, HEAD + BOX + "(assert (and (<= Y_0 1) (<= Y_0 2) (or (<= Y_1 3) (<= Y_1 4))))")
    assert [clause.d.tolist() for clause in spec.queries[0].clauses] == [[3, 1, 2], [4, 1, 2]]


def test_linear_terms(tmp_path):
    text = HEAD + BOX + "(assert (<= (+ (* 2 Y_0) (- Y_1) 1) (- (* Y_1 3.0) Y_0 (/ 1 4))))(assert (= Y_0 (- 0.5)))"
    (clause,) = read(tmp_path, text).queries[0].clauses
    assert clause.C.tolist() == [[3, -4], [1, 0], [-1, 0]]
    assert clause.d.tolist() == [-1.25, -0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "c", "d"),
    [
        ("(<= (+ Y_0 0.9 100000000.0) 100000000.0)", 1.0, -0.9),
        ("(>= (- 100000000.0 (+ 100000000.0 0.1)) Y_0)", 1.0, -0.1),
        ("(<= (+ (* 0.1 Y_0) (* 1e17 Y_0) (* -1e17 Y_0)) -0.01)", 0.1, -0.01),
        ("(<= (/ (* 3 0.1 Y_0) 3) (- 1e300 1e300))", 0.1, 0.0),
    ],
)
def test_sums_and_products_of_numbers_are_exact(tmp_path, text, c, d):
    (query,) = read(tmp_path, f"(assert (>= X_0 -1)) (assert (<= X_0 1)) (assert {text})").queries
    assert query.clauses[0].C.tolist() == [[c]]
    assert query.clauses[0].d.tolist() == [d]


@pytest.mark.parametrize("text", ["(<= (+ Y_0 1e999) 0)", "(<= (* 1e300 1e300 Y_0) 0)"])
def test_numbers_that_are_too_large_are_refused(tmp_path, text):
    with pytest.raises(SpecificationError, match="too large for double precision"):
        read(tmp_path, f"(assert (>= X_0 -1)) (assert (<= X_0 1)) (assert {text})")


def test_bounds_in_any_form(tmp_path):
    text = HEAD + "(assert (< 0 X_0))(assert (<= (* 2 X_0) 1))(assert (= X_1 (+ 1 2)))(assert (> Y_0 0))"
    (query,) = read(tmp_path, text).queries
    assert query.lower.tolist() == [0, 3]
    assert query.upper.tolist() == [0.5, 3]


def test_no_constraint_on_outputs(tmp_path):
    spec = read(tmp_path, HEAD + BOX + "(assert true)", n_outputs=2)
    assert clauses(spec) == [[([], [])]]
    assert spec.n_outputs == 2


def test_conditions_without_variables(tmp_path):
    spec = read(tmp_path, HEAD + BOX + "(assert (or (<= 1 0) (and (<= 0 1) (<= Y_0 7))))")
    assert clauses(spec) == [[([[1, 0]], [7])]]


def test_other_commands_are_ignored(tmp_path):
    spec = read(
        tmp_path,
        "(set-logic QF_LRA)\n(declare-fun X_0 () Real)\n(assert (= X_0 1))(declare-fun Y_0 () Real)(check-sat)",
    )
    assert (spec.n_inputs, spec.n_outputs) == (1, 1)


BAD = {
    "missing bound": (HEAD + "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))", "X_1 has no lower bound"),
    "missing bounds": (HEAD + "(assert (<= Y_0 1))", "X_0 has no lower bound"),
    "empty box": (HEAD + BOX + "(assert (<= X_0 -1))", "X_0 must be at least 0.0 and at most -1.0"),
    "contradiction": (HEAD + BOX + "(assert (<= 1 0))", "contradict"),
    "relation of inputs": (HEAD + BOX + "\n(assert (<= X_0 X_1))", "line 7: only bounds of single inputs"),
    "input and output": (HEAD + BOX + "\n(assert (<= X_0 Y_1))", "line 7: only bounds of single inputs"),
    "product": (HEAD + BOX + "(assert (<= (* X_0 X_1) 1))", "line 6: a product of two variables"),
    "undeclared": (HEAD + BOX + "(assert (<= Y_2 1))", "line 6: Y_2 is not declared"),
    "gap in outputs": (
        HEAD + "(declare-const Y_3 Real)\n" + BOX + "(assert (<= Y_1 1))",
        "line 4: Y_3 is declared, but Y_2 is not",
    ),
    "gap in inputs": (HEAD + "(declare-const X_3 Real)\n" + BOX, "line 4: X_3 is declared, but X_2 is not"),
    "twice": (HEAD + "(declare-fun X_1 () Real)" + BOX, "line 4: X_1 is declared twice"),
    "integer": ("(declare-const X_0 Int)(declare-const Y_0 Real)", "line 1: a declaration is a name and the type Real"),
    "unknown": (HEAD + BOX + "(assert (<= Z_2 1))", "line 6: 'Z_2' is neither a number"),
    "not a number": (HEAD + BOX + "(assert (<= Y_0 1_000))", "line 6: '1_000' is neither a number"),
    "nan": (HEAD + BOX + "(assert (<= Y_0 nan))", "line 6: 'nan' is neither a number"),
    "operator": (HEAD + BOX + "(assert (!= Y_0 1))", "line 6: '!=' is not an operator"),
    "command": (HEAD + BOX + "(foo)", "line 6: 'foo' is not a command"),
    "open": (HEAD + BOX + "(assert (<= Y_0 1)", "line 6: a parenthesis is not closed"),
    "close": (HEAD + BOX + "(assert (<= Y_0 1))\n)", "line 7: a parenthesis is closed"),
    "outside": (HEAD + "hello", "line 4: 'hello' stands outside"),
    "nested assertion": (HEAD + BOX + "(assert (and (assert (<= Y_0 1))))", "line 6: an assertion within"),
    "no assertion": (HEAD + BOX + "(<= Y_0 1)", "line 6: a condition outside"),
    "number as condition": (HEAD + BOX + "(assert (and 1 2))", "line 6: a condition was expected"),
    "condition as number": (HEAD + BOX + "(assert (<= (<= 0 1) (+ 1 2)))", "line 6: a number or a variable"),
    "three values": (HEAD + BOX + "(assert (<= 0 Y_0 1))", "line 6: '<=' compares two values"),
    "empty": ("", "no inputs"),
    "blow-up": (HEAD + BOX + "(assert (or (<= Y_0 0) (<= Y_0 1)))" * 20, "more than 100000 clauses"),
    "inner blow-up": (
        HEAD + BOX + f"(assert (and {'(or (<= Y_0 0) (<= Y_0 1))' * 20}))",
        "line 6: .* more than 100000",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, message = BAD[name]
    with pytest.raises(SpecificationError, match=message) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'p.vnnlib'}: ")


def test_sizes_of_the_network(tmp_path):
    with pytest.raises(SpecificationError, match="it has 2 inputs, but the network has 5"):
        read(tmp_path, HEAD + BOX, n_inputs=5)
    with pytest.raises(SpecificationError, match="it has Y_1, but the network has 1 output"):
        read(tmp_path, HEAD + BOX + "(assert (<= Y_1 1))", n_outputs=1)


def test_fewer_outputs_than_the_network_has_are_refused_where_they_are_declared(tmp_path):
    text = HEAD + BOX + "(assert (<= Y_1 1))"
    with pytest.raises(SpecificationError, match="it declares 2 outputs, but the network has 9"):
        read(tmp_path, text, n_outputs=9)
    with pytest.raises(SpecificationError, match="it declares 0 outputs, but the network has 2"):
        read(tmp_path, "(declare-const X_0 Real)(assert (<= X_0 1))(assert (>= X_0 0))", n_outputs=2)
    undeclared = text.removeprefix(HEAD)
    assert read(tmp_path, undeclared, n_inputs=2, n_outputs=9).n_outputs == 9


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_vnnlib(tmp_path / "p.vnnlib")
    (tmp_path / "b.vnnlib").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecificationError, match="not a VNN-LIB file"):
        load_vnnlib(tmp_path / "b.vnnlib")
    for damaged in (b"plain", gzip.compress(BOX.encode())[:-4], gzip.compress(BOX.encode())[:10] + b"\xff" * 100):
        (tmp_path / "b.vnnlib.gz").write_bytes(damaged)
        with pytest.raises(SpecificationError, match="cannot be read"):
            load_vnnlib(tmp_path / "b.vnnlib.gz")


numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def specifications(draw):
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    queries = []
    for i in range(draw(st.integers(1, 2))):
        # Boxes differ, since those of one box are put together.
        lower = [draw(numbers) for _ in range(n - 1)] + [float(i)]
        upper = [value + draw(st.floats(0, 10)) for value in lower]
        rows = st.integers(0, 2).flatmap(
            lambda k: st.tuples(
                st.lists(
                    st.lists(st.one_of(st.sampled_from([0.0, 1.0, -1.0]), numbers), min_size=m, max_size=m).filter(any),
                    min_size=k,
                    max_size=k,
                ),
                st.lists(st.one_of(st.just(0.0), numbers), min_size=k, max_size=k),
            )
        )
        queries.append((lower, upper, draw(st.lists(rows, min_size=1, max_size=3))))
    return m, queries


def built(m, queries):
    def double(values):
        return torch.tensor(values, dtype=torch.float64)

    return Specification(
        tuple(
            Query(double(lower), double(upper), tuple(Clause(double(C).reshape(-1, m), double(d)) for C, d in made))
            for lower, upper, made in queries
        )
    )


@hypothesis.settings(max_examples=hypothesis.settings().max_examples // 4)
@hypothesis.given(specifications(), st.sampled_from(["p.vnnlib", "p.vnnlib.gz"]))
def test_round_trip(tmp_path_factory, numbers_of, name):
    spec = built(*numbers_of)
    path = tmp_path_factory.getbasetemp() / name
    save_vnnlib(spec, path)
    again = load_vnnlib(path, spec.n_inputs, spec.n_outputs)
    x = torch.cat([torch.stack([q.lower, q.upper, (q.lower + q.upper) / 2]) for q in spec.queries])
    y = torch.linspace(-3, 3, len(x) * spec.n_outputs, dtype=torch.float64).reshape(len(x), -1)
    torch.testing.assert_close(again.violation(x, y), spec.violation(x, y))
    assert same(again, spec)


def test_compressed(tmp_path):
    spec = make_robustness(torch.rand(4), 1, 0.1, 3)
    save_vnnlib(spec, tmp_path / "p.vnnlib.gz")
    assert gzip.decompress((tmp_path / "p.vnnlib.gz").read_bytes()).startswith(b"(declare-const X_0 Real)")
    assert same(load_vnnlib(tmp_path / "p.vnnlib.gz"), spec)
    assert [path.name for path in tmp_path.iterdir()] == ["p.vnnlib.gz"]


@pytest.mark.parametrize("n", [3_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_time_is_linear(tmp_path, n):
    flat = "".join(f"(declare-const X_{i} Real)\n(assert (<= X_{i} 0.5))\n(assert (>= X_{i} 0.25))\n" for i in range(n))
    deep = "(and (<= Y_0 1) " * n + "(<= Y_0 0)" + ")" * n
    start = time.perf_counter()
    spec = read(tmp_path, f"{flat}(declare-const Y_0 Real)\n(assert {deep})")
    assert time.perf_counter() - start < 20
    assert spec.n_inputs == n
    assert len(spec.queries[0].clauses[0].d) == n + 1


@pytest.mark.skipif(not DATA.is_dir(), reason="needs $SEPARATA_DATA/vnncomp2024")
@pytest.mark.parametrize(
    ("path", "n_inputs", "n_outputs", "boxes", "n_clauses", "rows"),
    [
        ("acasxu_2023/vnnlib/prop_1.vnnlib.gz", 5, 5, 1, 1, 1),
        ("acasxu_2023/vnnlib/prop_3.vnnlib.gz", 5, 5, 1, 1, 4),
        ("acasxu_2023/vnnlib/prop_6.vnnlib.gz", 5, 5, 2, 4, 1),
        ("lsnc/vnnlib/quadrotor2d_state_0.vnnlib.gz", 6, 8, 1, 13, 2),
        ("vit_2023/vnnlib/pgd_2_3_16_3972.vnnlib.gz", 3072, 10, 1, 9, 1),
    ],
)
def test_competition_files(path, n_inputs, n_outputs, boxes, n_clauses, rows):
    spec = load_vnnlib(DATA / path, n_inputs, n_outputs)
    assert len(spec.queries) == boxes
    assert len(spec.queries[0].clauses) == n_clauses
    assert {len(clause.d) for clause in spec.queries[0].clauses} == {rows}
