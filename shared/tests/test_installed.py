"""What is known of installed packages: `separata list`, and `claims` of each."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from separata import Paper, Reference, app, claims, papers
from separata.evidence import Evidence, find

N_PACKAGES = 47
LONGEST_NAME = "hierarchical-polynomials"

SOURCE = """
from separata import Claim, Paper

PAPER = Paper(
    name="{name}",
    title="A long title of a paper that goes on and on, and that is longer than a line of a terminal is wide",
    year=2024,
    field="A field of research with a long name",
    claims=tuple(
        Claim(
            f"claim-{{i}}",
            "It does what a statement of many words says that it does, and then some more",
            metric="percent of what was hoped for",
            paper={{"ours": 90.0, "theirs": None}},
            criterion="above 1",
            holds=lambda m: m["ours"] > 1,
            direction=lambda m: m["ours"] > 0,
        )
        for i in range({n_claims})
    ),
)
"""
NUMBERS = {"all": [2.0, 3.0, 4.0], "mean": [0.5, 3.0, 4.0], "direction": [0.5, 0.5, 0.5], "no": [-1.0] * 3, "none": []}
"""What the seeds measured of five claims, one for each column of the list."""


def install(site: Path, name: str, source: str) -> Path:
    """Lay a package and its metadata where Python finds them; the package's folder."""
    module = name.replace("-", "_")
    metadata = site / f"{module}-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[separata.papers]\n{name} = {module}.paper:PAPER\n")
    package = site / module
    (package / "results").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "paper.py").write_text(source)
    return package


def evidence_of(paper: Paper, numbers: list[list[float]]) -> Evidence:
    """Evidence with these numbers, of seeds, for the paper's claims."""
    measured = [[{"ours": one, "theirs": 0.0} for one in seeds] for seeds in numbers]
    findings = (find(paper, claim, seeds, note="a note") for claim, seeds in zip(paper.claims, measured, strict=True))
    return Evidence(
        paper.name,
        paper.field,
        paper.references,
        "0.1.0",
        "quick",
        (),
        None,
        "2026-01-01T00:00:00+00:00",
        60.0,
        {"cores": 2},
        (0, 1, 2),
        {},
        tuple(findings),
    )


