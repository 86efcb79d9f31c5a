"""Every claim is measured, and the evidence in the source tree is what the claims and the READMEs say."""

import importlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema

from house import ROOT, Package

PRESETS = ("smoke", "quick", "gpu", "paper")
LONGEST_QUICK = 600
QUOTED = re.compile(r"\d\s*(%|percent|times\b|-?fold\b|[x×](?!\w))")
"""A number that a statement quotes, of what is measured."""

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


def test_the_field_is_named(package: Package):
    assert paper_of(package).field != "Other", "the root's README lists papers by field"


def test_every_claim_says_when_it_holds(package: Package):
    assert not [claim.id for claim in paper_of(package).claims if not claim.criterion]


def test_a_claim_that_quotes_a_number_has_a_direction_too(package: Package):
    claims = paper_of(package).claims
    assert not [claim.id for claim in claims if QUOTED.search(claim.statement) and not claim.direction]


def test_the_criterion_says_whether_there_is_a_direction(package: Package):
    claims = paper_of(package).claims
    assert not [claim.id for claim in claims if ("direction:" in claim.criterion) != bool(claim.direction)]


def test_no_two_numbers_of_a_claim_have_one_label(package: Package):
    labels = {claim.id: [claim.label(key) for key in claim.paper] for claim in paper_of(package).claims}
    assert not [name for name, given in labels.items() if len(set(given)) < len(given)]


def test_every_claim_is_measured_at_every_preset(package: Package):
    from separata import Unmeasured, experiments

    found = experiments.of(paper_of(package))
    assert not [one.name for one in found if isinstance(one.presets["smoke"], Unmeasured)]
    assert {claim for one in found for claim in one.claims} == {claim.id for claim in paper_of(package).claims}
    assert all(set(one.presets) == set(PRESETS) for one in found)
    assert not [name for name, count in Counter(one.name for one in found).items() if count > 1]


def test_no_claim_holds_when_the_measurement_failed(package: Package):
    nothing = {claim.id: dict.fromkeys(claim.paper, math.nan) for claim in paper_of(package).claims}
    assert not [name for name, test in predicates(package) if test(nothing[name.split()[0]])]


def test_no_claim_holds_when_a_number_that_decides_is_missing(package: Package):
    """A number decides if another in its place, however wrong, would have changed the answer."""
    passed = []
    for name, test in predicates(package):
        for numbers in measurements(package, name.split()[0]):
            others = {key: [{**numbers, key: value} for value in (-1e9, 0.0, 1e9)] for key in numbers}
            deciding = [key for key, changed in others.items() if test(numbers) and not all(map(test, changed))]
            passed += [f"{name}: {key}" for key in deciding if test({**numbers, key: math.nan})]
    assert not sorted(set(passed))


def test_what_holds_holds_in_direction(package: Package):
    for claim in paper_of(package).claims:
        if claim.direction:
            holding = [numbers for numbers in measurements(package, claim.id) if claim.holds(numbers)]
            assert all(map(claim.direction, holding)), claim.id


def predicates(package: Package) -> list[tuple[str, Callable[[Mapping[str, float]], bool]]]:
    claims = paper_of(package).claims
    directions = [(f"{claim.id} (direction)", claim.direction) for claim in claims if claim.direction]
    return [*((claim.id, claim.holds) for claim in claims), *directions]


def measurements(package: Package, claim_id: str) -> list[dict[str, float]]:
    """What was measured of a claim as it is now: the means and each seed's numbers, in all evidence."""
    from separata import evidence

    found, keys = [], paper_of(package).claim(claim_id).paper.keys()
    for path in evidence_files(package):
        for finding in evidence.load(path).claims:
            if finding.id == claim_id and finding.measured.keys() == keys:
                means = {key: value["mean"] for key, value in finding.measured.items()}
                found += [{key: math.nan if mean is None else mean for key, mean in means.items()}, *finding.by_seed]
    return found


def test_evidence_is_in_the_format(package: Package):
    from separata import evidence

    assert evidence_files(package), "run `reproduce --out results`"
    for path in evidence_files(package):
        value = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(value, SCHEMA)
        assert evidence.load(path).to_json() == value
        assert path.stem == "-".join([value["preset"], *value["only"]])
        assert value["preset"] != "smoke", "the numbers of smoke are never evidence"
        assert value["preset"] != "quick" or value["seconds"] <= LONGEST_QUICK
        assert value["preset"] not in {"quick", "gpu"} or len(value["seeds"]) >= 3
        assert value["seeds"] == list(range(len(value["seeds"]))), "evidence is of the seeds from 0"
        assert set(value["only"]) <= {one["id"] for one in value["claims"]}


def test_evidence_follows_from_its_own_numbers(package: Package):
    from separata import evidence

    paper = paper_of(package)
    for path in evidence_files(package):
        found = evidence.load(path)
        evidence.check(found, paper)
        absent = [one for one in found.claims if one.verdict == evidence.ABSENT and one.id not in outside(found)]
        assert all(one.note for one in absent), "say why it is not measured"


def test_what_was_never_measured_has_its_reason(package: Package):
    from separata import evidence

    paper = paper_of(package)
    absent = [one for one, _ in evidence.best(evidence.collect(package.root / "results")) if not one.measured]
    assert not [one.id for one in absent if not one.note and not paper.claim(one.id).note]


def outside(found) -> set[str]:
    """The claims that a run was not about."""
    return {one.id for one in found.claims} - set(found.only) if found.only else set()


def test_the_figures_are_there(package: Package):
    for path in evidence_files(package):
        claims = json.loads(path.read_text(encoding="utf-8"))["claims"]
        assert not [name for claim in claims for name in claim["figures"] if not (path.parent / name).is_file()]


def test_the_claims_in_the_readme_are_current(package: Package):
    from separata import readme

    text = (package.root / "README.md").read_text(encoding="utf-8")
    rendered = readme.PART.search(text)
    assert rendered, "the README has a part between <!-- separata:claims --> and <!-- /separata -->"
    assert rendered[0] == f"{rendered[1]}{readme.claims(package.root)}{rendered[3]}", "run `separata readme`"


def test_the_table_of_all_papers_is_current():
    from separata import readme

    path = ROOT / "README.md"
    assert readme.render(ROOT)[path] == path.read_text(encoding="utf-8"), "run `separata readme`"
