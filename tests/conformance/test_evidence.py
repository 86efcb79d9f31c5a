"""Every claim is measured, and the evidence in the source tree is what the claims and the READMEs say."""

import importlib
import json
import math
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from house import ROOT, Package

PRESETS = ("smoke", "quick", "gpu", "paper")
LONGEST_QUICK = 600
SCHEMA = json.loads(Path(__file__).with_name("evidence.schema.json").read_text(encoding="utf-8"))


def paper_of(package: Package):
    return importlib.import_module(f"{package.module}.paper").PAPER


def evidence_files(package: Package) -> list[Path]:
    return sorted((package.root / "results").glob("*.json"))


def test_the_paper_is_the_package_s_own(package: Package):
    paper = paper_of(package)
    assert (paper.name, paper.package) == (package.name, package.module)
    assert paper.version == package.pyproject["project"]["version"], "install the package again"
    assert paper.title
    assert paper.claims
    assert paper.bibtex().startswith("@")


def test_every_claim_is_measured_at_every_preset(package: Package):
    from separata import experiments

    found = experiments.of(paper_of(package))
    assert {claim for one in found for claim in one.claims} == {claim.id for claim in paper_of(package).claims}
    assert all(set(one.presets) == set(PRESETS) for one in found)
    assert not [name for name, count in Counter(one.name for one in found).items() if count > 1]


def test_no_claim_holds_when_the_measurement_failed(package: Package):
    claims = paper_of(package).claims
    assert not [claim.id for claim in claims if claim.holds(dict.fromkeys(claim.paper, math.nan))]


def test_evidence_is_in_the_format(package: Package):
    from separata import evidence

    assert evidence_files(package), "run `reproduce --out results`"
    for path in evidence_files(package):
        value = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(value, SCHEMA)
        assert evidence.load(path).to_json() == value
        assert value["preset"] == path.stem
        assert value["preset"] != "smoke", "the numbers of smoke are never evidence"
        assert value["preset"] != "quick" or value["seconds"] <= LONGEST_QUICK


def test_evidence_follows_from_its_own_numbers(package: Package):
    from separata import evidence

    paper = paper_of(package)
    for path in evidence_files(package):
        found = evidence.load(path)
        evidence.check(found, paper)
        assert [(one.id, one.statement) for one in found.claims] == [(one.id, one.statement) for one in paper.claims]
        assert all(one.note for one in found.claims if one.verdict == evidence.ABSENT), "say why it is not measured"


def test_the_figures_are_there(package: Package):
    for path in evidence_files(package):
        claims = json.loads(path.read_text(encoding="utf-8"))["claims"]
        assert not [name for claim in claims for name in claim["figures"] if not (path.parent / name).is_file()]


def test_the_table_in_the_readme_is_current(package: Package):
    from separata import readme

    path = package.root / "README.md"
    assert readme.render(ROOT)[path] == path.read_text(encoding="utf-8"), "run `separata readme`"


@pytest.mark.usefixtures("whole_tree")
def test_the_table_of_all_papers_is_current():
    from separata import readme

    path = ROOT / "README.md"
    assert readme.render(ROOT)[path] == path.read_text(encoding="utf-8"), "run `separata readme`"
