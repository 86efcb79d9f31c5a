"""Verdicts, and the evidence format."""

import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from separata import Claim, evidence
from separata.evidence import Evidence

ABOVE = Claim(
    "above", "Ours is above theirs", "percent", {"ours": 2.0, "theirs": None}, lambda m: m["ours"] > m["theirs"]
)


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


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_a_finding_keeps_every_value_and_its_summary(values):
    finding = evidence.find(ABOVE, [{"ours": value, "theirs": 0.0} for value in values])
    kept = finding.measured["ours"]
    assert kept["values"] == values
    assert kept["mean"] == pytest.approx(statistics.fmean(values))
    assert kept["std"] == pytest.approx(statistics.stdev(values) if len(values) > 1 else 0)
    assert finding.by_seed == [{"ours": value, "theirs": 0.0} for value in values]


def test_a_number_that_is_not_finite_is_null_and_nothing_holds_of_it():
    finding = evidence.find(ABOVE, [{"ours": math.nan, "theirs": 1.0}])
    assert finding.verdict == "does not hold"
    assert finding.measured["ours"] == {"mean": None, "std": None, "n": 1, "values": [None]}
    assert math.isnan(finding.by_seed[0]["ours"])


@pytest.fixture
def whole(oja) -> Evidence:
    measured = {"first-component": [{"oja": 1.0}, {"oja": 0.999}], "bounded": [{"oja": 1.0, "hebb": 3.0}] * 2}
    findings = tuple(evidence.find(claim, measured.get(claim.id, []), note=claim.note) for claim in oja.claims)
    hardware = {"cpu": "x", "cores": 2, "gpu": None, "python": "3.11", "torch": "2"}
    return Evidence("oja-rule", "1.2", "quick", None, "2026-01-01T00:00:00+00:00", 3.5, hardware, (0, 1), findings)


def test_what_is_written_is_read_back_equal(whole, tmp_path):
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(whole.to_json()))
    assert evidence.load(path) == whole


def test_evidence_of_the_paper_as_it_is_passes_the_check(whole, oja):
    evidence.check(whole, oja)


@pytest.mark.parametrize(
    ("change", "message"),
    ids=("paper", "claim removed", "verdict", "support", "verdict to holds", "statement", "mean"),
    argvalues=[
        (lambda v: v.update(paper="other"), "is of other, not of oja-rule"),
        (lambda v: v["claims"].pop(), "has the claims"),
        (lambda v: v["claims"][0].update(verdict="does not hold"), "'first-component' does not follow"),
        (lambda v: v["claims"][0].update(support=[1, 2]), "'first-component' does not follow"),
        (lambda v: v["claims"][1].update(verdict="holds"), "'bounded' does not follow"),
        (lambda v: v["claims"][0].update(statement="It flies"), "'first-component' does not follow"),
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