def paper_of(source: str) -> Paper:
    """The paper that a source defines."""
    scope: dict = {}
    exec(source, scope)
    return scope["PAPER"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 47 packages of ten claims each, with evidence; another without; and one that does not import."""
    folder = tmp_path_factory.mktemp("site")
    names = [LONGEST_NAME, *(f"paper-{i:02}" for i in range(N_PACKAGES - 1))]
    for name in names:
        source = SOURCE.format(name=name, n_claims=10)
        package = install(folder, name, source)
        found = evidence_of(paper_of(source), [*NUMBERS.values()] * 2)
        (package / "results/quick.json").write_text(json.dumps(found.to_json()))
    install(folder, "unmeasured", SOURCE.format(name="unmeasured", n_claims=3))
    install(folder, "broken", "import nothing_of_this_name_that_is_much_too_long_to_be_shown_in_one_line_of_a_terminal")
    return folder


def listed(site: Path, *options: str) -> tuple[str, float]:
    """What the list prints in a process of its own, and the seconds of CPU that it took."""
    code = "import time; from separata import app; app.main(); print(time.process_time())"
    program = [sys.executable, "-c", code, "list", *options]
    env = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "80"}
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=env)
    assert done.stderr == ""
    text, seconds = done.stdout.rstrip().rsplit("\n", 1)
    return text, float(seconds)


def test_all_are_listed_in_a_line_each_in_less_than_a_second(site):
    text, _ = listed(site)
    _, seconds = listed(site)
    lines = text.splitlines()
    assert all(len(line) < 80 for line in lines)
    names = [line.split()[0] for line in lines[1 : lines.index("")]]
    assert names == sorted(names)
    assert {LONGEST_NAME, "paper-00", "paper-45", "unmeasured", "broken"} <= set(names)
    assert seconds < 1


def test_a_line_counts_the_claims_of_each_kind(site):
    lines = {line.split()[0]: line for line in listed(site)[0].splitlines() if line}
    assert lines["paper"].split() == ["paper", "field", "✓", "(✓)", "◐", "✗", "–"]
    assert lines[LONGEST_NAME].split()[-5:] == ["2"] * 5
    assert lines["unmeasured"].split()[-5:] == ["·", "·", "·", "·", "3"]
    assert lines["broken"].split(maxsplit=1)[1].startswith("does not import: ModuleNotFoundError: No module")


def test_the_list_as_json_is_whole(site):
    rows = {row["name"]: row for row in json.loads(listed(site, "--json")[0])}
    assert rows[LONGEST_NAME] | {"references": None} == {
        "name": LONGEST_NAME,
        "version": "0.1.0",
        "field": "A field of research with a long name",
        "title": "A long title of a paper that goes on and on, and that is longer than a line of a terminal is wide",
        "references": None,
        "claims": 10,
        "verdicts": {"all_seeds": 2, "mean_only": 2, "direction": 2, "fails": 2, "absent": 2},
    }
    assert rows["broken"]["error"].startswith("does not import: ModuleNotFoundError")


def test_a_broken_package_hides_no_other_and_is_named(site, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(site))
    assert {"paper-00", "unmeasured"} <= {paper.name for paper in papers.installed()}
    assert capsys.readouterr().err.startswith("broken does not import: ModuleNotFoundError: ")
    with pytest.raises(ValueError, match="broken does not import: ModuleNotFoundError"):
        papers.find("broken")


def test_evidence_that_cannot_be_read_spoils_its_own_line_alone(tmp_path, monkeypatch, capsys):
    package = install(tmp_path, "spoiled", SOURCE.format(name="spoiled", n_claims=1))
    (package / "results/quick.json").write_text('{"schema": 1}')
    monkeypatch.syspath_prepend(str(tmp_path))
    app.list_papers()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("spoiled"))
    assert line.endswith("…")
    app.list_papers(json=True)
    row = next(row for row in json.loads(capsys.readouterr().out) if row["name"] == "spoiled")
    assert "is not evidence in schema 1" in row["error"]


def test_what_is_announced_but_is_no_paper_is_said(tmp_path, monkeypatch):
    install(tmp_path, "pretender", "PAPER = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert papers.Broken("pretender", "pretender.paper:PAPER is no Paper") in papers.survey()[1]


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An installed paper of three claims, measured at `quick`, of which one is measured again at `gpu`."""
    source = SOURCE.format(name="claiming", n_claims=3)
    package = install(tmp_path, "claiming", source)
    paper = paper_of(source)
    quick = evidence_of(paper, [[2.0, 3.0, 0.5], [0.5, 0.5, 0.5], []])
    gpu = replace(evidence_of(paper, [[], [-1.0, -2.0], []]), preset="gpu", only=("claim-1",), seeds=(5, 6))
    for found in (quick, gpu):
        (package / f"results/{found.name}.json").write_text(json.dumps(found.to_json()))
    monkeypatch.syspath_prepend(str(tmp_path))
    return paper


def test_verdict_and_numbers_come_before_the_statement(paper):
    blocks = claims.as_text(paper).split("\n\n")
    assert blocks[1] == "3 claims: 1 holds on the mean only, 1 does not hold, 1 is not measured"
    first = blocks[2].splitlines()
    assert first[0] == "✓ holds (2/3)  claim-0, preset quick"
    assert first[1].split() == ["ours", "1.83", "±", "1.26", "paper:", "90.00"]
    assert first[2].split() == ["theirs", "0"]
    assert first[3] == "  It does what a statement of many words says that it does, and then some more"
    assert first[4:] == ["  Criterion: above 1", "  Metric: percent of what was hoped for", "  Note: a note"]


def test_each_claim_is_shown_as_it_was_measured_at_the_largest_preset(paper):
    second, third = claims.as_text(paper).split("\n\n")[3:]
    assert second.splitlines()[0] == "✗ does not hold (0/2)  claim-1, preset gpu"
    assert third.splitlines()[0] == "– not measured  claim-2"


def test_lines_fit_80_columns(paper):
    assert max(map(len, claims.as_text(paper).splitlines())) < 80


def test_whose_claim_it_is_stands_there_where_there_are_several_papers(paper):
    assert "Claimed by" not in claims.as_text(paper)
    other = Reference("Second", "A second paper", 2025, ("Ann Other", "Bo Other", "Cy Other"), arxiv="2501.1")
    both = replace(
        paper, short="First", others=(other,), claims=tuple(replace(one, source="Second") for one in paper.claims)
    )
    text = claims.as_text(both)
    assert "Other et al., A second paper (2025)\nhttps://arxiv.org/abs/2501.1" in text
    assert claims.as_json(both).count("A second paper") == 1


def test_json_has_all_of_it(paper):
    value = json.loads(claims.as_json(paper))
    assert value["references"][0]["title"] == paper.title
    first, second, third = value["claims"]
    assert first["measured"]["ours"]["values"] == [2.0, 3.0, 0.5]
    assert (first["verdict"], first["support"], first["preset"], first["seeds"]) == (
        "holds",
        [2, 3],
        "quick",
        [0, 1, 2],
    )
    assert (second["verdict"], second["preset"], second["seeds"]) == ("does not hold", "gpu", [5, 6])
    assert third["verdict"] == "not measured"
    for row, claim in zip(value["claims"], paper.claims, strict=True):
        assert (row["id"], row["statement"], row["metric"]) == (claim.id, claim.statement, claim.metric)
        assert (row["criterion"], row["paper"]) == (claim.criterion, dict(claim.paper))


def test_a_paper_without_evidence_has_its_claims_and_their_notes(oja):
    blocks = claims.as_text(oja).split("\n\n")
    assert blocks[1] == "3 claims: 3 are not measured"
    assert blocks[4].splitlines() == [
        "– not measured  fast",
        "    squid  paper: 1",
        "  It takes a millisecond in squid",
        "  Criterion: below 2",
        "  Metric: milliseconds",
        "  Note: There is no squid here.",
    ]
