"""The parts of READMEs that are rendered from evidence."""

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from separata import evidence, readme
from separata.evidence import Evidence

PART = "# title\n<!-- separata:{}-->\nstale\n<!-- /separata -->\nend\n"


@pytest.fixture
def tree(tmp_path, oja):
    """A source tree with a package that was measured, and one that was not."""
    measured = {"first-component": [{"oja": 0.999}] * 3, "bounded": [{"oja": 1.0, "hebb": 20.0 + i} for i in range(3)]}
    figures = {"first-component": ("quick/alignment.svg",)}
    claims = [
        evidence.find(oja, claim, measured.get(claim.id, []), note=claim.note, figures=figures.get(claim.id, ()))
        for claim in oja.claims
    ]
    hardware = {"cpu": "AMD", "cores": 2, "gpu": None, "python": "3.11", "torch": "2.13"}
    whole = (None, "2026-01-02T03:04:05+00:00", 4.0, hardware, (0, 1, 2), {}, tuple(claims))
    found = Evidence(oja.name, oja.field, oja.references, "1.2", "quick", (), *whole)
    (tmp_path / "README.md").write_text(PART.format("papers "))
    for name, description in {
        "oja-rule": "Finds the first *component*: one neuron, one rule",
        "new-rule": "Finds nothing yet",
    }.items():
        package = tmp_path / "packages" / name
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text(f'[project]\nname = "{name}"\ndescription = "{description}"\n')
        (package / "README.md").write_text(PART.format("claims "))
    write(tmp_path, "oja-rule", found)
    return tmp_path, found


def write(tree, name, found):
    """Put evidence into a package."""
    place = tree / "packages" / name / "results" / f"{found.name}.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(found.to_json()))


def rendered(tree, path="README.md") -> str:
    return readme.render(tree)[tree / path]


class Rows(HTMLParser):
    """The cells of each row of every table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))

    def handle_starttag(self, tag, attrs):
        self.rows += [[]] if tag == "tr" else []
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        self.in_cell = self.in_cell or tag in {"td", "th"}

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in {"td", "th"}

    def handle_data(self, data):
        if self.in_cell:
            self.rows[-1][-1] += data


def test_only_what_is_between_the_marks_is_rendered(tree):
    for text in readme.render(tree[0]).values():
        assert text.startswith("# title\n<!-- separata:")
        assert text.endswith("<!-- /separata -->\nend\n")
        assert "stale" not in text


def test_a_package_shows_its_claims_its_numbers_and_its_figures(tree):
    text = rendered(tree[0], "packages/oja-rule/README.md")
    assert "Measured with preset quick, seeds 0 to 2" in text
    assert "](results/quick/alignment.svg)" in text
    rows = Rows(text).rows
    assert rows[0] == ["Claim", "Verdict", "Seeds"]
    assert [row[1:] for row in rows[1:4]] == [
        ["✓\xa0holds", "3/3"],
        ["✓\xa0holds", "3/3"],
        ["–\xa0not\xa0measured", ""],
    ]
    assert ["hebb", "21 ± 1", ""] in rows
    assert text.count("<details>") == text.count("</details>") == 3


def test_a_package_without_evidence_says_so(tree):
    assert "Not measured yet.\n<!-- /separata -->" in rendered(tree[0], "packages/new-rule/README.md")
    rows = Rows(rendered(tree[0])).rows
    assert rows[-2][1] == "Not measured yet"
    assert rows[-1] == ["new-rule", "Finds nothing yet", "", "", "", "", ""]


def test_the_table_of_all_papers_counts_verdicts_apart(tree):
    root, found = tree
    first, second, third = found.claims
    claims = (replace(first, support=(2, 3)), replace(second, verdict="direction only"), third)
    write(root, "oja-rule", replace(found, claims=claims))
    text = rendered(root)
    assert (
        "Of 3 claims, ✓ 0 hold in all seeds, (✓) 1 holds on the mean only, ◐ 1 holds in direction only, "
        "✗ 0 do not hold, – 1 is not measured."
    ) in text
    row = ["oja-rule", "Finds the first *component*", "", "1", "1", "", "1"]
    assert Rows(text).rows[:2] == [["", found.field, "✓", "(✓)", "◐", "✗", "–"], row]


def test_papers_are_listed_by_field_under_the_names_of_their_methods(tree):
    root, found = tree
    for name, field, methods in (
        ("b", "Zoology", ("Bee",)),
        ("c", "Algebra", ("Cee", "See")),
        ("a", "Zoology", ("a",)),
    ):
        shutil.copytree(root / "packages/new-rule", root / "packages" / name)
        references = tuple(replace(found.references[0], short=method) for method in methods)
        write(root, name, replace(found, paper=name, field=field, references=references))
    rows = [row[:2] for row in Rows(rendered(root)).rows]
    gives = "Finds nothing yet"
    assert rows == [
        ["", "Algebra"],
        ["c", f"{gives} (Cee, See)"],
        ["", found.field],
        ["oja-rule", "Finds the first *component*"],
        ["", "Zoology"],
        ["a", gives],
        ["b", f"{gives} (Bee)"],
        ["", "Not measured yet"],
        ["new-rule", gives],
    ]


def test_the_largest_preset_decides_for_each_claim(tree):
    root, found = tree
    at_gpu = replace(found.claims[1], verdict="does not hold", support=(0, 3), figures=())
    absent = [replace(one, verdict="not measured", measured={}, support=(0, 0), figures=()) for one in found.claims]
    large = replace(found, preset="gpu", only=("bounded",), claims=(absent[0], at_gpu, absent[2]))
    write(root, "oja-rule", large)
    assert ["oja-rule", "Finds the first *component*", "1", "", "", "1", "1"] in Rows(rendered(root)).rows
    text = rendered(root, "packages/oja-rule/README.md")
    assert text.count("Measured with preset") == 2
    assert [row[-1] for row in Rows(text).rows[:4]] == ["Preset", "quick", "gpu", ""]


def test_what_smoke_measured_is_not_shown(tree):
    root, found = tree
    before = readme.render(root)
    write(root, "oja-rule", replace(found, preset="smoke"))
    assert readme.render(root) == before


def test_rendering_twice_changes_nothing(tree):
    once = readme.render(tree[0])
    for path, text in once.items():
        path.write_text(text)
    assert readme.render(tree[0]) == once


def test_a_readme_without_marks_is_named(tree):
    (tree[0] / "README.md").write_text("# all\n")
    with pytest.raises(ValueError, match=r"README\.md has no part between"):
        readme.render(tree[0])
