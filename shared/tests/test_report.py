"""Reports, and the parts of READMEs that are rendered."""

import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from separata import readme, report
from separata.reproduce import Plan, reproduce


@pytest.fixture
def found(oja, tmp_path):
    return reproduce(oja, Plan("quick", tmp_path / "results"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.12345, "0.123"),
        (-0.0002, "-2.00e-04"),
        (99.96, "100"),
        (12345.6, "12,346"),
        (2.5e7, "2.50e+07"),
    ],
)
def test_numbers_are_shown_with_three_digits(value, text):
    assert report.number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s"), (119, "2 min"), (7200, "2.0 h")])
def test_durations_are_shown_as_a_person_says_them(seconds, text):
    assert report.duration(seconds) == text


def test_markdown_has_a_row_for_each_claim(found):
    rows = [line for line in report.markdown(found).splitlines() if line.startswith("| **")]
    assert [re.search(r"\*\*(.+?)\*\*", row)[1] for row in rows] == ["first-component", "bounded", "fast"]
    assert "✓ holds (3/3)" in rows[0]
    assert "hebb 21 ± 1" in rows[1]
    assert "– not measured" in rows[2]
    assert "There is no squid here." in rows[2]


def test_a_bar_in_a_statement_does_not_break_the_table(found):
    rows = [line for line in report.markdown(found).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {6}


def test_the_terminal_table_shows_every_verdict(found):
    console = Console(record=True, width=120)
    report.terminal(found, console)
    text = console.export_text()
    assert text.count("holds (3/3)") == 2
    assert "not measured" in text


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_and_needs_no_other_file(found, tmp_path):
    page = Page((tmp_path / "results/quick.html").read_text())
    assert page.open == []
    assert page.links
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert "2 hold" in page.text
    assert "It takes a millisecond in squid" in page.text


def test_what_a_claim_says_cannot_become_markup(found, tmp_path):
    from dataclasses import replace

    evil = replace(found, claims=(replace(found.claims[0], statement="<script>alert(1)</script>", figures=()),))
    assert "<script>" not in report.html([(evil, tmp_path)])


@pytest.fixture
def tree(tmp_path, found):
    package = tmp_path / "packages/oja-rule"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text('[project]\nname = "oja-rule"\ndescription = "Finds the first component"\n')
    (package / "README.md").write_text("# oja\n<!-- separata:claims -->\nstale\n<!-- /separata -->\nend\n")
    (tmp_path / "README.md").write_text("# all\n<!-- separata:papers -->\n<!-- /separata -->\n")
    (tmp_path / "results").rename(package / "results")
    return tmp_path


def test_readmes_are_rendered_from_evidence_and_only_between_their_marks(tree):
    texts = readme.render(tree)
    mine = texts[tree / "packages/oja-rule/README.md"]
    assert mine.startswith("# oja\n<!-- separata:claims -->\nMeasured with preset `quick`, 3 seeds")
    assert "![alignment](results/quick/alignment.svg)" in mine
    assert mine.endswith("<!-- /separata -->\nend\n")
    assert "stale" not in mine
    assert "| [oja-rule](packages/oja-rule) | Finds the first component | 2 of 3 |" in texts[tree / "README.md"]


def test_rendering_twice_changes_nothing(tree):
    for path, text in readme.render(tree).items():
        path.write_text(text)
    assert all(path.read_text() == text for path, text in readme.render(tree).items())


def test_a_readme_without_marks_is_named(tree):
    (tree / "README.md").write_text("# all\n")
    with pytest.raises(ValueError, match=r"README\.md has no part between"):
        readme.render(tree)
