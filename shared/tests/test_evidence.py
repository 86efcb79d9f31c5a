"""Verdicts, and the evidence format."""

import json
import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from separata import Claim, Paper, evidence
from separata.evidence import Evidence

ABOVE = Claim(
    "above",
    "Ours is above theirs",
    metric="percent",
    paper={"ours": 2.0, "theirs": None},
    criterion="above",
    holds=lambda m: m["ours"] > m["theirs"],
)
TWICE = Claim(
    "twice",
    "Ours is twice theirs",
    metric="percent",
    paper={"ours": 2.0, "theirs": 1.0},
    criterion="at least 1.9 times; direction: above",
    holds=lambda m: m["ours"] >= 1.9 * m["theirs"],
    direction=lambda m: m["ours"] > m["theirs"],
)
PAPER = Paper("p", "P", 2000, (ABOVE, TWICE), short="Ours")


@pytest.mark.parametrize(
    ("ours", "verdict", "support"),
    [
        ([3, 3, 3], "holds", (3, 3)),
        ([9, 0, 0], "holds", (1, 3)),
        ([3, 3, -9], "does not hold", (2, 3)),
        ([], "not measured", (0, 0)),
    ],
)
def test_the_verdict_is_on_the_means_and_the_support_counts_seeds(ours, verdict, support):
    judged = evidence.judge(ABOVE, [{"ours": value, "theirs": 1} for value in ours])
    assert (judged.verdict, judged.support) == (verdict, support)


@pytest.mark.parametrize(
    ("ours", "verdict", "support"),
    [
        ([2, 2, 2], "holds", (3, 3)),
        ([4, 1, 1], "holds", (1, 3)),
        ([1.5, 1.5, 2], "direction only", (3, 3)),
        ([1.5, 1.9, 0.9], "direction only", (2, 3)),
        ([0.5, 1.2, 0.5], "does not hold", (1, 3)),
    ],
)
def test_a_number_that_is_not_reached_leaves_the_direction(ours, verdict, support):
    judged = evidence.judge(TWICE, [{"ours": value, "theirs": 1} for value in ours])
    assert (judged.verdict, judged.support) == (verdict, support)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_a_finding_keeps_every_value_and_its_summary(values):
    finding = evidence.find(PAPER, ABOVE, [{"ours": value, "theirs": 0.0} for value in values])
    kept = finding.measured["ours"]
    assert kept["values"] == values
    assert kept["mean"] == pytest.approx(statistics.fmean(values))
    assert kept["std"] == pytest.approx(statistics.stdev(values) if len(values) > 1 else 0)
    assert finding.by_seed == [{"ours": value, "theirs": 0.0} for value in values]


def test_a_number_that_is_not_finite_is_null_and_nothing_holds_of_it():
    finding = evidence.find(PAPER, ABOVE, [{"ours": math.nan, "theirs": 1.0}])
    assert finding.verdict == "does not hold"
    assert finding.measured["ours"] == {"mean": None, "std": None, "n": 1, "values": [None]}
    assert math.isnan(finding.by_seed[0]["ours"])


def evidence_of(paper, measured, preset="quick", only=(), seeds=(0, 1)) -> Evidence:
    return Evidence(
        paper.name,
        paper.field,
        paper.references,
        "1.2",
        preset,
        only,
        None,
        "2026-01-01T00:00:00+00:00",
        3.5,
        {"cpu": "x", "cores": 2, "gpu": None, "python": "3.11", "torch": "2"},
        seeds,
        {"quick/a.svg": "A line rises."},
        tuple(evidence.find(paper, claim, measured.get(claim.id, []), note=claim.note) for claim in paper.claims),
    )


@pytest.fixture
def whole(oja) -> Evidence:
    measured = {"first-component": [{"oja": 1.0}, {"oja": 0.999}], "bounded": [{"oja": 1.0, "hebb": 0.3}] * 2}
    return evidence_of(oja, measured)


@pytest.fixture
def partial(oja) -> Evidence:
    return evidence_of(oja, {"fast": [{"squid": 1.0}]}, "gpu", ("fast",), (7,))


def test_a_claim_is_judged_where_it_was_measured_at_the_largest_preset(whole, partial):
    better = evidence.best([partial, whole])
    assert [(finding.id, one.name) for finding, one in better] == [
        ("first-component", "quick"),
        ("bounded", "quick"),
        ("fast", "gpu-fast"),
    ]
    assert [one.name for _, one in evidence.best([partial, replace(whole, preset="gpu"), whole])] == [
        "gpu",
        "gpu",
        "gpu-fast",
    ]
    # Why a claim is not measured is said where it was not left out.
    assert next(one.name for _, one in evidence.best([replace(partial, only=("bounded",)), whole])) == "quick"
    assert evidence.best([]) == []


def test_evidence_of_some_claims_is_checked_for_these_alone(oja, partial):
    others = replace(partial, claims=(replace(partial.claims[0], statement="It flies"), *partial.claims[1:]))
    evidence.check(others, oja)
    with pytest.raises(ValueError, match="'fast' does not follow"):
        evidence.check(replace(partial, claims=(replace(partial.claims[2], statement="It flies"),)), oja)
    with pytest.raises(ValueError, match="has the claims"):
        evidence.check(replace(partial, claims=partial.claims[:2]), oja)


def test_the_evidence_in_a_folder_begins_with_the_largest_preset(whole, partial, tmp_path):
    for one in (whole, partial, replace(whole, preset="gpu"), replace(whole, preset="smoke")):
        (tmp_path / f"{one.name}.json").write_text(json.dumps(one.to_json()))
    assert [one.name for one in evidence.collect(tmp_path)] == ["gpu", "gpu-fast", "quick"]


def test_what_is_written_is_read_back_equal(whole, tmp_path):
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(whole.to_json()))
    assert evidence.load(path) == whole


def test_evidence_of_the_paper_as_it_is_passes_the_check(whole, oja):
    evidence.check(whole, oja)


@pytest.mark.parametrize(
    ("change", "message"),
    ids=("paper", "title", "claim removed", "verdict", "support", "verdict to holds", "statement", "criterion", "mean"),
    argvalues=[
        (lambda v: v.update(paper="other"), "is of other, and not of oja-rule as it is now"),
        (lambda v: v["references"][0].update(title="Other"), "not of oja-rule as it is now"),
        (lambda v: v["claims"].pop(), "has the claims"),
        (lambda v: v["claims"][0].update(verdict="does not hold"), "'first-component' does not follow"),
        (lambda v: v["claims"][0].update(support=[1, 2]), "'first-component' does not follow"),
        (lambda v: v["claims"][1].update(verdict="holds"), "'bounded' does not follow"),
        (lambda v: v["claims"][0].update(statement="It flies"), "'first-component' does not follow"),
        (lambda v: v["claims"][1].update(criterion="any"), "'bounded' does not follow"),
        (lambda v: v["claims"][0]["measured"]["oja"].update(mean=3.0), "'first-component' does not follow"),
    ],
)
def test_evidence_that_was_changed_fails_the_check(whole, oja, change, message):
    value = json.loads(json.dumps(whole.to_json()))
    change(value)
    with pytest.raises(ValueError, match=message):
        evidence.check(evidence.from_json(value), oja)


@pytest.mark.parametrize(
    ("text", "message"),
    ids=("broken", "no schema", "other schema", "preset", "empty claim", "unknown field"),
    argvalues=[
        ("{", "is not a JSON file"),
        ("{}", "schema 1: its schema is None"),
        ('{"schema": 2}', "its schema is 2"),
        ('{"schema": 1, "preset": "huge"}', "its preset is 'huge'"),
        ('{"schema": 1, "preset": "quick", "claims": [{}]}', "is not evidence"),
        ('{"schema": 1, "preset": "quick", "claims": [], "seeds": [], "extra": 1}', "is not evidence"),
    ],
)
def test_a_file_that_is_not_evidence_is_refused_in_a_sentence(tmp_path, text, message):
    path = tmp_path / "quick.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        evidence.load(path)
    assert "\n" not in str(caught.value)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"quick\.json"):
        evidence.load(tmp_path / "quick.json")
